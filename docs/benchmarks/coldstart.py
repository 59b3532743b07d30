#!/usr/bin/env python3
"""Measures size, cold start and memory of every function, against boto3 functions.

    python3 docs/benchmarks/coldstart.py

builds the functions as they are deployed (deploy/release.sh), installs what coldstart.txt pins below target/benchmarks, starts an AWS that has nothing in it and
answers over TLS (coldstart_aws.py, a process of its own) and a Lambda Runtime API on 127.0.0.1, starts every function in
turn as often as --runs says, each for its sweep, and prints a table. On Linux. It exits with 1 if a run failed.
Beside them it starts a boto3 function that makes one call, and for each function one that makes the same calls.

CPU time is that of all threads of the process, which a busy machine hardly changes; wall time is not measured.
"""
import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from bootstraps import ROOT, TARGET, bootstrap, build
from runtime_api import RuntimeApi

HERE = Path(__file__).resolve().parent
WORK = TARGET / "benchmarks"
PYTHON = WORK / "venv" / "coldstart" / "bin" / "python"
LONGEST_RUN = 60
REGION = "ap-northeast-2"
ACCOUNT = f"arn:aws:sns:{REGION}:123456789012"
LATER_EVENTS = 5
# Between two of them, in seconds: as in an account, the limits that calls keep to are not used up by the event before.
PAUSE = 0.1
ONE_CALL = ["resourcegroupstaggingapi.get_resources"]
DATABASES = ["rds.describe_db_instances", "rds.describe_db_clusters"]
MACHINES = ["ec2.describe_instances", "autoscaling.describe_auto_scaling_groups"]
# What a sweep calls where nothing has opted in, as boto3 names it.
CALLS = {
    "copy-buckets": ONE_CALL * 2,
    "deploy-compose": ["ec2.describe_instances"],
    "deploy-image": ONE_CALL,
    "drill-restores": DATABASES,
    "enforce-budget": ["budgets.describe_budgets", *ONE_CALL * 2, *DATABASES, *MACHINES],
    "press-button": [],
    "prune-backups": [
        *["rds.describe_db_snapshots", "rds.describe_db_cluster_snapshots", *DATABASES, *ONE_CALL],
    ],
    "remediate-alarm": ONE_CALL,
    "report-operations": ["cloudwatch.describe_alarms", "cloudwatch.get_metric_data"],
    "scale-staging": [*ONE_CALL, *DATABASES, *MACHINES],
    "snapshot-databases": DATABASES,
}


def cpu(pid):
    """The CPU time of all threads so far, in ms."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            pass  # It has ended meanwhile.
    return total / 1e6


def peak(pid):
    """The most memory that the process had so far, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(it.split()[1]) / 1024 for it in lines if it.startswith("VmHWM"))


