"""EventBridge: events that AWS services send of themselves, once each and in order unless a test wants it otherwise."""

import json
import threading

from ministack.core.concurrency import spawn_background
from ministack.services import eventbridge
from patching import wrap


_settings, _held = {"mode": "live"}, []
_lock = threading.RLock()


@wrap(eventbridge, "_put_events")
def _put_events(original, data, allow_aws_source=True):
    """Lets PutEvents carry `aws.*` sources, which AWS keeps to itself, so that a test can play any service."""
    return original(data, allow_aws_source=True)


def emit(source, detail_type, detail, resources=()):
    """Sends an event as a service would. In the background: a rule may run a function that calls the same service."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    with _lock:
        if _settings["mode"] == "held":
            _held.append(entry)
        else:
            for _ in range({"live": 1, "twice": 2, "lost": 0}[_settings["mode"]]):
                _send(entry)


def deliver(mode):
    """How events are delivered from now on: `live`, `twice`, `lost`, or `held`. Those that were held go out newest first."""
    if mode not in ("live", "twice", "lost", "held"):
        raise ValueError(f"mode {mode!r}: expected live, twice, lost or held")
    with _lock:
        _settings["mode"] = mode
        held = list(reversed(_held))
        _held.clear()
        for entry in held if mode != "lost" else ():
            _send(entry)
        return {"mode": mode, "sent": len(held)}


def _send(entry):
    spawn_background(eventbridge._put_events, {"Entries": [entry]}, thread_name="nightshift-event")
