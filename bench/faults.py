#!/usr/bin/env python3
"""What fifty good connections of teegate-proxy feel of others that are broken: the 99th percentile of a round trip of 64
bytes through the SNI router, with nothing else there, and beside each fault in turn.

The proxy has one worker, on the first CPU; the echo behind it, the fifty and the faults are on the others. Faults that do
something all the time do it 200 times a second. The goal of each is twice the quiet value, taken in the same run before and
after it. --quick (or TG_BENCH_QUICK): fewer and shorter, for a check that it works.
"""

import contextlib
import json
import multiprocessing
import os
import pathlib
import resource
import select
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
QUICK = "--quick" in sys.argv or bool(os.environ.get("TG_BENCH_QUICK"))
NUM_GOOD = 50
ROUNDS = 40 if QUICK else 400  # of all fifty
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
NUM_HELLOS = 300 if QUICK else min(10000, FILES - 1000)
NUM_IDLE = 300 if QUICK else min(9000, (FILES - 1000) // 2)
PAUSE_S = 1 / 200
CPUS = sorted(os.sched_getaffinity(0))
CONTEXT = multiprocessing.get_context("fork")


def hello_of(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


GOOD, BAD = hello_of("good.example.org"), hello_of("bad.example.org")


def serve(listener, how):
    """An enclave in a process of its own: echoes, never reads, or resets in the middle of an answer."""
    os.sched_setaffinity(0, CPUS[1:] or CPUS)
    poll, socks = select.epoll(), {}
    poll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                sock = listener.accept()[0]
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                socks[sock.fileno()] = sock
                if how != "silent":
                    poll.register(sock.fileno(), select.EPOLLIN)
                continue
            with contextlib.suppress(ConnectionError):
                data = socks[fd].recv(65536)
                if data and how == "echo":
                    socks[fd].sendall(data)
                    continue
                if data and how == "reset":
                    socks[fd].sendall(b"half of an answer")
                    socks[fd].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socks.pop(fd).close()


def enclave(how):
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    process = CONTEXT.Process(target=serve, args=(listener, how), daemon=True)
    process.start()
    return f"tcp:127.0.0.1:{listener.getsockname()[1]}", process, listener


def enter(address, hello):
    sock = socket.create_connection(address, 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(hello)
    return sock


def read_exactly(sock, count):
    while count > 0:
        data = sock.recv(count)
        if not data:
            raise ConnectionError("a good connection ended")
        count -= len(data)


def hold_half_hellos(address, ready):
    socks = []
    for i in range(NUM_HELLOS):
        with contextlib.suppress(OSError):  # the oldest make room
            socks.append(enter(address, GOOD[: 5 + i % 100]))
    ready.set()
    time.sleep(3600)


def hold_idle(address, ready):
    socks = [enter(address, GOOD) for _ in range(NUM_IDLE)]
    for sock in socks:
        read_exactly(sock, len(GOOD))
    ready.set()
    time.sleep(3600)


def hold_stuck(address, ready):
    socks = [enter(address, BAD) for _ in range(50)]
    for sock in socks:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(bytes(65536))
    ready.set()
    time.sleep(3600)


def knock(address, ready):
    while True:
        with contextlib.suppress(OSError), enter(address, BAD) as sock:
            sock.recv(100)
        ready.set()
        time.sleep(PAUSE_S)


FAULTS = [  # what the row says, what is behind the bad name, what its clients do
    (f"{NUM_HELLOS} clients that never finish their hello", "down", hold_half_hellos),
    (f"{NUM_IDLE} relayed and idle", "down", hold_idle),
    ("an enclave that is down, asked 200 times a second", "down", knock),
    ("an enclave that accepts and never reads, 50 clients that send", "silent", hold_stuck),
    ("a backend that resets in the middle, 200 times a second", "reset", knock),
]


def p99_of(good):
    took = []
    for _ in range(ROUNDS):
        for sock in good:
            began = time.perf_counter()
            sock.sendall(bytes(64))
            read_exactly(sock, 64)
            took.append(time.perf_counter() - began)
    return statistics.quantiles(took, n=100)[98] * 1e6


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def proxy_to(good, bad):
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        domains = {n: {"cid": c, "http": a, "https": a} for n, c, a in (("good.example.org", 16, good), ("bad.example.org", 17, bad))}
        listen = {"http": [], "kms": [], "internet": [], "https": f"tcp:127.0.0.1:{port}"}
        limits = {"connections": 30000, "pending": 1000, "per_source": 30000, "rate_per_source": 100000}
        config = pathlib.Path(folder) / "config.json"
        config.write_text(json.dumps({"domains": domains, "listen": listen, "limits": limits}))
        environment = {"PATH": os.environ["PATH"], "PROXY_CONFIG": str(config), "PROXY_LOG_LEVEL": "error", "WORKERS": "1"}
        process = subprocess.Popen(
            [BUILD / "teegate-proxy"], env=environment, stderr=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, CPUS[:1])
        )
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.05)
            else:
                raise SystemExit("teegate-proxy does not listen")
            yield ("127.0.0.1", port)
        finally:
            process.kill()
            process.wait()


def measure(good_address, what, behind, clients):
    bad = (f"tcp:127.0.0.1:{free_port()}", None, None) if behind == "down" else enclave(behind)
    with proxy_to(good_address, bad[0]) as address, contextlib.ExitStack() as stack:
        good = [stack.enter_context(enter(address, GOOD)) for _ in range(NUM_GOOD)]
        for sock in good:
            read_exactly(sock, len(GOOD))
        p99_of(good)  # warm
        quiet = p99_of(good)
        ready = CONTEXT.Event()
        fault = CONTEXT.Process(target=clients, args=(address, ready), daemon=True)
        fault.start()
        try:
            if not ready.wait(300):
                raise SystemExit(f"{what}: the fault did not come about")
            beside = p99_of(good)
        finally:
            fault.kill()
            fault.join()
        if bad[1] is not None:
            bad[1].kill()
            bad[1].join()
        time.sleep(0.5)
        quiet = (quiet + p99_of(good)) / 2
    print(f"| 99th percentile of 50 good connections, quiet, before and after: {what} | {quiet:.0f} | us |")
    print(f"| 99th percentile of 50 good connections, beside: {what} | {beside:.0f} | us |")
    print(f"| 99th percentile of 50 good connections, of its quiet value, beside: {what} | {beside / quiet:.2f} | times |", flush=True)


def main():
    os.sched_setaffinity(0, CPUS[1:] or CPUS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    address, process, _listener = enclave("echo")
    try:
        for fault in FAULTS:
            measure(address, *fault)
    finally:
        process.kill()
        process.join()


if __name__ == "__main__":
    main()
