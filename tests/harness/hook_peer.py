"""A program that is told of alerts: it checks the signature of each post and keeps it, one JSON file a post.

Usage: hook_peer.py FOLDER SECRET CERTIFICATE KEY. It listens over TLS on a free port of the loopback address and writes
the number into FOLDER/port. It answers with the number in FOLDER/status, or 204.
"""

import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import sys
import threading

folder = pathlib.Path(sys.argv[1])
secret = sys.argv[2].encode("utf-8")
lock = threading.Lock()
count = 0


def keep(name, text):
    half = folder / f"{name}.half"
    half.write_text(text, encoding="utf-8")
    half.rename(folder / name)


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = self.headers["x-fundwatch-timestamp"].encode("ascii") + b"." + body
        expected = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
        status = folder / "status"
        code = int(status.read_text(encoding="ascii")) if status.exists() else 204
        with lock:
            count += 1
            post = {
                "path": self.path,
                "key": self.headers["idempotency-key"],
                "is_signed": hmac.compare_digest(expected, self.headers["x-fundwatch-signature"]),
                "code": code,
                "body": body.decode("utf-8"),
            }
            keep(f"{count:08}.json", json.dumps(post))
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
server.socket = context.wrap_socket(server.socket, server_side=True)
keep("port", str(server.server_address[1]))
server.serve_forever()
