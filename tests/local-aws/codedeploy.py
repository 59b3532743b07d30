"""CodeDeploy for ECS services, which MiniStack has none of: applications, deployment groups, blue/green deployments.

A service with the deployment controller CODE_DEPLOY has task sets in place of deployments. A deployment starts a green
one, shifts the traffic to it and ends the blue one, a step after each delay of `rollouts.py`. One of an image among the
`bad_digests` fails before it has the traffic, and is undone where its group says so. In `manual` mode a deployment stays
in progress until it is stopped.
"""

import hashlib
import json
import re
import threading
import time

import clock
import history
import permissions
import rollouts
from events import emit
from ministack import app
from ministack.core import iam_actions, router
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecs
from patching import wrap

_STATES = {"InProgress": "START", "Succeeded": "SUCCESS", "Failed": "FAILURE", "Stopped": "STOP"}

# By application and name, by id, and by the hash of their text.
_groups, _deployments, _app_specs = {}, {}, {}
_lock = threading.RLock()


class Refused(Exception):
    """An error that CodeDeploy answers: its code and its message."""


# ------------------------------------------------------------------------------------------------ the service


async def _handle(method, path, headers, body, query_params):
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    if action not in _ACTIONS:
        return error_response_json("UnknownOperationException", f"{action} is not played here.", 400)
    data = json.loads(body or b"{}")
    if action == "CreateDeployment" and (denied := _denied(data)):
        return denied
    try:
        with _lock:
            return json_response(_ACTIONS[action](data))
    except Refused as error:
        return error_response_json(*error.args, 400)


app.SERVICE_HANDLERS["codedeploy"] = _handle
router.SERVICE_PATTERNS["codedeploy"] = {"target_prefixes": ["CodeDeploy_20141006"]}
iam_actions.SERVICE_TO_IAM_NAMESPACE["codedeploy"] = "codedeploy"


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, *args):
    if service != "codedeploy":
        return original(service, method, path, headers, body, *args)
    data = json.loads(body or b"{}")
    application, groups = data.get("applicationName"), data.get("deploymentGroupNames") or []
    group = data.get("deploymentGroupName") or next(iter(groups), None)
    known = _deployments.get(next(iter(data.get("deploymentIds") or []), None), {})
    if group or known:
        application, group = application or known["applicationName"], group or known["deploymentGroupName"]
        return f"{_prefix()}:deploymentgroup:{application}/{group}"
    return f"{_prefix()}:application:{application}" if application else "*"


def _denied(data):
    """CreateDeployment needs two permissions besides its own."""
    return permissions.denied([
        ("codedeploy:RegisterApplicationRevision", f"{_prefix()}:application:{data['applicationName']}", {}),
        ("codedeploy:GetDeploymentConfig", f"{_prefix()}:deploymentconfig:CodeDeployDefault.ECSAllAtOnce", {}),
    ], "codedeploy")


def _prefix():
    return f"arn:aws:codedeploy:{get_region()}:{get_account_id()}"


# ------------------------------------------------------------------------------------------------ applications, groups


def _create_deployment_group(data):
    _groups[data["applicationName"], data["deploymentGroupName"]] = {**data, "computePlatform": "ECS"}
    return {"deploymentGroupId": f"{len(_groups)}"}


def _batch_get_deployment_groups(data):
    application = data["applicationName"]
    if not any(it == application for it, _ in _groups):
        raise Refused("ApplicationDoesNotExistException", f"No application found for name: {application}")
    found = [_groups[application, it] for it in data["deploymentGroupNames"] if (application, it) in _groups]
    return {"deploymentGroupsInfo": found}


# ------------------------------------------------------------------------------------------------ deployments


def _create_deployment(data):
    group = _groups.get((data["applicationName"], data["deploymentGroupName"]))
    if group is None:
        raise Refused("DeploymentGroupDoesNotExistException", "No such deployment group.")
    for it in _of_group(group):
        if it["status"] in ("Created", "InProgress"):
            message = f"The Deployment Group already has an active Deployment '{it['deploymentId']}'"
            raise Refused("DeploymentLimitExceededException", message)
    content = data["revision"]["appSpecContent"]["content"]
    return {"deploymentId": _begin(group, content, data.get("description", ""), "user")["deploymentId"]}


def _begin(group, content, description, creator):
    digest = hashlib.sha256(content.encode()).hexdigest()
    _app_specs[digest] = content
    deployment = {
        "deploymentId": f"d-{len(_deployments) + 1:09X}",
        "applicationName": group["applicationName"],
        "deploymentGroupName": group["deploymentGroupName"],
        "computePlatform": "ECS",
        "creator": creator,
        "description": description,
        # As in CodeDeploy, a deployment does not tell the text.
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}},
        "status": "Created",
        "createTime": clock.now(),
    }
    _deployments[deployment["deploymentId"]] = deployment
    spawn_background(_carry_out, group, deployment, content, thread_name="nightshift-blue-green")
    return deployment


def _carry_out(group, deployment, content):
    steps = [_undo] if deployment["creator"] == "codeDeployRollback" else [_start_green, _shift, _end_blue]
    for step in steps:
        time.sleep(rollouts.SETTINGS["delay_seconds"])
        with _lock:
            if deployment["status"] not in ("Created", "InProgress"):
                return
            step(_service(group), deployment, content)
        if rollouts.SETTINGS["mode"] != "auto":
            return


def _start_green(service, deployment, content):
    definition = re.search(r"arn:[\w:-]+:task-definition/[\w:-]+", content).group()
    service["taskSets"].append(_task_set(service, "ACTIVE", definition, deployment["deploymentId"]))
    _set(deployment, "InProgress")


