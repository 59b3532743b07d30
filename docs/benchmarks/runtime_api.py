"""A Lambda Runtime API on this machine, for the benchmarks: it hands out events and takes their answers."""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REGION = "us-east-1"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever was stopped says nothing more."""


class RuntimeApi:
    """Gives the same event `times` times. Whoever asks for one more waits until this ends.

    Later events come `pause` seconds after they are asked for.
    `asked` is called whenever a function asks for an event, with the number of events that it was given before.
    """

    def __init__(self, event=b"{}", times=1, asked=lambda number: None, pause=0):
        self.event, self.times, self.asked, self.pause = event, times, asked, pause
        self.given, self.answer = 0, None
        # An answer came; an answer was an error, or all events were given and answered; this object is done with.
        self.answered, self.over, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __enter__(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer goes in one piece, as Lambda's: a client that does not wait for the body closes the connection.
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *_):
                pass

            def say(self, status, body=b"{}", headers=()):
                self.send_response(status)
                for name, value in [*headers, ("Content-Type", "application/json"), ("Content-Length", len(body))]:
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                api.asked(api.given)
                if api.given == api.times:
                    api.over.set()
                    api.ended.wait()
                    self.close_connection = True
                    return
                if api.given:
                    api.ended.wait(api.pause)
                api.given += 1
                arn = f"arn:aws:lambda:{REGION}:123456789012:function:benchmark"
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": f"00000000-0000-0000-0000-{api.given:012}",
                    "Lambda-Runtime-Deadline-Ms": int((time.time() + 900) * 1000),
                    "Lambda-Runtime-Invoked-Function-Arn": arn,
                }
                self.say(200, api.event, headers.items())

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                succeeded = self.path.rpartition("/")[2] == "response"
                api.answer = (succeeded, json.loads(body or b"null"))
                self.say(202)
                if not succeeded:
                    api.over.set()
                api.answered.set()

        self.server = Server(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def failed(self):
        """What a function answered that failed."""
        return None if self.answer is None or self.answer[0] else str(self.answer[1])[:1000]
