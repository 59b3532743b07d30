"""Plays each story once undisturbed, and then once for each of its calls and each disturbance.

    python trial.py --binaries DIR [--story TEXT] [--kind KIND] [--every N] [--jobs N] [--memory-last] [--logs DIR]

`--every N` plays one of N plays of each disturbance, and at least one where there are any.

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
        return not any(" failed" in it for it in report)
    return not report.get("problems") and not report.get("refused")


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
    wrong, silent = world.compare(expected, found, player.story, play.AT_ONCE.get(disturbance["kind"], 1),
                                  disturbance["kind"] in play.OVERLAPS)
    if "{}:{}".format(*(aws.disturbed or ("", ""))) in player.story.at_most_once and aws.disturbed:
        wrong = {what: each for what, each in wrong.items() if what in ("doubled", "overtold")}
    return {"wrong": wrong, "silent": silent, "reached": aws.disturbed is not None}


def plays_of(calls, played):
    """All plays of a story, in their order, as (number of the run, disturbance)."""
    # The runs of the undisturbed play, which has a run for each step and for each event that AWS sends.
    for number, (run, (payload, after)) in enumerate(zip(calls, played)):
        written = False
        for index, each in enumerate(() if after else run):
            for kind in play.KINDS:
                if kind == "stale read" and not (written and play.is_read(each["action"])):
                    continue
                if kind in play.AT_ONCE and index or kind == "sweep between" and payload == {}:
                    continue
                for other in range(len(run)) if kind == "crossed" else (None,):
                    yield number, {"kind": kind, "index": index, **({} if other is None else {"other": other})}
            written = written or not play.is_read(each["action"])


def selection(calls, played, options):
    """The plays to play, by the number of the run; and how many there are. Of each kind it is every Nth, and at least one."""
    by_kind, chosen = {}, {}
    for number, disturbance in plays_of(calls, played):
        by_kind.setdefault(disturbance["kind"], []).append((number, disturbance))
    for place, (kind, plays) in enumerate(by_kind.items()):
        if options.kind and kind != options.kind:
            continue
        # Each kind begins at another one, so that they do not all meet the same call.
        first = min(options.every * place // len(by_kind), len(plays) - 1) if options.every > 1 else 0
        for number, disturbance in plays[first::options.every]:
            chosen.setdefault(number, []).append(disturbance)
    return {**chosen, "all": sum(len(plays) for plays in by_kind.values())}


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
    stale = [it for it in (*story.may_be_lost, *story.must_be_told) if not any(told.startswith(it) for told in expected["told"])]
    stale += [it for it in (*story.may_be_fewer, *story.overlapping) if it not in expected["counts"]]
    if stale:
        raise RuntimeError(f"{story.name}: nothing is called so any more: {stale}")
    rows, silent, total = [], [], sum(len(run) for run in calls)
    kinds = collections.Counter()

    def done(note, answer):
        silent.extend(answer.get("answer", {}).get("silent", []))
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
            "seconds": round(real_time() - begun, 1)}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binaries", required=True)
    arguments.add_argument("--story", default="")
    arguments.add_argument("--kind")
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
