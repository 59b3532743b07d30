"""EventBridge Scheduler: the schedules and groups that IAM is asked about, and the role that a change hands on."""

import urllib.parse

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import tagging
from patching import fields, wrap
from permissions import denied

tagging._RESOURCE_TAG_COLLECTORS["scheduler"] = tagging._collect_scheduler


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, query_params, *others):
    if service != "scheduler":
        return original(service, method, path, headers, body, query_params, *others)
    kind, _, name = urllib.parse.unquote(path).lstrip("/").partition("/")
    if kind == "tags":
        return name
    if kind == "schedules" and name:
        group = _first(query_params.get("groupName")) or fields(body).get("GroupName") or "default"
        return f"{_prefix()}:schedule/{group}/{name}"
    if kind == "schedule-groups" and name:
        return f"{_prefix()}:schedule-group/{name}"
    return "*"


@wrap(iam_actions, "request_tag_context")
def _request_tag_context(original, service, iam_action, body, params):
    """The keys that a call removes stand in its address."""
    context = original(service, iam_action, body, params)
    if iam_action == "scheduler:UntagResource":
        keys = params.get("TagKeys", [])
        context["aws:TagKeys"] = keys if isinstance(keys, list) else [keys]
    return context


_handler = app.SERVICE_HANDLERS["scheduler"]


async def _guarded(method, path, headers, body, query_params):
    """Whoever writes a schedule hands the role of its target on."""
    role = fields(body).get("Target", {}).get("RoleArn") if method in ("POST", "PUT") else None
    needed = [("iam:PassRole", role, {"iam:PassedToService": "scheduler.amazonaws.com"})] if role else []
    return denied(needed, "scheduler", headers) or await _handler(method, path, headers, body, query_params)


app.SERVICE_HANDLERS["scheduler"] = _guarded


def _prefix():
    return f"arn:aws:scheduler:{get_region()}:{get_account_id()}"


def _first(values):
    return values[0] if isinstance(values, list) and values else values
