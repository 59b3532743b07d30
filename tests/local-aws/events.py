"""EventBridge: events that AWS services send of themselves."""

import json

from ministack.core.concurrency import spawn_background
from ministack.services import eventbridge
from patching import wrap


@wrap(eventbridge, "_put_events")
def _put_events(original, data, allow_aws_source=True):
    """Lets PutEvents carry `aws.*` sources, which AWS keeps to itself, so that a test can play any service."""
    return original(data, allow_aws_source=True)


def emit(source, detail_type, detail, resources=()):
    """Sends an event as a service would. In the background: a rule may run a function that calls the same service."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": list(resources)}
    spawn_background(eventbridge._put_events, {"Entries": [entry]}, thread_name="nightshift-event")
