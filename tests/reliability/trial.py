"""Plays each story once undisturbed, and then once for each of its calls and each disturbance.

    python trial.py --binaries DIR [--story TEXT] [--kind KIND] [--all] [--every N] [--jobs N] [--memory-last] [--logs DIR]

`--all` plays also what `plays_of` leaves out. `--every N` plays one of N plays of each disturbance, and at least one where there are any.

The disturbed plays are forks of the undisturbed one, made right before the run whose call is disturbed. Prints one line
of JSON for each story. `--memory-last` delays each write of memory until after the next change: functions that are broken
on purpose. `--logs` keeps what each disturbed play logged.
"""

import argparse
import asyncio
import collections
import gc
import json
import os
import pathlib
import resource
import select
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

real_time = time.time
real_sleep = time.sleep

import emulator  # noqa: E402
import play  # noqa: E402
import stories  # noqa: E402
import world  # noqa: E402


STORIES_AT_ONCE = 2


class Player:
    """A story at some point of it: what is still to come is a queue, so a fork can go on from here."""

    def __init__(self, story, binaries, log):
        self.story, self.binaries, self.log = story, binaries, log
        self.queue = collections.deque(story.steps)
        self.runs = 0
        self.now = None
        self.memory_last = False
        # Of each run that was played: its payload, if that is the one of a sweep, and whether it comes after the story.
        self.played = []

    def next_run(self):
        """Does what comes before the next run, and returns that run; None at the end."""
        while self.queue:
            step = self.queue[0]
            if step.at != self.now:
                self.now = step.at
                emulator.set_clock(step.at)
                self.story.tick()
                if self.deliver():
                    continue
            if not step.function:
                self.queue.popleft()
                step.do()
                self.deliver()
                continue
            return step
        return None

    def deliver(self):
        """Puts the runs that AWS's events and the functions themselves have started before what comes next."""
        found = []
        while sent := emulator.let_time_pass():
            found += sent
        started = []
        for event in found:
            for source, kind, needed, function in self.story.routes:
                matches = all(event["detail"].get(key) in values for key, values in needed.items())
                if (event["source"], event["detail-type"]) == (source, kind) and matches:
                    started.append(stories.Step(self.now, function, event))
        for name, payload in emulator.woken:
            if name in self.story.functions:
                started.append(stories.Step(self.now, name, payload))
        emulator.woken.clear()
        self.queue.extendleft(reversed(started))
        return bool(started)

    def play(self, disturbance=None):
        step = self.queue.popleft()
        aws = play.Aws(disturbance, self.memory_last)
        variables = {**environment(step.function, step.at), **self.story.environment}
        print(f"\n=== run {self.runs} {step.at} {step.function} {disturbance or ''}", file=self.log, flush=True)
        together = play.AT_ONCE.get((disturbance or {}).get("kind"), 1)
        alike = [aws] + [play.Aws() for _ in range(together - 1)]

        async def run():
            binary = f"{self.binaries}/{step.function}"
            payload = step.payload() if callable(step.payload) else step.payload
            return await asyncio.gather(*(it.run(binary, variables, payload, self.log) for it in alike))

        answers = asyncio.run(run())
        answer = answers[0]
        print(f"--- {answer}\n--- {[it['action'] for it in aws.calls]}", file=self.log, flush=True)
        for it in answers:
            if it[0] == "harness":
                raise RuntimeError(it[1])
        self.runs += 1
        if step.person and not _went_well(answer):
            # At once, while what the first one began is still under way; and no third time.
            self.queue.appendleft(stories.Step(step.at, step.function, step.payload))
            return aws
        self.deliver()
        return aws

    def play_on(self, converged=lambda place: False):
        """Plays all that is left, and returns the runs' calls; ends where it has converged."""
        calls = []
        while step := self.next_run():
            if converged(len(self.queue)):
                break
            self.played.append((step.payload if step.payload == {} else None, step.after))
            calls.append(self.play().calls)
        return calls


def environment(function, at):
    """What Lambda and the template give a function at this moment of the story."""
    return {
        "AWS_REGION": emulator.REGION, "AWS_ACCESS_KEY_ID": "function", "AWS_SECRET_ACCESS_KEY": "function",
        "AWS_LAMBDA_FUNCTION_NAME": f"nightshift-{function}", "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "x",
        "AWS_LAMBDA_LOG_STREAM_NAME": "x", "NIGHTSHIFT_NOW": at, "NIGHTSHIFT_TIME_ZONE": "Asia/Seoul",
        "NIGHTSHIFT_TOPIC_ARN": emulator.TOPIC, "NIGHTSHIFT_BUDGET_TOPIC_ARN": emulator.BUDGET_TOPIC,
        "NIGHTSHIFT_ROUTINE": "each"}


