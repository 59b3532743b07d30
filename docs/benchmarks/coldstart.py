#!/usr/bin/env python3
"""Measures size, cold start and memory of every function, against a boto3 function that makes one call.

    python3 docs/benchmarks/coldstart.py

builds the functions, installs what coldstart.txt pins below target/benchmarks, starts an AWS that has nothing in it and
answers over TLS (coldstart_aws.py, a process of its own) and a Lambda Runtime API on 127.0.0.1, starts every function in
turn as often as --runs says, each for its sweep, and prints a table. On Linux. It exits with 1 if a run failed.

CPU time is that of all threads of the process, which a busy machine hardly changes; wall time is not measured.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from runtime_api import RuntimeApi

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
WORK = TARGET / "benchmarks"
PYTHON = WORK / "venv" / "coldstart" / "bin" / "python"
LONGEST_RUN = 60
REGION = "ap-northeast-2"
ACCOUNT = f"arn:aws:sns:{REGION}:123456789012"
LATER_EVENTS = 10


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

    with RuntimeApi(event, 1 + LATER_EVENTS, asked) as api, open(WORK / "last.log", "wb") as log:
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
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    rivals = {"boto3, one call": ([PYTHON, HERE / "coldstart_boto3.py"], b"{}")}
    for name in functions:
        rivals[name] = ([TARGET / "release" / name], (ROOT / "events" / name / "sweep.json").read_bytes())
    ran = {name: [] for name in rivals}
    stub = subprocess.Popen([PYTHON, HERE / "coldstart_aws.py", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        aws = json.loads(stub.stdout.readline())
        for number in range(options.runs + 1):
            for name, (command, event) in rivals.items():
                it = start(command, event, aws)
                # The first round fills the page cache.
                if number:
                    ran[name].append(it)
    finally:
        stub.kill()
        stub.wait()
    columns = {"ready": "CPU until ready", "cold": "CPU until the first answer", "later": "CPU of a later event", "memory": "peak memory"}
    median = {name: {key: statistics.median(it[key] for it in its) for key in columns} for name, its in ran.items()}
    rival = median["boto3, one call"]
    print(f"| function | MB | {' | '.join(columns.values())} |\n| --- | --- |{' --- |' * len(columns)}")
    for name, it in median.items():
        size = f"{(TARGET / 'release' / name).stat().st_size / 1e6:.2f}" if name in functions else ""
        unit = {"memory": "MiB"}
        cells = [f"{it[key]:.2f} {unit.get(key, 'ms')} ({it[key] / rival[key]:.3f})" for key in columns]
        print(f"| {name} | {size} | {' | '.join(cells)} |")
    print(f"\nMedians of {options.runs} starts each, in turn; in brackets the ratio to boto3.")


if __name__ == "__main__":
    main()
