"""Plays runs of functions: the Lambda around the real binary, and an AWS that disturbs one call.

A disturbance is {"kind", "index"}: the call of this number in the run, counted from 0, is disturbed as the kind says.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess

import cbor2
import emulator

# What is done to a call. Of `always` every later call of the same action in the same run gets the same.
KINDS = {
    "killed before": "the process ends before the call is sent",
    "killed after": "the process ends after the call took effect",
    "answer lost": "the call takes effect, the connection is reset",
    "throttled once": "the call is refused with a throttling error, once",
    "throttled 30 s": "so is every call of its action for the rest of the run",
    "error 500": "the call is answered with an error of the server, once",
    "stalled": "neither the call nor its repetitions are answered before the deadline",
    "denied": "every call of its action is refused in this run: AccessDenied",
    "truncated": "the call takes effect, its answer ends in the middle",
    "stale read": "a read shows what was before the last write of the run",
    "same between": "before the call is sent, a second run on the same event begins and ends",
    "sweep between": "before the call is sent, a sweep of the function begins and ends",
    "crossed": "so does a second run, but it stops before a call of its own, and goes on once the first one has ended",
    "two at once": "two runs on the same event begin together",
    "five at once": "five runs on the same event begin together",
}
AT_ONCE = {"two at once": 2, "five at once": 5}
OVERLAPS = {*AT_ONCE, "same between", "sweep between", "crossed"}
# The SDK makes a call again whose answer is lost.
REPEATED = ("answer lost", "truncated")
_ALWAYS = ("throttled 30 s", "stalled", "denied")
_READS = ("Describe", "Get", "List", "View", "Batch", "Head")

# Seconds, of the real clock. What stalls until the deadline is given one that comes soon.
DEADLINE, SOON = 60, 3


def is_read(action):
    return action.startswith(_READS)


class Aws:
    """One run: what it called, and what was done to its calls."""

    def __init__(self, disturbance=None, memory_last=False, deadline=None):
        self.disturbance, self.calls, self.disturbed = disturbance or {}, [], None
        self.process = self.past = self.done = self.answer = None
        # What the process held at most, in KiB.
        self.memory = None
        # Before this call of its own it stops, until another run has ended.
        self.stop, self.crossing = None, None
        self.deadline = deadline or (SOON if self.disturbance.get("kind") == "stalled" else DEADLINE)
        # A function that writes its memory after the change, which must not stay unnoticed: see `remember_later`.
        self.memory_last, self.held = memory_last, []

    # ---------------------------------------------------------------------------------------- the Lambda

    async def run(self, binary, environment, payload, log):
        self.done = asyncio.Event()
        self.again = lambda payload, aws=None: (aws or Aws()).run(binary, environment, payload, log)
        self.ask = lambda function, payload: Aws().run(
            f"{os.path.dirname(binary)}/{function}",
            {**environment, "AWS_LAMBDA_FUNCTION_NAME": f"nightshift-{function}"}, payload, log)
        self.payload = json.dumps(payload).encode()
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=2**24)
        port = server.sockets[0].getsockname()[1]
        variables = {**environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                     "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
        self.process = subprocess.Popen([binary], env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            await asyncio.wait_for(self.done.wait(), self.deadline + (0 if self.deadline == SOON else 5))
        except asyncio.TimeoutError:
            self.answer = ("killed", "the deadline")
        self.process.kill()
        self.process.wait()
        if self.past:
            self.past.end()
        if self.answer[0] != "killed":
            await self.remember()
        if self.crossing:
            await self.crossing.go_on()
        server.close()
        # A connection that was accepted just now begins, and finds that nobody is there any more.
        await asyncio.sleep(0)
        return self.answer

    def end(self, why):
        if not self.done.is_set():
            self.answer = ("killed", why)
            self.process.kill()
            self.done.set()

    async def connection(self, reader, writer):
        try:
            while request := await _request(reader):
                if not await self.serve(*request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as error:  # a fault of the harness must not look like one of AWS
            self.answer = ("harness", repr(error))
            self.done.set()
        finally:
            writer.close()

    async def serve(self, method, target, headers, body, writer):
        if target.startswith("/2018-06-01/runtime/"):
            return await self.runtime(method, target, body, writer)
        return await self.aws(method, target, headers, body, writer)

    async def runtime(self, method, target, body, writer):
        if target.endswith("/invocation/next"):
            if self.answer is not None:
                return False
            moment = int((emulator.real_time() + self.deadline) * 1000)
            await _respond(writer, 200, {
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": str(moment), "Content-Type": "application/json",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:ap-northeast-2:123456789012:function:x"},
                self.payload)
            return True
        self.answer = ("error" if target.endswith("/error") else "report", body.decode(errors="replace"))
        self.memory = _peak(self.process.pid)
        await _respond(writer, 202, {}, b"{}")
        self.done.set()
        return True

    # ---------------------------------------------------------------------------------------- the AWS

    async def aws(self, method, target, headers, body, writer):
        service, action = emulator.name_of(method, target, headers, body)
        index = len(self.calls)
        call = {"service": service, "action": action}
        self.calls.append(call)
        if self.stop and index == self.stop.before:
            await self.stop.here()
        kind = self.kind_for(index, call)
        if kind == "killed before":
            self.end("before the call")
            return False
        if kind in ("throttled once", "throttled 30 s"):
            await _respond(writer, *_error(target, headers, 400, "ThrottlingException", "Rate exceeded"))
            return True
        if kind == "error 500":
            await _respond(writer, *_error(target, headers, 500, "InternalFailure", "An internal error has occurred"))
            return True
        if kind == "denied":
            await _respond(writer, *_error(target, headers, 400, "AccessDeniedException", "User is not authorized"))
            return True
        if kind == "stalled":
            await asyncio.sleep(600)
        if kind in ("same between", "sweep between"):
            await self.again(json.loads(self.payload) if kind == "same between" else {})
        if kind == "crossed":
            self.crossing = Crossing(self.disturbance["other"])
            await self.crossing.begin(self.again, json.loads(self.payload))
        if kind == "stale read" and self.past:
            status, answered, content = self.past.ask((method, target, headers, body))
        else:
            if not is_read(action) and self.disturbance.get("kind") == "stale read" and service not in ("sns", "lambda"):
                if self.past:
                    self.past.end()
                self.past = Past()
            if service == "lambda" and "invocations" in target:
                function = re.search(r"functions/(?:.*:)?nightshift-([^/]+)/", target)[1]
                if headers.get("x-amz-invocation-type") == "RequestResponse":
                    outcome, content = await self.ask(function, json.loads(body or b"{}"))
                    failed = {} if outcome == "report" else {"x-amz-function-error": "Unhandled"}
                    status, answered = 200, {"Content-Type": "application/json", **failed}
                else:
                    emulator.woken.append((function, json.loads(body or b"{}")))
                    status, answered, content = 202, {}, b""
            else:
                if service == "sns":
                    emulator.tell(body)
                if self.memory_last and action in ("TagResource", "AddTagsToResource"):
                    status, answered, content = self.remember_later((method, target, headers, body))
                else:
                    status, answered, content = await emulator.dispatch(method, target, headers, body)
        call["status"] = status
        if isinstance(content, str):
            content = content.encode()
        if kind == "killed after":
            self.end("after the call")
            return False
        if not is_read(action) and action not in ("TagResource", "AddTagsToResource"):
            await self.remember()
        if kind == "answer lost":
            # A reset, not an end: the client cannot take it for an answer.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if kind == "truncated":
            await _respond(writer, status, answered, content, cut=True)
            return False
        await _respond(writer, status, answered, content)
        return True

    def remember_later(self, request):
        """Answers as if the tag was written, which happens only after the next change."""
        self.held.append(request)
        past = Past()
        answer = past.ask(request)
        past.end()
        return answer

    async def remember(self):
        while self.held:
            await emulator.dispatch(*self.held.pop(0))

    def kind_for(self, index, call):
        wanted = self.disturbance
        if not wanted:
            return None
        if index == wanted["index"]:
            self.disturbed = (call["service"], call["action"])
            return wanted["kind"]
        same = self.disturbed == (call["service"], call["action"])
        return wanted["kind"] if same and wanted["kind"] in _ALWAYS else None


class Crossing:
    """A second run that begins in the middle of one, stops before its call of the number `before`, and goes on after it."""

    def __init__(self, before):
        self.before, self.run = before, None
        self.stopped, self.going_on = asyncio.Event(), asyncio.Event()

    async def begin(self, again, payload):
        aws = Aws()
        aws.stop = self
        self.run = asyncio.ensure_future(again(payload, aws))
        self.run.add_done_callback(lambda _: self.stopped.set())
        await self.stopped.wait()

    async def here(self):
        self.stopped.set()
        await self.going_on.wait()

    async def go_on(self):
        self.going_on.set()
        await self.run


def _peak(process):
    # It may have ended by itself meanwhile.
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{process}/status") as status:
        return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), None)
    return None


class Past:
    """A fork of this process, kept as it is now, that answers one question later."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.process = os.fork()
        if self.process == 0:
            status = 1
            with contextlib.suppress(BaseException):
                ours.close()
                with theirs.makefile("rb") as incoming:
                    question = json.loads(incoming.readline())
                question[3] = bytes.fromhex(question[3])
                asyncio._set_running_loop(None)
                code, headers, content = asyncio.new_event_loop().run_until_complete(emulator.dispatch(*question))
                content = content.encode() if isinstance(content, str) else content
                theirs.sendall(json.dumps([code, headers, content.hex()]).encode())
                theirs.close()
                status = 0
            os._exit(status)
        theirs.close()
        self.socket = ours

    def ask(self, question):
        method, target, headers, body = question
        self.socket.sendall(json.dumps([method, target, headers, body.hex()]).encode() + b"\n")
        with self.socket.makefile("rb") as incoming:
            code, headers, content = json.loads(incoming.read())
        return code, headers, bytes.fromhex(content)

    def end(self):
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


# ------------------------------------------------------------------------------------------------ HTTP


async def _request(reader):
    """The next request of a connection, or None at its end."""
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, target, headers, body


async def _respond(writer, status, headers, body, cut=False):
    kept = {key: value for key, value in headers.items() if key.lower() not in ("content-length", "transfer-encoding")}
    lines = [f"HTTP/1.1 {status} -", *(f"{key}: {value}" for key, value in kept.items()), f"Content-Length: {len(body)}"]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body[:len(body) // 2] if cut else body))
    await writer.drain()


def _error(target, headers, status, code, message):
    if "cbor" in headers.get("content-type", ""):
        content = cbor2.dumps({"__type": code, "message": message})
        return status, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, content
    if "json" in headers.get("content-type", ""):
        content = json.dumps({"__type": code, "message": message}).encode()
        return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, content
    if "/functions/" in target:
        return status, {"x-amzn-errortype": code}, b"{}"
    content = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
               "<RequestId>0</RequestId></ErrorResponse>").encode()
    return status, {"Content-Type": "text/xml"}, content
