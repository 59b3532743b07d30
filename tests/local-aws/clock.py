"""The clock of ECS, ECR and CloudWatch alarms, which a test may set.

A function whose clock is set compares its own moments with those of deployments, images and alarms, so a story of several
days sets both. From then on the clock goes on at its usual speed.
"""

import datetime
import time

_offset = 0.0


def now():
    """Seconds since 1970."""
    return time.time() + _offset


def set_to(moment):
    """From now on it is this moment (ISO 8601 with an offset)."""
    global _offset
    _offset = datetime.datetime.fromisoformat(moment).timestamp() - time.time()
    return {"now": iso()}


def iso():
    return datetime.datetime.fromtimestamp(now(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
