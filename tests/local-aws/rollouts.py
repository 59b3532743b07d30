"""ECS rollouts: they take time, may fail, roll back, send events and leave a history, where MiniStack is done at once.

A rollout ends by itself after a short delay, or when a test says so (`settle`). A deployment of an image among
`bad_digests` fails. The history answers ListServiceDeployments, DescribeServiceDeployments and
DescribeServiceRevisions. Every strategy is played as a rolling update.
"""

import datetime
import random
import threading
import time

import task_definitions
from events import emit
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecr, ecs
from patching import wrap

SETTINGS = {"mode": "auto", "delay_seconds": 0.3, "bad_digests": []}

# By service ARN, newest first; and by the ARN of the service revision.
_history = {}
_revisions = {}
_lock = threading.RLock()


class Refused(Exception):
    """A control request that makes no sense."""


# ------------------------------------------------------------------------------------------------ starting


@wrap(ecs, "_create_service")
def _create_service(original, data):
    return _start(original, data, data.get("serviceName", ""))


@wrap(ecs, "_update_service")
def _update_service(original, data):
    service = _find(data.get("cluster"), data.get("service", ""))
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
    with _lock:
        before = _find(data.get("cluster"), reference)
        running = _primary(before)["id"] if before else None
        response = original(data)
        service = _find(data.get("cluster"), reference)
        if response[0] != 200 or _primary(service)["id"] == running:
            return response
        _begin(service)
        return json_response({"service": ecs._sanitize(service)})


@wrap(ecs, "_make_deployment")
def _make_deployment(original, *args, **kwargs):
    """A deployment begins IN_PROGRESS, also the first of a service, and has a numeric id as in ECS."""
    deployment = original(*args, **kwargs)
    deployment.update(id=f"ecs-svc/{_number()}", rolloutState="IN_PROGRESS", createdAt=time.time(), updatedAt=time.time())
    return deployment


@wrap(ecs, "_complete_service_deployment")
def _complete_service_deployment(original, *args, **kwargs):
    """MiniStack completes a deployment as soon as its tasks exist; here `settle` does it."""


def _begin(service):
    primary, now = _primary(service), time.time()
    history = _history.setdefault(service["serviceArn"], [])
    if history and history[0]["status"] in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        history[0].update(status="STOPPED", statusReason="Superseded by a newer deployment.", stoppedAt=now, finishedAt=now)
    revision = _revision(service, primary)
    record = {
        "serviceDeploymentArn": _arn(service, "service-deployment"),
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": now,
        "startedAt": now,
        "updatedAt": now,
        "sourceServiceRevisions": [{"arn": it["_revision"]} for it in service["deployments"][1:] if "_revision" in it],
        "targetServiceRevision": {"arn": revision, "requestedTaskCount": service["desiredCount"]},
        "status": "IN_PROGRESS",
        "deploymentConfiguration": service["deploymentConfiguration"],
        "_deployment": primary["id"],
    }
    history.insert(0, record)
    service["currentServiceDeployment"] = record["serviceDeploymentArn"]
    _progress(service, f"ECS deployment {primary['id']} in progress.")


def _revision(service, deployment):
    deployment["_revision"] = arn = _arn(service, "service-revision")
    definition = ecs._task_defs[ecs._resolve_td_key(deployment["taskDefinition"])]
    _revisions[arn] = ecs._sanitize({
        "serviceRevisionArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "taskDefinition": deployment["taskDefinition"],
        "launchType": service.get("launchType"),
        "platformVersion": service.get("platformVersion") or None,
        "networkConfiguration": service.get("networkConfiguration"),
        "containerImages": [
            {"containerName": it["name"], "image": it["image"], "imageDigest": _digest(it["image"])}
            for it in definition["containerDefinitions"]],
        "createdAt": deployment["createdAt"],
    })
    return arn


# ------------------------------------------------------------------------------------------------ ending


