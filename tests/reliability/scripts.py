"""Runs the script of deploy-compose on a machine that lies in memory, so that a fork of this process is a copy of it too.

The script really runs, with the docker that tests/local-aws plays: in a folder that is made from what the machine holds, and
read back after it. What it does depends on nothing but that and its parameters, so a run of the same is answered from what
the first one left behind. `Key` is a parameter that it only matches.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import tempfile

import run_command
import yaml
from patching import wrap

_ROOT = pathlib.Path(__file__).resolve().parents[2]

DOCUMENT = "nightshift-ComposeDocument"

# By instance: what its files hold, by their paths. The folder itself is written as this word.
_machines = {}
_FOLDER = "@FOLDER@"

# Beside these a machine has only links to programs, and what a script has not cleaned up.
_KEPT = ("clock", "images.json", "plugin", "state.json", "srv", "var")


def install(directory):
    """The document of the stack, and a place for what scripts left behind, which all forks share."""
    global _known
    _known = pathlib.Path(directory, "scripts")
    _known.mkdir()
    run_command._documents[DOCUMENT] = {"content": _document(), "version": 1}


def _document():
    class Template(yaml.SafeLoader):
        pass

    # What a function of CloudFormation would give stands nowhere in the document.
    Template.add_multi_constructor("!", lambda loader, suffix, node: None)
    with open(_ROOT / "template.yaml") as template:
        return yaml.load(template, Template)["Resources"]["ComposeDocument"]["Properties"]["Content"]


def runs(instance):
    """The images of the containers that run on a machine."""
    state = json.loads(_machines[instance].get("state.json", '{"containers": []}'))
    return sorted(it["Name of its image"] for it in state["containers"] if it["Exited"] is None and it["Until"] is None)


def all_of_them():
    return sorted(_machines)


@wrap(run_command, "furnish")
def furnish(original, data):
    with _laid_out(data["id"]):
        return original(data)


@wrap(run_command, "_run")
def _run(original, instance, content, parameters):
    before = _machines[instance]
    asked = {**parameters, "Key": ""}
    digest = hashlib.sha256(json.dumps([before, asked], sort_keys=True).encode()).hexdigest()
    # Plays side by side often come to the same run: the first one runs the script, and the others wait for it.
    with open(_known / digest, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        if not known:
            with _laid_out(instance):
                answer = original(instance, content, parameters)
            known = json.dumps([answer, _machines[instance]])
            file.write(known)
    answer, _machines[instance] = json.loads(known)
    return answer


@contextlib.contextmanager
def _laid_out(instance):
    """The machine as a folder, for as long as that takes."""
    home = os.environ["HOME"]
    # A container that outlives a killed script may still write into the folder.
    with tempfile.TemporaryDirectory(dir=home, ignore_cleanup_errors=True) as directory:
        os.environ["HOME"] = directory
        try:
            folder = run_command._folder(instance)
            for path, text in _machines.get(instance, {}).items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.replace(_FOLDER, str(folder)))
            yield
            _machines[instance] = dict(sorted(_files(folder)))
        finally:
            os.environ["HOME"] = home


def _files(folder):
    for name in _KEPT:
        place = folder / name
        for file in [place] if place.is_file() else place.rglob("*"):
            if file.is_file() and not file.name.endswith(".lock"):
                text = file.read_text().replace(str(folder), _FOLDER)
                yield str(file.relative_to(folder)), _without_calls(text) if name == "state.json" else text


def _without_calls(text):
    """What a test would look at grows with each run, and means nothing to the next one."""
    return json.dumps({**json.loads(text), "calls": []}, sort_keys=True)
