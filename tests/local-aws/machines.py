"""EC2 instances and Auto Scaling groups: what MiniStack lacks of what Nightshift rests on.

A start is the moment of the launch, processes are suspended, and IAM knows tags and resources of both.
"""

import time
from urllib.parse import parse_qs

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import autoscaling, ec2, tagging
from patching import wrap

# By the name of a group.
_suspended = {}


@wrap(ec2, "_start_instances")
def _start_instances(original, parameters):
    """The launch time of an instance is that of its last start."""
    stopped = [it for it in ec2._instances.values() if it["State"]["Name"] == "stopped"]
    answer = original(parameters)
    for instance in stopped:
        if instance["State"]["Name"] != "stopped":
            instance["LaunchTime"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return answer


@wrap(autoscaling, "_describe_asgs")
def _describe_groups(original, parameters):
    status, headers, body = original(parameters)
    text = body.decode() if isinstance(body, bytes) else body
    for name, processes in _suspended.items():
        members = "".join(f"<member><ProcessName>{it}</ProcessName></member>" for it in sorted(processes))
        begin = f"<AutoScalingGroupName>{name}</AutoScalingGroupName>"
        text = text.replace(begin, f"{begin}<SuspendedProcesses>{members}</SuspendedProcesses>", 1)
    return status, headers, text.encode() if isinstance(body, bytes) else text


def _processes(parameters):
    return set(autoscaling._parse_member_list(parameters, "ScalingProcesses"))


def _suspend(parameters):
    name = autoscaling._p(parameters, "AutoScalingGroupName")
    _suspended[name] = _suspended.get(name, set()) | _processes(parameters)
    return autoscaling._xml(200, "SuspendProcessesResponse", "")


def _resume(parameters):
    name = autoscaling._p(parameters, "AutoScalingGroupName")
    _suspended[name] = _suspended.get(name, set()) - _processes(parameters)
    return autoscaling._xml(200, "ResumeProcessesResponse", "")


autoscaling._ACTION_MAP.update(SuspendProcesses=_suspend, ResumeProcesses=_resume)


# ------------------------------------------------------------------------------------------------ permissions


def _group_arn(name, region, account):
    group = autoscaling._asgs.get(name)
    return group["AutoScalingGroupARN"] if group else f"arn:aws:autoscaling:{region}:{account}:autoScalingGroup:x:autoScalingGroupName/{name}"


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, query_params, region, account_id):
    # A body that is not a form can be an archive of 20 MB: reading nine of those as one took 25 s.
    fields = _form(body) if service in ("autoscaling", "ec2") else {}
    if service == "autoscaling":
        name = fields.get("AutoScalingGroupName") or fields.get("Tags.member.1.ResourceId")
        return _group_arn(name, region, account_id) if name else "*"
    if service == "ec2" and fields.get("ResourceId.1", "").startswith("i-"):
        return f"arn:aws:ec2:{region}:{account_id}:instance/{fields['ResourceId.1']}"
    return original(service, method, path, headers, body, query_params, region, account_id)


@wrap(iam_actions, "request_tag_context")
def _request_tag_context(original, service, iam_action, body, params):
    context = original(service, iam_action, body, params)
    if iam_action in ("ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags"):
        fields = _form(body)
        context["aws:TagKeys"] = [it for field, it in fields.items() if field.startswith("Tag") and field.endswith(".Key")]
    return context


def _form(body):
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _collect_instances():
    prefix = f"arn:aws:ec2:{get_region()}:{get_account_id()}:instance"
    for name in ec2._instances:
        yield f"{prefix}/{name}", tagging._normalise_list(ec2._tags.get(name, []))


def _collect_groups():
    for name, group in autoscaling._asgs.items():
        yield group["AutoScalingGroupARN"], tagging._normalise_list(autoscaling._tags.get(name, []))


tagging._RESOURCE_TAG_COLLECTORS.update(ec2=_collect_instances, autoscaling=_collect_groups)
