"""teegate-proxy's egress, forwards and sidecar: what is dialled, what is refused and by which rule, bytes either way."""

import hashlib
import os
import socket
import struct
import subprocess
import time

import pytest

from conftest import patience, wait_for_listener
from proxy_cases import (
    Server,
    ask,
    connect,
    echo,
    http_named,
    is_closed_without_answer,
    read_all,
    read_exactly,
    read_proxy_header,
    start_proxy,
)

pytestmark = pytest.mark.sanitize


class Egress:
    def __init__(self, start, scratch, rules, **more):
        self.paths = {cid: scratch / f"egress-{cid}" for cid in (16, 17, 99)}
        self.enclave = Server(http_named("tee-k"))
        config = {
            "domains": {
                "tee-k.example.test": {"cid": 16, "http": self.enclave.address, "https": self.enclave.address},
                "tee-t.example.test": {"cid": 17, "http": self.enclave.address, "https": self.enclave.address, "egress": []},
            },
            "listen": {
                "http": [],
                "https": [],
                "kms": [],
                "internet": [f"unix:{path}?cid={cid}" for cid, path in self.paths.items()],
            },
            **more,
        }
        if rules is not None:
            config["domains"]["tee-k.example.test"]["egress"] = rules
        self.proxy = start_proxy(start, scratch, config)

    def refused_by(self, line, cid=16):
        count = len(self.proxy.events("egress refused"))
        assert is_closed_without_answer(self.paths[cid], line)
        return self.proxy.wait_event("egress refused", count=count + 1)["rule"]


def test_lines_that_are_none_are_refused(start, scratch):
    egress = Egress(start, scratch, None)
    for line in (b"\n", b"example.org\n", b"example.org:443\r\n", b"example.org:0\n", b"example.org:65536\n", b"a b:1\n"):
        assert egress.refused_by(line) == "bad_line"
    assert egress.refused_by(b"GET / HTTP/1.1\r\n") == "bad_line"
    assert egress.refused_by(b"a" * 4097) == "line_too_long"
    assert egress.refused_by(b"a" * 4096 + b"\n") == "line_too_long"


def test_special_addresses_are_refused_by_their_class(start, scratch):
    egress = Egress(start, scratch, None)
    own = socket.gethostbyname(socket.gethostname())
    cases = {
        "169.254.169.254:80": "metadata",
        "[fd00:ec2::254]:80": "metadata",
        "127.0.0.1:22": "loopback",
        "[::1]:22": "loopback",
        "localhost:1": "loopback",
        "[::ffff:127.0.0.1]:80": "translated",
        "[64:ff9b::7f00:1]:80": "translated",
        "[2002:7f00:1::]:80": "translated",
        "10.0.0.1:80": "private",
        "100.64.0.1:80": "shared",
        "198.18.0.1:80": "benchmark",
        "0.0.0.0:80": "unspecified",
        "224.0.0.1:80": "multicast",
        "255.255.255.255:80": "broadcast",
        "240.0.0.1:80": "reserved",
        "169.254.1.1:80": "link_local",
    }
    for target, rule in cases.items():
        assert egress.refused_by(target.encode() + b"\n") == rule, target
    for spelling in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1"):  # what inet_aton would take
        count = len(egress.proxy.events("egress refused")) + len(egress.proxy.events("dial failed"))
        assert is_closed_without_answer(egress.paths[16], f"{spelling}:22\n".encode())
        egress.proxy.wait_until(
            lambda: len(egress.proxy.events("egress refused")) + len(egress.proxy.events("dial failed")) > count
        )
    if not own.startswith("127."):
        assert egress.refused_by(f"{own}:22\n".encode()) in ("own", "private")


def test_rules_of_the_caller_decide(start, scratch):
    server = Server(echo)
    egress = Egress(start, scratch, [f"127.0.0.1:{server.port}", "*.example.org:443"])
    line = f"127.0.0.1:{server.port}\n".encode()
    assert ask(egress.paths[16], line + b"behind the line") == b"behind the line"
    assert egress.refused_by(line, 17) == "loopback"
    assert egress.refused_by(line, 99) == "loopback"
    assert egress.refused_by(b"example.com:443\n", 17) == "no_rule"
    assert egress.refused_by(b"example.com:443\n") == "no_rule"
    assert egress.refused_by(b"www.example.org:80\n") == "no_rule"
    ended = egress.proxy.wait_event("connection ended")
    assert (ended["bytes_in"], ended["bytes_out"], ended["end"]) == (15, 15, "ended")
    assert ended["target"] == f"tcp:127.0.0.1:{server.port}"


