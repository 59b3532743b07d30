"""S3 Batch Operations: jobs that copy, in the name of the role that they are given; and what MiniStack's S3 lacks.

- `CreateJob` needs `s3:CreateJob`, for which IAM knows the operation and no resource, and `iam:PassRole`; the same
  token is answered with the same job: the API reference of CreateJob, the service authorization reference.
- Each object is read and written by the right of the job's role, and one that may not be is a task that failed; a job
  whose tasks failed is `Complete` all the same: the User Guide, "Tracking job status and completion reports".
- The report lies below its prefix in `job-ID/results/`: the User Guide, "Examples: S3 Batch Operations completion
  reports".
- A target prefix is put in front of the key: the API reference of S3CopyObjectOperation.

A job is `Active` until it is described for the second time, or, while jobs are held, until a test lets them go on.
"""

import re

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import s3, sts
from patching import wrap
from permissions import denied

# Whether jobs stay under way, and the keys whose copies fail whatever the role may do.
SETTINGS = {"held": False, "failing": []}

_jobs, _by_token = {}, {}


@wrap(app, "_handle_s3_control_request")
async def _control(original, path, method, body, query_params, request_id, headers=None):
    if not path.startswith("/v20180820/jobs"):
        return await original(path, method, body, query_params, request_id, headers)
    if method == "POST":
        return _create(body.decode(), headers)
    identifier = path.rsplit("/", 1)[-1]
    arn = f"arn:aws:s3:{get_region()}:{get_account_id()}:job/{identifier}"
    return denied([("s3:DescribeJob", arn, {})], "s3", headers) or _describe(identifier)


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


def _create(body, headers):
    role = _element(body, "RoleArn")
    operation = "S3PutObjectCopy" if "<S3PutObjectCopy>" in body else "Other"
    refused = denied([
        ("s3:CreateJob", "*", {"s3:RequestJobOperation": operation}),
        ("iam:PassRole", role, {"iam:PassedToService": "batchoperations.s3.amazonaws.com"}),
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
            "prefix": _element(body, "member"),
            "report": _element(_element(body, "Report"), "Prefix"),
            "looked": 0,
            "status": "Active",
            "done": [],
            "failed": [],
        }
    return _xml(f"<CreateJobResult><JobId>{_by_token[token]}</JobId></CreateJobResult>")


def _describe(identifier):
    job = _jobs.get(identifier)
    if job is None:
        return s3._error("NoSuchJobException", "The specified job does not exist", 404)
    job["looked"] += 1
    if job["status"] == "Active" and job["looked"] > 1 and not SETTINGS["held"]:
        _copy(identifier, job)
    done, failed = len(job["done"]), len(job["failed"])
    return _xml(
        f"<DescribeJobResult><Job><JobId>{identifier}</JobId><Status>{job['status']}</Status><ProgressSummary>"
        f"<TotalNumberOfTasks>{done + failed}</TotalNumberOfTasks>"
        f"<NumberOfTasksSucceeded>{done}</NumberOfTasksSucceeded>"
        f"<NumberOfTasksFailed>{failed}</NumberOfTasksFailed></ProgressSummary></Job></DescribeJobResult>")


def _copy(identifier, job):
    session = "ASIA" + identifier.replace("-", "")[:16].upper()
    name = job["role"].rsplit("/", 1)[-1]
    sts.register_session(session, {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{name}/{identifier}", "UserId": f"{name}:{identifier}",
        "SecretAccessKey": session, "SessionToken": session})

    def may(action, arn):
        return not app.AUTH or iam_evaluator.enforce(session, action, "s3", get_region(), arn, {}) is None

    keys = sorted(it for it in s3._buckets[job["source"]]["objects"] if it.startswith(job["prefix"]))
    for key in keys:
        target = f"{job['to']}/{key}"
        allowed = may("s3:GetObject", f"arn:aws:s3:::{job['source']}/{key}") and may(
            "s3:PutObject", f"arn:aws:s3:::{job['target']}/{target}")
        if not allowed or key in SETTINGS["failing"]:
            job["failed"].append((key, "AccessDenied", 403))
            continue
        headers = {"x-amz-copy-source": f"/{job['source']}/{key}"}
        if job["class"]:
            headers["x-amz-storage-class"] = job["class"]
        status, *_ = s3._copy_object(job["target"], target, headers)
        if status == 200:
            job["done"].append(key)
        else:
            job["failed"].append((key, "InternalError", status))
    if job["failed"]:
        lines = "".join(f'"{job["source"]}","{key}","","failed","{code}","{status}","no"\n' for key, code, status in job["failed"])
        s3._put_object(job["target"], f"{job['report']}/job-{identifier}/results/{new_uuid()}.csv", lines.encode(), {})
    job["status"] = "Complete"


def _bucket(arn):
    return arn.rsplit(":", 1)[-1]


def _element(xml, name):
    found = re.search(f"<{name}>(.*?)</{name}>", xml, re.DOTALL)
    return found.group(1) if found else ""


def _xml(body):
    return 200, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>{body}'.encode()