def _shift(service, deployment, content):
    green = service["taskSets"][-1]
    if any(image.endswith(tuple(rollouts.SETTINGS["bad_digests"] or ["-"])) for image in _images(green)):
        message = "The ECS deployment failed: tasks of the replacement task set did not become healthy."
        _back(service)
        _set(deployment, "Failed", {"code": "HEALTH_CONSTRAINTS", "message": message})
        group = _groups[deployment["applicationName"], deployment["deploymentGroupName"]]
        if group.get("autoRollbackConfiguration", {}).get("enabled"):
            _undoing(group, deployment)
        return
    for it in service["taskSets"]:
        it["status"] = "PRIMARY" if it is green else "ACTIVE"
    service["taskDefinition"] = green["taskDefinition"]


def _end_blue(service, deployment, content):
    service["taskSets"] = [service["taskSets"][-1]]
    _set(deployment, "Succeeded")


def _undo(service, deployment, content):
    _set(deployment, "Succeeded")


def _stop_deployment(data):
    deployment = _deployments[data["deploymentId"]]
    if deployment["status"] not in ("Created", "InProgress"):
        raise Refused("DeploymentAlreadyCompletedException", "The deployment is already complete.")
    group = _groups[deployment["applicationName"], deployment["deploymentGroupName"]]
    _back(_service(group))
    _set(deployment, "Stopped", {"code": "MANUAL_STOP", "message": "The deployment was stopped."})
    if data.get("autoRollbackEnabled"):
        _undoing(group, deployment)
    return {"status": "Succeeded"}


def _undoing(group, deployment):
    content = _app_specs[deployment["revision"]["appSpecContent"]["sha256"]]
    undo = _begin(group, content, f"undoes {deployment['deploymentId']}", "codeDeployRollback")
    deployment["rollbackInfo"] = {"rollbackDeploymentId": undo["deploymentId"]}


def _back(service):
    """The traffic is at the tasks that were there before, and the others are gone."""
    blue = service["taskSets"][0]
    blue["status"], service["taskDefinition"], service["taskSets"] = "PRIMARY", blue["taskDefinition"], [blue]


def _set(deployment, status, error=None):
    deployment["status"] = status
    if error:
        deployment["errorInformation"] = error
    if status != "InProgress":
        deployment["completeTime"] = clock.now()
    application, group = deployment["applicationName"], deployment["deploymentGroupName"]
    emit("aws.codedeploy", "CodeDeploy Deployment State-change Notification", {
        "region": get_region(),
        "application": application,
        "deploymentGroup": group,
        "deploymentId": deployment["deploymentId"],
        "state": _STATES[status],
    }, [f"{_prefix()}:application:{application}", f"{_prefix()}:deploymentgroup:{application}/{group}"])


# ------------------------------------------------------------------------------------------------ task sets


@wrap(ecs, "_create_service")
def _create_service(original, data):
    response = original(data)
    service = history.find(data.get("cluster"), data.get("serviceName", ""))
    if response[0] == 200 and _is_ours(service):
        service["taskSets"] = [_task_set(service, "PRIMARY", service["taskDefinition"], None)]
    return response


@wrap(ecs, "_sanitize")
def _sanitize(original, obj):
    """MiniStack keeps a deployment of such a service; ECS shows none."""
    return original({**obj, "deployments": []} if isinstance(obj, dict) and _is_ours(obj) else obj)


def _is_ours(service):
    return (service.get("deploymentController") or {}).get("type") == "CODE_DEPLOY"


def _task_set(service, status, definition, deployment):
    made = {"startedBy": "CODE_DEPLOY", "externalId": deployment} if deployment else {}
    return {
        "id": f"ecs-svc/{history.number()}",
        "status": status,
        "taskDefinition": definition,
        "createdAt": clock.now(),
        "loadBalancers": service["loadBalancers"],
        "networkConfiguration": service["networkConfiguration"],
        "platformVersion": service["platformVersion"],
        "stabilityStatus": "STEADY_STATE",
        **made,
    }


def _images(task_set):
    definition = ecs._task_defs[ecs._resolve_td_key(task_set["taskDefinition"])]
    return [it["image"] for it in definition["containerDefinitions"]]


def _service(group):
    deployed = group["ecsServices"][0]
    return history.find(deployed["clusterName"], deployed["serviceName"])


def _of_group(names):
    mine = (names["applicationName"], names["deploymentGroupName"])
    return [it for it in _deployments.values() if (it["applicationName"], it["deploymentGroupName"]) == mine]


_ACTIONS = {
    "CreateApplication": lambda data: {"applicationId": data["applicationName"]},
    "CreateDeploymentGroup": _create_deployment_group,
    "ListApplications": lambda data: {"applications": sorted({it for it, _ in _groups})},
    "ListDeploymentGroups": lambda data: {
        "applicationName": data["applicationName"],
        "deploymentGroups": [name for application, name in _groups if application == data["applicationName"]]},
    "BatchGetDeploymentGroups": _batch_get_deployment_groups,
    "ListDeployments": lambda data: {"deployments": [
        it["deploymentId"] for it in reversed(_of_group(data))
        if it["createTime"] >= data.get("createTimeRange", {}).get("start", 0)]},
    "BatchGetDeployments": lambda data: {
        "deploymentsInfo": [_deployments[it] for it in data["deploymentIds"] if it in _deployments]},
    "GetApplicationRevision": lambda data: {"revision": {"revisionType": "AppSpecContent", "appSpecContent": {
        **data["revision"]["appSpecContent"],
        "content": _app_specs[data["revision"]["appSpecContent"]["sha256"]]}}},
    "CreateDeployment": _create_deployment,
    "StopDeployment": _stop_deployment,
}


@wrap(ecs, "reset")
def _reset(original):
    original()
    for it in (_groups, _deployments, _app_specs):
        it.clear()
