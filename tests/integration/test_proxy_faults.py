"""teegate-proxy while one thing beside it is broken: fifty good connections each time work as if nothing were."""

import contextlib
import os
import signal
import socket
import struct
import time

import pytest

from conftest import patience
from proxy_cases import Server, ask, client_hello, connect, echo, read_all, read_exactly, start_proxy, write_config

NUM_GOOD = 50


class Host:
    """A proxy with a good enclave and a bad one behind its SNI router, and a way out."""

    def __init__(self, start, scratch, free_port, bad, more=None, **options):
        self.https = ("127.0.0.1", free_port())
        self.egress = scratch / "egress"
        self.good = Server(echo)
        self.config = {
            "domains": {
                name: {"cid": cid, "http": server, "https": server, "egress": ["127.0.0.1/32", "localhost", "*:443", "slow.test"]}
                for name, cid, server in (("good.x", 16, self.good.address), ("bad.x", 17, bad))
            },
            "listen": {
                "http": [],
                "https": f"tcp:127.0.0.1:{self.https[1]}",
                "kms": [],
                "internet": [f"unix:{self.egress}?cid=16", f"unix:{self.egress}17?cid=17"],
            },
            **(more or {}),
        }
        self.proxy = start_proxy(start, scratch, self.config, self.https, self.egress, **options)
        self.good_hello, self.bad_hello = client_hello("good.x"), client_hello("bad.x")

    def enter(self, hello):
        sock = connect(self.https, 60)
        sock.sendall(hello)
        return sock

    def good_connections_work(self, count=NUM_GOOD):
        for _ in range(count):
            with self.enter(self.good_hello) as sock:
                assert read_exactly(sock, len(self.good_hello)) == self.good_hello


def closing(socks):
    stack = contextlib.ExitStack()
    for sock in socks:
        stack.enter_context(sock)
    return stack


@pytest.mark.sanitize
def test_enclave_that_is_down_is_told_and_others_are_served(start, scratch, free_port):
    host = Host(start, scratch, free_port, f"tcp:127.0.0.1:{free_port()}")
    with closing(host.enter(host.bad_hello) for _ in range(50)) as _:
        host.good_connections_work()
    told = host.proxy.wait_event("dial failed")
    assert told["route"] == "bad.x" and told["stage"] == "connect" and told["remedy"]


@pytest.mark.sanitize
def test_enclave_that_accepts_and_never_reads_holds_up_nobody(start, scratch, free_port):
    blocked = Server(lambda sock: sock.recv(1) and time.sleep(patience(120)))
    host = Host(start, scratch, free_port, blocked.address, {"timeouts": {"drain_ms": 100}}, WORKERS=1)
    stuck = [host.enter(host.bad_hello) for _ in range(50)]
    with closing(stuck):
        for sock in stuck:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.send(bytes(65536))
        host.good_connections_work()


@pytest.mark.sanitize
def test_backend_that_resets_in_the_middle_is_a_reset_for_its_client_alone(start, scratch, free_port):
    def reset(sock):
        sock.recv(100)
        sock.sendall(b"half of an answer")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    host = Host(start, scratch, free_port, Server(reset).address)
    for _ in range(20):
        with host.enter(host.bad_hello) as sock:
            data = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := sock.recv(1000):
                    data += chunk
                raise AssertionError("an orderly end")
            assert b"half of an answer".startswith(data)
        host.good_connections_work(5)
    assert host.proxy.wait_event("connection ended", end="target_broke")["route"] == "bad.x"


@pytest.mark.sanitize
def test_clients_that_never_finish_their_hello_make_room_for_those_who_do(start, scratch, free_port):
    host = Host(start, scratch, free_port, "unix:/nowhere", {"limits": {"pending": 100}})
    with closing(host.enter(host.bad_hello[: 5 + i % 100]) for i in range(400)):
        host.good_connections_work()
    assert host.proxy.wait_event("limit reached")["rule"] == "limit_pending"


