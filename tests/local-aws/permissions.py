"""IAM with AUTH=true: resources, tags and condition keys that MiniStack does not know, for ECS, RDS and alarms.

Without them a statement with an `aws:ResourceTag` condition denies everything, and one without a resource would allow
what AWS denies.
"""

import contextlib
import contextvars

import cbor2
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch, ecs, rds, tagging
from patching import fields, wrap

# The key that tests sign with.
TEST_KEY = "test"

# The access key of the call being served, for the permissions that one call needs besides its own.
_caller = contextvars.ContextVar("caller", default="")


def caller_is_test():
    """Whether the call being served is one of the test itself, or of the server."""
    return _caller.get() in ("", TEST_KEY)


@wrap(app, "pin_request_origin")
def _pin_request_origin(original, source_ip, secure_transport):
    """Loopback stands for TLS: policies that insist on `aws:SecureTransport` are right to."""
    return original(source_ip, True)


@wrap(app, "extract_access_key_id")
def _extract_access_key_id(original, *args, **kwargs):
    key = original(*args, **kwargs)
    _caller.set(key)
    return key


# ------------------------------------------------------------------------------------------------ resources


@wrap(iam_actions, "extract_iam_action")
def _extract_iam_action(original, service, method, path, headers, body, query_params):
    """Knows the calls that name their operation in the path, as the SDK for Rust sends them to CloudWatch."""
    if service == "monitoring" and "/operation/" in path:
        return "cloudwatch:" + path.rsplit("/", 1)[-1]
    return original(service, method, path, headers, body, query_params)


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, query_params, region, account_id):
    if service == "ecs":
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return ecs_resource(action, fields(body), _ecs_prefix())
    if service == "ecr" and fields(body).get("resourceArn"):
        return fields(body)["resourceArn"]
    if service == "rds":
        return _rds_resource(query_params, f"arn:aws:rds:{region}:{account_id}")
    if service == "logs" and fields(body).get("logStreamName"):
        # The service authorization reference of CloudWatch Logs: what is in a stream is read by a right on the stream.
        data = fields(body)
        return f"arn:aws:logs:{region}:{account_id}:log-group:{data['logGroupName']}:log-stream:{data['logStreamName']}"
    if service == "monitoring":
        # The service authorization reference of CloudWatch: rules, whichever alarm they are asked for.
        if path.endswith("/ListAlarmMuteRules"):
            return f"arn:aws:cloudwatch:{region}:{account_id}:alarm-mute-rule:*"
        data = _cbor_fields(body)
        name = data.get("AlarmName")
        return data.get("ResourceARN") or (f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{name}" if name else "*")
    return original(service, method, path, headers, body, query_params, region, account_id)


def ecs_resource(action, data, prefix):
    """The first resource that ECS authorises a call against; `*` for the actions that IAM knows no resource for."""
    cluster = (data.get("cluster") or "default").rsplit("/", 1)[-1]

    def named(kind, name):
        return name if name.startswith("arn:") else f"{prefix}:{kind}/{cluster}/{name}"

    if action in ("TagResource", "UntagResource", "ListTagsForResource"):
        return data.get("resourceArn", "*")
    if action == "CreateService":
        return named("service", data.get("serviceName", ""))
    if action in ("UpdateService", "DeleteService", "ListServiceDeployments"):
        return named("service", data.get("service", ""))
    if action == "DescribeServices":
        return named("service", next(iter(data.get("services", [])), ""))
    if action in ("DescribeServiceDeployments", "DescribeServiceRevisions"):
        return next(iter(data.get("serviceDeploymentArns") or data.get("serviceRevisionArns") or []), "*")
    if action in ("StopServiceDeployment", "ContinueServiceDeployment"):
        return data.get("serviceDeploymentArn", "*")
    if action in ("DescribeTasks", "StopTask"):
        return named("task", data.get("task") or next(iter(data.get("tasks", [])), ""))
    if action == "RegisterTaskDefinition":
        return f"{prefix}:task-definition/{data.get('family', '')}:*"
    if action == "RunTask":
        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
        return definition["taskDefinitionArn"] if definition else "*"
    return "*"


_RDS_RESOURCES = {
    "DBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "DBInstanceIdentifier": "db",
    "DBClusterIdentifier": "cluster",
}


def _rds_resource(query, prefix):
    def parameter(key):
        value = query.get(key)
        return value[0] if isinstance(value, list) else value

    # A stop is authorised against the database first; `calls.py` asks about the snapshot that it takes with it.
    keys = _RDS_RESOURCES if "Stop" not in (parameter("Action") or "") else reversed(_RDS_RESOURCES)
    for key in keys:
        kind = _RDS_RESOURCES[key]
        if parameter(key):
            return f"{prefix}:{kind}:{parameter(key)}"
    return parameter("ResourceName") or "*"


# ------------------------------------------------------------------------------------------------ tags, condition keys


def _collect_rds():
    for arn, tags in rds._tags.items():
        yield arn, tagging._normalise_list(tags) if isinstance(tags, list) else tagging._normalise_flat(tags)


def _collect_alarms():
    for arn, tags in cloudwatch._resource_tags.items():
        yield arn, tagging._normalise_flat(tags)


# The first for conditions, the second for GetResources.
tagging._RESOURCE_TAG_COLLECTORS.update(
    cloudwatch=_collect_alarms, ecs=tagging._collect_ecs, ecr=tagging._collect_ecr, rds=_collect_rds)
tagging._COLLECTORS["cloudwatch"] = _collect_alarms
tagging._COLLECTORS["rds"] = _collect_rds


@wrap(iam_actions, "request_tag_context")
def _request_tag_context(original, service, iam_action, body, params):
    """Adds the cluster of an ECS call, and the keys that ECS UntagResource removes, which it spells `tagKeys`."""
    context = original(service, iam_action, body, params)
    if iam_action in ("cloudwatch:TagResource", "cloudwatch:UntagResource"):
        data = _cbor_fields(body)
        context["aws:TagKeys"] = [it["Key"] for it in data.get("Tags", [])] + data.get("TagKeys", [])
    if service == "ecs":
        data = fields(body)
        if iam_action == "ecs:UntagResource":
            context["aws:TagKeys"] = data.get("tagKeys", [])
        if data.get("cluster"):
            context["ecs:cluster"] = f"{_ecs_prefix()}:cluster/{data['cluster'].rsplit('/', 1)[-1]}"
    return context


# ------------------------------------------------------------------------------------------------ further permissions


@wrap(ecs, "_register_task_definition")
def _register_task_definition(original, data):
    """Registering with tags needs ecs:TagResource, naming a role needs iam:PassRole."""
    arn = ecs_resource("RegisterTaskDefinition", data, _ecs_prefix())
    needed = [("iam:PassRole", data[key], {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
              for key in ("taskRoleArn", "executionRoleArn") if data.get(key)]
    if data.get("tags"):
        keys = [it["key"] for it in data["tags"]]
        needed.append(("ecs:TagResource", arn, {"ecs:CreateAction": "RegisterTaskDefinition", "aws:TagKeys": keys}))
    return denied(needed, "ecs") or original(data)


def denied(needed, service, headers=None):
    """The refusal that the caller gets if IAM grants it not all of these, or None."""
    for action, arn, context in needed if app.AUTH else ():
        verdict = iam_evaluator.enforce(_caller.get(), action, service, get_region(), arn, context)
        if verdict:
            principal = getattr(verdict, "principal_arn", "")
            return iam_actions.access_denied_response(
                service, action, principal, new_uuid(), resource_arn=arn, headers=headers)
    return None


def _ecs_prefix():
    return f"arn:aws:ecs:{get_region()}:{get_account_id()}"


def _cbor_fields(body):
    """The fields of a call to CloudWatch, which the SDK for Rust sends in a binary form (CBOR)."""
    if body[:1] in (b"{", b""):
        return fields(body)
    with contextlib.suppress(ValueError):
        data = cbor2.loads(body)
        return data if isinstance(data, dict) else {}
    return {}
