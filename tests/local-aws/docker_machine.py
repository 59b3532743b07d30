"""The programs that deploy.sh finds on a machine, played: docker, docker-compose, aws, curl and wget.

machine/program calls this by one of these names; machine/date and machine/sleep are beside it. What the machine is like
lies in the folder that `MACHINE` names: `state.json` has the images and the containers, `clock` the seconds, and
`images.json` how an image behaves, by digest, where a test wants it otherwise:

    {"DIGEST": {"pull": "no space left on device",  it cannot be pulled, for this reason
                "up": "exec: no such file",         compose cannot start it, for this reason; it has stopped the old one
                "creates": "invalid mount config",  compose cannot make its container, for this reason; the old one runs on
                "starts": "healthy",                or unhealthy (runs, gives no answer), crashes (again and again), exits
                "check": "unhealthy",               what a health check of docker's says; without it there is no check
                "migration": 1,                     the exit code of a container that runs once
                "kills": "up"}}                     it kills the script in the middle of `up` or of the migration

Only `sleep` makes time pass. A compose that is under way has a file `up-PROCESS` with the second that it is done. What deploy.sh does not use is refused, so that a new call is not answered by chance.
"""

import fcntl
import json
import os
import pathlib
import re
import signal
import sys
import time

MACHINE = pathlib.Path(os.environ["MACHINE"])
STOP, START = 1, 2


