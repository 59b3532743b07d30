"""Application Auto Scaling, which MiniStack lacks: the scaling targets of ECS services, and nothing else of it.

A target moves its service's count inside its limits a little after it is registered. Nothing scales by itself.
"""

import json
import time

import history
from ministack import app
from ministack.core import iam_actions, router
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecs
from patching import wrap

_SERVICE = "application-autoscaling"
_SUSPENDABLE = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")

_ADJUST_SECONDS = 0.2

# By the resource id, service/CLUSTER/SERVICE.
_targets = {}

# By the ARN of a target.
_tags = {}


async def _handle(method, path, headers, body, query_params):
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    data = json.loads(body or b"{}")
    if action == "ListTagsForResource":
        return json_response({"Tags": _tags.get(data["ResourceARN"], {})})
    if action == "TagResource":
        _tags.setdefault(data["ResourceARN"], {}).update(data["Tags"])
        return json_response({})
    if data.get("ServiceNamespace") != "ecs":
        return error_response_json("ValidationException", "Only the namespace ecs is played here.", 400)
    if action == "DescribeScalableTargets":
        named = data.get("ResourceIds")
        return json_response({"ScalableTargets": [it for id, it in _targets.items() if named is None or id in named]})
    if action == "DescribeScheduledActions":
        return json_response({"ScheduledActions": []})
    if action == "RegisterScalableTarget":
        return _register(data)
    if action == "DeregisterScalableTarget":
        if _targets.pop(data["ResourceId"], None) is None:
            return error_response_json("ObjectNotFoundException", f"No scalable target {data['ResourceId']}.", 400)
        return json_response({})
    return error_response_json("ValidationException", f"{action} is not played here.", 400)


def _register(data):
    name = data["ResourceId"]
    _, cluster, service = name.split("/")
    target = _targets.get(name) or {"ResourceId": name, "ServiceNamespace": "ecs", "CreationTime": time.time()}
    if "MinCapacity" not in {**target, **data} or "MaxCapacity" not in {**target, **data}:
        return error_response_json("ValidationException", "A new target needs MinCapacity and MaxCapacity.", 400)
    # What is not given stays as it was.
    target.update({key: data[key] for key in ("ScalableDimension", "MinCapacity", "MaxCapacity") if key in data})
    suspended = {**dict.fromkeys(_SUSPENDABLE, False), **target.get("SuspendedState", {}), **data.get("SuspendedState", {})}
    target["SuspendedState"] = suspended
    target["ScalableTargetARN"] = f"{_prefix()}/{name}"
    _targets[name] = target
    spawn_background(_adjust, target, cluster, service, thread_name="nightshift-scaling")
    return json_response({"ScalableTargetARN": target["ScalableTargetARN"]})


def _adjust(target, cluster, service):
    time.sleep(_ADJUST_SECONDS)
    found = history.find(cluster, service)
    if found is not None:
        wanted = min(max(found["desiredCount"], target["MinCapacity"]), target["MaxCapacity"])
        if wanted != found["desiredCount"]:
            ecs._update_service({"cluster": cluster, "service": service, "desiredCount": wanted})


def _prefix():
    return f"arn:aws:application-autoscaling:{get_region()}:{get_account_id()}:scalable-target"


app.SERVICE_HANDLERS[_SERVICE] = _handle
router.SERVICE_PATTERNS[_SERVICE] = {"target_prefixes": ["AnyScaleFrontendService"]}
iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, query_params, region, account_id):
    if service != _SERVICE:
        return original(service, method, path, headers, body, query_params, region, account_id)
    data = json.loads(body or b"{}")
    if "ResourceARN" in data:
        return data["ResourceARN"]
    return f"{_prefix()}/{data['ResourceId']}" if "ResourceId" in data else "*"


@wrap(iam_actions, "request_tag_context")
def _request_context(original, service, iam_action, body, params):
    """The condition keys by which a role is held to the counts of ECS services."""
    context = original(service, iam_action, body, params)
    if service == _SERVICE:
        data = json.loads(body or b"{}")
        context[f"{_SERVICE}:service-namespace"] = data.get("ServiceNamespace", "")
        context[f"{_SERVICE}:scalable-dimension"] = data.get("ScalableDimension", "")
        if isinstance(data.get("Tags"), dict):
            context["aws:TagKeys"] = list(data["Tags"])
    return context
