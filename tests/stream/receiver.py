"""A receiver of messages as docs/push.md tells how to build one: it checks signatures, and remembers what it got."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def is_genuine(secret: bytes, headers, body: bytes, now: float) -> bool:
    algorithm, _, given = headers["Mianshen-Signature"].partition("=")
    digest = {"hmac-sm3": "sm3", "hmac-sha256": "sha256"}[algorithm]
    timestamp = headers["Mianshen-Timestamp"]
    expected = hmac.new(secret, timestamp.encode() + b"." + body, digest).hexdigest()
    return hmac.compare_digest(expected, given) and abs(now - int(timestamp)) <= 300


class Receiver:
    """Listens on a free port of this machine until it is stopped."""

    def __init__(self, secret: bytes):
        self.got = []  # every request's message, in the order of arrival
        self.forged = 0
        lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = json.loads(body)
                with lock:
                    if not is_genuine(secret, self.headers, body, time.time()) or self.headers["Mianshen-Id"] != message["id"]:
                        receiver.forged += 1
                    receiver.got.append(message)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