def test_descriptors_that_run_out_are_survived(start, scratch, free_port):
    host = Host(start, scratch, free_port, "unix:/nowhere", WORKERS=1, prefix=["prlimit", "--nofile=96:96"])
    with host.enter(host.good_hello) as early:
        assert read_exactly(early, len(host.good_hello)) == host.good_hello
        with closing(host.enter(host.good_hello) for _ in range(150)):
            told = host.proxy.wait_event("accept failed", 60)
            assert "Too many open files" in told["error"] and told["remedy"]
            early.sendall(b"who is in stays in")
            assert read_exactly(early, 18) == b"who is in stays in"

    def serves_again():
        with host.enter(host.good_hello) as sock:
            with contextlib.suppress(OSError):
                return read_exactly(sock, len(host.good_hello)) == host.good_hello

    host.proxy.wait_until(serves_again, 60, "a connection after the shortage")
    host.good_connections_work()


def test_log_on_a_full_disk_costs_lines_and_nothing_else(start, scratch, free_port):
    admin = free_port()
    host = Host(
        start,
        scratch,
        free_port,
        f"tcp:127.0.0.1:{free_port()}",
        {"admin": f"tcp:127.0.0.1:{admin}"},
        prefix=["sh", "-c", 'exec "$0" "$@" 2>/dev/full'],
        is_heard=False,
    )
    with closing(host.enter(host.bad_hello) for _ in range(20)):
        host.good_connections_work()
    answer = ask(("127.0.0.1", admin), b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
    assert int(answer.split("\nteegate_log_dropped_lines_total ", 1)[1].split("\n", 1)[0]) > 0
    assert host.proxy.log == ""


def test_log_that_nobody_reads_costs_lines_and_nothing_else(start, scratch, free_port):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, bytes(4096)):
            pass
    os.set_blocking(writing, True)
    host = Host(
        start, scratch, free_port, "unix:/nowhere", prefix=["sh", "-c", f'exec "$0" "$@" 2>/proc/{os.getpid()}/fd/{writing}'],
        is_heard=False,
    )  # fmt: skip
    with closing(host.enter(host.bad_hello) for _ in range(20)):
        host.good_connections_work()
    os.close(reading)
    os.close(writing)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a resolv.conf of its own: root")
def test_names_that_are_never_answered_hold_up_nobody(start, scratch, free_port):
    silent, named = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), Server(echo)
    by_name = f"localhost:{named.port}\n".encode()
    silent.bind(("127.77.1.1", 53))
    (scratch / "resolv.conf").write_text("nameserver 127.77.1.1\n", encoding="ascii")
    mounted = f'mount --make-rprivate / && mount --bind {scratch}/resolv.conf /etc/resolv.conf && exec "$0" "$@"'
    host = Host(
        start,
        scratch,
        free_port,
        "unix:/nowhere",
        {
            "timeouts": {"connect_ms": 1000},
            "forwards": [{"listen": f"unix:{scratch}/forward", "connect": f"tcp:localhost:{named.port}"}],
        },
        prefix=["unshare", "--mount", "sh", "-c", mounted],
    )
    asking = [connect(host.egress, 60) for _ in range(40)]
    with closing(asking):
        for sock in asking:
            sock.sendall(b"slow.test:443\nhello")
        # names that can be resolved still are, while those others have their threads: another CID's, a configured one
        for _ in range(NUM_GOOD):
            assert ask(f"{host.egress}17", by_name + b"named") == b"named"
            assert ask(scratch / "forward", b"forwarded") == b"forwarded"
        host.good_connections_work()
        line = f"127.0.0.1:{host.good.port}\n".encode()
        for _ in range(NUM_GOOD):
            assert ask(host.egress, line + b"direct") == b"direct"
        for sock in asking:
            assert read_all(sock) == b""
    told = host.proxy.wait_event("dial failed")
    assert told["stage"] == "resolve" and "resolve" in told["remedy"]
    silent.close()


def test_reload_and_drain_in_the_middle_of_it_all(start, scratch, free_port):
    blocked = Server(lambda sock: time.sleep(patience(120)))
    host = Host(start, scratch, free_port, blocked.address, {"timeouts": {"drain_ms": 300}})
    stuck = [host.enter(host.bad_hello) for _ in range(30)]
    half = [host.enter(host.bad_hello[:20]) for _ in range(30)]
    with closing(stuck + half):
        for count in range(1, 4):
            write_config(scratch, host.config)
            host.proxy.send(signal.SIGHUP)
            host.proxy.wait_event("reloaded", count=count)
            host.good_connections_work(10)
        assert host.proxy.stop() == 0
    assert host.proxy.events("drain time is over")
