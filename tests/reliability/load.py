"""Many at once: thousands of snapshots and services, hundreds of alarms, against calls that AWS throttles.

    python load.py --binaries DIR [--part N]

Each play runs the real binary again and again until nothing is left to do, with Lambda's deadline a fifth of the real one,
so that no run can do all of it. Prints one line of JSON for each play. `--part 10` plays a tenth of the size.
"""

import argparse
import asyncio
import copy
import datetime
import json
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

real_time = time.time

import emulator  # noqa: E402
import play  # noqa: E402
import trial  # noqa: E402
import world  # noqa: E402
from emulator import ACCOUNT, REGION, call, query  # noqa: E402

# Seconds of the real clock. The template gives a run 300; a run that has a tenth of the work gets a tenth of the time.
DEADLINE = 60

# How AWS throttles ECS: burst, and calls a second. Those of RDS are not published; these are lower than what was measured.
BUCKETS = (("ecs", "UpdateService", 50, 5), ("ecs", "DescribeServices", 100, 20), ("ecs", "TagResource", 20, 10),
           ("rds", "DescribeDBSnapshots", 20, 10), ("rds", "DeleteDBSnapshot", 20, 10))

# In MiB. The template gives a function 256, and Lambda none less than 128.
MOST_MEMORY = 128


