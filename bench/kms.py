#!/usr/bin/env python3
"""The KMS proxy of teegate-proxy beside calling KMS directly, against the emulator of tests/emulator.

1, 10, 30 and 100 callers, each with a connection of its own, call GenerateRandom as fast as they are answered: through the
proxy (a unix socket that stands for a CID), and directly (a request that was signed once, over kept HTTP connections).
The emulator answers after 20 ms, as a KMS near by does; what it can do a second (it is Python, and has botocore compute
each signature again) bounds both. The first row has no such pause: what is left is what the proxy adds.
--quick (or TG_BENCH_QUICK): short runs, for a check that it works.
"""

import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "tests"))

from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
QUICK = "--quick" in sys.argv or bool(os.environ.get("TG_BENCH_QUICK"))
CALLERS = (1, 10, 30, 100)
SECONDS = 0.5 if QUICK else 4.0
PAUSE = 0.02
REQUEST = b'{"operation":"GenerateRandom","input":{"NumberOfBytes":32}}\n'


class Emulated:
    """The emulator as a process of its own."""

    def __init__(self, folder, latency):
        state = folder / f"state{latency}.json"
        state.write_text(json.dumps({"listen": "tcp:127.0.0.1:0", "users": {"host": {}}, "keys": {"tee": {}},
                                     "latency": latency}))
        self.process = subprocess.Popen(["/usr/bin/python3", "-m", "emulator", str(state)], cwd=SOURCE / "tests",
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.made = json.loads(self.process.stdout.readline())
        self.environment = self.made["users"]["host"]

    def signed(self):
        """One request, good for five minutes."""
        request = AWSRequest("POST", self.made["url"] + "/", data=b'{"NumberOfBytes":32}', headers={
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.GenerateRandom"})
        keys = Credentials(self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(keys, "kms", self.environment["AWS_REGION"]).add_auth(request)
        lines = [f"Host: localhost:{self.made['port']}", f"Content-Length: {len(request.data)}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + request.data

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def start_proxy(folder, emulated, path):
    config = {"domains": {"k.x": {"cid": 16, "http": "tcp:127.0.0.1:1", "https": "tcp:127.0.0.1:1",
                                  "kms_key": emulated.made["keys"]["tee"], "allow_plaintext": True}},
              "limits": {"rate_per_cid": 0},
              "listen": {"http": [], "https": [], "internet": [], "kms": f"unix:{path}?cid=16"}}
    (folder / "proxy.json").write_text(json.dumps(config))
    process = subprocess.Popen([str(BUILD / "teegate-proxy")], stderr=subprocess.DEVNULL, env={
        **emulated.environment, "PROXY_CONFIG": str(folder / "proxy.json"), "PROXY_LOG_LEVEL": "info"})
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def through_proxy(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    lines = sock.makefile("rb")

    def call():
        sock.sendall(REQUEST)
        if not lines.readline().startswith(b'{"output"'):
            raise RuntimeError("refused")

    return sock, call


def directly(port, request):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = sock.makefile("rb")

    def call():
        sock.sendall(request)
        if b" 200 " not in lines.readline():
            raise RuntimeError("refused")
        length = 0
        while (line := lines.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        lines.read(length)

    return sock, call


def measure(num_callers, make):
    """(calls a second, p50 and p99 in ms)."""
    made = [make() for _ in range(num_callers)]
    times, lock = [], threading.Lock()
    for _, call in made[:1]:
        call()  # credentials, connection
    end = time.monotonic() + SECONDS

    def run(call):
        own = []
        while True:
            began = time.monotonic()
            if began >= end:
                break
            call()
            own.append(time.monotonic() - began)
        with lock:
            times.extend(own)

    threads = [threading.Thread(target=run, args=(call,)) for _, call in made]
    began = time.monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    took = time.monotonic() - began
    for sock, _ in made:
        sock.close()
    times.sort()
    return len(times) / took, statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000


def compare(folder, latency, callers):
    emulated = Emulated(folder, latency)
    path = folder / f"kms{latency}"
    proxy = start_proxy(folder, emulated, path)
    request = emulated.signed()
    try:
        for count in callers:
            direct = measure(count, lambda: directly(emulated.made["port"], request))
            proxied = measure(count, lambda: through_proxy(path))
            yield count, direct, proxied
    finally:
        proxy.send_signal(signal.SIGTERM)
        proxy.wait(20)
        emulated.close()


def print_row(what, value, unit):
    print(f"| {what} | {value} | {unit} |", flush=True)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for _, direct, proxied in compare(folder, 0, (1,)):
            print_row("KMS, no pause, 1 caller: directly, p50", f"{direct[1]:.2f}", "ms")
            print_row("KMS, no pause, 1 caller: through the proxy, p50", f"{proxied[1]:.2f}", "ms")
            print_row("KMS, no pause, 1 caller: the proxy adds at p50", f"{proxied[1] - direct[1]:.2f}", "ms")
        for count, direct, proxied in compare(folder, PAUSE, CALLERS):
            for how, of in (("directly", direct), ("through the proxy", proxied)):
                print_row(f"KMS, 20 ms, {count} callers, {how}", f"{of[0]:.0f}", "calls/s")
                print_row(f"KMS, 20 ms, {count} callers, {how}: p50", f"{of[1]:.1f}", "ms")
                print_row(f"KMS, 20 ms, {count} callers, {how}: p99", f"{of[2]:.1f}", "ms")
            if count == 30:
                print_row("KMS, 20 ms, 30 callers: p99 through the proxy by directly",
                          f"{proxied[2] / direct[2]:.2f}", "times")


if __name__ == "__main__":
    main()
