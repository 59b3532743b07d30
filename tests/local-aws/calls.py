"""One call of AWS is authorised on all of its resources, and for what it does besides, where MiniStack asks about one.

`permissions.py` says what the first resource is; here is what a call needs beyond that. The sources are in README.md.
"""

import json
import urllib.parse

import scaling  # noqa: F401  (its handler is guarded here)
from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs, rds
from permissions import denied, ecs_resource


def _guard(service, needs):
    """Refuses a call of the service that lacks any of `needs(action, fields)`, before it does anything."""
    handler = app.SERVICE_HANDLERS[service]

    async def guarded(method, path, headers, body, query_params):
        fields = _fields(headers, body)
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1] or fields.get("Action", "")
        return denied(needs(action, fields), service, headers) or await handler(method, path, headers, body, query_params)

    app.SERVICE_HANDLERS[service] = guarded


def _fields(headers, body):
    if "json" in headers.get("content-type", ""):
        return json.loads(body or b"{}")
    return dict(urllib.parse.parse_qsl((body or b"").decode()))


# ------------------------------------------------------------------------------------------------ Systems Manager


def _ssm(action, fields):
    """A command is authorised on its document and on each instance, with the tags of that."""
    if action != "SendCommand":
        return []
    prefix = f"arn:aws:ec2:{get_region()}:{get_account_id()}:instance"
    return [("ssm:SendCommand", f"{prefix}/{it}", {}) for it in fields.get("InstanceIds", [])]


# ------------------------------------------------------------------------------------------------ RDS


def _rds(action, fields):
    arn = f"arn:aws:rds:{get_region()}:{get_account_id()}"
    if restored := _restored(action, fields, arn):
        return restored
    for kind, database in (("DBSnapshot", "DBInstance"), ("DBClusterSnapshot", "DBCluster")):
        snapshot = fields.get(f"{kind}Identifier")
        if not snapshot:
            continue
        name, instance = fields.get(f"{database}Identifier"), database == "DBInstance"
        of_database = f"{arn}:{'db' if instance else 'cluster'}:{name}"
        of_snapshot = f"{arn}:{'snapshot' if instance else 'cluster-snapshot'}:{snapshot}"
        keys = [value for key, value in fields.items() if key.startswith("Tags.") and key.endswith(".Key")]
        tags = [("rds:AddTagsToResource", of_snapshot, {"aws:TagKeys": keys})] if keys else []
        if action == f"Create{kind}":
            return [(f"rds:Create{kind}", of_database, {}), *tags]
        if action == "StopDBInstance":
            copied = [it["Key"] for it in _copied_tags(name)]
            tags = [("rds:AddTagsToResource", of_snapshot, {"aws:TagKeys": copied})] if copied else []
            return [
                ("rds:StopDBInstance", of_snapshot, {}),
                ("rds:CreateDBSnapshot", of_database, {}),
                ("rds:CreateDBSnapshot", of_snapshot, {}),
                *tags,
            ]
    return []


def _restored(action, fields, arn):
    """What a restore needs besides its first resource: the new database with the tags of the call, and its groups."""
    names = {"RestoreDBInstanceFromDBSnapshot": "db", "RestoreDBClusterFromSnapshot": "cluster", "CreateDBInstance": "db"}
    if action not in names or action == "CreateDBInstance" and "DBClusterIdentifier" not in fields:
        return []
    kind = names[action]
    name = fields["DBClusterIdentifier" if kind == "cluster" else "DBInstanceIdentifier"]
    keys = {key: fields[key] for key in fields if key.startswith("Tags.") and key.endswith(".Key")}
    tags = {f"aws:RequestTag/{tag}": fields[key.removesuffix("Key") + "Value"] for key, tag in keys.items()}
    context = {**tags, "aws:TagKeys": list(keys.values())}
    groups = {"DBSubnetGroupName": "subgrp", "DBParameterGroupName": "pg", "DBClusterParameterGroupName": "cluster-pg",
              "OptionGroupName": "og", "SnapshotIdentifier": "cluster-snapshot"}
    needed = [(f"rds:{action}", f"{arn}:{kind}:{fields[key]}", {}) for key, kind in groups.items() if fields.get(key)]
    if action == "CreateDBInstance":
        needed.append((f"rds:{action}", f"{arn}:cluster:{fields['DBClusterIdentifier']}", context))
    return [
        (f"rds:{action}", f"{arn}:{kind}:{name}", context),
        ("rds:AddTagsToResource", f"{arn}:{kind}:{name}", context),
        *needed,
    ]


def _copied_tags(name):
    instance = rds._instances.get(name, {})
    return rds._tags.get(instance.get("DBInstanceArn"), []) if instance.get("CopyTagsToSnapshot") else []


# ------------------------------------------------------------------------------------------------ ECS


def _ecs(action, fields):
    prefix = f"arn:aws:ecs:{get_region()}:{get_account_id()}"
    if action in ("DescribeServices", "DescribeTasks"):
        named = fields.get("services") or fields.get("tasks") or []
        field = "services" if action == "DescribeServices" else "tasks"
        return [(f"ecs:{action}", ecs_resource(action, {**fields, field: [it]}, prefix), {}) for it in named[1:]]
    if action == "DescribeServiceRevisions":
        arns = fields.get("serviceRevisionArns", [])
        services = {it.replace(":service-revision/", ":service/").rsplit("/", 1)[0] for it in arns}
        return [(f"ecs:{action}", it, {}) for it in [*arns[1:], *sorted(services)]]
    if action in ("DescribeServiceDeployments", "ContinueServiceDeployment", "StopServiceDeployment"):
        arns = fields.get("serviceDeploymentArns") or [fields.get("serviceDeploymentArn", "")]
        services = {it.replace(":service-deployment/", ":service/").rsplit("/", 1)[0] for it in arns}
        return [(f"ecs:{action}", it, {}) for it in [*arns[1:], *sorted(services)]]
    if action == "RunTask":
        definition = ecs._task_defs.get(ecs._resolve_td_key(fields.get("taskDefinition", ""))) or {}
        roles = {**definition, **fields.get("overrides", {})}
        needed = [("iam:PassRole", roles[key], {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
                  for key in ("taskRoleArn", "executionRoleArn") if roles.get(key)]
        if keys := [it["key"] for it in fields.get("tags", [])]:
            needed.append(("ecs:TagResource", f"{prefix}:task/*", {"ecs:CreateAction": "RunTask", "aws:TagKeys": keys}))
        return needed
    return []


# ------------------------------------------------------------------------------------------------ Application Auto Scaling


def _scaling(action, fields):
    """It validates what the caller may do to the service, in the caller's name."""
    if action != "RegisterScalableTarget":
        return []
    service = f"arn:aws:ecs:{get_region()}:{get_account_id()}:{fields['ResourceId']}"
    return [(action, service, {"aws:ViaAWSService": "true"}) for action in ("ecs:DescribeServices", "ecs:UpdateService")]


_guard("rds", _rds)
_guard("ssm", _ssm)
_guard("ecs", _ecs)
_guard("application-autoscaling", _scaling)
