"""What a small team writes: `prune` and `snapshot`, one call after another, and what fails is counted."""
import sys
from datetime import datetime, timedelta, timezone

import boto3
from botocore.exceptions import BotoCoreError, ClientError

rds = boto3.client("rds")


def prune(now):
    for page in rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual"):
        for snapshot in page["DBSnapshots"]:
            if snapshot["SnapshotCreateTime"] < now - timedelta(days=30):
                name = snapshot["DBSnapshotIdentifier"]
                yield name, lambda: rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def snapshot(now):
    for page in rds.get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            name = instance["DBInstanceIdentifier"]
            tags = [*instance["TagList"], {"Key": "made-by", "Value": "backups_boto3"}]
            wanted = {"DBInstanceIdentifier": name, "DBSnapshotIdentifier": f"nightly-{name}-{now:%Y-%m-%d}"}
            yield name, lambda: rds.create_db_snapshot(**wanted, Tags=tags)


def main():
    failed = 0
    for name, call in {"prune": prune, "snapshot": snapshot}[sys.argv[1]](datetime.now(timezone.utc)):
        try:
            call()
        except (BotoCoreError, ClientError) as error:
            failed += 1
            print(name, error, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
