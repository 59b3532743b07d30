"""An AWS with nothing in it, over TLS: every call has an empty answer.

    python3 coldstart_aws.py FOLDER

writes FOLDER/authorities.pem, the usual authorities and its own one, and prints its URL and that path as JSON.
"""
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import certifi
import trustme
from trustme import KeyType


CALLS = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers, body = {"Content-Type": "application/x-amz-json-1.1"}, b"{}"
        operation = self.headers.get("X-Amz-Target", self.path).rsplit(".")[-1].rsplit("/")[-1]
        if self.headers.get("smithy-protocol"):
            headers, body = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, b"\xa0"
        elif "X-Amz-Target" not in self.headers and b"Action=" in asked:
            operation = parse_qs(asked.decode())["Action"][0]
            body = f"<{operation}Response><{operation}Result></{operation}Result></{operation}Response>".encode()
            headers = {"Content-Type": "text/xml"}
        CALLS.append(operation)
        self.answer(headers, body)

    def do_GET(self):
        """The calls since this was asked last."""
        body = json.dumps(CALLS).encode()
        CALLS.clear()
        self.answer({"Content-Type": "application/json"}, body)

    def answer(self, headers, body):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": len(body), "x-amzn-RequestId": "1"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def main():
    folder = Path(sys.argv[1])
    # As AWS shows itself: an RSA key, signed by an intermediate one (https://www.amazontrust.com/repository/).
    authority = trustme.CA(key_type=KeyType.RSA)
    intermediate = authority.create_child_ca(key_type=KeyType.RSA)
    authorities = folder / "authorities.pem"
    authorities.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    intermediate.issue_cert("localhost", key_type=KeyType.RSA).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # A client that was stopped.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url = f"https://localhost:{server.server_address[1]}"
    print(json.dumps({"url": url, "authorities": str(authorities)}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
