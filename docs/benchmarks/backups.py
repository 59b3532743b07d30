#!/usr/bin/env python3
"""Measures prune-backups and snapshot-databases against a boto3 loop and Cloud Custodian, on this machine alone.

    python3 docs/benchmarks/backups.py

builds the functions, installs the competitors of requirements.txt below target/benchmarks, starts a small RDS
(backups_aws.py, a process of its own) and a Lambda Runtime API on 127.0.0.1, runs every scenario and prints a table of
each. It takes about five minutes and exits with 1 if a run failed, or deleted or left what it must not.
"""
import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bootstraps import TARGET, bootstrap, build
from runtime_api import REGION, RuntimeApi

HERE = Path(__file__).resolve().parent
WORK = TARGET / "benchmarks"
LONGEST_RUN = 300


class Aws:
    """The emulator's process."""

    def __enter__(self):
        command = [sys.executable, HERE / "backups_aws.py"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, what, **wish):
        request = urllib.request.Request(f"{self.url}/-/{what}", data=json.dumps(wish).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as said:
            return json.load(said)


def peak(pid):
    """The most memory that a process had so far, in MiB."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return 0.0


def run(command, aws, variables=(), ended=None):
    """Runs a process until it exits, or until `ended` says so; wall and CPU time, peak memory, exit status."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(WORK),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict(variables),
    }
    memory, late, begun = 0.0, False, time.monotonic()
    with open(WORK / "last.log", "wb") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen([str(it) for it in command], env=environment, cwd=WORK, **streams)
        status = None
        while True:
            # Not waited for by poll(), which would throw away what it used.
            pid, waited, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                status = os.waitstatus_to_exitcode(waited)
                wall = time.monotonic() - begun
                break
            memory = max(memory, peak(process.pid))
            late = time.monotonic() - begun > LONGEST_RUN
            if late or (ended is not None and ended.wait(0.02)):
                wall = time.monotonic() - begun
                memory = max(memory, peak(process.pid))
                process.kill()
                usage = os.wait4(process.pid, 0)[2]
                status = "too long" if late else 0
                break
            if ended is None:
                time.sleep(0.02)
        process.returncode = 0  # It is waited for, which Popen does not know.
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": memory, "status": status}


def function(name, aws):
    """One invocation of a function of ours, as Lambda makes it, with the guards of the stack's defaults, from the start of its
    process."""
    with RuntimeApi() as api:
        variables = {
            "AWS_LAMBDA_RUNTIME_API": api.at,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "benchmark",
            "AWS_LAMBDA_LOG_STREAM_NAME": "benchmark",
            "NIGHTSHIFT_MAX_CHANGES": "5000",
            "NIGHTSHIFT_KEEP_SHARED": "true",
        }
        ran = run([bootstrap(name)], aws, variables, api.answered)
        succeeded, said = api.answer or (False, None)
    if not succeeded and said and said.get("errorType") == "Nightshift.RunFailed":
        ran["report"] = json.loads(said["errorMessage"])
    else:
        ran["report"] = said if succeeded else {"actions": []}
    if not succeeded:
        ran["status"] = "failed" if ran["status"] == 0 else ran["status"]
    return ran


def prune_backups(aws):
    return function("prune-backups", aws)


def python(package):
    return WORK / "venv" / package / "bin" / "python"


def boto3(what, aws):
    return run([python("boto3"), HERE / "backups_boto3.py", what], aws)


def custodian(aws):
    out = WORK / "custodian"
    shutil.rmtree(out, ignore_errors=True)
    options = ["--output-dir", out, "--cache-period", "0", "--region", REGION]
    return run([python("c7n").with_name("custodian"), "run", *options, HERE / "backups_c7n.yml"], aws)


