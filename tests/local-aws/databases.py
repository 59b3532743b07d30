"""RDS: databases that take their time to stop and to start, with a snapshot if asked for, and that AWS starts by itself.

They are `stopping` and `starting` until a test says otherwise, or for as long as the settings say.
"""

import threading
import time

from ministack.core.concurrency import spawn_background
from ministack.core.responses import new_uuid
from ministack.services import rds
from patching import wrap

_DELAY_SECONDS = 0.3
_AFTER_SEVEN_DAYS = "DB instance is being started due to it exceeding the maximum allowed time being stopped"

_lock = threading.RLock()


@wrap(rds, "_stop_db_instance")
def _stop(original, parameters):
    """Takes the snapshot that the call asks for, and stops; only what is available can be stopped."""
    name = rds._p(parameters, "DBInstanceIdentifier")
    snapshot = rds._p(parameters, "DBSnapshotIdentifier")
    if refusal := _refusal(name, "available"):
        return refusal
    if snapshot:
        taken = rds._create_db_snapshot({
            "DBInstanceIdentifier": [name], "DBSnapshotIdentifier": [snapshot]})
        if taken[0] != 200:
            return taken
        # It is born with the tags of the database where that says so.
        if rds._instances[name].get("CopyTagsToSnapshot"):
            tags = list(rds._tags.get(rds._instances[name]["DBInstanceArn"], []))
            rds._snapshots[snapshot]["TagList"] = rds._tags[rds._snapshots[snapshot]["DBSnapshotArn"]] = tags
    return _change(original(parameters), name, "stopping", "stopped", "DB instance stopped")


@wrap(rds, "_start_db_instance")
def _start(original, parameters):
    name = rds._p(parameters, "DBInstanceIdentifier")
    if refusal := _refusal(name, "stopped"):
        return refusal
    return _change(original(parameters), name, "starting", "available", "DB instance started")


def _refusal(name, needed):
    status = rds._instances[name]["DBInstanceStatus"] if name in rds._instances else needed
    if status != needed:
        return rds._error("InvalidDBInstanceState", f"Instance {name} is not in {needed} state.", 400)
    return None


def _change(response, name, status, then, message):
    if response[0] != 200:
        return response
    with _lock:
        rds._instances[name]["DBInstanceStatus"] = status

    def settle():
        time.sleep(_DELAY_SECONDS)
        with _lock:
            if rds._instances[name]["DBInstanceStatus"] == status:
                rds._instances[name]["DBInstanceStatus"] = then
                _note(name, message)

    spawn_background(settle, thread_name="nightshift-database")
    return response


def start_after_seven_days(name):
    """What AWS does to a database that has been stopped for seven days; returns when it is available."""
    with _lock:
        _note(name, _AFTER_SEVEN_DAYS)
        rds._instances[name]["DBInstanceStatus"] = "available"
        _note(name, "DB instance started")
    return {"id": name, "status": "available"}


def _note(name, message):
    rds._events[new_uuid()] = {
        "SourceIdentifier": name,
        "SourceType": "db-instance",
        "SourceArn": rds._instances[name].get("DBInstanceArn", ""),
        "Message": message,
        "Date": time.time(),
        "EventCategories": ["notification"],
    }
