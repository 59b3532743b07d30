"""ECS tasks that run once: the same token is the same task, and a task ends when a test says so."""

from events import emit
from ministack.core.responses import json_response
from ministack.services import ecs
from patching import wrap

_tokens = {}


@wrap(ecs, "_run_task")
def _run_task(original, data):
    """A token that was used before starts nothing and answers with the task that it started."""
    token = data.get("clientToken")
    task = ecs._tasks.get(_tokens.get(token, ""))
    if token and task:
        return json_response({"tasks": [ecs._sanitize(task)], "failures": []})
    response = original(data)
    if token:
        started = [arn for arn, it in ecs._tasks.items() if it["startedBy"] == data.get("startedBy", "")]
        _tokens[token] = started[-1] if started else ""
    return response


def end(family, exit_code):
    """Ends the running tasks of a family: every container exits so, and ECS tells of it."""
    ended = []
    for arn, task in list(ecs._tasks.items()):
        if f"/{family}:" not in task["taskDefinitionArn"] or task["lastStatus"] == "STOPPED":
            continue
        ecs._mark_task_stopped(
            arn, task, "Essential container in task exited", "EssentialContainerExited", exit_code=exit_code)
        shown = ecs._sanitize(task)
        detail = {key: shown[key] for key in (
            "clusterArn", "taskArn", "taskDefinitionArn", "startedBy", "lastStatus", "desiredStatus", "stopCode",
            "stoppedReason")}
        emit("aws.ecs", "ECS Task State Change", {
            **detail,
            "containers": [{"name": it["name"], "exitCode": it["exitCode"]} for it in shown["containers"]],
        }, [arn])
        ended.append(arn)
    return ended