class Benchmark:
    def __init__(self, aws, runs):
        self.aws, self.runs, self.wrong = aws, runs, []

    def blame(self, who, what):
        self.wrong.append(f"{who}: {what}")
        print(f"WRONG {self.wrong[-1]}", file=sys.stderr, flush=True)
        tail = (WORK / "last.log").read_bytes()[-1500:].decode(errors="replace")
        print(tail, file=sys.stderr, flush=True)

    def measure(self, who, go, ok=(0,), **seed):
        seeded = self.aws.ask("seed", **seed)
        ran = go(self.aws)
        ran["seeded"], ran["after"] = seeded, self.aws.ask("stats")
        ran["calls"] = sum(ran["after"]["calls"].values())
        if ran["status"] not in ok:
            self.blame(who, f"ended with {ran['status']}")
        if ran["after"]["unknown"]:
            self.blame(who, f"made calls that are not emulated: {ran['after']['unknown']}")
        progress = f"  {who}: {ran['wall']:.2f} s, {ran['cpu']:.2f} s CPU, {ran['memory']:.1f} MiB, {ran['calls']} calls"
        print(progress, file=sys.stderr, flush=True)
        return ran

    def prune(self, who, go, **seed):
        """One run, after which exactly what is due must be gone, except for what cannot go."""
        ran = self.measure(who, go, ok=("failed",) if seed.get("stuck") else (0,), **seed)
        seeded, left = ran["seeded"], set(ran["after"]["names"])
        due, stuck = set(seeded["due"]), set(seeded["stuck"])
        ran["left"] = sorted(due & left)
        if missing := set(seeded["names"]) - due - left:
            self.blame(who, f"deleted {len(missing)} that must stay, such as {min(missing)}")
        if behind := due - stuck & left:
            self.blame(who, f"left {len(behind)} behind that were due, such as {min(behind)}")
        actions = ran.get("report", {}).get("actions", [])
        failed = [it["resource"].rpartition(":")[2] for it in actions if it["outcome"] == "failed"]
        ran["failed"] = sorted(failed)
        return ran

    def interleaved(self, competitors, go):
        """Every competitor in turn, as often as there are runs."""
        ran = {who: [] for who in competitors}
        for _ in range(self.runs):
            for who, how in competitors.items():
                ran[who].append(go(who, how))
        return ran

    def compare(self, title, ran):
        """A table of medians, with the ratios of ours to the others'."""
        def median(who, key):
            return statistics.median(it[key] for it in ran[who])

        ours, *others = ran
        print(f"\n### {title}\n")
        print(f"| | {' | '.join(ran)} |\n| --- |{' --- |' * len(ran)}")
        for name, key, form in [
            ("wall time", "wall", "{:.2f} s"),
            ("CPU of the process", "cpu", "{:.2f} s"),
            ("peak memory", "memory", "{:.1f} MiB"),
        ]:
            mine = median(ours, key)
            cells = [form.format(mine)]
            cells += [f"{form.format(median(it, key))} (ratio {mine / median(it, key):.2g})" for it in others]
            print(f"| {name} | {' | '.join(cells)} |")
        print(f"| calls | {' | '.join(str(round(median(it, 'calls'))) for it in ran)} |")
        walls = [f"{who} {min(it['wall'] for it in ran[who]):.2f}–{max(it['wall'] for it in ran[who]):.2f} s" for who in ran]
        print(f"\nMedians of {self.runs} runs each, in turn; wall times {', '.join(walls)}.", flush=True)

    def emulator(self):
        """What the emulator answers, to clients that do nothing but call."""
        ids = self.aws.ask("seed", databases=10, snapshots=6000, latency=0.02)["names"]
        alone = asyncio.run(hammer(self.aws.port, ids, 128))
        ids = self.aws.ask("seed", databases=10, snapshots=1000, latency=0.02)["due"]
        few = asyncio.run(hammer(self.aws.port, ids, 32))
        print(f"\n### The emulator\n\nDeletions alone by a bare load generator, 20 ms each: {len(ids) / few:.0f} a second by")
        print(f"32 connections ({few:.2f} s for {len(ids)}), {6000 / alone:.0f} a second by 128.", flush=True)

    def unlimited(self):
        seed = {"databases": 10, "snapshots": 1000}
        competitors = {
            "prune-backups": prune_backups,
            "Cloud Custodian": custodian,
            "boto3, one after another": lambda aws: boto3("prune", aws),
        }
        ran = self.interleaved(competitors, lambda who, how: self.prune(who, how, **seed))
        due = len(ran["prune-backups"][0]["seeded"]["due"])
        self.compare(f"Pruning 1,000 snapshots, {due} due, no limit", ran)
        print("Calls of prune-backups:", ran["prune-backups"][-1]["after"]["calls"])
        # Whether one that is not encrypted is shared, RDS tells for each alone.
        asked = [self.prune("prune-backups, asking", prune_backups, encrypted=False, **seed) for _ in range(self.runs)]
        wall = statistics.median(it["wall"] for it in asked)
        print(f"Not encrypted: {asked[0]['calls']:,} calls, {wall:.2f} s.", flush=True)

    def limited(self):
        seed = {"databases": 10, "snapshots": 1000, "rate": 20, "burst": 20}
        ran = [self.prune("prune-backups", prune_backups, **seed) for _ in range(2)]
        print("\n### At 20 calls a second, 20 at once\n")
        print("| run | wall time | least possible | ratio | refused |\n| --- | --- | --- | --- | --- |")
        for number, it in enumerate(ran, 1):
            calls = it["calls"] - it["after"]["calls"].get("GetResources", 0)
            floor, refused = (calls - 20) / 20, sum(it["after"]["throttled"].values())
            share = f"{refused} of {calls + refused} calls, {100 * refused / (calls + refused):.1f} %"
            print(f"| {number} | {it['wall']:.1f} s | {floor:.1f} s | {it['wall'] / floor:.2f} | {share} |", flush=True)

    def large(self):
        ran = [self.prune("prune-backups", prune_backups, databases=10, snapshots=3000) for _ in range(self.runs)]
        memory = ", ".join(f"{it['memory']:.1f}" for it in ran)
        print(f"\n### 3,000 snapshots, {len(ran[0]['seeded']['due']):,} due\n")
        walls = ", ".join(f"{it['wall']:.2f}" for it in ran)
        print(f"{ran[0]['calls']:,} calls; peak memory {memory} MiB; wall time {walls} s.", flush=True)

    def faults(self):
        stuck = self.prune("4 stuck", prune_backups, databases=10, snapshots=1000, stuck=4)
        lost = self.prune("1 % lost", prune_backups, databases=10, snapshots=1000, lost=0.01)
        if stuck["failed"] != stuck["seeded"]["stuck"]:
            self.blame("4 stuck", f"reported {stuck['failed']} as failed, not {stuck['seeded']['stuck']}")
        if lost["failed"] or lost["after"]["cut"] != lost["seeded"]["lost"]:
            self.blame("1 % lost", f"reported {lost['failed']} as failed; {lost['after']['cut']} answers were lost")
        print("\n### Faults\n\n| | left behind | reported as failed |\n| --- | --- | --- |")
        print(f"| 4 snapshots that cannot be deleted | {len(stuck['left'])} | {len(stuck['failed'])} |")
        cut = lost["after"]["cut"]
        print(f"| 1 % of the answers ({cut}) lost after the deletion | {len(lost['left'])} | {len(lost['failed'])} |", flush=True)

    def nightly(self):
        def go(who, how):
            ran = self.measure(who, how, databases=1000, snapshots=1000, newest_days=1)
            new = set(ran["after"]["names"]) - set(ran["seeded"]["names"])
            if len(new) != 1000:
                self.blame(who, f"took {len(new)} snapshots of 1,000")
            return ran

        competitors = {
            "snapshot-databases": lambda aws: function("snapshot-databases", aws),
            "boto3, one after another": lambda aws: boto3("snapshot", aws),
        }
        ran = self.interleaved(competitors, go)
        self.compare("A night of 1,000 instances", ran)
        print("Calls of snapshot-databases:", ran["snapshot-databases"][-1]["after"]["calls"])


