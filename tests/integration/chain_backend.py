"""The example backend, which notes each request that it has read before it answers, answers slowly and at length, and
ends in order on SIGTERM: what was read is answered, what rests is closed. Run by test_gateway_chain.py."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/processing-service"))

import service  # noqa: E402

PADDING, PIECES = 60000, 6


class Handler(service.Handler):
    is_ending = threading.Event()
    resting = set()  # connections between two requests
    changing = threading.Lock()
    noting = threading.Lock()

    def handle_one_request(self):
        with Handler.changing:
            Handler.resting.add(self.request)
        if Handler.is_ending.is_set():
            self.close_connection = True
        else:
            super().handle_one_request()

    def parse_request(self):
        with Handler.changing:
            is_taken = self.request in Handler.resting  # and not ended meanwhile
            Handler.resting.discard(self.request)
        if not is_taken:
            self.close_connection = True
        return is_taken and super().parse_request()

    def process(self, body):
        number = json.loads(body)["number"]
        with Handler.noting, open(os.environ["NOTES"], "a", encoding="ascii") as notes:
            notes.write(f"{number}\n")
        answer = json.dumps({"number": number, "padding": "x" * PADDING}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        for at in range(0, len(answer), len(answer) // PIECES + 1):
            self.wfile.write(answer[at : at + len(answer) // PIECES + 1])
            time.sleep(0.005)


class Server(service.Server):
    daemon_threads = False
    block_on_close = True


def end(server):
    Handler.is_ending.set()
    server.shutdown()
    with Handler.changing:
        for sock in Handler.resting:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        Handler.resting.clear()


def main():
    with Server(("127.0.0.1", int(os.environ["PORT"])), pathlib.Path(os.environ["MTLS_DIR"])) as server:
        server.RequestHandlerClass = Handler
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end, args=(server,)).start())
        print("processing service on", server.server_address, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
