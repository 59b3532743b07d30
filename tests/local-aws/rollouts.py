"""ECS rollouts: they take time, may fail, roll back, send events and leave a history, where MiniStack is done at once.

A rollout ends by itself after a short delay, or when a test says so (`settle`). A deployment of an image among
`bad_digests` fails. What shifts traffic goes through its stages in `shifting.py`.
"""

import threading
import time

import clock
import history
import task_definitions
from events import emit
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs
from patching import wrap

SETTINGS = {"mode": "auto", "delay_seconds": 0.3, "bad_digests": []}

LOCK = threading.RLock()


class Refused(Exception):
    """A control request that makes no sense."""


# ------------------------------------------------------------------------------------------------ starting


@wrap(ecs, "_create_service")
def _create_service(original, data):
    return _start(original, data, data.get("serviceName", ""))


@wrap(ecs, "_update_service")
def _update_service(original, data):
    service = history.find(data.get("cluster"), data.get("service", ""))
    controller = service and service["deploymentController"].get("type", "ECS")
    if controller not in (None, "ECS") and data.get("taskDefinition"):
        return error_response_json(
            "InvalidParameterException",
            f"Unable to update task definition on services with a {controller} deployment controller.", 400)
    return _start(original, data, data.get("service", ""))


def _start(original, data, reference):
    """Refuses a task definition that ECS would refuse, then records the deployment that the call has begun, if any."""
    wanted = data.get("taskDefinition")
    if wanted is not None and (error := task_definitions.refusal(wanted)):
        return error
    with LOCK:
        before = history.find(data.get("cluster"), reference)
        running = _primary(before)["id"] if before else None
        response = original(data)
        service = history.find(data.get("cluster"), reference)
        if response[0] != 200 or _primary(service)["id"] == running:
            return response
        _begin(service)
        return json_response({"service": ecs._sanitize(service)})


@wrap(ecs, "_make_deployment")
def _make_deployment(original, *args, **kwargs):
    """A deployment begins IN_PROGRESS, also the first of a service, and has a numeric id as in ECS."""
    deployment, now = original(*args, **kwargs), clock.now()
    deployment.update(id=f"ecs-svc/{history.number()}", rolloutState="IN_PROGRESS", createdAt=now, updatedAt=now)
    return deployment


@wrap(ecs, "_complete_service_deployment")
def _complete_service_deployment(original, *args, **kwargs):
    """MiniStack completes a deployment as soon as its tasks exist; here `settle` does it."""


def _begin(service, ends=True):
    primary = _primary(service)
    history.begin(service, primary, SETTINGS["mode"] == "auto")
    _progress(service, f"ECS deployment {primary['id']} in progress.", ends=ends)


# ------------------------------------------------------------------------------------------------ ending


def settle(name, outcome):
    """Ends the rollout in progress of the service `cluster/name`: `completed` or `failed`; `stopped` if it was stopped."""
    cluster, _, service_name = name.partition("/")
    with LOCK:
        service = history.find(cluster, service_name)
        if service is None:
            raise Refused(f"no service {name}")
        if outcome == "stopped":
            history.stopped(service)
            return {"status": history.current(service)["status"]}
        if _primary(service)["rolloutState"] != "IN_PROGRESS":
            raise Refused(f"{name} has no rollout in progress: it is {_primary(service)['rolloutState']}")
        if outcome not in ("completed", "failed"):
            raise Refused(f"outcome {outcome!r}: expected completed, failed or stopped")
        history.stopped(service)
        complete(service) if outcome == "completed" else fail(service)
        return {"deployments": ecs._sanitize(service["deployments"]), "status": history.current(service)["status"]}


