"""Throttling as AWS does it: a bucket of calls for each action, which fills again at a rate."""

import threading
import time

_buckets = {}
_lock = threading.Lock()


def set_all(buckets):
    """Buckets such as {service: ecs, action: UpdateService, size: 50, rate: 5}, with the rate in calls a second."""
    with _lock:
        _buckets.clear()
        for it in buckets:
            size, rate = float(it["size"]), float(it["rate"])
            _buckets[it["service"], it["action"]] = {"size": size, "rate": rate, "left": size, "at": time.monotonic()}
        return [{"service": service, "action": action} for service, action in _buckets]


def is_empty(service, action):
    """Takes a call out of its bucket, if there is one; whether there was none left."""
    with _lock:
        bucket = _buckets.get((service, action))
        if bucket is None:
            return False
        now = time.monotonic()
        left = min(bucket["size"], bucket["left"] + (now - bucket["at"]) * bucket["rate"])
        bucket.update(at=now, left=left if left < 1 else left - 1)
        return left < 1
