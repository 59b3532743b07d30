"""Starts the local AWS: MiniStack in this process, with its gaps closed, on a free port of the loopback interface.

    python launcher.py --directory DIR [--auth]

Prints one line of JSON, `{"endpoint": "http://127.0.0.1:PORT"}`, and logs to standard error. It stops on SIGTERM, on
SIGINT and when its standard input ends, that is, also when whoever started it dies: then it removes DIR as well.
Its functions stop with it. It ends with 1 if it failed, and says why.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import traceback

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"

# Whoever started this has no more use for it.
_abandoned = threading.Event()


def environment(port, directory, auth):
    """The whole environment. Functions inherit it, so nothing is taken over: no credentials, no proxy, no profile."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": directory,
        "TMPDIR": directory,
        # By default both are in /tmp, where they would stay.
        "STATE_DIR": f"{directory}/state",
        "S3_DATA_DIR": f"{directory}/s3",
        "AUTH": str(auth).lower(),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Without it the functions would call the real AWS.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        # MiniStack would run tasks and functions in containers if it found an engine.
        "DOCKER_HOST": "unix:///nonexistent",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "2",
        "LOG_LEVEL": "INFO",
    }


async def serve(listener):
    import alarms  # noqa: F401
    import calls  # noqa: F401
    import codedeploy  # noqa: F401
    import conditions  # noqa: F401
    import control  # noqa: F401
    import functions  # noqa: F401
    import permissions  # noqa: F401
    import registry  # noqa: F401
    import run_command  # noqa: F401
    import machines  # noqa: F401
    import scaling  # noqa: F401
    import schedules  # noqa: F401
    import shifting  # noqa: F401
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack import app

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=wait_for_parent, args=(loop, stop), daemon=True).start()

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    print(json.dumps({"endpoint": os.environ["AWS_ENDPOINT_URL"]}), flush=True)
    await hypercorn_serve(app.app, config, shutdown_trigger=stop.wait)


def wait_for_parent(loop, stop):
    sys.stdin.buffer.read()
    _abandoned.set()
    loop.call_soon_threadsafe(stop.set)


def stop_children():
    """Ends the functions, which MiniStack leaves running."""
    for child in children():
        # It may end meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def children():
    if not os.path.isdir("/proc/self/task"):
        # Not Linux: there `ps` is part of the system.
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
        pairs = [[int(number) for number in line.split()] for line in listed.stdout.splitlines()]
        return [process for process, parent in pairs if parent == os.getpid()]
    found = []
    for thread in os.listdir("/proc/self/task"):
        # A thread may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += pathlib.Path(f"/proc/self/task/{thread}/children").read_text().split()
    return [int(child) for child in found]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--directory", required=True)
    arguments.add_argument("--auth", action="store_true")
    options = arguments.parse_args()

    listener = socket.create_server(("127.0.0.1", 0))
    os.environ.clear()
    os.environ.update(environment(listener.getsockname()[1], options.directory, options.auth))
    status = 0
    try:
        asyncio.run(serve(listener))
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        stop_children()
        if _abandoned.is_set():
            shutil.rmtree(options.directory, ignore_errors=True)
        # MiniStack's own threads would keep the process alive.
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
