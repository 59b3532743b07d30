"""The local AWS inside this process, in one thread and on the clock of a story, so that `fork` is a snapshot of it.

What MiniStack and its additions do in the background is kept until `let_time_pass`: between two runs, not beside one.
"""

import asyncio
import datetime
import json
import logging
import os
import pathlib
import sys
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "local-aws"))

REGION, ACCOUNT = "ap-northeast-2", "123456789012"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:nightshift"
BUDGET_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:nightshift-budgets"

# The moment of the story, in seconds since 1970; each look moves it by a millisecond, so that all moments have an order.
_clock = {"now": 1_767_225_600.0}
_background, _emitted = [], []

# What functions have told people, as (kind, headline), and which functions they have woken, as (name, payload).
told, woken = [], []

# What the buttons send that were last shown in chat, by their names.
buttons = {}

real_time = time.time


def tell(body):
    """Notes what a message says: its kind, and the headline of each thing that it is about."""
    form = urllib.parse.parse_qs(body.decode())
    attributes = {form[key][0]: form[key.replace(".Name", ".Value.StringValue")][0] for key in form if key.endswith(".Name")}
    forms = json.loads(form["Message"][0])
    text = forms["default"]
    card = json.loads(forms.get("https", "{}"))
    buttons.update(card.get("metadata", {}).get("additionalContext", {}))
    for number, block in enumerate(text.split("\n\n")):
        headline, _, rest = block.partition("\n")
        if number == 0 or rest.startswith(("Why:", "Problem:")):
            told.append((attributes.get("kind", ""), headline))


def set_clock(moment):
    """Goes to an RFC 3339 moment; never backwards, as what happened in between took time."""
    _clock["now"] = max(_clock["now"], datetime.datetime.fromisoformat(moment).timestamp())


def _time():
    _clock["now"] += 0.001
    return _clock["now"]


def start(directory):
    """Loads everything. Nothing of it may start a thread: a fork copies only the thread that forks."""
    import launcher

    os.environ.clear()
    os.environ.update(launcher.environment(1, directory, False))
    from ministack.core import concurrency

    concurrency.spawn_background = _keep
    concurrency.run_offloop = concurrency.run_reentrant = _inline
    import alarms  # noqa: F401
    import calls  # noqa: F401
    import codedeploy  # noqa: F401
    import control  # noqa: F401
    import events
    import machines  # noqa: F401
    import permissions  # noqa: F401
    import registry  # noqa: F401
    import run_command  # noqa: F401
    import scaling  # noqa: F401
    import scripts
    import shifting  # noqa: F401

    scripts.install(directory)
    events.emit = _emit
    for module in list(sys.modules.values()):
        if getattr(module, "emit", None) is not None and getattr(module, "__file__", "").startswith(str(HERE.parent)):
            module.emit = _emit
    logging.disable(logging.WARNING)
    # Of tasks that end with their loop; what goes wrong in one ends the play.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    threading.Thread.start = lambda thread: None
    time.time, time.sleep = _time, lambda seconds: None
    real = time.gmtime
    time.gmtime = lambda seconds=None: real(_time() if seconds is None else seconds)
    _story_dates()
    for name in ("nightshift", "nightshift-budgets"):
        query("sns", "CreateTopic", {"Name": name})


def _story_dates():
    """Replaces `datetime` wherever it is imported by name, and in its module."""
    real = datetime.datetime

    class Story(real):
        @classmethod
        def now(cls, tz=None):
            return real.fromtimestamp(_time(), tz)

        @classmethod
        def utcnow(cls):
            return real.fromtimestamp(_time(), datetime.timezone.utc).replace(tzinfo=None)

    for name, module in list(sys.modules.items()):
        ours = name.startswith("ministack") or getattr(module, "__file__", None) and str(HERE.parent) in module.__file__
        if ours and getattr(module, "datetime", None) is real:
            module.datetime = Story
    datetime.datetime = Story


async def _inline(function, *arguments, thread_name="", **options):
    return function(*arguments, **options)


def _keep(function, *arguments, thread_name="", **options):
    _background.append((function, arguments, options))


def _emit(source, detail_type, detail, resources=()):
    _emitted.append({
        "version": "0", "id": "0", "source": source, "detail-type": detail_type, "account": ACCOUNT, "region": REGION,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": list(resources), "detail": json.loads(json.dumps(detail, default=str))})


def let_time_pass():
    """Does what was kept back, and returns the events that AWS has sent since the last time."""
    while _background:
        function, arguments, options = _background.pop(0)
        function(*arguments, **options)
    sent = list(_emitted)
    _emitted.clear()
    return sent


# ------------------------------------------------------------------------------------------------ calls


async def dispatch(method, target, headers, body):
    """Answers a request: status, headers, body."""
    from ministack import app

    path, _, text = target.partition("?")
    parameters = urllib.parse.parse_qs(text, keep_blank_values=True)
    app.set_request_account_id(app.extract_access_key_id(headers, parameters) or "test")
    app.set_request_region(app.extract_region(headers, parameters))
    if path.startswith(_S3_CONTROL):
        return await app._handle_s3_control_request(urllib.parse.unquote(path), method, body, parameters, "0-0", headers)
    return await app._dispatch_service_request(method, urllib.parse.unquote(path), headers, body, parameters, "0-0")


def name_of(method, target, headers, body):
    """The service and the action of a request, in the words of IAM."""
    import control

    path, _, text = target.partition("?")
    if path.startswith(_S3_CONTROL):
        jobs = path.startswith(f"{_S3_CONTROL}jobs")
        actions = {"POST": "CreateJob", "GET": "DescribeJob"} if jobs else _TAGGING
        return "s3", actions[method]
    return control._identify(method, urllib.parse.unquote(path), headers, body, urllib.parse.parse_qs(text))


# What is asked of an account and not of a bucket goes by paths of its own.
_S3_CONTROL = "/v20180820/"
_TAGGING = {"POST": "TagResource", "GET": "ListTagsForResource", "DELETE": "UntagResource"}


def _signed(service):
    return {"authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, x",
            "host": "127.0.0.1"}


def _answer(service, headers, body):
    status, _, answer = asyncio.run(dispatch("POST", "/", {**_signed(service), **headers}, body.encode()))
    if status != 200:
        raise RuntimeError(f"{service} {headers.get('x-amz-target', body[:200])}: {status} {answer}")
    return answer


_TARGETS = {"ecs": "AmazonEC2ContainerServiceV20141113", "ecr": "AmazonEC2ContainerRegistry_V20150921",
            "application-autoscaling": "AnyScaleFrontendService", "budgets": "AWSBudgetServiceGateway",
            "codedeploy": "CodeDeploy_20141006"}


def call(service, action, /, **data):
    """A call of the story itself to a service that speaks JSON."""
    kind = "application/x-amz-json-1.1"
    target = f"{_TARGETS[service]}.{action}"
    return json.loads(_answer(service, {"x-amz-target": target, "content-type": kind}, json.dumps(data)) or b"{}")


def query(service, action, data):
    """A call of the story itself to a service that speaks in forms and answers in XML."""
    form = urllib.parse.urlencode({"Action": action, **data})
    return _answer(service, {"content-type": "application/x-www-form-urlencoded"}, form).decode()
