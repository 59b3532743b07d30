"""ECS tasks that run once: the same token is the same answer, and a task ends when a test says so.

ECS answers a token that it knows with its first answer, failures included. It knows a token for an hour after the task
has ended, and forgets the task by about then.
"""

import json

from events import emit
from ministack.core.responses import json_response
from ministack.services import ecs
from patching import wrap

# By token, the tasks and failures of its first answer; and the reasons why the next calls start nothing.
_answers, _failures = {}, []


@wrap(ecs, "_run_task")
def _run_task(original, data):
    """A token that was used before starts nothing."""
    token = data.get("clientToken")
    if token and token in _answers:
        arns, failures = _answers[token]
        known = [ecs._sanitize(ecs._tasks[it]) for it in arns if it in ecs._tasks]
        return json_response({"tasks": known, "failures": failures})
    if _failures:
        response = json_response({"tasks": [], "failures": [{"reason": _failures.pop(0)}]})
    else:
        response = original(data)
    if token and response[0] == 200:
        answer = json.loads(response[2])
        _answers[token] = [it["taskArn"] for it in answer["tasks"]], answer["failures"]
    return response


def fail_to_start(reasons):
    """The next calls of RunTask start nothing, for these reasons, such as RESOURCE:ENI."""
    _failures[:] = reasons
    return reasons


def forget(family):
    """What an hour does: ECS knows the ended tasks of a family no more, nor the tokens that started them."""
    gone = [arn for arn, it in ecs._tasks.items()
            if f"/{family}:" in it["taskDefinitionArn"] and it["lastStatus"] == "STOPPED"]
    for arn in gone:
        del ecs._tasks[arn]
    for token, (arns, failures) in list(_answers.items()):
        if failures or any(it in gone for it in arns):
            del _answers[token]
    return gone


def end(family, exit_code=None, stop_code="EssentialContainerExited", reason="Essential container in task exited",
        ended_at=None):
    """Ends the running tasks of a family and emits the event: every container exits so, or none has started.

    A function whose clock a test has set needs the moment on that clock: `ended_at`, in ISO 8601.
    """
    ended = []
    for arn, task in list(ecs._tasks.items()):
        if f"/{family}:" not in task["taskDefinitionArn"] or task["lastStatus"] == "STOPPED":
            continue
        ecs._mark_task_stopped(arn, task, reason, stop_code, exit_code=exit_code)
        if ended_at:
            task["stoppedAt"] = task["executionStoppedAt"] = ended_at
        shown = ecs._sanitize(task)
        detail = {key: shown[key] for key in (
            "clusterArn", "taskArn", "taskDefinitionArn", "startedBy", "lastStatus", "desiredStatus", "stopCode",
            "stoppedReason")}
        emit("aws.ecs", "ECS Task State Change", {
            **detail,
            "containers": [{key: it[key] for key in ("name", "exitCode") if key in it} for it in shown["containers"]],
        }, [arn])
        ended.append(arn)
    return ended
