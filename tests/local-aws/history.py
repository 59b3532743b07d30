"""ECS's memory of rollouts: service deployments and service revisions, which MiniStack has none of.

Answers ListServiceDeployments, DescribeServiceDeployments and DescribeServiceRevisions. `rollouts.py` writes it.
"""

import random
import time

import clock
from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecr, ecs
from patching import wrap

# How long a deployment is asked to stop before it has stopped.
_STOP_SECONDS = 0.3

# By service ARN, newest first; and by the ARN of the service revision.
_deployments = {}
_revisions = {}


# ------------------------------------------------------------------------------------------------ writing


def begin(service, primary, by_itself):
    """A new deployment; one that was still running is stopped."""
    now = clock.now()
    records = _deployments.setdefault(service["serviceArn"], [])
    if records and records[0]["status"] in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        stop(records[0], "Superseded by a newer deployment.", by_itself)
    sources = [{"arn": it["_revision"]} for it in service["deployments"] if "_revision" in it]
    arn = _arn(service, "service-deployment")
    records.insert(0, {
        "serviceDeploymentArn": arn,
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": now,
        "startedAt": now,
        "updatedAt": now,
        "sourceServiceRevisions": sources,
        "targetServiceRevision": {"arn": _revision(service, primary), "requestedTaskCount": service["desiredCount"]},
        "status": "IN_PROGRESS",
        "deploymentConfiguration": service["deploymentConfiguration"],
    })
    service["currentServiceDeployment"] = arn


def roll_back(service, target, reason):
    """A rollback belongs to the deployment that it undoes."""
    rollback = {"reason": reason, "startedAt": clock.now(), "serviceRevisionArn": target["_revision"]}
    current(service).update(
        status="ROLLBACK_IN_PROGRESS", statusReason=reason, updatedAt=clock.now(), rollback=rollback)


def finish(record, status, reason=None):
    now = clock.now()
    record.update(status=status, updatedAt=now, finishedAt=now)
    if reason:
        record["statusReason"] = reason


def stop(record, reason, by_itself):
    """A deployment that is stopped, by a breaker that does not roll back or by a newer one, is first asked to stop.

    It has stopped a little later by itself, when the next one ends, or when a test says so (`stopped`).
    """
    record.update(status="STOP_REQUESTED", statusReason=reason, updatedAt=clock.now())

    def settle():
        time.sleep(_STOP_SECONDS)
        _stopped(record)

    if by_itself:
        spawn_background(settle, thread_name="nightshift-stop")


def stopped(service):
    """Whatever was asked to stop has stopped."""
    for record in _deployments[service["serviceArn"]]:
        _stopped(record)


def _stopped(record):
    if record["status"] == "STOP_REQUESTED":
        finish(record, "STOPPED")


def current(service):
    """The newest deployment."""
    return _deployments[service["serviceArn"]][0]


def find_deployment(arn):
    """The deployment of that ARN, or None."""
    return next((it for records in _deployments.values() for it in records if it["serviceDeploymentArn"] == arn), None)


def digests(deployment):
    """The images that a deployment runs."""
    return [it.get("imageDigest") for it in _revisions[deployment["_revision"]]["containerImages"]]


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


def _digest(image):
    """The digest of an image reference; a tag is looked up in the registry."""
    repository, _, digest = image.partition("@")
    if digest:
        return digest
    repository, _, tag = repository.partition(":")
    found = ecr._find_image(repository.split("/", 1)[-1], {"imageTag": tag or "latest"})
    return found["imageDigest"] if found else None


# ------------------------------------------------------------------------------------------------ answering

_BRIEF = (
    "serviceDeploymentArn", "serviceArn", "clusterArn", "createdAt", "startedAt", "finishedAt",
    "status", "statusReason")


@wrap(ecs, "_list_service_deployments")
def _list_service_deployments(original, data):
    service = find(data.get("cluster"), data.get("service", ""))
    if service is None:
        return error_response_json("ServiceNotFoundException", "Service not found.", 400)
    created, statuses = data.get("createdAt", {}), data.get("status") or []
    found = [
        {**{key: it[key] for key in _BRIEF if key in it},
         "targetServiceRevisionArn": it["targetServiceRevision"]["arn"]}
        for it in _deployments.get(service["serviceArn"], [])
        if (not statuses or it["status"] in statuses)
        and created.get("after", 0) <= it["createdAt"] <= created.get("before", float("inf"))]
    start, size = int(data.get("nextToken") or 0), data.get("maxResults", 20)
    page = {"serviceDeployments": found[start:start + size]}
    if start + size < len(found):
        page["nextToken"] = str(start + size)
    return json_response(page)


@wrap(ecs, "_describe_service_deployments")
def _describe_service_deployments(original, data):
    known = {it["serviceDeploymentArn"]: it for records in _deployments.values() for it in records}
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
    _deployments.clear()
    _revisions.clear()


# ------------------------------------------------------------------------------------------------ looking up


def find(cluster, reference):
    """The service by that name or ARN, or None."""
    found = ecs._resolve_service_ref(reference)
    name = ecs._resolve_cluster_name(cluster or "default")
    return ecs._services.get(f"{name}/{found[0]}") if found else None


def number():
    """The kind of number that ECS puts into ids."""
    return random.randint(10**18, 9 * 10**18)


def _arn(service, kind):
    cluster = service["clusterArn"].rsplit("/", 1)[-1]
    return f"arn:aws:ecs:{get_region()}:{get_account_id()}:{kind}/{cluster}/{service['serviceName']}/{number()}"