def test_line_byte_by_byte_is_taken(start, scratch):
    server = Server(echo)
    egress = Egress(start, scratch, [f"127.0.0.1:{server.port}"])
    with connect(egress.paths[16]) as sock:
        for byte in f"127.0.0.1:{server.port}\n".encode() + b"slow":
            sock.sendall(bytes([byte]))
            time.sleep(0.002)
        assert read_exactly(sock, 4) == b"slow"


def test_configured_domain_goes_straight_to_its_enclave(start, scratch):
    egress = Egress(start, scratch, [])
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for name in (b"tee-k.example.test", b"TEE-K.example.test."):
        for port in (b"80", b"443"):
            assert b"tee-k GET / HTTP/1.1 0" in ask(egress.paths[16], name + b":" + port + b"\n" + request)
    assert egress.refused_by(b"tee-k.example.test:8080\n") == "no_rule"


def test_slow_line_is_timed_out(start, scratch):
    egress = Egress(start, scratch, None, timeouts={"hello_ms": 300})
    with connect(egress.paths[16]) as sock:
        sock.sendall(b"exam")
        assert read_all(sock) == b""
    assert egress.proxy.wait_event("client too slow")["rule"] == "hello_ms"


@pytest.fixture
def forward(start, scratch, free_port):
    """forward(server, **options): a proxy's TCP port in front of it."""

    def make(server, listen=None, **more):
        port = free_port()
        proxy = start_proxy(
            start,
            scratch,
            {"forwards": [{"listen": listen or f"tcp:127.0.0.1:{port}", "connect": server.address}], **more},
        )
        if listen is None:
            wait_for_listener(("127.0.0.1", port))
        return ("127.0.0.1", port), proxy

    return make


def digest_of(sock):
    digest, length = hashlib.sha256(), 0
    while chunk := sock.recv(1 << 18):
        digest.update(chunk)
        length += len(chunk)
    return digest.hexdigest(), length


def test_forward_carries_100_megabytes_each_way(forward, scratch):
    block = os.urandom(1 << 20)
    want = hashlib.sha256(block * 100).hexdigest()
    seen = []

    def swap(sock):
        seen.append(digest_of(sock))
        for _ in range(100):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)

    for server in (Server(swap), Server(swap, scratch / "target")):
        address, proxy = forward(server)
        with connect(address, 60) as sock:
            for _ in range(100):
                sock.sendall(block)
            sock.shutdown(socket.SHUT_WR)
            assert digest_of(sock) == (want, 100 << 20)
        assert seen.pop() == (want, 100 << 20)
        ended = proxy.wait_event("connection ended", bytes_in=100 << 20)
        assert (ended["bytes_out"], ended["end"]) == (100 << 20, "ended")
        proxy.stop()


def test_forward_refuses_other_cids(start, scratch):
    server = Server(echo)
    paths = [scratch / f"f{cid}" for cid in (16, 17)]
    proxy = start_proxy(
        start,
        scratch,
        {"forwards": [{"listen": f"unix:{p}?cid={c}", "connect": server.address, "cids": [16]} for p, c in zip(paths, (16, 17))]},
    )
    assert ask(paths[0], b"hello") == b"hello"
    assert ask(paths[1], b"hello") == b""
    assert proxy.wait_event("forward refused")["rule"] == "cid"


def test_forward_sends_a_proxy_header_where_it_is_asked_to(start, scratch, free_port):
    headers = []

    def keep(sock):
        headers.append(read_proxy_header(sock))
        echo(sock)

    server, port = Server(keep), free_port()
    start_proxy(
        start,
        scratch,
        {"forwards": [{"listen": {"address": f"tcp:127.0.0.1:{port}", "send_proxy": True}, "connect": server.address}]},
    )
    with connect(("127.0.0.1", port)) as sock:
        sock.sendall(b"x")
        assert read_exactly(sock, 1) == b"x"
        family, body = headers[0]
        assert family == 0x11
        assert body == b"\x7f\0\0\1" * 2 + struct.pack("!HH", sock.getsockname()[1], port)


