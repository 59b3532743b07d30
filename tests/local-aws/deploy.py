"""Deploys a template as `sam deploy` does, to the endpoint given and nowhere else.

    python deploy.py --endpoint URL --template template.yaml --stack nightshift
        --binary deploy-image=target/debug/deploy-image … [--placeholders] [--parameter Email=…  …]
    python deploy.py --endpoint URL --template deploy/watch.yaml --stack watch-api-server --parameter Service=…

Puts each function's binary as `bootstrap` in an archive (with `--placeholders`, one that fails where none is given), uploads that, points CodeUri at it, leaves the rest of the
template as it is, and uploads that too, since CloudFormation takes no more than 51,200 bytes in a request. Creates or updates the stack through a change set and prints its outputs as JSON.
"""

import argparse
import contextlib
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import uuid
import zipfile

import boto3
from botocore.config import Config
from samtranslator.yaml_helper import yaml_parse

REGION = "ap-northeast-2"
BUCKET = "nightshift-packages"

# In the place of a function that is not needed.
PLACEHOLDER = "#!/bin/sh\necho '{} is not built: whoever deployed this does not need it' >&2\nexit 1\n"


def package(template, binaries, placeholders, s3):
    """Replaces each local CodeUri by the archive of that function's binary."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        binary = resource.get("Metadata", {}).get("BuildProperties", {}).get("Binary")
        binary = binary or pathlib.PurePosixPath(properties["CodeUri"]).name
        if binary in binaries:
            archive = packed(pathlib.Path(binaries[binary]))
        elif placeholders:
            archive = zipped(PLACEHOLDER.format(binary).encode())
        else:
            sys.exit(f"{name} needs the binary {binary}, which was not given")
        key = f"{binary}-{hashlib.sha256(archive).hexdigest()[:16]}.zip"
        s3.put_object(Bucket=BUCKET, Key=key, Body=archive)
        properties["CodeUri"] = f"s3://{BUCKET}/{key}"


def packed(binary):
    """The archive of a binary. It is kept beside it, since each story of the tests deploys the same nine."""
    built = binary.stat()
    kept = binary.with_name(f"{binary.name}-{built.st_mtime_ns:x}-{built.st_size:x}.zip")
    if not kept.exists():
        archive = zipped(without_debug_information(binary))
        for older in binary.parent.glob(f"{binary.name}-*.zip"):
            older.unlink(missing_ok=True)
        # Two stories may pack at once: a file that is moved to its name is whole.
        with tempfile.NamedTemporaryFile(dir=binary.parent, delete=False) as file:
            file.write(archive)
        pathlib.Path(file.name).replace(kept)
    return kept.read_bytes()


def zipped(bootstrap):
    """Not compressed: the archive does not travel."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, bootstrap)
    return buffer.getvalue()


def without_debug_information(binary):
    """That is most of a debug build, and MiniStack keeps it in memory. Where nothing can strip it, it stays."""
    with tempfile.TemporaryDirectory() as directory:
        stripped = pathlib.Path(directory, "bootstrap")
        with contextlib.suppress(FileNotFoundError, subprocess.CalledProcessError):
            subprocess.run(["strip", "-o", stripped, binary], check=True, capture_output=True)
        return (stripped if stripped.exists() else pathlib.Path(binary)).read_bytes()


def upload(template, s3):
    """The address of the template in the bucket of the packages."""
    body = json.dumps(template, default=str).encode()
    key = f"template-{hashlib.sha256(body).hexdigest()[:16]}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"{s3.meta.endpoint_url}/{BUCKET}/{key}"


def deploy(cloudformation, stack, template_url, parameters):
    existing = any(
        it["StackName"] == stack and it["StackStatus"] != "DELETE_COMPLETE"
        for it in cloudformation.list_stacks()["StackSummaries"])
    kind = "UPDATE" if existing else "CREATE"
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{uuid.uuid4()}",
        ChangeSetType=kind,
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )["Id"]
    patience = {"Delay": 0.2, "MaxAttempts": 300}
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=change_set, WaiterConfig=patience)
    cloudformation.execute_change_set(ChangeSetName=change_set)
    try:
        cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=stack, WaiterConfig=patience)
    except Exception as error:
        reasons = [
            f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}"
            for it in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            if it["ResourceStatus"].endswith("FAILED")]
        sys.exit("\n".join([str(error), *reasons]))
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {it["OutputKey"]: it["OutputValue"] for it in outputs}


def pair(text):
    key, _, value = text.partition("=")
    return key, value


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--endpoint", required=True)
    arguments.add_argument("--template", required=True)
    arguments.add_argument("--stack", required=True)
    arguments.add_argument("--binary", action="append", type=pair, default=[])
    arguments.add_argument("--parameter", action="append", type=pair, default=[])
    arguments.add_argument("--placeholders", action="store_true")
    options = arguments.parse_args()

    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    template = yaml_parse(pathlib.Path(options.template).read_text())
    # Nobody could change what is sent on the way to this machine itself: to hash 100 MB thrice takes a second.
    unsigned = Config(request_checksum_calculation="when_required", s3={"payload_signing_enabled": False})
    s3 = session.client("s3", endpoint_url=options.endpoint, config=unsigned)
    package(template, dict(options.binary), options.placeholders, s3)
    cloudformation = session.client("cloudformation", endpoint_url=options.endpoint)
    print(json.dumps(deploy(cloudformation, options.stack, upload(template, s3), dict(options.parameter))))


if __name__ == "__main__":
    main()
