"""Systems Manager: the documents of a stack, and Run Command, which really runs their script on a machine in a folder.

    POST  machine   {id, files: {PATH: TEXT}, images: {DIGEST: …}, runs: {service, image}, unreachable}: what an instance is like
    POST  commands  {held}: whether commands that were sent stay under way, for a while

docker_machine.py says how images behave, and plays docker. What the script of a document finds as `/srv/app` lies in the
folder of the instance; nothing of this machine is touched.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

from events import emit
from ministack.core import iam_actions
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import ec2, ssm
from ministack.services.cloudformation import provisioners
from patching import wrap

# What the agent keeps of the output.
_STDOUT, _STDERR = 24_000, 8_000

# What the script takes from this machine. The rest of its programs is played.
_TOOLS = ("bash", "cat", "cksum", "cp", "cut", "env", "flock", "grep", "head", "kill", "mkdir", "mktemp", "mv", "rm", "sed",
          "sort", "tail", "timeout", "touch", "tr")
_PLAYED = {"docker": "program", "aws": "program", "curl": "program", "date": "date", "sleep": "sleep"}

# By name: what CloudFormation was given, and the number of the default version.
_documents = {}
_settings = {"held": False}
_unreachable, _asked, _held = set(), set(), []
_lock = threading.RLock()


# ------------------------------------------------------------------------------------------------ documents


def _create(logical_id, properties, stack_name):
    name = properties.get("Name") or f"{stack_name}-{logical_id}-{new_uuid()[:12]}"
    _documents[name] = {"content": properties["Content"], "version": 1}
    return name, {}


def _update(physical_id, old, new, stack_name):
    """With `NewVersion` the name stays, and the new version is the default one."""
    if new.get("UpdateMethod") != "NewVersion":
        raise ValueError(f"{physical_id}: only UpdateMethod NewVersion is played")
    if new["Content"] != old["Content"]:
        _documents[physical_id] = {"content": new["Content"], "version": _documents[physical_id]["version"] + 1}
    return physical_id, {}


def _delete(physical_id, properties):
    _documents.pop(physical_id, None)


provisioners._RESOURCE_HANDLERS["AWS::SSM::Document"] = {"create": _create, "update": _update, "delete": _delete}


def document_arn(name):
    """The ARN that IAM knows a document of this account by."""
    return f"arn:aws:ssm:{get_region()}:{get_account_id()}:document/{name}"


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, query_params, region, account_id):
    """The document; `calls.py` asks about the instances."""
    if service == "ssm" and headers.get("x-amz-target", "").endswith(".SendCommand"):
        return document_arn(json.loads(body or b"{}").get("DocumentName", ""))
    return original(service, method, path, headers, body, query_params, region, account_id)


# ------------------------------------------------------------------------------------------------ machines


def _folder(instance):
    """The folder of an instance, made when it is first asked for."""
    folder = pathlib.Path(os.environ["HOME"], "machines", instance)
    if not folder.exists():
        for below in ("bin", "home", "tmp"):
            (folder / below).mkdir(parents=True)
        (folder / "plugin").touch()
        for tool in _TOOLS:
            (folder / "bin" / tool).symlink_to(shutil.which(tool))
        (folder / "bin" / "python3").symlink_to(sys.executable)
        for program, file in _PLAYED.items():
            (folder / "bin" / program).symlink_to(pathlib.Path(__file__).parent / "machine" / file)
    return folder


def furnish(data):
    """Makes an instance one with these files and images, on which that service runs; what runs on it now."""
    instance = data["id"]
    folder = _folder(instance)
    for path, text in data.get("files", {}).items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if "images" in data:
        (folder / "images.json").write_text(json.dumps(data["images"]))
    if "unreachable" in data:
        (_unreachable.add if data["unreachable"] else _unreachable.discard)(instance)
    if "runs" in data:
        _start_by_hand(folder, **data["runs"])
    state = folder / "state.json"
    containers = json.loads(state.read_text())["containers"] if state.exists() else []
    return {"runs": [it["Name of its image"] for it in containers if it["Exited"] is None and it["Until"] is None]}


def _start_by_hand(folder, project, service, image, ports):
    """What a person who logs in and starts the project leaves behind."""
    identifier = "sha256:" + image.rpartition(":")[2][::-1]
    labels = {"project": pathlib.Path(project).name, "service": service, "oneoff": "False",
              "project.config_files": f"{folder}{project}/compose.yaml"}
    container = {"Id": "0" * 64, "Name": f"{service}-1", "Image": identifier, "Name of its image": image, "Ports": ports,
                 "Started": 0, "Exited": None, "Until": None,
                 "Labels": {f"com.docker.compose.{name}": value for name, value in labels.items()}}
    state = {"images": {identifier: {"RepoDigests": [image], "RepoTags": []}}, "containers": [container]}
    (folder / "state.json").write_text(json.dumps(state))


def _run(instance, content, parameters):
    """Runs the steps of a document as the agent does: the script in a file, the parameters in its environment."""
    folder = _folder(instance)
    commands = [line for step in content["mainSteps"] for line in step["inputs"]["runCommand"]]
    script = folder / "tmp" / "_script.sh"
    script.write_text("\n".join(commands))
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"),
                   "MACHINE": str(folder), "NIGHTSHIFT_STATE": str(folder / "var/lib/nightshift/compose")}
    for name, it in content["parameters"].items():
        if it.get("interpolationType") == "ENV_VAR":
            value = parameters[name]
            # Its file system begins in its folder.
            environment[f"SSM_{name}"] = f"{folder}{value}" if name == "Path" else value
    done = subprocess.run([folder / "bin/bash", script], env=environment, capture_output=True, text=True, check=False)
    said = [it.replace(str(folder), "") for it in (done.stdout, done.stderr)]
    return done.returncode, said[0][:_STDOUT], said[1][:_STDERR]


# ------------------------------------------------------------------------------------------------ commands


def _checked(document, given):
    """The parameters with their defaults, each as its text, or why Systems Manager does not take them."""
    known = document["content"].get("parameters", {})
    if unknown := sorted(set(given) - set(known)):
        return None, f"parameters {unknown} are not in the document"
    values = {}
    for name, it in known.items():
        value = given.get(name, [it["default"]] if "default" in it else None)
        if value is None:
            return None, f"the parameter {name} is missing"
        if len(value) != 1 or not re.search(it.get("allowedPattern", ""), value[0]):
            return None, f"the parameter {name} does not match {it['allowedPattern']}"
        values[name] = value[0]
    return values, None


def _is_known(instance):
    """Also a stopped instance is valid, and its command waits; one that the agent never spoke for is not."""
    state = ec2._instances.get(instance, {}).get("State", {}).get("Name", "terminated")
    return state not in ("terminated", "shutting-down") and instance not in _unreachable


@wrap(ssm, "_send_command")
def _send_command(original, data):
    document = _documents.get(data.get("DocumentName", ""))
    if document is None:
        return error_response_json("InvalidDocument", "the document does not exist", 400)
    values, wrong = _checked(document, data.get("Parameters", {}))
    if wrong:
        return error_response_json("InvalidParameters", wrong, 400)
    instances = data.get("InstanceIds", [])
    if not instances or not all(map(_is_known, instances)):
        return error_response_json("InvalidInstanceId", f"{instances} are not in a valid state", 400)
    if not 30 <= data.get("TimeoutSeconds", 3600) <= 2_592_000 or len(data.get("Comment", "")) > 100:
        return error_response_json("ValidationException", "TimeoutSeconds or Comment", 400)
    identifier = new_uuid()
    record = {
        "CommandId": identifier, "DocumentName": data["DocumentName"], "Comment": data.get("Comment", ""),
        "Parameters": data.get("Parameters", {}), "InstanceIds": instances, "Targets": [], "RequestedDateTime": time.time(),
        "Status": "Pending", "StatusDetails": "Pending",
        "Invocations": {it: _invocation(identifier, it, data) for it in instances}}
    ssm._commands[identifier] = record
    for instance in instances:
        _deliver(record, instance, document["content"], values)
    return json_response({"Command": ssm._public_command(record)})


def _invocation(command, instance, data):
    return {
        "CommandId": command, "InstanceId": instance, "Comment": data.get("Comment", ""),
        "DocumentName": data["DocumentName"], "PluginName": "", "ResponseCode": -1, "ExecutionStartDateTime": "",
        "ExecutionElapsedTime": "", "ExecutionEndDateTime": "", "Status": "Pending", "StatusDetails": "Pending",
        "StandardOutputContent": "", "StandardOutputUrl": "", "StandardErrorContent": "", "StandardErrorUrl": ""}


def _deliver(record, instance, content, values):
    with _lock:
        is_running = ec2._instances[instance]["State"]["Name"] == "running"
        if _settings["held"] or not is_running:
            _held.append((record, instance, content, values))
            return
    spawn_background(_carry_out, record, instance, content, values, thread_name="nightshift-command")


def _carry_out(record, instance, content, values):
    _becomes(record, instance, "InProgress")
    code, stdout, stderr = _run(instance, content, values)
    record["Invocations"][instance].update(
        ResponseCode=code, StandardOutputContent=stdout, StandardErrorContent=stderr)
    _becomes(record, instance, "Success" if code == 0 else "Failed")


def _becomes(record, instance, status):
    record["Invocations"][instance].update(Status=status, StatusDetails=status)
    record.update(Status=status, StatusDetails=status)
    detail = {
        "command-id": record["CommandId"], "document-name": record["DocumentName"], "instance-id": instance,
        "requested-date-time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record["RequestedDateTime"])),
        "status": status}
    arn = f"arn:aws:ec2:{get_region()}:{get_account_id()}:instance/{instance}"
    emit("aws.ssm", "EC2 Command Invocation Status-change Notification", detail, [arn])


def settle(settings):
    """Commands stay under way from now on, or go on."""
    with _lock:
        _settings["held"] = settings["held"]
        _go_on()
        return {"held": len(_held)}


def _go_on():
    with _lock:
        waiting, _held[:] = list(_held), []
        for it in waiting:
            _deliver(*it)


@wrap(ec2, "_start_instances")
def _start_instances(original, parameters):
    stopped = {name for name, it in ec2._instances.items() if it["State"]["Name"] == "stopped"}
    answer = original(parameters)
    _go_on()
    for name in sorted(stopped):
        if ec2._instances[name]["State"]["Name"] == "running":
            arn = f"arn:aws:ec2:{get_region()}:{get_account_id()}:instance/{name}"
            emit("aws.ec2", "EC2 Instance State-change Notification", {"instance-id": name, "state": "running"}, [arn])
    return answer


@wrap(ssm, "_get_command_invocation")
def _get_command_invocation(original, data):
    """Right after a command was sent, its invocation may not be known yet: a first question before its end finds none."""
    record = ssm._commands.get(data.get("CommandId", ""))
    if record is not None and record["CommandId"] not in _asked and record["Status"] in ("Pending", "InProgress"):
        _asked.add(record["CommandId"])
        return error_response_json("InvocationDoesNotExist", "the invocation does not exist", 400)
    return original(data)


@wrap(ssm, "_list_commands")
def _list_commands(original, data):
    wanted = {it["key"]: it["value"] for it in data.get("Filters", [])}
    after = wanted.get("InvokedAfter")
    if after:
        after = time.mktime(time.strptime(after, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    found = [
        ssm._public_command(it) for it in ssm._commands.values()
        if data.get("CommandId", it["CommandId"]) == it["CommandId"]
        and data.get("InstanceId", it["InstanceIds"][0]) in it["InstanceIds"]
        and wanted.get("DocumentName", it["DocumentName"]) == it["DocumentName"]
        and (not after or it["RequestedDateTime"] >= after)]
    return json_response({"Commands": sorted(found, key=lambda it: it["RequestedDateTime"], reverse=True)})


@wrap(ssm, "_describe_instance_information")
def _describe_instance_information(original, data):
    named = [value for it in data.get("Filters", []) if it["Key"] == "InstanceIds" for value in it["Values"]]
    entries = [
        {"InstanceId": name, "PingStatus": "Online" if it["State"]["Name"] == "running" else "ConnectionLost",
         "AgentVersion": "3.3.2746.0", "PlatformType": "Linux", "ResourceType": "EC2Instance"}
        for name, it in sorted(ec2._instances.items()) if _is_known(name) and (not named or name in named)]
    return json_response({"InstanceInformationList": entries})
