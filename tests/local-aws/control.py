"""What tests see and steer of the server, over HTTP below `/_nightshift/`.

    GET, DELETE        calls      every call so far: service, action (in IAM's words), status, time, caller, function
    GET, POST, DELETE  faults     errors and delays to answer calls with: [{service, action, times, status, code, …}]
    GET, POST          rollouts   how rollouts end: {mode: auto or manual, delay_seconds, bad_digests}
    POST               rollout    ends one: {service: "cluster/name", outcome: completed, failed or stopped}; one that shifts
                                  traffic goes on: {outcome: stage, stage, traffic}, or its pauses end: {outcome: expired}
    POST               clock      sets the clock of ECS, ECR and alarms: {moment}
    POST               budget     changes the figures of a budget: {name, actual, forecast}
    POST               database   {id}: AWS starts a DB instance that has been stopped for seven days
    POST               snapshot   changes a DB snapshot: {id, created_at, status}
    POST               restored   a restored database gets on: {id, status, loading}
    POST               task       ends the running tasks of a family: {family, exit_code} or {family, stop_code, reason}
    POST               run-task   the next calls of RunTask start nothing: {reasons: [RESOURCE:ENI, …]}
    POST               forget     ECS forgets the ended tasks of a family and their tokens: {family}
    POST               events     how services' events are delivered: {mode: live, twice, lost or held}
    POST, DELETE       late       what functions see is behind: {what: tag-index or services, times}
    POST               jobs       how jobs of S3 Batch Operations go on: {held, looks, failing: {KEY: [code, status]}}
    POST               machine    {id, files, images, runs, unreachable}: what an EC2 instance is like (run_command.py)
    POST               commands   {held}: whether commands that were sent to instances stay under way
    POST               written    {bucket, key, at}: when the newest version of an object was written
    POST               buckets    throttling: [{service, action, size, rate}, …]
    GET, DELETE        published  what was published to SNS topics, with its form for each protocol
"""

import asyncio
import json
import threading
import time

import buckets
import budgets
import clock
import databases
import events
import jobs
import late
import restores
import rollouts
import run_command
import snapshots
import tasks
from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import error_response_json, error_response_xml
from ministack.services import sns, sts
from patching import wrap
from permissions import TEST_KEY

_calls, _faults, _published = [], [], []
_lock = threading.Lock()


# ------------------------------------------------------------------------------------------------ calls and faults


@wrap(app, "_dispatch_service_request")
async def _dispatch(original, method, path, headers, body, query_params, request_id):
    """Notes the call, and answers it with the fault that is set for it."""
    service, action = _identify(method, path, headers, body, query_params)
    key = app.extract_access_key_id(headers, query_params)
    role = sts._sessions.get(key, {}).get("Arn", "")
    call = {
        "service": service,
        "action": action,
        "time": time.time(),
        "caller": key,
        "function": role.rsplit("/", 1)[-1] if ":assumed-role/" in role else None,
    }
    # Faults are for everyone but the test, which can still look at what it has broken.
    fault = None if key == TEST_KEY else _take_fault(service, action)
    if fault is None and key != TEST_KEY and buckets.is_empty(service, action):
        fault = {"status": 400}
    if fault:
        await asyncio.sleep(fault.get("delay_seconds", 0))
    if fault and "status" in fault:
        response = _error(fault, headers)
    else:
        response = await original(method, path, headers, body, query_params, request_id)
    _calls.append({**call, "status": response[0]})
    return response


def _identify(method, path, headers, body, query_params):
    parameters = app._routing_params(method, path, headers, body, query_params)
    service = app.detect_service(method, path, headers, parameters)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters)
    return action.split(":", 1) if action else (service, f"{method} {path}")


def _take_fault(service, action):
    with _lock:
        for fault in _faults:
            if fault["service"] == service and fault.get("action", action) == action and fault["times"] > 0:
                fault["times"] -= 1
                return fault
    return None


# What people read of a call that fails; docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_MESSAGES = {"InsufficientInstanceCapacity": "There is not enough capacity to fulfill your instance request."}


def _error(fault, headers):
    code = fault.get("code", "ThrottlingException")
    message = fault.get("message", _MESSAGES.get(code, "Rate exceeded"))
    json_protocol = "json" in headers.get("content-type", "")
    return (error_response_json if json_protocol else error_response_xml)(code, message, fault["status"])


# ------------------------------------------------------------------------------------------------ messages


@wrap(sns, "publish_internal")
def _publish_internal(original, topic_arn, message, subject="", **options):
    """Keeps what was published: a queue that subscribes gets only its own form of the message."""
    result = original(topic_arn, message, subject, **options)
    if result:
        forms = json.loads(message) if options.get("message_structure") == "json" else {"default": message}
        _published.append({
            "message_id": result["message_id"], "topic": topic_arn, "subject": subject or None, "forms": forms})
    return result


# ------------------------------------------------------------------------------------------------ the endpoints


@wrap(app, "_handle_post_body_shortcuts")
async def _shortcuts(original, method, path, headers, body, query_params, request_id):
    if not path.startswith("/_nightshift/"):
        return await original(method, path, headers, body, query_params, request_id)
    try:
        answer = _control(method, path.removeprefix("/_nightshift/"), json.loads(body or b"null"))
    except (rollouts.Refused, KeyError, TypeError, ValueError) as error:
        return _json(400, {"error": str(error) or repr(error)})
    return _json(200, answer)


def _control(method, endpoint, data):
    if endpoint == "rollout" and method == "POST":
        return rollouts.settle(data.pop("service"), **data)
    if endpoint == "clock" and method == "POST":
        return clock.set_to(data["moment"])
    if endpoint == "budget" and method == "POST":
        return budgets.change(data["name"], data.get("actual"), data.get("forecast"))
    if endpoint == "database" and method == "POST":
        return databases.start_after_seven_days(data["id"])
    if endpoint == "snapshot" and method == "POST":
        return snapshots.change(data["id"], data.get("created_at"), data.get("status"))
    if endpoint == "restored" and method == "POST":
        return restores.change(data["id"], data["status"], data.get("loading", False))
    if endpoint == "task" and method == "POST":
        return tasks.end(**data)
    if endpoint == "run-task" and method == "POST":
        return tasks.fail_to_start(data["reasons"])
    if endpoint == "forget" and method == "POST":
        return tasks.forget(data["family"])
    if endpoint == "events" and method == "POST":
        return events.deliver(data["mode"])
    if endpoint == "late" and method in ("POST", "DELETE"):
        return late.freeze(data["what"], data.get("times")) if method == "POST" else late.thaw()
    if endpoint == "jobs" and method == "POST":
        return jobs.settle(data)
    if endpoint == "machine" and method == "POST":
        return run_command.furnish(data)
    if endpoint == "commands" and method == "POST":
        return run_command.settle(data)
    if endpoint == "written" and method == "POST":
        return jobs.written_at(data["bucket"], data["key"], data["at"])
    if endpoint == "buckets" and method == "POST":
        return buckets.set_all(data)
    if endpoint == "rollouts":
        if method == "POST":
            rollouts.SETTINGS.update({key: data[key] for key in rollouts.SETTINGS if key in data})
        return rollouts.SETTINGS
    notes = {"calls": _calls, "faults": _faults, "published": _published}.get(endpoint)
    if notes is None or (method == "POST" and endpoint != "faults"):
        raise rollouts.Refused(f"{method} {endpoint}: no such endpoint")
    with _lock:
        if method == "DELETE":
            notes.clear()
        if method == "POST":
            notes[:] = [{"times": 1, **fault} for fault in data]
        return list(notes)


def _json(status, answer):
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()
