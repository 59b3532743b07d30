"""RDS: with whom snapshots are shared, and snapshots of another day or in another state than MiniStack makes them."""

from ministack.services import rds
from patching import wrap

_shared = {}


def change(name, created_at=None, status=None):
    """Makes a snapshot of an instance or cluster one that was taken at `created_at` (RFC 3339), or in another state."""
    snapshot = rds._snapshots.get(name) or rds._db_cluster_snapshots[name]
    if created_at:
        snapshot["SnapshotCreateTime"] = snapshot["OriginalSnapshotCreateTime"] = created_at
    if status:
        snapshot["Status"] = status
    return {"id": name, "created_at": snapshot["SnapshotCreateTime"], "status": snapshot["Status"]}


@wrap(rds, "_delete_db_snapshot")
def _delete(original, parameters):
    return _refusal(rds._snapshots, parameters, "DBSnapshot", "InvalidDBSnapshotState") or original(parameters)


@wrap(rds, "_delete_db_cluster_snapshot")
def _delete_of_cluster(original, parameters):
    error = "InvalidDBClusterSnapshotStateFault"
    return _refusal(rds._db_cluster_snapshots, parameters, "DBClusterSnapshot", error) or original(parameters)


def _refusal(snapshots, parameters, kind, error):
    """A snapshot that is still being created cannot be deleted; one that failed can."""
    name = rds._p(parameters, f"{kind}Identifier")
    status = snapshots.get(name, {}).get("Status", "available")
    if status in ("available", "failed"):
        return None
    return rds._error(error, f"Cannot delete {name}: it is in {status} state.", 400)


def _modify(parameters):
    name = rds._p(parameters, "DBSnapshotIdentifier")
    added = rds._p(parameters, "ValuesToAdd.AttributeValue.1") or rds._p(parameters, "ValuesToAdd.member.1")
    if name not in rds._snapshots:
        return rds._error("DBSnapshotNotFound", f"Snapshot {name} not found.", 404)
    _shared.setdefault(name, []).append(added)
    return _answer("ModifyDBSnapshotAttribute", "DBSnapshot", name)


def _describe(kind):
    def describe(parameters):
        return _answer(f"Describe{kind}Attributes", kind, rds._p(parameters, f"{kind}Identifier"))

    return describe


def _answer(action, kind, name):
    values = "".join(f"<AttributeValue>{account}</AttributeValue>" for account in _shared.get(name, ()))
    return rds._xml(200, f"{action}Response", f"""<{action}Result><{kind}AttributesResult>
        <{kind}Identifier>{name}</{kind}Identifier>
        <{kind}Attributes><{kind}Attribute>
          <AttributeName>restore</AttributeName><AttributeValues>{values}</AttributeValues>
        </{kind}Attribute></{kind}Attributes>
      </{kind}AttributesResult></{action}Result>""")


rds._ACTION_MAP.update({
    "DescribeDBClusterSnapshotAttributes": _describe("DBClusterSnapshot"),
    "DescribeDBSnapshotAttributes": _describe("DBSnapshot"),
    "ModifyDBSnapshotAttribute": _modify,
})
