"""teegate-proxy under clients that mean no good: what they cost it, and what the others notice."""

import resource
import socket
import time

import pytest

from conftest import patience
from proxy_cases import Server, client_hello, connect, echo, read_exactly, start_proxy

pytestmark = pytest.mark.alone


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        pytest.skip(f"needs {count} descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def start_sni(start, scratch, port, server, **more):
    domains = {"tee-k.example.test": {"cid": 16, "http": server.address, "https": server.address}}
    listen = {"http": [], "kms": [], "internet": [], "https": f"tcp:127.0.0.1:{port}"}
    return start_proxy(start, scratch, {"domains": domains, "listen": listen, **more}, WORKERS=2)


def test_clients_that_never_finish_their_hello_do_not_keep_others_out(start, scratch, free_port):
    allow_descriptors(8000)
    port = free_port()
    proxy = start_sni(start, scratch, port, Server(echo), limits={"pending": 1000})
    held = []
    for _ in range(3000):
        sock = connect(("127.0.0.1", port))
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        held.append(sock)
    hello = client_hello("tee-k.example.test")
    for _ in range(50):
        with connect(("127.0.0.1", port)) as sock:
            sock.sendall(hello)
            assert read_exactly(sock, len(hello)) == hello
    assert proxy.wait_event("limit reached")["rule"] == "limit_pending"
    assert proxy.num_descriptors() < 1200
    for sock in held:
        sock.close()


def test_idle_relayed_connections_cost_about_a_kibibyte(start, scratch, free_port):
    count = 3000
    allow_descriptors(4 * count)
    port = free_port()
    silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
    kept = []

    class Target:
        address = f"tcp:127.0.0.1:{silent.getsockname()[1]}"

    proxy = start_proxy(start, scratch, {"forwards": [{"listen": f"tcp:127.0.0.1:{port}", "connect": Target.address}]})

    def open_many(number):
        for _ in range(number):
            kept.append(connect(("127.0.0.1", port)))
            kept.append(silent.accept()[0])
        for client, target in zip(kept[-2 * number :: 2], kept[1 - 2 * number :: 2]):
            client.sendall(b"x")
            assert target.recv(1) == b"x"

    open_many(200)  # what grows once
    time.sleep(0.2)
    before = proxy.resident_bytes()
    open_many(count)
    time.sleep(0.5)
    per_connection = (proxy.resident_bytes() - before) / count
    print(f"resident bytes of one idle relayed connection: {per_connection:.0f}")
    assert per_connection < 1400
    for sock in kept:
        sock.close()


def test_target_that_never_reads_holds_up_nobody(start, scratch, free_port):
    port = free_port()
    blocked = Server(lambda sock: time.sleep(patience(5)))
    good = Server(echo)
    other = free_port()
    start_proxy(
        start,
        scratch,
        {
            "forwards": [
                {"listen": f"tcp:127.0.0.1:{port}", "connect": blocked.address},
                {"listen": f"tcp:127.0.0.1:{other}", "connect": good.address},
            ]
        },
        WORKERS=1,
    )
    stuck = []
    for _ in range(50):
        sock = connect(("127.0.0.1", port))
        sock.setblocking(False)
        try:
            while True:
                sock.send(bytes(65536))
        except BlockingIOError:
            stuck.append(sock)
    for _ in range(50):
        with connect(("127.0.0.1", other)) as sock:
            sock.sendall(b"ping")
            assert read_exactly(sock, 4) == b"ping"
    for sock in stuck:
        sock.close()
