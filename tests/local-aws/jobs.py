"""S3 Batch Operations: jobs that copy, in the name of the role that they are given; and what MiniStack's S3 lacks.

With AUTH=true, the keys of a call that tags a bucket are what IAM's condition `aws:TagKeys` is about.

README.md says what is believed of them, and where AWS says so. A job is done when it has been described as often as a test
wants, so that it is under way for a while; while jobs are held none goes on.
"""

import contextvars
import csv
import html
import io
import re
import urllib.parse

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import s3, sts
from patching import wrap
from permissions import denied

# Whether jobs stay under way, how often one is described before it is done, and keys that are not copied, with the code.
SETTINGS = {"held": False, "looks": 1, "failing": {}}

# What AWS sets when a service passes a role on.
_PASSED_TO = "batchoperations.s3.amazonaws.com"

_jobs, _by_token = {}, {}

# The keys of the call that tags a bucket.
_tag_keys = contextvars.ContextVar("tag_keys", default=())


class Unusable(Exception):
    """Why a job fails as a whole."""


@wrap(app, "_handle_s3_control_request")
async def _control(original, path, method, body, query_params, request_id, headers=None):
    if not path.startswith("/v20180820/jobs"):
        removed = query_params.get("tagKeys", [])
        removed = removed if isinstance(removed, list) else [removed]
        _tag_keys.set(re.findall("<Tag><Key>(.*?)</Key>", body.decode(errors="replace")) + removed)
        return await original(path, method, body, query_params, request_id, headers)
    if method == "POST":
        return _create(body.decode(), headers)
    identifier = path.rsplit("/", 1)[-1]
    arn = f"arn:aws:s3:{get_region()}:{get_account_id()}:job/{identifier}"
    return denied([("s3:DescribeJob", arn, {})], "s3", headers) or _describe(identifier)


@wrap(app, "_enforce_data_plane")
def _enforce_data_plane(original, service, iam_action, *args, **kwargs):
    if iam_action in ("s3:TagResource", "s3:UntagResource"):
        kwargs["service_context"] = {"aws:TagKeys": list(_tag_keys.get())}
    return original(service, iam_action, *args, **kwargs)


