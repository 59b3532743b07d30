"""ECS task definitions: kept whole, described as ECS does, refused where unknown."""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs
from patching import wrap

# What RegisterTaskDefinition takes and MiniStack drops.
_DROPPED = ("inferenceAccelerators", "enableFaultInjection", "trustedExecutionConfiguration")


@wrap(ecs, "_register_task_definition")
def _register(original, data):
    """Keeps every field of the request."""
    status, headers, body = response = original(data)
    if status != 200:
        return response
    answer = json.loads(body)
    stored = ecs._task_defs[ecs._resolve_td_key(answer["taskDefinition"]["taskDefinitionArn"])]
    stored.update({field: data[field] for field in _DROPPED if field in data})
    return json_response({"taskDefinition": _shown(stored), "tags": answer["tags"]})


@wrap(ecs, "_describe_task_definition")
def _describe(original, data):
    """Tags only when asked for with `include=[TAGS]`."""
    status, headers, body = response = original(data)
    if status != 200:
        return response
    answer = json.loads(body)
    tags = {"tags": answer["tags"]} if "TAGS" in data.get("include", []) else {}
    return json_response({"taskDefinition": _shown(answer["taskDefinition"]), **tags})


@wrap(ecs, "_resolve_td_key")
def _resolve(original, reference):
    """A bare family is its latest ACTIVE revision, where MiniStack takes the latest of any status."""
    key = original(reference)
    if not reference or reference.rsplit("/", 1)[-1].count(":"):
        return key
    family = reference.rsplit("/", 1)[-1]
    active = [it["revision"] for it in ecs._task_defs.values() if it["family"] == family and it["status"] == "ACTIVE"]
    return f"{family}:{max(active)}" if active else family


def refusal(reference):
    """The error ECS has for a task definition that a service or a task cannot start from, or None."""
    definition = ecs._task_defs.get(ecs._resolve_td_key(reference))
    if definition is None:
        return error_response_json("ClientException", "Unable to describe task definition.", 400)
    if definition["status"] != "ACTIVE":
        return error_response_json("ClientException", "TaskDefinition is inactive", 400)
    return None


@wrap(ecs, "_run_task")
def _run_task(original, data):
    """Refuses an inactive task definition, except for a service, which keeps using one."""
    if not data.get("group", "").startswith("service:") and (error := refusal(data.get("taskDefinition", ""))):
        return error
    return original(data)


def _shown(definition):
    """Without the empty placeholders that MiniStack keeps and AWS does not send."""
    return {key: value for key, value in definition.items() if value not in (None, "")}
