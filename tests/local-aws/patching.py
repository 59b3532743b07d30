"""How a function of MiniStack is replaced from outside, and what it is given."""

import functools
import json


def wrap(module, name):
    """Replaces `module.name` by the decorated function, which gets the original as its first argument.

    A service looks its actions up in a table or by global name: both see the replacement. A name that the pinned
    version does not have stops the launcher at once, rather than leaving a gap open unnoticed.
    """
    original = getattr(module, name)

    def decorate(ours):
        @functools.wraps(original)
        def patched(*args, **kwargs):
            return ours(original, *args, **kwargs)

        setattr(module, name, patched)
        for table in ("_ACTION_MAP", "_HANDLERS"):
            actions = getattr(module, table, {})
            actions.update({action: patched for action, handler in actions.items() if handler is original})
        return patched

    return decorate


def fields(body):
    """The fields of a call in JSON; of anything else none."""
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
