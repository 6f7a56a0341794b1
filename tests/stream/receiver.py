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
    """Listens on this machine until it is stopped, on a free port if none is named."""

    def __init__(self, secret: bytes, port: int = 0):
        self.got = []  # the message of every request that was taken, in the order of arrival
        self.status = 202  # what is answered; other than 2xx: the request is not taken
        self.refused = 0
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
                    status = receiver.status
                    if status < 300:
                        receiver.got.append(message)
                    else:
                        receiver.refused += 1
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