class Refused(Exception):
    """What a program says on standard error, with its exit code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


class Machine:
    """The state, locked and written back."""

    def __enter__(self):
        self.lock = open(MACHINE / "state.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        path = MACHINE / "state.json"
        self.state = json.loads(path.read_text()) if path.exists() else {}
        for name, empty in (("made", 0), ("images", {}), ("containers", []), ("calls", [])):
            self.state.setdefault(name, empty)
        self.now = seconds()
        # What has stopped is gone: compose makes a container anew beside the old one, and removes that.
        stays = [it for it in self.state["containers"] if it["Until"] is None or self.now < it["Until"]]
        self.state["containers"] = stays
        return self

    def __exit__(self, *_):
        new = MACHINE / "state.new"
        new.write_text(json.dumps(self.state, indent=1))
        new.replace(MACHINE / "state.json")
        self.lock.close()

    def container(self, name):
        found = [it for it in self.state["containers"] if name in (it["Id"], it["Name"])]
        if not found:
            raise Refused(f"Error: No such object: {name}")
        return found[0]

    def image(self, name):
        """The id of a local image by its id, a tag or a digest."""
        for identifier, it in self.state["images"].items():
            if name == identifier or name in it["RepoDigests"] or name in it["RepoTags"]:
                return identifier
        return None

    def behaviour(self, identifier):
        known = behaviours()
        for name in self.state["images"].get(identifier, {}).get("RepoDigests", []):
            digest = name.partition("@")[2]
            if digest in known:
                return known[digest]
        return {}


def seconds():
    path = MACHINE / "clock"
    return int(path.read_text()) if path.exists() else 1_000


def behaviours():
    path = MACHINE / "images.json"
    return json.loads(path.read_text()) if path.exists() else {}


def seen(machine, container):
    """The container as docker shows it at this moment."""
    behaviour, age = machine.behaviour(container["Image"]), machine.now - container["Started"]
    starts = behaviour.get("starts", "healthy")
    status, code, restarts = "running", 0, 0
    if container["Exited"] is not None:
        status, code = "exited", container["Exited"]
    elif age < 0:
        status = "created"
    elif starts == "crashes":
        restarts, status = age, "restarting" if age % 2 else "running"
    elif starts == "exits" and age >= 1:
        status, code = "exited", 3
    state = {"Status": status, "ExitCode": code, "Health": None}
    if "check" in behaviour:
        state["Health"] = {"Status": "starting" if age < 2 else behaviour["check"]}
    return {
        "ID": container["Id"], "State": state, "RestartCount": restarts, "Image": container["Image"],
        "Config": {"Image": container["Name of its image"], "Labels": container["Labels"]}}


# ---------------------------------------------------------------------------------------------------- compose files


def variables(folder):
    """What compose fills in: the environment wins over `.env`."""
    found = {}
    path = folder / ".env"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition("=")
        found[name.strip()] = value.strip()
    return {**found, **os.environ}


def filled(text, values):
    def one(it):
        return values.get(it["name"]) or it["default"] or ""
    return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}", one, text)


def services(file, values):
    """The services of a compose file: image and ports, and the version of its format."""
    found, version, service, inside, key = {}, None, None, False, None
    for line in file.read_text().splitlines():
        text = filled(line, values)
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        depth = len(text) - len(text.lstrip())
        name, _, value = text.strip().partition(":")
        name, value = name.strip("\"'"), value.strip().strip("\"'")
        if depth == 0:
            inside = name == "services"
            version = value if name == "version" else version
        elif inside and depth == 2:
            service = found.setdefault(name, {"ports": []})
        elif inside and depth == 4:
            key = name
            service[name] = value or service.get(name, [])
        elif inside and key == "ports" and text.strip().startswith("- "):
            service["ports"].append(text.strip()[2:].strip("\"'").split(":")[0])
    return found, version


class Project:
    def __init__(self, classic, folder, files):
        self.folder = pathlib.Path(folder or os.getcwd())
        self.values = variables(self.folder)
        if not files:
            files = self.values.get("COMPOSE_FILE", "compose.yaml").split(":")
        self.files = [self.folder / it for it in files]
        self.name = self.values.get("COMPOSE_PROJECT_NAME") or self.folder.name.lower()
        self.services, versions = {}, []
        for file in self.files:
            if not file.exists():
                raise Refused(f"open {file}: no such file or directory", 14)
            found, version = services(file, self.values)
            versions.append(version)
            for name, it in found.items():
                mine = self.services.setdefault(name, {"ports": []})
                mine.update({**it, "ports": mine["ports"] + it["ports"]})
        if classic and len(set(versions)) > 1:
            raise Refused(f"Version mismatch: {versions}")

    def service(self, name):
        if name not in self.services:
            raise Refused(f"no such service: {name}")
        return self.services[name]

    def containers(self, machine, service):
        labels = {"com.docker.compose.project": self.name, "com.docker.compose.service": service}
        return [it for it in machine.state["containers"] if labels.items() <= it["Labels"].items()]


def made(machine, project, service, image, name=None):
    """A new container, which is created and not yet started."""
    machine.state["made"] += 1
    number = machine.state["made"]
    container = {
        "Id": f"{number:064x}",
        "Name": name or f"{project.name}-{service}-{number}",
        "Image": machine.image(image),
        "Name of its image": image,
        "Ports": project.service(service)["ports"],
        "Started": machine.now,
        "Exited": None,
        "Until": None,
        "Labels": {
            "com.docker.compose.project": project.name,
            "com.docker.compose.service": service,
            "com.docker.compose.oneoff": "True" if name else "False",
            "com.docker.compose.project.working_dir": str(project.folder),
            "com.docker.compose.project.config_files": ",".join(map(str, project.files))}}
    machine.state["containers"].append(container)
    return container


def present(machine, image):
    if not machine.image(image):
        pull(machine, image)


def up(project, service):
    """Makes the container anew if its image is another; the old one stops before the new one starts."""
    parent = os.getppid()
    with Machine() as machine:
        image = project.service(service)["image"]
        present(machine, image)
        identifier, behaviour = machine.image(image), machine.behaviour(machine.image(image))
        old = project.containers(machine, service)
        running = [it for it in old if seen(machine, it)["State"]["Status"] == "running"]
        if running and [(it["Image"], it["Name of its image"]) for it in old] == [(identifier, image)]:
            return 0
        if "creates" in behaviour:
            raise Refused(f"Error response from daemon: {behaviour['creates']}")
        container = made(machine, project, service, image)
        for it in old:
            it["Until"] = machine.now + STOP
        ready = machine.now + STOP + START
        container["Started"] = ready
        if "up" in behaviour:
            container["Exited"] = 127
        if behaviour.get("kills") == "up":
            kill_the_script(parent)
            return 137
        (MACHINE / "up.new").write_text(f"{ready}\n")
        (MACHINE / "up.new").replace(MACHINE / f"up-{parent}")
    while seconds() < ready:
        time.sleep(0.003)
    if "up" in behaviour:
        raise Refused(f"Error response from daemon: {behaviour['up']}")
    return 0


def run_once(project, service, name):
    with Machine() as machine:
        if any(it["Name"] == name for it in machine.state["containers"]):
            raise Refused(f'Conflict. The container name "/{name}" is already in use', 125)
        image = project.service(service)["image"]
        present(machine, image)
        container, behaviour = made(machine, project, service, image, name), machine.behaviour(machine.image(image))
        container["Exited"] = behaviour.get("migration", 0)
        machine.state["calls"].append(f"migrated {image}")
        if behaviour.get("kills") == "run":
            kill_the_script(os.getppid())
            return 137
        print("password=hunter2 is what this migration connects with", file=sys.stderr)
        if container["Exited"] == 0:
            machine.state["containers"].remove(container)
        return container["Exited"]


def kill_the_script(parent):
    """The parent is `timeout`, and the script its parent."""
    stat = pathlib.Path(f"/proc/{parent}/stat").read_text()
    os.kill(int(stat.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)


def compose(arguments, classic):
    if arguments[:1] == ["version"]:
        print("1.29.2" if classic else "Docker Compose version v2.29.7")
        return 0
    folder, files = None, []
    while arguments and arguments[0].startswith("-"):
        option, value, *arguments = arguments
        if option == "--project-directory":
            folder = value
        elif option == "-f":
            files.append(value)
        else:
            raise Refused(f"unknown flag: {option}", 16)
    project = Project(classic, folder, files)
    match arguments:
        case ["ps", *flags, service] if flags == (["-q"] if classic else ["-a", "-q"]):
            project.service(service)
            with Machine() as machine:
                for it in project.containers(machine, service):
                    print(it["Id"])
        case ["config", "--services"]:
            print("\n".join(project.services))
        case ["up", "-d", "--no-deps", "--no-build", service]:
            return up(project, service)
        case ["run", "--rm", "--no-deps", "-T", "--name", name, service]:
            return run_once(project, service, name)
        case _:
            raise Refused(f"compose {arguments} is not played", 16)
    return 0


# ---------------------------------------------------------------------------------------------------- docker


def pull(machine, reference):
    if "@" not in reference:
        raise Refused(f"manifest for {reference} not found: manifest unknown")
    host, digest = reference.split("/")[0], reference.partition("@")[2]
    behaviour = behaviours().get(digest, {})
    if ".dkr.ecr." in host and host not in machine.state.get("logins", []):
        raise Refused(f"Error response from daemon: Head {reference}: no basic auth credentials")
    if "pull" in behaviour:
        raise Refused(f"Error response from daemon: {behaviour['pull']}")
    # Another than the digest, as it is in most stores of docker.
    identifier = "sha256:" + digest.partition(":")[2][::-1]
    image = machine.state["images"].setdefault(identifier, {"RepoDigests": [], "RepoTags": []})
    if reference not in image["RepoDigests"]:
        image["RepoDigests"].append(reference)


def remove_image(machine, reference):
    identifier = machine.image(reference)
    if identifier is None:
        raise Refused(f"Error: No such image: {reference}")
    image = machine.state["images"][identifier]
    names = image["RepoDigests"] + image["RepoTags"]
    if len(names) == 1 and any(it["Image"] == identifier for it in machine.state["containers"]):
        raise Refused("Error response from daemon: conflict: the image is used by a container")
    for kind in ("RepoDigests", "RepoTags"):
        image[kind] = [it for it in image[kind] if it != reference]
    if len(names) == 1:
        del machine.state["images"][identifier]


def shown(template, value):
    """A template of Go, as far as deploy.sh writes them."""
    tokens = re.findall(r"\{\{.*?\}\}|(?:(?!\{\{).)+", template)

    def of(text, it):
        if text.startswith("("):
            return of(text[1:-1], it)
        if text.startswith("index "):
            _, path, key = text.split(" ")
            return of(path, it).get(key.strip('"'), "")
        if text.startswith("or "):
            first, _, last = text[3:].rpartition(" ")
            return of(first, it) or last.strip('"')
        for name in text.split(".")[1:]:
            if name and name not in it:
                raise Refused(f"template parsing error: map has no entry for key {name!r}")
            it = it[name] if name else it
        return it

    def until_end(at, it, quiet):
        """What the tokens up to `else` or `end` say, and where that is. What is quiet is not worked out."""
        said = ""
        while at < len(tokens):
            token = tokens[at]
            inner = token[2:-2] if token.startswith("{{") else None
            if inner in ("else", "end"):
                return said, at
            if inner is None:
                said += token
            elif inner.startswith("if "):
                chosen = not quiet and bool(of(inner[3:], it))
                first, at = until_end(at + 1, it, quiet or not chosen)
                second = ""
                if tokens[at] == "{{else}}":
                    second, at = until_end(at + 1, it, quiet or chosen)
                said += first if chosen else second
            elif inner.startswith("range "):
                begin, values = at + 1, () if quiet else of(inner[6:], it)
                _, at = until_end(begin, "", True)
                said += "".join(until_end(begin, value, quiet)[0] for value in values)
            else:
                found = "" if quiet else of(inner, it)
                said += str(found if found is not None else "")
            at += 1
        return said, at

    return until_end(0, value, False)[0]


def docker(arguments):
    if arguments[:1] == ["compose"]:
        if not (MACHINE / "plugin").exists():
            raise Refused("docker: 'compose' is not a docker command.")
        return compose(arguments[1:], False)
    with Machine() as machine:
        return plain_docker(machine, arguments)


def plain_docker(machine, arguments):
    containers = machine.state["containers"]
    match arguments:
        case ["ps", "-q"]:
            pass
        case ["ps", "-q", "--filter", condition] if condition.startswith("label="):
            _, label, value = condition.split("=", 2)
            for it in containers:
                if it["Labels"].get(label) == value and seen(machine, it)["State"]["Status"] == "running":
                    print(it["Id"])
        case ["ps", "-aq", "--filter", condition]:
            kind, _, value = condition.partition("=")
            for it in containers:
                if kind == "name" and re.search(value, it["Name"]) or kind == "ancestor" and it["Image"] == machine.image(value):
                    print(it["Id"])
        case ["inspect", "--format", template, *names]:
            for name in names:
                print(shown(template, seen(machine, machine.container(name))))
        case ["image", "inspect", "--format", _, _] | ["image", "inspect", _]:
            rest = arguments[2:]
            identifier = machine.image(rest[-1])
            if identifier is None:
                raise Refused(f"Error response from daemon: No such image: {rest[-1]}")
            print(shown(rest[1], {"ID": identifier, **machine.state["images"][identifier]}) if len(rest) > 1 else "[]")
        case ["image", "rm", reference]:
            remove_image(machine, reference)
        case ["tag", name, tag]:
            identifier = machine.image(name)
            if identifier is None:
                raise Refused(f"Error response from daemon: No such image: {name}")
            for it in machine.state["images"].values():
                it["RepoTags"] = [other for other in it["RepoTags"] if other != tag]
            machine.state["images"][identifier]["RepoTags"].append(tag)
        case ["pull", "--quiet", reference] | ["pull", reference]:
            pull(machine, reference)
            machine.state["calls"].append(f"pulled {reference}")
        case ["login", "--username", "AWS", "--password-stdin", host]:
            if sys.stdin.read() != "a-token":
                raise Refused("Error response from daemon: login attempt failed with status: 400 Bad Request")
            machine.state.setdefault("logins", []).append(host)
        case ["wait", name]:
            print(machine.container(name)["Exited"])
        case ["rm", "-f", name]:
            machine.state["containers"] = [it for it in containers if name not in (it["Id"], it["Name"])]
        case ["logs", "--tail", _, name]:
            print(f"the log of {machine.container(name)['Name of its image']}")
        case _:
            raise Refused(f"docker {arguments} is not played", 125)
    return 0


# ---------------------------------------------------------------------------------------------------- other programs


def aws(arguments):
    with Machine() as machine:
        machine.state["calls"].append("aws " + " ".join(arguments))
    if (MACHINE / "no-role").exists():
        raise Refused("Unable to locate credentials. You can configure credentials by running aws configure.", 253)
    if arguments[:3] != ["ecr", "get-login-password", "--region"]:
        raise Refused(f"aws {arguments} is not played", 252)
    print("a-token")
    return 0


def ask(arguments):
    """Whether a container answers: one that is started, works, and has the port of the address."""
    port = re.search(r"//[^/:]+:(\d+)", arguments[-1])
    port = port[1] if port else "80"
    with Machine() as machine:
        for it in machine.state["containers"]:
            works = machine.behaviour(it["Image"]).get("starts", "healthy") == "healthy"
            if port in it["Ports"] and works and seen(machine, it)["State"]["Status"] == "running":
                return 0
    return 7


PROGRAMS = {
    "docker": docker,
    "docker-compose": lambda arguments: compose(arguments, True),
    "aws": aws,
    "curl": ask,
    "wget": ask,
}


def main(program, arguments):
    try:
        return PROGRAMS[program](arguments)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return refused.code