def _went_well(answer):
    """Whether a person is content with the answer to a command."""
    if answer[0] != "report":
        return False
    report = json.loads(answer[1])
    if isinstance(report, list):
        # Sentences, as they are shown in chat.
        return not any(" failed" in it or "AccessDenied" in it or "next run" in it for it in report)
    # What is left for the next run is not in its event.
    is_left = any(it["outcome"] == "deferred" for it in report.get("actions", []))
    return not is_left and not report.get("problems") and not report.get("refused")


# ------------------------------------------------------------------------------------------------ forks


class Child:
    """A fork that does something and sends what came of it."""

    def __init__(self, work, note):
        self.note = note
        self.read, write = os.pipe()
        sys.stdout.flush()
        self.process = os.fork()
        if self.process == 0:
            os.close(self.read)
            try:
                answer = {"answer": work()}
            except BaseException as error:
                import traceback
                answer = {"error": traceback.format_exc() or repr(error)}
            with os.fdopen(write, "w") as out:
                json.dump(answer, out)
            os._exit(0)
        os.close(write)

    def result(self):
        with os.fdopen(self.read) as incoming:
            text = incoming.read()
        os.waitpid(self.process, 0)
        answer = json.loads(text or '{"error": "it died"}')
        return answer


class Crowd:
    """Children side by side, at most that many."""

    def __init__(self, jobs, done):
        self.jobs, self.done, self.children = jobs, done, []

    def add(self, work, note):
        while len(self.children) >= self.jobs:
            self.reap()
        self.children.append(Child(work, note))

    def reap(self):
        ready, _, _ = select.select([it.read for it in self.children], [], [])
        for child in [it for it in self.children if it.read in ready]:
            self.children.remove(child)
            self.done(child.note, child.result())

    def wait(self):
        while self.children:
            self.reap()


def whole(player):
    """The undisturbed play: its calls, its end, and what the world was before each run, by how much was still to come."""
    on_the_way = {}
    calls = player.play_on(lambda place: on_the_way.update({place: world.exact()}))
    return {"calls": calls, "played": player.played, "end": world.picture(), "on_the_way": on_the_way}


def disturbed(player, disturbance, undisturbed, log):
    """One play. Once the world is exactly what it was in the undisturbed play at that point, the rest is that play's."""
    player.log = open(log, "w") if log else open(os.devnull, "w")
    aws = player.play(disturbance)
    expected, met = undisturbed["end"], []

    def converged(place):
        then, now = undisturbed["on_the_way"].get(str(place)), world.exact()
        if then is None or (then["same"], then["counts"]) != (json.loads(json.dumps(now["same"])), now["counts"]):
            return False
        met.append((then["told"], now["told"]))
        return True

    player.play_on(converged)
    found = world.picture()
    for then, now in met:
        rest = {it: count - then.get(it, 0) for it, count in expected["told"].items()}
        told = {it: now.get(it, 0) + rest.get(it, 0) for it in {**now, **rest}}
        found = {**expected, "told": {it: count for it, count in told.items() if count}}
    wrong, silent, used = world.compare(expected, found, player.story, play.AT_ONCE.get(disturbance["kind"], 1),
                                        disturbance["kind"] in (*play.OVERLAPS, *play.REPEATED))
    call = "{}:{}".format(*(aws.disturbed or ("", "")))
    if call in player.story.at_most_once and not {*wrong} <= {"doubled", "overtold"}:
        wrong = {what: each for what, each in wrong.items() if what in ("doubled", "overtold")}
        used.append(call)
    return {"wrong": wrong, "silent": silent, "used": used, "reached": aws.disturbed is not None}


# What a call of these services changes is seen by reads of the others of its row. The index of tags sees them all.
_RELATED = (("ecs", "application-autoscaling"), ("ec2", "autoscaling"))

# Of some changes it is known which calls see them, or change the same.
_SEEN = {
    "ecs:TagResource": ("DescribeServices", "GetResources", "ListTagsForResource", "TagResource", "UntagResource"),
    "ecs:UntagResource": ("DescribeServices", "GetResources", "ListTagsForResource", "TagResource", "UntagResource"),
    "ecs:RegisterTaskDefinition": ("DescribeTaskDefinition", "ListTaskDefinitions", "RegisterTaskDefinition"),
    "ec2:CreateTags": ("DescribeInstances", "DescribeTags", "GetResources", "CreateTags", "DeleteTags"),
    "ec2:DeleteTags": ("DescribeInstances", "DescribeTags", "GetResources", "CreateTags", "DeleteTags"),
}