def settle(name, outcome):
    """Ends the rollout in progress of the service `cluster/name`: `completed` or `failed`."""
    cluster, _, service_name = name.partition("/")
    with _lock:
        service = _find(cluster, service_name)
        if service is None:
            raise Refused(f"no service {name}")
        if _primary(service)["rolloutState"] != "IN_PROGRESS":
            raise Refused(f"{name} has no rollout in progress: it is {_primary(service)['rolloutState']}")
        if outcome not in ("completed", "failed"):
            raise Refused(f"outcome {outcome!r}: expected completed or failed")
        _complete(service) if outcome == "completed" else _fail(service)
        return {"deployments": ecs._sanitize(service["deployments"]), "status": _record(service)["status"]}


def _complete(service):
    """The primary has reached its steady state: it is the only one left, and the next point to roll back to."""
    primary, record = _primary(service), _record(service)
    rolled_back = record["status"] == "ROLLBACK_IN_PROGRESS"
    reason = f"ECS deployment {primary['id']} completed."
    primary.update(rolloutState="COMPLETED", rolloutStateReason=reason, updatedAt=time.time())
    service["currentServiceRevisions"] = [{"arn": primary["_revision"], "requestedTaskCount": service["desiredCount"]}]
    # A failed deployment stays visible until a later one completes.
    service["deployments"] = [
        it for it in service["deployments"] if it is primary or (rolled_back and it["rolloutState"] == "FAILED")]
    _finish(record, "ROLLBACK_SUCCESSFUL" if rolled_back else "SUCCESSFUL")
    _stop_tasks(service, lambda task: task.get("_deployment_id") != primary["id"])
    ecs._reconcile_service_tasks(_cluster(service), _key(service))
    _announce(service, primary, "INFO", "SERVICE_DEPLOYMENT_COMPLETED", reason)


