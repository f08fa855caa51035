#!/usr/bin/env python3
"""A backend as an enclave calls it: POST /process over mTLS, with nothing but Python's standard library.

The certificates are the files of /etc/ecs/mtls (MTLS_DIR): server.crt, server.key, and ca.crt, the authority whose client
certificates count. `teegate pki init` makes them. A caller without such a certificate gets no further than the handshake.
"""

import http.server
import json
import os
import pathlib
import ssl

MAX_BODY_BYTES = 10 << 20
CALLER_TIMEOUT_S = 30  # for a handshake, and for each wait within a request


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = CALLER_TIMEOUT_S

    def setup(self):
        self.request.settimeout(self.timeout)
        self.request.do_handshake()  # here, in this caller's thread: a slow one keeps nobody else waiting
        super().setup()

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message):
        self.close_connection = True  # what the caller still sends is not read
        self.answer(status, {"error": message})

    def caller(self):
        """The names in the caller's certificate; the handshake has verified it."""
        return [value for _, value in self.request.getpeercert().get("subjectAltName", ())]

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
        else:
            self.refuse(404, "not found")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if self.path != "/process":
            self.refuse(404, "not found")
        elif not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self.refuse(411, "a Content-Length is needed")
        elif int(length) > MAX_BODY_BYTES:
            self.refuse(413, "too long")
        else:
            self.process(self.rfile.read(int(length)))

    def process(self, body):
        """What a service would do with the plaintext: here, say what came and from whom."""
        try:
            document = json.loads(body)
        except ValueError:
            self.refuse(400, "not JSON")
            return
        self.answer(200, {"status": "processed", "caller": self.caller(), "received": document})

    def log_message(self, *_):
        """Nothing: request lines may hold personal data."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, folder):
        super().__init__(address, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        context.load_verify_locations(folder / "ca.crt")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_):
        """A caller that does not pass the handshake is none to trace."""


def main():
    folder = pathlib.Path(os.environ.get("MTLS_DIR", "/etc/ecs/mtls"))
    address = (os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080")))
    with Server(address, folder) as server:
        print(f"processing service on {server.server_address[0]}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