def start(command, event, aws):
    """Starts a function, gives it the events, stops it: CPU until ready, of the first event and of a later one; memory."""
    marks, memory, started = [], [], threading.Event()

    def asked(number):
        started.wait()  # It may ask before Popen has returned.
        marks.append(cpu(process.pid))
        if number == 1 + LATER_EVENTS:
            memory.append(peak(process.pid))

    with RuntimeApi(event, 1 + LATER_EVENTS, asked, PAUSE) as api, open(WORK / "last.log", "wb") as log:
        variables = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": api.at,
            "AWS_LAMBDA_FUNCTION_NAME": "nightshift-benchmark",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "benchmark",
            "AWS_LAMBDA_LOG_STREAM_NAME": "benchmark",
            "AWS_ENDPOINT_URL": aws["url"],
            "AWS_CA_BUNDLE": aws["authorities"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "NIGHTSHIFT_TOPIC_ARN": f"{ACCOUNT}:nightshift",
            "NIGHTSHIFT_TIME_ZONE": "Asia/Seoul",
            "NIGHTSHIFT_BUDGET_TOPIC_ARN": f"{ACCOUNT}:budget",
        }
        process = subprocess.Popen(command, env=variables, cwd=WORK, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        started.set()
        try:
            deadline = time.monotonic() + LONGEST_RUN
            while not api.over.wait(0.05) and process.poll() is None and time.monotonic() < deadline:
                pass
        finally:
            process.kill()
            process.wait()
    if api.failed or not api.over.is_set():
        tail = (WORK / "last.log").read_bytes()[-1500:].decode(errors="replace")
        raise SystemExit(f"{command[0]} failed: {api.failed or 'it ended, or took too long'}\n{tail}")
    ready, first, *later = marks
    each = statistics.median(b - a for a, b in zip([first, *later], later))
    return {"ready": ready, "cold": first, "later": each, "memory": memory[0]}


def install():
    stamp, wanted = PYTHON.parent / "installed", (HERE / "coldstart.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", PYTHON.parent.parent], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", HERE / "coldstart.txt"], check=True)
        stamp.write_text(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="starts of each (15)")
    parser.add_argument("--built", action="store_true", help="measure what is built already")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    install()
    functions = sorted(it.name for it in (ROOT / "functions").iterdir() if (it / "Cargo.toml").exists())
    if not options.built:
        build()
    rivals = {BOTO3: ([PYTHON, HERE / "coldstart_boto3.py", *ONE_CALL], b"{}", ONE_CALL)}
    for name in functions:
        event = (ROOT / "events" / name / "sweep.json").read_bytes()
        rivals[name] = ([bootstrap(name)], event, CALLS[name])
        rivals[boto3_of(name)] = ([PYTHON, HERE / "coldstart_boto3.py", *CALLS[name]], b"{}", CALLS[name])
    ran = {name: [] for name in rivals}
    stub = subprocess.Popen([PYTHON, HERE / "coldstart_aws.py", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        aws = json.loads(stub.stdout.readline())
        for number in range(options.runs + 1):
            for name, (command, event, calls) in rivals.items():
                it = start(command, event, aws)
                check(name, calls, aws)
                if name in functions:
                    check_log(name)
                # The first round fills the page cache.
                if number:
                    ran[name].append(it)
    finally:
        stub.kill()
        stub.wait()
    median = {name: {key: statistics.median(it[key] for it in its) for key in COLUMNS} for name, its in ran.items()}
    print(f"| function | calls | MB | {' | '.join(COLUMNS.values())} | boto3 with the same calls |")
    print(f"| --- | --- | --- |{' --- |' * (len(COLUMNS) + 1)}")
    for name in [BOTO3, *functions]:
        print(row(name, len(rivals[name][2]), median))
    print(f"\nMedians of {options.runs} starts each, in turn; in brackets the ratio to boto3 with one call.")


BOTO3 = "boto3"
COLUMNS = {
    "ready": "CPU until ready", "cold": "CPU until the first answer", "later": "CPU of a later event",
    "memory": "peak memory",
}


def boto3_of(name):
    return f"{BOTO3} as {name}"


def check(name, calls, aws):
    """Fails unless the start made these calls, again for each event."""
    context = ssl.create_default_context(cafile=aws["authorities"])
    with urllib.request.urlopen(aws["url"], context=context) as answer:
        made = json.load(answer)
    expected = [it.split(".")[1].replace("_", "") for it in calls] * (1 + LATER_EVENTS)
    if sorted(it.lower() for it in made) != sorted(expected):
        raise SystemExit(f"{name} made other calls than CALLS says: {sorted(set(made))}, {len(made)} of them")


def check_log(name):
    """Fails unless each event was one line of the log, beside its metrics."""
    said = [it for it in (WORK / "last.log").read_text().splitlines() if '"_aws"' not in it]
    if len(said) != 1 + LATER_EVENTS:
        raise SystemExit(f"{name} logged {len(said)} lines for {1 + LATER_EVENTS} events:\n" + "\n".join(said[:20]))


def row(name, calls, median):
    size = "" if name == BOTO3 else f"{bootstrap(name).stat().st_size / 1e6:.2f}"
    it, rival = median[name], median[BOTO3]
    cells = [f"{it[key]:.2f} {'MiB' if key == 'memory' else 'ms'} ({it[key] / rival[key]:.3f})" for key in COLUMNS]
    same = median.get(boto3_of(name))
    ratios = "" if same is None else ", ".join(f"{it[key] / same[key]:.3f}" for key in ("cold", "later", "memory"))
    return f"| {name} | {calls} | {size} | {' | '.join(cells)} | {ratios} |"


if __name__ == "__main__":
    main()