# The local AWS goes on with what they ask for.
_MOVING = ("DescribeJob", "GetCommandInvocation")


def _only_reads(call):
    return play.is_read(call["action"]) and call["action"] not in _MOVING


def _matters(one, other):
    """Whether it can make a difference which of two calls comes first.

    Two reads do not change what the other one sees. Neither does a message to people, nor that a function is woken: both
    are taken, and nothing reads them. What is written in one service is not seen in another one, but for those above.
    """
    if any(it["service"] in ("sns", "lambda") for it in (one, other)):
        return False
    if _only_reads(one) and _only_reads(other):
        return False
    for change, seen in ((one, other), (other, one)):
        known = _SEEN.get(f"{change['service']}:{change['action']}")
        if known is not None and seen["action"] not in known:
            return False
    services = {one["service"], other["service"]}
    return len(services) == 1 or services & {"tag", "tagging"} or any(services <= set(it) for it in _RELATED)


def crossings(run):
    """The plays in which a second run begins in the middle of one, of those with the same order of calls only the first.

    The first run waits before its call `index`, and the second one before its call `other`, or ends. So of a call of the
    first run and one of the second, that of the second comes first if the former is not before `index`, and the latter is
    before `other`; what else comes first makes no difference.
    """
    known, matters = set(), [[_matters(a, b) for b in run] for a in run]
    for index in range(len(run)):
        for other in reversed(range(len(run) + 1)):
            order = frozenset((a, b) for a in range(index, len(run)) for b in range(other) if matters[a][b])
            if order not in known:
                known.add(order)
                yield index, other


# A call that only reads is refused or unanswered once, and repeated; or for the rest of the run, which then goes without.
_ONCE = ("answer lost", "throttled once", "error 500", "truncated")
_FOR_THE_RUN = ("throttled 30 s", "stalled", "denied")


def plays_of(calls, played, everything=False):
    """All plays of a story, in their order, as (number of the run, disturbance). Without `everything` these are left out:

    - a run that only reads and makes the same calls as an earlier one;
    - of a call that only reads all disturbances but one of each kind, in turn: all leave AWS as it was, and the function
      either asks again or goes without the answer;
    - a death at such a call, but at the first of the run: AWS stays as it was after the last change;
    - runs that cross or come between where the same calls come before the same.
    """
    known, reads = set(), 0
    # The runs of the undisturbed play, which has a run for each step and for each event that AWS sends.
    for number, (run, (payload, after)) in enumerate(zip(calls, played)):
        made = tuple((it["service"], it["action"]) for it in run)
        if after or not everything and made in known and all(map(_only_reads, run)):
            continue
        known.add(made)
        written, crossed = False, [] if everything else list(crossings(run))
        for index, each in enumerate(run):
            in_turn = (_ONCE[reads % len(_ONCE)], _FOR_THE_RUN[reads % len(_FOR_THE_RUN)])
            for kind in play.KINDS:
                if kind == "stale read" and not (written and play.is_read(each["action"])):
                    continue
                if kind in play.AT_ONCE and index or kind == "sweep between" and payload == {}:
                    continue
                if not everything and _is_left_out(kind, index, each, run, crossed, in_turn):
                    continue
                if kind == "crossed":
                    others = range(len(run)) if everything else sorted(it for first, it in crossed if first == index and it < len(run))
                    for other in others:
                        yield number, {"kind": kind, "index": index, "other": other}
                else:
                    yield number, {"kind": kind, "index": index}
            reads += _only_reads(each)
            written = written or not play.is_read(each["action"])


def _is_left_out(kind, index, each, run, crossed, in_turn):
    if kind in ("same between", "sweep between"):
        # A sweep makes the calls of the run, and some more to find out what there is.
        return (index, len(run)) not in crossed
    if not _only_reads(each):
        return False
    if kind in ("killed before", "killed after"):
        return index or kind == "killed after"
    return kind in (*_ONCE, *_FOR_THE_RUN) and kind not in in_turn