class Load:
    """One play: many runs of one function, and what they took."""

    def __init__(self, name, function, options):
        self.name, self.function, self.options = name, function, options
        self.runs, self.wrong, self.memory, self.longest = [], [], 0, 0.0
        self.deadline = max(16, DEADLINE // (2 if options.part > 1 else 1))

    def throttle(self):
        import buckets

        # Only what this play is about, and never slower for a part of it than the whole would be.
        buckets.set_all([{"service": service, "action": action, "size": max(1, size // self.options.part), "rate": rate}
                         for service, action, size, rate in BUCKETS])

    def together(self, at, payloads, **environment):
        """Runs that begin at once, one for each payload; returns how many calls each made of each action."""
        emulator.set_clock(at)

        async def run():
            return await asyncio.gather(*(self.one(at, it, environment) for it in payloads))

        made = asyncio.run(run())
        while emulator.let_time_pass():
            pass
        return made

    async def one(self, at, payload, environment):
        aws = play.Aws(deadline=self.deadline)
        variables = {**trial.environment(self.function, at), **environment}
        begun = real_time()
        answer = await aws.run(f"{self.options.binaries}/{self.function}", variables, payload, self.options.log)
        took = real_time() - begun
        self.longest, self.memory = max(self.longest, took), max(self.memory, aws.memory or 0)
        if answer[0] != "report":
            self.wrong.append(f"the run at {at} ended with {answer[0]}: {answer[1][:300]}")
        counts = {}
        for it in aws.calls:
            good = it.get("status") == 200
            name = it["action"] if good else f"{it['action']} refused"
            counts[name] = counts.get(name, 0) + 1
        self.runs.append(counts)
        return counts

    def sweep_until(self, done, first, most=20, **environment):
        """Sweeps every five minutes until `done`; each has to get on."""
        hour, minute = first
        left = done()
        for number in range(most):
            if not left:
                return number
            at = f"{hour + (minute + 5 * number) // 60:02}:{(minute + 5 * number) % 60:02}"
            self.together(f"{self.day}T{at}:00+09:00", [{}], **environment)
            before, left = left, done()
            if left >= before:
                self.wrong.append(f"{left} are left after the run at {at}, as before it")
        if left:
            self.wrong.append(f"{left} are left after {most} runs")
        return most

    def result(self, said, refused):
        if self.memory > MOST_MEMORY * 1024:
            self.wrong.append(f"{self.memory // 1024} MiB of memory")
        if self.longest > self.deadline:
            self.wrong.append(f"a run took {self.longest:.0f} s")
        number = sum(it.get(f"{refused} refused", 0) for it in self.runs)
        return {"load": self.name, "function": self.function, "runs": len(self.runs), "said": said,
                "memory": round(self.memory / 1024, 1), "seconds": round(self.longest, 1), "deadline": self.deadline,
                "refused": number, "calls": sum(sum(it.values()) for it in self.runs), "wrong": self.wrong}


# ------------------------------------------------------------------------------------------------ snapshots


def _in_pages():
    """MiniStack answers with all snapshots at once; RDS with a hundred (MaxRecords of DescribeDBSnapshots)."""
    from ministack.services import rds
    from patching import wrap

    # Writing ten thousand of them anew for each page would take most of a run.
    written = {}

    @wrap(rds, "_describe_db_snapshots")
    def page(original, parameters):
        if len(rds._snapshots) not in written:
            written.clear()
            written[len(rds._snapshots)] = original(parameters)
        status, headers, answer = written[len(rds._snapshots)]
        text = answer.decode() if isinstance(answer, bytes) else answer
        before, _, rest = text.partition("<DBSnapshots>")
        members, _, after = rest.partition("</DBSnapshots>")
        each = members.split("</DBSnapshot>")[:-1]
        begin = int(rds._p(parameters, "Marker") or 0)
        end = begin + min(100, int(rds._p(parameters, "MaxRecords") or 100))
        marker = f"<Marker>{end}</Marker>" if end < len(each) else ""
        shown = "".join(f"{it}</DBSnapshot>" for it in each[begin:end])
        return status, headers, f"{before}<DBSnapshots>{shown}</DBSnapshots>{marker}{after}".encode()


def snapshots(options):
    """Ten thousand snapshots of a hundred databases, of which a thousand are to go."""
    load = Load(f"{10_000 // options.part:,} snapshots, {1000 // options.part:,} of them to go", "prune-backups", options)
    load.day = "2026-11-20"
    _in_pages()
    databases, each, keep = 100 // options.part, 100, 90
    from ministack.services import rds

    for number in range(databases):
        name = f"db-{number:03}"
        world.database(name, {"nightshift:backup": f"last={keep}"})
        model = f"nightshift-{name}-000"
        made_by = "nightshift-state:made-by"
        tags = {made_by: f"snapshot-databases {model} {REGION}", "nightshift-state:database": name,
                "nightshift-state:backup": f"last={keep}"}
        world.snapshot(name, model, "2026-08-12T18:00:00Z", tags)
        first = rds._snapshots[model]
        arn = first["DBSnapshotArn"]
        for age in range(1, each):
            other = copy.deepcopy(first)
            id = f"nightshift-{name}-{age:03}"
            other["DBSnapshotIdentifier"], other["DBSnapshotArn"] = id, arn.replace(model, id)
            moment = (datetime.date(2026, 8, 12) + datetime.timedelta(age)).strftime("%Y-%m-%dT18:00:00Z")
            other["SnapshotCreateTime"] = other["OriginalSnapshotCreateTime"] = moment
            rds._snapshots[id] = other
            for it in other["TagList"]:
                if it["Key"] == made_by:
                    it["Value"] = it["Value"].replace(model, id)
            rds._tags[other["DBSnapshotArn"]] = other["TagList"]
    load.throttle()
    runs = load.sweep_until(lambda: len(rds._snapshots) - databases * keep, (6, 0), NIGHTSHIFT_MAX_CHANGES="5000",
                            NIGHTSHIFT_KEEP_SHARED="false")
    left = {id for id in rds._snapshots}
    for number in range(databases):
        newest = {f"nightshift-db-{number:03}-{age:03}" for age in range(each - keep, each)}
        if not newest <= left:
            load.wrong.append(f"db-{number:03} lost {sorted(newest - left)[:3]}")
    return load.result(f"{databases * (each - keep)} deleted by {runs} runs, the newest {keep} of each stay",
                       "DeleteDBSnapshot")


# ------------------------------------------------------------------------------------------------ services


def _services(count, tags):
    world.image("backend", "v1.0.0")
    image = world.uri("backend", ":v1.0.0")
    for number in range(count):
        name = f"app-{number:04}"
        if number == 0:
            world.definition("app", "app", image)
        if not number % 100:
            call("ecs", "CreateCluster", clusterName=f"dev-{number // 100}")
        call("ecs", "CreateService", cluster=f"dev-{number // 100}", serviceName=name, taskDefinition="app",
             desiredCount=1 + number % 3, launchType="FARGATE", tags=[{"key": key, "value": value} for key, value in tags.items()])
    # A deployment that ends only later looks like a change by hand.
    while emulator.let_time_pass():
        pass


def _awake():
    from ministack.services import ecs

    return {it["serviceName"]: it["desiredCount"] for it in ecs._services.values()}


def services(options):
    """A thousand services that sleep at 20:00, and wake again at 08:00."""
    count = 1000 // options.part
    load = Load(f"{count:,} services sleep at 20:00 and wake at 08:00", "scale-staging", options)
    _services(count, {"nightshift:schedule": "mon-fri 08:00-20:00"})
    before = _awake()
    load.throttle()
    load.day = "2026-11-20"
    evening = load.sweep_until(lambda: sum(1 for it in _awake().values() if it), (20, 0), NIGHTSHIFT_MAX_CHANGES="5000")
    load.day = "2026-11-23"
    morning = load.sweep_until(lambda: sum(1 for name, it in _awake().items() if it != before[name]), (8, 0),
                               NIGHTSHIFT_MAX_CHANGES="5000")
    return load.result(f"{count} asleep after {evening} runs, all of their size again after {morning}", "UpdateService")


def morning(options):
    """Three hundred services wake at 08:00."""
    count = 300 // options.part
    load = Load(f"{count} services wake at 08:00", "scale-staging", options)
    _services(count, {"nightshift:schedule": "mon-fri 08:00-20:00"})
    before = _awake()
    load.day = "2026-11-20"
    load.sweep_until(lambda: sum(1 for it in _awake().values() if it), (20, 0))
    load.runs.clear()
    load.throttle()
    load.day = "2026-11-23"
    runs = load.sweep_until(lambda: sum(1 for name, it in _awake().items() if it != before[name]), (8, 0))
    return load.result(f"{count} of their size again after {runs} runs", "UpdateService")


# ------------------------------------------------------------------------------------------------ alarms


def alarms(options):
    """Two hundred alarms fire at once, each on a service of its own."""
    count = 200 // options.part
    load = Load(f"{count} alarms fire at once", "remediate-alarm", options)
    load.day = "2026-11-20"
    _services(count, {})
    from ministack.services import ecs

    for number in range(count):
        query("monitoring", "PutMetricAlarm", {
            "AlarmName": f"app-{number:04}-5xx", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Period": 60,
            "Statistic": "Average", "EvaluationPeriods": 5, "Threshold": 80, "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions.member.1.Name": "ClusterName", "Dimensions.member.1.Value": f"dev-{number // 100}",
            "Dimensions.member.2.Name": "ServiceName", "Dimensions.member.2.Value": f"app-{number:04}",
            "Tags.member.1.Key": "nightshift:remedy", "Tags.member.1.Value": "restart cooldown=10m then=notify"})
    for it in ecs._services.values():
        ecs._tags.setdefault(it["serviceArn"], []).append({"key": "nightshift:schedule", "value": "always"})
    emulator.let_time_pass()
    emulator.set_clock(f"{load.day}T10:00:00+09:00")
    load.throttle()
    emulator.told.clear()
    for number in range(count):
        query("monitoring", "SetAlarmState", {"AlarmName": f"app-{number:04}-5xx", "StateValue": "ALARM",
                                              "StateReason": "42 datapoints were greater than 10"})
    events = [it for it in emulator.let_time_pass() if it["source"] == "aws.cloudwatch"]
    at_once = 10
    for number in range(0, len(events), at_once):
        load.together(f"{load.day}T10:00:00+09:00", events[number:number + at_once])
    for minute in range(5, 60, 5):
        load.together(f"{load.day}T10:{minute:02}:00+09:00", [{}])
    restarts = sum(it.get("UpdateService", 0) for it in load.runs)
    # Ten within an hour over all alarms, and each of the runs that look at the same moment may be one too many.
    if not 10 <= restarts <= 10 + at_once:
        load.wrong.append(f"{restarts} restarts, where ten within an hour are the limit")
    told = {}
    for _, headline in emulator.told:
        told[headline] = told.get(headline, 0) + 1
    for number in range(count):
        of_it = [it for it in told if f"app-{number:04}" in it]
        if not of_it:
            load.wrong.append(f"nobody was told of app-{number:04}")
    often = [f"{count} x {it}" for it, count in told.items() if count > 2]
    load.wrong.extend(f"told too often: {it}" for it in often[:5])
    return load.result(f"{len(events)} events and 11 sweeps, {restarts} restarts, each alarm told", "UpdateService")


ALL = [snapshots, services, morning, alarms]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binaries", required=True)
    arguments.add_argument("--part", type=int, default=1)
    arguments.add_argument("--story", default="")
    arguments.add_argument("--logs")
    options = arguments.parse_args()
    options.log = open(options.logs, "w") if options.logs else open(os.devnull, "w")
    with tempfile.TemporaryDirectory() as directory:
        emulator.start(directory)
        children = [trial.Child(lambda it=it: it(options), it.__name__) for it in ALL if options.story in it.__name__]
        for child in children:
            result = child.result()
            if "error" in result:
                sys.exit(result["error"])
            print(json.dumps(result["answer"]), flush=True)


if __name__ == "__main__":
    main()