def _fail(service):
    """Tasks of the primary do not start. Only a circuit breaker ends that, and rolls back if told to and if it can."""
    primary, record = _primary(service), _record(service)
    breaker = service["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    primary.update(failedTasks=ecs._circuit_breaker_threshold(service), updatedAt=time.time())
    if not breaker.get("enable"):
        return
    reason = "ECS deployment circuit breaker: tasks failed to start."
    primary.update(rolloutState="FAILED", rolloutStateReason=reason, desiredCount=0)
    _stop_tasks(service, lambda task: task.get("_deployment_id") == primary["id"])
    _announce(service, primary, "ERROR", "SERVICE_DEPLOYMENT_FAILED", "ECS deployment circuit breaker: task failed to start.")
    last_completed = next((it for it in service["deployments"] if it["rolloutState"] == "COMPLETED"), None)
    if not breaker.get("rollback"):
        _finish(record, "STOPPED", reason)
    elif last_completed is None:
        _finish(record, "ROLLBACK_FAILED", "No rollback candidate was found to run the rollback.")
    else:
        _roll_back(service, primary, last_completed, reason)


def _roll_back(service, failed, target, reason):
    failed["status"], target["status"] = "ACTIVE", "PRIMARY"
    target.update(rolloutState="IN_PROGRESS", desiredCount=service["desiredCount"], updatedAt=time.time())
    service["deployments"].sort(key=lambda it: it is not target)
    service["taskDefinition"] = target["taskDefinition"]
    record = _record(service)
    record.update(status="ROLLBACK_IN_PROGRESS", statusReason=reason, updatedAt=time.time(), rollback={
        "reason": reason, "startedAt": time.time(), "serviceRevisionArn": target["_revision"]})
    ecs._reconcile_service_tasks(_cluster(service), _key(service))
    _progress(service, f"ECS deployment circuit breaker: rolling back to deploymentId {target['id']}.")


def _progress(service, reason):
    """Announces that the primary is being rolled out, and in `auto` mode ends that after the delay."""
    primary = _primary(service)
    primary["rolloutStateReason"] = reason
    _announce(service, primary, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", reason)
    if SETTINGS["mode"] == "auto":
        spawn_background(_end_by_itself, service, primary["id"], SETTINGS["delay_seconds"], thread_name="nightshift-rollout")


def _end_by_itself(service, deployment_id, delay):
    time.sleep(delay)
    with _lock:
        primary = _primary(service)
        if primary["id"] != deployment_id or primary["rolloutState"] != "IN_PROGRESS" or service["status"] != "ACTIVE":
            return
        images = _revisions[primary["_revision"]]["containerImages"]
        bad = any(it.get("imageDigest") in SETTINGS["bad_digests"] for it in images)
        # Without a task nothing can fail: the image is not proven.
        _fail(service) if bad and service["desiredCount"] else _complete(service)


def _finish(record, status, reason=None):
    record.update(status=status, updatedAt=time.time(), finishedAt=time.time(), **({"statusReason": reason} if reason else {}))


def _announce(service, deployment, event_type, event_name, reason):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    emit("aws.ecs", "ECS Deployment State Change", {
        "eventType": event_type,
        "eventName": event_name,
        "deploymentId": deployment["id"],
        "updatedAt": now,
        "reason": reason,
    }, [service["serviceArn"]])


# ------------------------------------------------------------------------------------------------ history

_BRIEF = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt", "status", "statusReason")


@wrap(ecs, "_list_service_deployments")
def _list_service_deployments(original, data):
    service = _find(data.get("cluster"), data.get("service", ""))
    if service is None:
        return error_response_json("ServiceNotFoundException", "Service not found.", 400)
    created, statuses = data.get("createdAt", {}), data.get("status") or []
    found = [
        {**{key: it[key] for key in _BRIEF if key in it}, "targetServiceRevisionArn": it["targetServiceRevision"]["arn"]}
        for it in _history.get(service["serviceArn"], [])
        if (not statuses or it["status"] in statuses)
        and created.get("after", 0) <= it["createdAt"] <= created.get("before", float("inf"))]
    start, size = int(data.get("nextToken") or 0), data.get("maxResults", 20)
    page = {"serviceDeployments": found[start:start + size]}
    if start + size < len(found):
        page["nextToken"] = str(start + size)
    return json_response(page)


@wrap(ecs, "_describe_service_deployments")
def _describe_service_deployments(original, data):
    known = {it["serviceDeploymentArn"]: it for records in _history.values() for it in records}
    return _described("serviceDeployments", known, data.get("serviceDeploymentArns", []))


@wrap(ecs, "_describe_service_revisions")
def _describe_service_revisions(original, data):
    return _described("serviceRevisions", _revisions, data.get("serviceRevisionArns", []))


def _described(key, known, arns):
    return json_response({
        key: [ecs._sanitize(known[arn]) for arn in arns if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
    })


@wrap(ecs, "reset")
def _reset(original):
    original()
    _history.clear()
    _revisions.clear()


# ------------------------------------------------------------------------------------------------ looking up


def _find(cluster, reference):
    found = ecs._resolve_service_ref(reference)
    name = ecs._resolve_cluster_name(cluster or "default")
    return ecs._services.get(f"{name}/{found[0]}") if found else None


def _primary(service):
    return next(it for it in service["deployments"] if it["status"] == "PRIMARY")


def _record(service):
    """The deployment in progress; a rollback belongs to the deployment that it undoes."""
    return _history[service["serviceArn"]][0]


def _cluster(service):
    return service["clusterArn"].rsplit("/", 1)[-1]


def _key(service):
    return f"{_cluster(service)}/{service['serviceName']}"


def _arn(service, kind):
    return f"arn:aws:ecs:{get_region()}:{get_account_id()}:{kind}/{_key(service)}/{_number()}"


def _number():
    return random.randint(10**18, 9 * 10**18)


def _digest(image):
    """The digest of an image reference; a tag is looked up in the registry."""
    repository, _, digest = image.partition("@")
    if digest:
        return digest
    repository, _, tag = repository.partition(":")
    found = ecr._find_image(repository.split("/", 1)[-1], {"imageTag": tag or "latest"})
    return found["imageDigest"] if found else None


def _stop_tasks(service, condition):
    for arn, task in list(ecs._tasks.items()):
        if (task.get("group") == f"service:{service['serviceName']}" and task["clusterArn"] == service["clusterArn"]
                and task["lastStatus"] != "STOPPED" and condition(task)):
            ecs._stop_task({"cluster": _cluster(service), "task": arn, "reason": "Scaling activity initiated by deployment"})