def selection(calls, played, options):
    """The plays to play, by the number of the run; and how many there are. Of each kind it is every Nth, and at least one."""
    by_kind, chosen = {}, {}
    for number, disturbance in plays_of(calls, played, options.all):
        by_kind.setdefault(disturbance["kind"], []).append((number, disturbance))
    for place, (kind, plays) in enumerate(by_kind.items()):
        if options.kind and kind != options.kind:
            continue
        # Each kind begins at another one, so that they do not all meet the same call.
        first = min(options.every * place // len(by_kind), len(plays) - 1) if options.every > 1 else 0
        for number, disturbance in plays[first::options.every]:
            chosen.setdefault(number, []).append(disturbance)
    return {**chosen, "all": sum(1 for _ in plays_of(calls, played, True))}


def play_story(story, options):
    begun = real_time()
    emulator.set_clock(story.steps[0].at.split("T")[0] + "T00:00:00Z")
    story.begin()
    while emulator.let_time_pass():
        pass
    emulator.told.clear()
    player = Player(story, options.binaries, open(os.devnull, "w"))
    player.memory_last = options.memory_last
    gc.freeze()
    logs = options.logs and pathlib.Path(options.logs)
    if logs:
        logs.mkdir(parents=True, exist_ok=True)
        player.log = open(logs / f"{options.number}-undisturbed.log", "w")
    undisturbed = Child(lambda: whole(player), None).result()
    if "error" in undisturbed:
        raise RuntimeError(undisturbed["error"])
    calls, expected = undisturbed["answer"]["calls"], undisturbed["answer"]["end"]
    words = (*story.may_be_lost, *story.must_be_told, *story.in_other_words)
    stale = [it for it in words if not any(told.startswith(it) for told in expected["told"])]
    exceptions = (*story.may_be_lost, *story.may_be_fewer, *story.overlapping, *story.at_most_once, *story.may_differ)
    stale += [it for it in (*story.may_be_fewer, *story.overlapping) if it not in expected["counts"]]
    if stale:
        raise RuntimeError(f"{story.name}: nothing is called so any more: {stale}")
    rows, silent, total = [], [], sum(len(run) for run in calls)
    kinds, used = collections.Counter(), set()

    def done(note, answer):
        silent.extend(answer.get("answer", {}).get("silent", []))
        used.update(answer.get("answer", {}).get("used", []))
        if "error" in answer or answer["answer"]["wrong"]:
            rows.append({**note, **(answer.get("answer") or {"wrong": {"harness": [answer["error"]]}})})

    chosen = selection(calls, undisturbed["answer"]["played"], options)
    crowd = Crowd(options.jobs, done)
    for number, run in enumerate(calls):
        step = player.next_run()
        for disturbance in chosen.get(number, ()):
            kind, index, each = disturbance["kind"], disturbance["index"], run[disturbance["index"]]
            kinds[kind] += 1
            note = {"run": number, "at": step.at, "function": step.function, "index": index, "kind": kind,
                    "call": f"{each['service']}:{each['action']}"}
            named = "-".join(str(it) for it in (options.number, number, *disturbance.values())).replace(" ", "_")
            log = logs and logs / f"{named}.log"
            crowd.add(lambda: disturbed(player, disturbance, undisturbed["answer"], log), note)
        player.play()
    crowd.wait()
    return {"story": story.name, "functions": story.functions, "runs": len(calls), "calls": total,
            "plays": sum(kinds.values()), "kinds": kinds, "there_are": chosen["all"], "wrong": rows, "silent": len(silent), "end": expected,
            "unused": sorted({*exceptions} - used), "seconds": round(real_time() - begun, 1), "worked": round(_worked(), 1)}


def _worked():
    """How many seconds this process and all that it started had a processor."""
    used = [resource.getrusage(it) for it in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in used)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binaries", required=True)
    arguments.add_argument("--story", default="")
    arguments.add_argument("--kind")
    arguments.add_argument("--all", action="store_true")
    arguments.add_argument("--every", type=int, default=1)
    arguments.add_argument("--jobs", type=int, default=24)
    arguments.add_argument("--memory-last", action="store_true")
    arguments.add_argument("--logs")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        emulator.start(directory)
        chosen = [(number, story) for number, story in enumerate(stories.ALL)
                  if options.story in story.name or options.story in story.functions]
        results = {}

        def done(number, result):
            if "error" in result:
                sys.exit(result["error"])
            results[number] = result["answer"]
            while chosen and chosen[0][0] in results:
                print(json.dumps(results[chosen.pop(0)[0]]), flush=True)

        # Most of a play is waiting for a deadline, and a story ends with its longest play.
        crowd = Crowd(STORIES_AT_ONCE, done)
        for number, story in list(chosen):
            own = argparse.Namespace(**{**vars(options), "number": number})
            crowd.add(lambda story=story, own=own: play_story(story, own), number)
        crowd.wait()


if __name__ == "__main__":
    main()