def complete(service):
    """The primary has reached its steady state: it is the only one left, and the next point to roll back to."""
    primary, record = _primary(service), history.current(service)
    rolled_back = record["status"] == "ROLLBACK_IN_PROGRESS"
    reason = f"ECS deployment {primary['id']} completed."
    primary.update(rolloutState="COMPLETED", rolloutStateReason=reason, updatedAt=clock.now())
    service["currentServiceRevisions"] = [{"arn": primary["_revision"], "requestedTaskCount": service["desiredCount"]}]
    # A failed deployment stays visible until a later one completes.
    service["deployments"] = [
        it for it in service["deployments"] if it is primary or (rolled_back and it["rolloutState"] == "FAILED")]
    history.finish(record, "ROLLBACK_SUCCESSFUL" if rolled_back else "SUCCESSFUL")
    _stop_tasks(service, lambda task: task.get("_deployment_id") != primary["id"])
    ecs._reconcile_service_tasks(_cluster(service), _key(service))
    _announce(service, primary, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", reason)


def fail(service):
    """Tasks of the primary do not start. Only a circuit breaker ends that, and rolls back if told to and if it can."""
    primary, record = _primary(service), history.current(service)
    breaker = service["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    primary.update(failedTasks=ecs._circuit_breaker_threshold(service), updatedAt=clock.now())
    if not breaker.get("enable"):
        return
    reason = "ECS deployment circuit breaker: tasks failed to start."
    primary.update(rolloutState="FAILED", rolloutStateReason=reason, desiredCount=0)
    _stop_tasks(service, lambda task: task.get("_deployment_id") == primary["id"])
    # The event and the deployment word it differently, in ECS too.
    _announce(service, primary, "ERROR", "SERVICE_DEPLOYMENT_FAILED", reason.replace("tasks", "task"))
    if breaker.get("rollback"):
        go_back(service, reason, "ECS deployment circuit breaker: ")
    else:
        history.stop(record, reason, SETTINGS["mode"] == "auto")


def go_back(service, reason, by=""):
    """To the last deployment that completed, whose tasks still run."""
    failed = _primary(service)
    target = next((it for it in service["deployments"] if it["rolloutState"] == "COMPLETED"), None)
    if target is None:
        return history.finish(
            history.current(service), "ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
    failed["status"], target["status"] = "ACTIVE", "PRIMARY"
    target.update(rolloutState="IN_PROGRESS", desiredCount=service["desiredCount"], updatedAt=clock.now())
    service["deployments"].sort(key=lambda it: it is not target)
    service["taskDefinition"] = target["taskDefinition"]
    history.roll_back(service, target, reason)
    ecs._reconcile_service_tasks(_cluster(service), _key(service))
    return _progress(service, f"{by}rolling back to deploymentId {target['id']}.")


def _progress(service, reason, ends=True):
    """Announces that the primary is being rolled out, and in `auto` mode ends that after the delay, if it `ends` so."""
    primary = _primary(service)
    primary["rolloutStateReason"] = reason
    _announce(service, primary, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", reason)
    if SETTINGS["mode"] == "auto" and ends:
        delay = SETTINGS["delay_seconds"]
        spawn_background(_end_by_itself, service, primary["id"], delay, thread_name="nightshift-rollout")


def _end_by_itself(service, deployment_id, delay):
    time.sleep(delay)
    with LOCK:
        primary = _primary(service)
        if primary["id"] != deployment_id or primary["rolloutState"] != "IN_PROGRESS" or service["status"] != "ACTIVE":
            return
        # Without a task nothing can fail: the image is not proven.
        fail(service) if is_bad(service) and service["desiredCount"] else complete(service)


def is_bad(service):
    return any(digest in SETTINGS["bad_digests"] for digest in history.digests(_primary(service)))


def _announce(service, deployment, event_type, event_name, reason):
    emit("aws.ecs", "ECS Deployment State Change", {
        "eventType": event_type,
        "eventName": event_name,
        "deploymentId": deployment["id"],
        "updatedAt": clock.iso(),
        "reason": reason,
    }, [service["serviceArn"]])


# ------------------------------------------------------------------------------------------------ looking up


def _primary(service):
    return next(it for it in service["deployments"] if it["status"] == "PRIMARY")


def _cluster(service):
    return service["clusterArn"].rsplit("/", 1)[-1]


def _key(service):
    return f"{_cluster(service)}/{service['serviceName']}"


def _stop_tasks(service, condition):
    for arn, task in list(ecs._tasks.items()):
        if (task.get("group") == f"service:{service['serviceName']}" and task["clusterArn"] == service["clusterArn"]
                and task["lastStatus"] != "STOPPED" and condition(task)):
            ecs._stop_task({"cluster": _cluster(service), "task": arn, "reason": "Scaling activity"})