def test_forward_to_nobody_lets_the_client_go(forward, free_port):
    class Nobody:
        address = f"tcp:127.0.0.1:{free_port()}"

    address, proxy = forward(Nobody)
    assert ask(address, b"x") == b""
    assert proxy.wait_event("dial failed")["stage"] == "connect"


def test_forward_idle_and_total_timeouts_end_it(forward):
    address, proxy = forward(Server(echo), timeouts={"idle_ms": 300})
    with connect(address) as sock:
        began = time.monotonic()
        assert read_all(sock) == b""
        assert 0.25 < time.monotonic() - began < patience(5)
    assert proxy.wait_event("connection ended", end="idle")


def test_forward_reset_of_the_target_is_a_reset_for_the_client(forward):
    def reset(sock):
        sock.recv(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    address, proxy = forward(Server(reset))
    with connect(address) as sock:
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(10)
    assert proxy.wait_event("connection ended", end="target_broke")


def test_limits_per_cid_and_in_all_hold(start, scratch):
    server = Server(echo)
    paths = [scratch / f"f{cid}" for cid in (16, 17)]
    proxy = start_proxy(
        start,
        scratch,
        {
            "forwards": [{"listen": f"unix:{p}?cid={c}", "connect": server.address} for p, c in zip(paths, (16, 17))],
            "limits": {"per_cid": 2, "connections": 3},
        },
    )
    held = [connect(paths[0]), connect(paths[0])]
    for sock in held:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert is_closed_without_answer(paths[0], b"")
    assert proxy.wait_event("limit reached")["rule"] == "limit_per_peer"
    held.append(connect(paths[1]))
    held[2].sendall(b"x")
    assert held[2].recv(1) == b"x"
    assert is_closed_without_answer(paths[1], b"")
    assert proxy.wait_event("limit reached", count=2)["rule"] == "limit_connections"
    held[2].close()
    proxy.wait_event("connection ended")
    assert ask(paths[1], b"again") == b"again"


def start_sidecar(start, scratch, enclave, **more):
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    environment = {"LISTEN_PORT": number, "ENCLAVE_ADDRESS": enclave.address, "WORKERS": 1, **more}
    program = start("teegate-proxy", env=environment)
    program.wait_event("started")
    return program, ("127.0.0.1", number)


def test_sidecar_without_an_application_is_a_plain_way_in(start, scratch):
    _, address = start_sidecar(start, scratch, Server(echo))
    assert ask(address, b"to the enclave") == b"to the enclave"


def test_sidecar_tells_the_return_port_and_lets_only_its_bytes_in(start, scratch):
    tokens = []

    def enclave(sock):
        _, body = read_proxy_header(sock)
        assert body[12:16] == b"\xe7\0\x15\x01"
        tokens.append(body[20:36])
        echo(sock)

    application = Server(lambda sock: (sock.sendall(b"application: "), echo(sock)))
    back = scratch / "return"
    sidecar, address = start_sidecar(
        start, scratch, Server(enclave), MAIN_APP_ADDR=f"127.0.0.1:{application.port}", RETURN_ADDRESS=f"unix:{back}"
    )
    assert ask(address, b"in") == b"in"
    assert ask(address, b"again") == b"again"
    assert tokens[0] == tokens[1] and len(tokens[0]) == 16
    assert ask(back, tokens[0] + b"hello") == b"application: hello"
    assert ask(back, bytes(16) + b"hello") == b""
    assert sidecar.wait_event("return port refused")["rule"] == "token"
    assert ask(back, tokens[0][:10]) == b""
    assert application.connections == 1
    assert tokens[0].hex() not in sidecar.log


def test_service_link_of_kubernetes_is_named(run):
    done = run("teegate-proxy", env={"LISTEN_PORT": "tcp://10.0.0.1:443", "ENCLAVE_CID": "16"})
    assert done.returncode == 2
    assert b"enableServiceLinks" in done.stderr


def test_socat_and_curl_reach_a_server_through_the_line(start, scratch):
    server = Server(http_named("outside"))
    egress = Egress(start, scratch, [f"127.0.0.1:{server.port}"])
    done = subprocess.run(
        ["socat", "-t", "5", "-", f"UNIX-CONNECT:{egress.paths[16]}"],
        input=f"127.0.0.1:{server.port}\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(),
        capture_output=True,
        timeout=patience(20),
        check=True,
    )
    assert b"outside GET / HTTP/1.1 0" in done.stdout
