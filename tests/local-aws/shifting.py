"""Deployments of ECS that shift traffic (blue/green, linear, canary) or pause: stage by stage, and back at once.

A rolling deployment that pauses goes through the stages that are not about traffic, and keeps its rollout state. A stage lasts the delay of `rollouts.py`, or in `manual` mode until a test says which one is next. A pause waits for
ContinueServiceDeployment, whatever the mode, or until a test lets it expire. Functions as hooks are not called.
"""

import time

import clock
import history
import rollouts
from events import emit
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs
from patching import wrap

_STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")

# What comes before the production traffic, and after it. The new tasks have all test traffic from its shift on.
_BEFORE = ("RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT")
_AFTER = ("POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP")

# Of a rolling deployment, whose tasks get traffic as they start.
_ROLLING = ("RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "CLEAN_UP")


def shifts(configuration):
    """Whether deployments with these settings shift traffic."""
    return configuration.get("strategy") in _STRATEGIES


def is_one(service):
    """Whether deployments of the service go stage by stage."""
    configuration = service["deploymentConfiguration"]
    return shifts(configuration) or any(it.get("targetType") == "PAUSE" for it in configuration.get("lifecycleHooks", []))


def _steps(configuration):
    """The stages with the test and production traffic of the new tasks and the stage that hooks name.

    A hook before the production traffic runs once for each step of it; ECS shows no stage of that name.
    """
    if not shifts(configuration):
        return [{"stage": it, "test": None, "production": None, "hook": it} for it in _ROLLING]
    test, steps = 0.0, []
    for stage in _BEFORE:
        test = 100.0 if stage == "TEST_TRAFFIC_SHIFT" else test
        steps.append({"stage": stage, "test": test, "production": 0.0, "hook": stage})
    before = 0.0
    for weight in _weights(configuration):
        steps.append({"stage": "PRODUCTION_TRAFFIC_SHIFT", "test": test, "production": before,
                      "hook": "PRE_PRODUCTION_TRAFFIC_SHIFT"})
        steps.append({"stage": "PRODUCTION_TRAFFIC_SHIFT", "test": test, "production": weight, "hook": None})
        before = weight
    return steps + [{"stage": it, "test": test, "production": 100.0, "hook": it} for it in _AFTER]


def _weights(configuration):
    if configuration["strategy"] == "CANARY":
        return [configuration.get("canaryConfiguration", {}).get("canaryPercent", 5.0), 100.0]
    if configuration["strategy"] == "LINEAR":
        step = configuration.get("linearConfiguration", {}).get("stepPercent", 10.0)
        return [min(step * it, 100.0) for it in range(1, int(-(-100 // step)) + 1)]
    return [100.0]


# ------------------------------------------------------------------------------------------------ going on


@wrap(rollouts, "_begin")
def _begin(original, service):
    if not is_one(service):
        return original(service)
    original(service, ends=False)
    record = history.current(service)
    record["_steps"] = _steps(service["deploymentConfiguration"])
    record["lifecycleHookDetails"] = []
    _enter(service, record)
    if rollouts.SETTINGS["mode"] == "auto":
        delay = rollouts.SETTINGS["delay_seconds"]
        spawn_background(_go_on_by_itself, service, record, delay, thread_name="nightshift-shift")
    return None


def _go_on_by_itself(service, record, delay):
    while True:
        time.sleep(delay)
        with rollouts.LOCK:
            if record["status"] != "IN_PROGRESS" or service["status"] != "ACTIVE":
                return
            if not _waits(record):
                _next(service, record)


def _next(service, record):
    """Leaves a stage. Tasks that do not start are known after the scale-up, those of a service without tasks never."""
    bad = service["desiredCount"] and rollouts.is_bad(service)
    if record["lifecycleStage"] == "SCALE_UP" and bad:
        rollouts.fail(service)
    elif record["_steps"]:
        _enter(service, record)
    else:
        rollouts.complete(service)


def _enter(service, record):
    step = record["_steps"].pop(0)
    hooks = [it for it in service["deploymentConfiguration"].get("lifecycleHooks", [])
             if it.get("targetType") == "PAUSE" and step["hook"] in it.get("lifecycleStages", [])]
    if step["hook"] == "PRE_PRODUCTION_TRAFFIC_SHIFT" and not hooks:
        return _enter(service, record)
    tasks = service["desiredCount"] if step["stage"] not in ("RECONCILE_SERVICE", "PRE_SCALE_UP") else 0
    record.update(lifecycleStage=step["stage"], updatedAt=clock.now())
    target = record["targetServiceRevision"]
    target.update(runningTaskCount=tasks, pendingTaskCount=0)
    if step["production"] is not None:
        target.update(requestedTestTrafficWeight=step["test"], requestedProductionTrafficWeight=step["production"])
    for hook in hooks:
        _pause(record, step["hook"], hook.get("timeoutConfiguration", {}))
    return None


def _pause(record, stage, timeout):
    pause = {
        "hookId": f"ecs-pause-{history.number()}",
        "targetType": "PAUSE",
        "status": "AWAITING_ACTION",
        "expiresAt": clock.now() + 60 * timeout.get("timeoutInMinutes", 1440),
        "timeoutAction": timeout.get("action", "ROLLBACK"),
        "_stage": stage,
    }
    record["lifecycleHookDetails"].append(pause)
    _announce(record, pause, "HOOK_AWAITING_ACTION")


def _waits(record):
    return [it for it in record["lifecycleHookDetails"] if it["status"] == "AWAITING_ACTION"]


def _announce(record, pause, name):
    emit("aws.ecs", "ECS Hook State Change", {
        "eventType": "INFO",
        "eventName": name,
        "hookId": pause["hookId"],
        "hookType": "PAUSE",
        "expiresAt": pause["expiresAt"],
        "lifecycleStage": pause["_stage"],
        "clusterArn": record["clusterArn"],
        "serviceArn": record["serviceArn"],
        "serviceDeploymentArn": record["serviceDeploymentArn"],
        "updatedAt": clock.iso(),
    }, [record["serviceDeploymentArn"]])


# ------------------------------------------------------------------------------------------------ a test says so


@wrap(rollouts, "settle")
def _settle(original, name, outcome, stage=None, traffic=None):
    """Goes on to `stage` (with that much production traffic) or to the end (`completed`), as far as no pause stops it,
    or fails; `expired`: nobody has answered at the pauses."""
    with rollouts.LOCK:
        service = history.find(*name.split("/", 1))
        record = history.current(service) if service and is_one(service) else {"status": None}
        if record["status"] != "IN_PROGRESS" or outcome == "failed":
            return original(name, outcome)
        if outcome == "expired":
            _expire(service, record)
        else:
            _go_to(service, record, outcome, stage, traffic)
        return {key: record.get(key) for key in ("status", "lifecycleStage")}


def _go_to(service, record, outcome, stage, traffic):
    """As far as asked, or to the next pause."""
    if waiting := _waits(record):
        raise rollouts.Refused(f"it waits at {waiting[0]['hookId']}, stage {record['lifecycleStage']}")
    while record["status"] == "IN_PROGRESS" and not _waits(record):
        weight = record["targetServiceRevision"].get("requestedProductionTrafficWeight")
        if outcome == "stage" and record["lifecycleStage"] == stage and traffic in (None, weight):
            return
        _next(service, record)
    if outcome == "stage" and not _waits(record):
        raise rollouts.Refused(f"it does not come to the stage {stage} with {traffic} % of the traffic")


def _expire(service, record):
    waiting = _waits(record)
    for pause in waiting:
        pause["status"] = "TIMED_OUT"
        _announce(record, pause, "HOOK_TIMED_OUT")
    if any(it["timeoutAction"] == "ROLLBACK" for it in waiting):
        rollouts.go_back(service, "Service deployment rolled back because a lifecycle hook timed out.")


# ------------------------------------------------------------------------------------------------ calls


def _continue(data):
    with rollouts.LOCK:
        record, service = _named(data)
        if record is None:
            return _not_found()
        pause = next((it for it in record.get("lifecycleHookDetails", []) if it["hookId"] == data.get("hookId")), None)
        if record["status"] != "IN_PROGRESS" or pause is None or pause["status"] != "AWAITING_ACTION":
            return error_response_json(
                "InvalidParameterException", "The deployment is not in progress or does not wait at this hook.", 400)
        back = data.get("action") == "ROLLBACK"
        pause["status"] = "FAILED" if back else "SUCCEEDED"
        _announce(record, pause, "HOOK_FAILED" if back else "HOOK_SUCCEEDED")
        if back:
            rollouts.go_back(service, "Service deployment rolled back because a lifecycle hook failed.")
        return json_response({"serviceDeploymentArn": record["serviceDeploymentArn"]})


def _stop(data):
    with rollouts.LOCK:
        record, service = _named(data)
        if record is None:
            return _not_found()
        if record["status"] == "IN_PROGRESS":
            rollouts.go_back(service, "Service deployment stopped by user.")
        elif record["status"] != "ROLLBACK_IN_PROGRESS":
            return error_response_json(
                "ConflictException", f"The service deployment is {record['status']} and cannot be stopped.", 400)
        return json_response({"serviceDeploymentArn": record["serviceDeploymentArn"]})


def _named(data):
    record = history.find_deployment(data.get("serviceDeploymentArn", ""))
    if record is None:
        return None, None
    return record, history.find(record["clusterArn"].rsplit("/", 1)[-1], record["serviceArn"])


def _not_found():
    return error_response_json("ServiceDeploymentNotFoundException", "Service deployment not found.", 400)


ecs._ACTION_MAP.update(ContinueServiceDeployment=_continue, StopServiceDeployment=_stop)


@wrap(ecs, "_sanitize")
def _sanitize(original, obj):
    """A deployment that shifts traffic has no rollout state."""
    shown = original(obj)
    if isinstance(obj, dict) and "deploymentConfiguration" in obj and "deployments" in obj and shifts(obj["deploymentConfiguration"]):
        for it in shown["deployments"]:
            it.pop("rolloutState", None)
    return shown
