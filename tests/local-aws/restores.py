"""RDS: snapshots are restored as new databases, which are `creating` until a test says otherwise, and are then deleted.

MiniStack's restore is available at once and forgets tags, retention and security groups; it restores no clusters.

- A restored instance has the tags of the call, or those of the snapshot if there are none: the API reference of
  RestoreDBInstanceFromDBSnapshot. So it is with clusters here.
- It is `creating`, then `available` while its data is still loaded; `StorageOperationStatus` is there only meanwhile:
  the API reference of DBInstance.
- A DB instance can be created in a restored cluster only once the cluster is available: the API reference of
  RestoreDBClusterFromSnapshot.
- What is `creating` cannot be deleted: the API reference of DeleteDBInstance, InvalidDBInstanceState.
- The events RDS-EVENT-0043 and RDS-EVENT-0003: the User Guide, "Amazon RDS event categories and event messages".
"""

import time

from events import emit
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import rds
from patching import wrap

PREFIX = "nightshift-drill-"


@wrap(rds, "_restore_from_snapshot")
def _restore(original, parameters):
    name = rds._p(parameters, "DBInstanceIdentifier")
    source = rds._snapshots.get(rds._p(parameters, "DBSnapshotIdentifier"), {})
    if source and source.get("Status") != "available":
        return rds._error("InvalidDBSnapshotState", f"{source['DBSnapshotIdentifier']} is {source['Status']}.", 400)
    response = original(parameters)
    if response[0] != 200:
        return response
    instance = rds._instances[name]
    instance["DBInstanceStatus"] = "creating"
    # AWS tells no moment of creation, and no address, before it is available.
    instance["Endpoint"] = {}
    instance["BackupRetentionPeriod"] = int(rds._p(parameters, "BackupRetentionPeriod") or 1)
    instance["DeletionProtection"] = rds._p(parameters, "DeletionProtection") == "true"
    groups = (rds._p(parameters, f"VpcSecurityGroupIds.VpcSecurityGroupId.{it}") for it in range(1, 6))
    instance["VpcSecurityGroups"] = [{"VpcSecurityGroupId": it, "Status": "active"} for it in groups if it]
    _tag(instance, "DBInstanceArn", parameters, source)
    return response


def _tag(database, arn, parameters, source):
    tags = rds._parse_tags(parameters) or list(source.get("TagList", []))
    database["TagList"] = rds._tags[database[arn]] = tags


def _restore_cluster(parameters):
    source = rds._db_cluster_snapshots.get(rds._p(parameters, "SnapshotIdentifier"))
    if not source:
        return rds._error("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot not found.", 404)
    if not 1 <= int(rds._p(parameters, "BackupRetentionPeriod") or 1) <= 35:
        return rds._error("InvalidParameterValue", "Backup retention must be between 1 and 35.", 400)
    response = rds._create_db_cluster({**parameters, "MasterUsername": ["x"], "MasterUserPassword": ["not-a-secret"]})
    if response[0] != 200:
        return response
    cluster = rds._clusters[rds._p(parameters, "DBClusterIdentifier")]
    cluster["Status"] = "creating"
    _tag(cluster, "DBClusterArn", parameters, source)
    return response[0], response[1], response[2].replace(b"CreateDBCluster", b"RestoreDBClusterFromSnapshot") \
        if isinstance(response[2], bytes) else response[2].replace("CreateDBCluster", "RestoreDBClusterFromSnapshot")


@wrap(rds, "_create_db_instance")
def _create(original, parameters):
    """An instance of a restored cluster: not before the cluster is available, and `creating` like the cluster was."""
    cluster = rds._clusters.get(rds._p(parameters, "DBClusterIdentifier") or "")
    is_drill = bool(cluster) and cluster["DBClusterIdentifier"].startswith(PREFIX)
    if is_drill and cluster["Status"] != "available":
        return rds._error("InvalidDBClusterStateFault", "The cluster is not available.", 400)
    response = original(parameters)
    if response[0] == 200 and is_drill:
        rds._instances[rds._p(parameters, "DBInstanceIdentifier")]["DBInstanceStatus"] = "creating"
    return response


@wrap(rds, "_delete_db_instance")
def _delete(original, parameters):
    name = rds._p(parameters, "DBInstanceIdentifier")
    if not name.startswith(PREFIX):
        return original(parameters)
    if rds._instances.get(name, {}).get("DBInstanceStatus") == "creating":
        return rds._error("InvalidDBInstanceState", f"Instance {name} is creating.", 400)
    if rds._p(parameters, "SkipFinalSnapshot") != "true" and not rds._p(parameters, "FinalDBSnapshotIdentifier"):
        return rds._error("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required.", 400)
    response = original(parameters)
    if response[0] == 200:
        _event(name, "RDS-EVENT-0003", "DB instance deleted")
    return response


@wrap(rds, "_instance_xml")
def _xml(original, instance):
    loading = instance.get("StorageOperationStatus")
    return original(instance) + (f"<StorageOperationStatus>{loading}</StorageOperationStatus>" if loading else "")


def change(name, status, loading=False):
    """A restored database comes into another state: `available`, with its data still loading or not, or a broken one."""
    if name in rds._instances:
        instance = rds._instances[name]
        instance["DBInstanceStatus"] = status
        instance["StorageOperationStatus"] = "Initializing" if loading else None
        if status == "available":
            instance["Endpoint"] = {"Address": f"{name}.rds.local", "Port": 5432, "HostedZoneId": "Z2R2ITUGPM61AM"}
            _event(name, "RDS-EVENT-0043", "Restored from snapshot")
        return {"id": name, "status": status}
    rds._clusters[name]["Status"] = status
    return {"id": name, "status": status}


def _event(name, number, message):
    arn = f"arn:aws:rds:{get_region()}:{get_account_id()}:db:{name}"
    rds._events[new_uuid()] = {
        "SourceIdentifier": name, "SourceType": "db-instance", "SourceArn": arn, "Message": message,
        "Date": time.time(), "EventCategories": ["restoration"]}
    emit("aws.rds", "RDS DB Instance Event", {
        "SourceIdentifier": name, "SourceType": "DB_INSTANCE", "SourceArn": arn, "EventID": number, "Message": message,
    }, [arn])


rds._ACTION_MAP["RestoreDBClusterFromSnapshot"] = _restore_cluster