@wrap(s3, "_dispatch")
def _dispatch(original, method, bucket, key, headers, body, query_params):
    """MiniStack lists the bucket for these two."""
    if method == "GET" and not key and "requestPayment" in query_params:
        return s3._get_bucket_request_payment(bucket)
    if method == "GET" and not key and "policyStatus" in query_params:
        policy = s3._bucket_policies.get(bucket)
        if policy is None:
            return s3._error("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
        text = policy if isinstance(policy, str) else policy.decode()
        public = str(s3._policy_is_public(text)).upper()
        return _xml(f"<PolicyStatus><IsPublic>{public}</IsPublic></PolicyStatus>")
    return original(method, bucket, key, headers, body, query_params)


def settle(settings):
    SETTINGS.update({key: settings[key] for key in SETTINGS if key in settings})
    return SETTINGS


def written_at(bucket, key, moment):
    """Makes the newest version of an object, or its delete marker, one that was written at a moment (RFC 3339, UTC)."""
    versions = s3._object_versions.get((bucket, key), [])
    for it in [versions[-1:], [s3._buckets[bucket]["objects"].get(key)]]:
        for record in filter(None, it):
            record["last_modified"] = moment
    return {"versions": len(versions)}


def _create(body, headers):
    role = _element(body, "RoleArn")
    operation = "S3PutObjectCopy" if "<S3PutObjectCopy>" in body else "Other"
    refused = denied([
        ("s3:CreateJob", "*", {"s3:RequestJobOperation": operation}),
        ("iam:PassRole", role, {"iam:PassedToService": _PASSED_TO}),
    ], "s3", headers)
    if refused:
        return refused
    token = _element(body, "ClientRequestToken")
    if token not in _by_token:
        identifier = new_uuid()
        _by_token[token] = identifier
        _jobs[identifier] = {
            "role": role,
            "source": _bucket(_element(body, "SourceBucket")),
            "target": _bucket(_element(body, "TargetResource")),
            "to": _element(body, "TargetKeyPrefix"),
            "class": _element(body, "StorageClass"),
            "prefix": _element(body, "member") if "<ManifestGenerator>" in body else "",
            "manifest": (_element(body, "ObjectArn"), _element(body, "ETag")),
            "report": _element(_element(body, "Report"), "Prefix"),
            "looked": 0,
            "status": "Active",
            "reason": "",
            "done": 0,
            "failed": 0,
        }
    return _xml(f"<CreateJobResult><JobId>{_by_token[token]}</JobId></CreateJobResult>")


def _describe(identifier):
    job = _jobs.get(identifier)
    if job is None:
        return s3._error("NoSuchJobException", "The specified job does not exist", 404)
    job["looked"] += 1
    if job["status"] == "Active" and job["looked"] >= SETTINGS["looks"] and not SETTINGS["held"]:
        try:
            _copy(identifier, job)
            job["status"] = "Complete"
        except Unusable as reason:
            job.update(status="Failed", reason=str(reason))
    reasons = ""
    if job["reason"]:
        code, text = job["reason"].split(": ", 1)
        member = f"<FailureCode>{code}</FailureCode><FailureReason>{text}</FailureReason>"
        reasons = f"<FailureReasons><member>{member}</member></FailureReasons>"
    done, failed = job["done"], job["failed"]
    return _xml(
        f"<DescribeJobResult><Job><JobId>{identifier}</JobId><Status>{job['status']}</Status><ProgressSummary>"
        f"<TotalNumberOfTasks>{done + failed}</TotalNumberOfTasks>"
        f"<NumberOfTasksSucceeded>{done}</NumberOfTasksSucceeded>"
        f"<NumberOfTasksFailed>{failed}</NumberOfTasksFailed></ProgressSummary>{reasons}</Job></DescribeJobResult>")


def _copy(identifier, job):
    may = _rights(job["role"], identifier)
    tasks = _listed(job, may) if job["manifest"][0] == "" else _named(job, may)
    failures = []
    for bucket, key, version in tasks:
        code = SETTINGS["failing"].get(key) or _copied(job, may, bucket, key, version)
        if code:
            failures.append((bucket, key, version, code))
    job.update(done=len(tasks) - len(failures), failed=len(failures))
    if failures:
        report = f"{job['report']}/job-{identifier}/results/{new_uuid()}.csv"
        if not may("s3:PutObject", f"{job['target']}/{report}"):
            raise Unusable("ReportBucketAccessDenied: the role of the job may not write its report")
        lines = io.StringIO()
        rows = csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for bucket, key, version, (code, status) in failures:
            rows.writerow([bucket, urllib.parse.quote(key, safe="/"), version, "failed", code, status, "not copied"])
        s3._put_object(job["target"], report, lines.getvalue().encode(), {})


def _rights(role, identifier):
    """Whether the role of a job may do something, as a session of that role."""
    session, name = "ASIA" + identifier.replace("-", "")[:16].upper(), role.rsplit("/", 1)[-1]
    sts.register_session(session, {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{name}/{identifier}", "UserId": f"{name}:{identifier}",
        "SecretAccessKey": session, "SessionToken": session})

    def may(action, resource):
        arn = f"arn:aws:s3:::{resource}"
        return not app.AUTH or iam_evaluator.enforce(session, action, "s3", get_region(), arn, {}) is None

    return may


def _listed(job, may):
    """The objects of a generated manifest: those that are there when the job begins."""
    if not (may("s3:PutInventoryConfiguration", job["source"]) and may("s3:ListBucket", job["source"])):
        raise Unusable("ManifestGenerationAccessDenied: the role of the job may not list the bucket")
    keys = sorted(it for it in s3._buckets[job["source"]]["objects"] if it.startswith(job["prefix"]))
    return [(job["source"], key, "") for key in keys]


def _named(job, may):
    """The objects of a manifest that was written before: lines of bucket, key and version, keys encoded."""
    arn, etag = job["manifest"]
    bucket, key = arn.split(":::", 1)[1].split("/", 1)
    if not may("s3:GetObject", f"{bucket}/{key}"):
        raise Unusable("ManifestAccessDenied: the role of the job may not read the manifest")
    stored = s3._buckets[bucket]["objects"].get(key)
    if stored is None or stored["etag"].strip('"') != etag.strip('"'):
        raise Unusable("ManifestEtagMismatch: the manifest is not the one that was named")
    rows = csv.reader(io.StringIO(s3._get_object_data(bucket, key).decode()))
    return [(bucket, urllib.parse.unquote(key), version) for bucket, key, version in rows]


def _copied(job, may, bucket, key, version):
    """Copies one object; why not, as code and status."""
    target = f"{job['to']}/{key}"
    read = "s3:GetObjectVersion" if version else "s3:GetObject"
    if not (may(read, f"{bucket}/{key}") and may("s3:PutObject", f"{job['target']}/{target}")):
        return "AccessDenied", 403
    source = f"/{bucket}/{urllib.parse.quote(key)}"
    # MiniStack keeps no version of what was written before versioning was enabled, and not changed since.
    if version and (version != "null" or (bucket, key) in s3._object_versions):
        source += f"?versionId={version}"
    headers = {"x-amz-copy-source": source}
    if job["class"]:
        headers["x-amz-storage-class"] = job["class"]
    status, _, answer = s3._copy_object(job["target"], target, headers)
    return None if status == 200 else (_element(answer.decode(), "Code") or "InternalError", status)


def _bucket(arn):
    return arn.rsplit(":", 1)[-1]


def _element(xml, name):
    found = re.search(f"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return html.unescape(found.group(1)) if found else ""


def _xml(body):
    return 200, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>{body}'.encode()
