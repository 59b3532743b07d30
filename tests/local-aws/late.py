"""What AWS shows late: the index of tags, and the last write to an ECS service.

A test freezes what functions see. From then on they see the state of that moment, until the test thaws it or for a number
of reads; nothing waits for a clock. The test itself always sees the present state.
"""

import copy
import json
import threading

from ministack.core.responses import json_response
from ministack.services import ecs, tagging
from patching import wrap
from permissions import caller_is_test

# What is frozen: what it was, and how many reads it lasts.
_frozen = {}
_lock = threading.RLock()


def freeze(what, times=None):
    """Freezes `tag-index` or `services`, for a number of reads or until `thaw`."""
    with _lock:
        _frozen[what] = {"was": _PICTURES[what](), "times": times}
        return {"frozen": sorted(_frozen)}


def thaw():
    with _lock:
        _frozen.clear()
        return {"frozen": []}


def _read(what):
    """What was, if functions are to see that now."""
    with _lock:
        frozen = None if caller_is_test() else _frozen.get(what)
        if frozen and frozen["times"] is not None:
            frozen["times"] -= 1
            if frozen["times"] <= 0:
                del _frozen[what]
        return frozen and frozen["was"]


def _tag_index():
    """What each collector finds, as a collector of its own; one that serves two names stays one."""
    return {it: _collector(copy.deepcopy(list(it()))) for it in dict.fromkeys(tagging._COLLECTORS.values())}


def _collector(found):
    return lambda: found


@wrap(tagging, "_get_resources")
def _get_resources(original, data):
    was = _read("tag-index")
    if was is None:
        return original(data)
    with _lock:
        live = dict(tagging._COLLECTORS)
        tagging._COLLECTORS.update({name: was.get(it, it) for name, it in live.items()})
        try:
            return original(data)
        finally:
            tagging._COLLECTORS.update(live)


def _services():
    return {it["serviceArn"]: copy.deepcopy({**ecs._sanitize(it), "tags": ecs._tags.get(it["serviceArn"], [])})
            for it in ecs._services.values()}


@wrap(ecs, "_describe_services")
def _describe_services(original, data):
    """A service that has come since is read as it is, as a new one is in ECS."""
    response = original(data)
    was = _read("services") if response[0] == 200 else None
    if was is None:
        return response
    answer = json.loads(response[2])
    shown = [was.get(it["serviceArn"], it) for it in answer["services"]]
    hidden = () if "TAGS" in data.get("include", []) else ("tags",)
    shown = [{key: value for key, value in it.items() if key not in hidden} for it in shown]
    return json_response({**answer, "services": shown})


_PICTURES = {"tag-index": _tag_index, "services": _services}