class Hammer(asyncio.Protocol):
    """A connection that deletes one snapshot after another; its requests are as long as a signed one."""

    def __init__(self, ids, done):
        self.ids, self.done, self.buffer = ids, done, b""

    def connection_made(self, transport):
        self.transport = transport
        self.next()

    def next(self):
        if not self.ids:
            self.transport.close()
            self.done.set_result(None)
            return
        body = f"Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier={self.ids.pop()}"
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Signature: {'x' * 600}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write((head + body).encode())

    def data_received(self, data):
        self.buffer += data
        if self.buffer.endswith(b"Response>"):
            self.buffer = b""
            self.next()


async def hammer(port, ids, connections):
    """How many seconds it takes to delete these snapshots by so many connections."""
    loop, ids = asyncio.get_running_loop(), list(ids)
    done = [loop.create_future() for _ in range(connections)]
    begun = time.monotonic()
    for it in done:
        await loop.create_connection(lambda it=it: Hammer(ids, it), "127.0.0.1", port)
    await asyncio.wait_for(asyncio.gather(*done), 60)
    return time.monotonic() - begun


def install():
    """Each line of requirements.txt into an environment of its own."""
    for line in (HERE / "requirements.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        package = line.partition("==")[0]
        there = WORK / "venv" / package
        marker = there / "installed"
        if marker.is_file() and marker.read_text() == line:
            continue
        subprocess.run([sys.executable, "-m", "venv", "--clear", there], check=True)
        pip = [there / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet", line]
        subprocess.run(pip, check=True)
        marker.write_text(line)


def main():
    scenarios = ["emulator", "unlimited", "limited", "large", "faults", "nightly"]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("scenario", nargs="*", help=f"of {', '.join(scenarios)}; all of them without any")
    arguments.add_argument("--no-build", action="store_true", help="takes the release build that is there")
    arguments.add_argument("--runs", type=int, default=3, help="of each competitor, in turn (default 3)")
    wanted = arguments.parse_args()
    if unknown := set(wanted.scenario) - set(scenarios):
        arguments.error(f"no such scenario: {', '.join(sorted(unknown))}")
    WORK.mkdir(parents=True, exist_ok=True)
    install()
    if not wanted.no_build:
        build()
    sizes = {name: bootstrap(name).stat().st_size for name in ["prune-backups", "snapshot-databases"]}
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}, Python {sys.version.split()[0]};", end=" ")
    print(", ".join(f"{name} {size:,} bytes" for name, size in sizes.items()), flush=True)
    with Aws() as aws:
        benchmark = Benchmark(aws, wanted.runs)
        for scenario in wanted.scenario or scenarios:
            print(scenario, file=sys.stderr, flush=True)
            getattr(benchmark, scenario)()
    print(f"\nLoad at the end {os.getloadavg()[0]:.2f}.")
    for wrong in benchmark.wrong:
        print(f"WRONG {wrong}")
    return 1 if benchmark.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
