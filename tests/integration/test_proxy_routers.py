"""teegate-proxy's HTTP and SNI routers against curl, openssl, nginx' kind of peers and sockets written here."""

import json
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import SOURCE, patience
from proxy_cases import (
    Server,
    ask,
    client_hello,
    connect,
    echo,
    http_named,
    is_closed_without_answer,
    proxy_header,
    read_all,
    read_exactly,
    read_proxy_header,
    start_proxy,
    tls_named,
)

pytestmark = pytest.mark.sanitize
ALERT = b"\x15\x03\x03\x00\x02\x02\x70"


class Host:
    """A proxy in front of two enclaves, one that is down, and one under a wildcard."""

    def __init__(self, start, scratch, free_port, **options):
        self.http = ("127.0.0.1", free_port())
        self.https = ("127.0.0.1", free_port())
        self.behind = ("127.0.0.1", free_port())
        self.k_http, self.t_http = Server(http_named("tee-k")), Server(http_named("tee-t"))
        self.k_tls, self.t_tls = (Server(tls_named(f"{n}.example.test", scratch)) for n in ("tee-k", "tee-t"))
        down = f"tcp:127.0.0.1:{free_port()}"
        self.config = {
            "domains": {
                "tee-k.example.test": {"cid": 16, "http": self.k_http.address, "https": self.k_tls.address},
                "tee-t.example.test": {"cid": 17, "http": self.t_http.address, "https": self.t_tls.address},
                "*.wild.test": {"cid": 16, "http": self.k_http.address, "https": self.k_tls.address},
                "down.example.test": {"cid": 18, "http": down, "https": down},
            },
            "listen": {
                "http": f"tcp:127.0.0.1:{self.http[1]}",
                "https": [
                    f"tcp:127.0.0.1:{self.https[1]}",
                    {"address": f"tcp:127.0.0.1:{self.behind[1]}", "accept_proxy": True, "send_proxy": True},
                ],
                "kms": [],
                "internet": [],
            },
            **options,
        }
        self.proxy = start_proxy(start, scratch, self.config, self.http, self.https)

    def get(self, host, path="/", *more):
        done = subprocess.run(
            ["curl", "-s", "-m", str(patience(20)), "-w", " %{http_code}", "-H", f"Host: {host}", *more]
            + [f"http://127.0.0.1:{self.http[1]}{path}"],
            capture_output=True,
            check=False,
        )
        return done.stdout.decode()


@pytest.fixture
def host(start, scratch, free_port):
    return Host(start, scratch, free_port)


def test_http_routes_by_host_in_any_case_and_with_any_port(host):
    assert host.get("tee-k.example.test") == "tee-k GET / HTTP/1.1 0\n 200"
    assert host.get("TEE-T.Example.TEST:8080") == "tee-t GET / HTTP/1.1 0\n 200"
    assert host.get("a.b.wild.test", "/x?y") == "tee-k GET /x?y HTTP/1.1 0\n 200"


def test_http_unknown_domain_and_dead_enclave_are_told(host):
    assert host.get("other.example.test") == "Domain not found\n 404"
    assert host.get("wild.test") == "Domain not found\n 404"
    assert host.get("tee-k.example.test.") == "Domain not found\n 404"
    assert host.get("down.example.test") == "Service unavailable\n 502"
    assert host.proxy.wait_event("domain not found")["rule"] == "no_domain"
    assert host.proxy.wait_event("dial failed")["stage"] == "connect"


def test_http_every_request_of_a_connection_is_routed_anew(host):
    names = ["tee-k", "tee-t", "tee-k", "other", "tee-t", "tee-t", "down", "tee-k"]
    requests = b"".join(
        f"GET /{i} HTTP/1.1\r\nHost: {name}.example.test\r\n\r\n".encode() for i, name in enumerate(names)
    )
    answer = ask(host.http, requests).decode()
    for i, name in enumerate(names):
        if name.startswith("tee"):
            assert f"{name} GET /{i} HTTP/1.1 0\n" in answer
    assert answer.count("Domain not found") == 1 and answer.count("Service unavailable") == 1


def test_http_bodies_stream_both_ways(host, scratch):
    big = scratch / "big"
    big.write_bytes(bytes(5_000_000))
    for more in (["--data-binary", f"@{big}"], ["--data-binary", f"@{big}", "-H", "Transfer-Encoding: chunked"]):
        assert host.get("tee-k.example.test", "/", *more) == "tee-k POST / HTTP/1.1 5000000\n 200"


def test_http_smuggled_and_malformed_requests_are_refused(host):
    cases = [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\nHost: tee-t.example.test\r\n\r\n", b"400"),
        (b"GET http://tee-t.example.test/ HTTP/1.1\r\nHost: tee-k.example.test\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: tee-k.example.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: tee-k.example.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"GET / HTTP/1.1\nHost: tee-k.example.test\n\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost : tee-k.example.test\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\nX: " + b"a" * 40000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/2.0\r\nHost: tee-k.example.test\r\n\r\n", b"505"),
        (client_hello("tee-k.example.test"), b"400"),
    ]
    for data, status in cases:
        answer = ask(host.http, data)
        assert answer.startswith(b"HTTP/1.1 " + status), (data[:60], answer[:80])
        assert answer.count(b"Content-Length:") == 1
    assert host.k_http.connections == 0


def test_http_absolute_form_that_agrees_is_routed(host):
    answer = ask(host.http, b"GET http://TEE-K.example.test/a HTTP/1.1\r\nHost: tee-k.example.test\r\n\r\n")
    assert b"tee-k GET http://TEE-K.example.test/a HTTP/1.1 0" in answer


def test_http_head_byte_by_byte_is_taken(host):
    with connect(host.http) as sock:
        for byte in b"GET /slow HTTP/1.1\r\nHost: tee-k.example.test\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert b"200 OK" in sock.recv(1000)


def test_http_upgraded_connection_lives_on_past_the_request_timeouts(start, scratch, free_port):
    def upgrade(sock):
        while b"\r\n\r\n" not in sock.recv(4096):
            pass
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst")
        echo(sock)

    host = Host(start, scratch, free_port, timeouts={"hello_ms": 300, "keep_ms": 300})
    host.k_http._serve = upgrade
    with connect(host.http) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nearly")
        data = b""
        while not data.endswith(b"firstearly"):
            data += sock.recv(1000)
        time.sleep(1)
        sock.sendall(b"still here")
        assert read_exactly(sock, 10) == b"still here"


@pytest.mark.parametrize("fields", ["", "Upgrade: x\r\n", "Connection: upgrade\r\n"])
def test_http_upgrade_that_nobody_asked_for_is_refused_and_gets_no_request_of_others(start, scratch, free_port, fields):
    heard = []

    def seize(sock):
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(4096)
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        heard.append(data + read_all(sock))

    host = Host(start, scratch, free_port)
    host.k_http._serve = seize
    asked = f"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\n{fields}\r\n"
    answer = ask(host.http, f"{asked}GET /secret HTTP/1.1\r\nHost: tee-t.example.test\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 502 ") and b" 101 " not in answer
    deadline = time.monotonic() + patience(20)
    while not heard and time.monotonic() < deadline:
        time.sleep(0.05)
    assert heard == [asked.encode()]


def test_http_answer_cut_short_is_seen_as_broken(host):
    def cut(sock):
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    host.k_http._serve = cut
    with connect(host.http) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\n\r\n")
        data = b""
        with pytest.raises(ConnectionResetError):
            while chunk := sock.recv(4096):
                data += chunk
            raise AssertionError("an orderly end")
        assert data.endswith(b"half")


def test_http_enclave_that_hangs_up_before_an_answer_is_502(host):
    host.k_http._serve = lambda sock: sock.recv(4096)
    assert host.get("tee-k.example.test") == "Service unavailable\n 502"


def leaving_on_request(number):
    """Answers requests until its `number`-th, which it reads and then hangs up on."""

    def serve(sock):
        file = sock.makefile("rb")
        for count in range(1, number + 1):
            line = file.readline()
            length = 0
            while (field := file.readline()) not in (b"\r\n", b""):
                name, _, value = field.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            file.read(length)
            if not line or count == number:
                return
            body = line.strip()
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return serve


def answers_of(start, scratch, port, server, *requests):
    config = {
        "domains": {"k.x": {"cid": 16, "http": server.address, "https": server.address}},
        "listen": {"http": f"tcp:127.0.0.1:{port}", "https": [], "kms": [], "internet": []},
    }
    proxy = start_proxy(start, scratch, config, ("127.0.0.1", port), PROXY_LOG_LEVEL="debug")
    statuses = []
    with connect(("127.0.0.1", port)) as sock:
        file = sock.makefile("rb")
        for request in requests:
            sock.sendall(request)
            statuses.append(int(file.readline().split()[1]))
            length = 0
            while (field := file.readline()) != b"\r\n":
                length = int(field.split()[1]) if field.startswith(b"Content-Length") else length
            statuses.append(file.read(length))
    return proxy, statuses


GET = b"GET /%d HTTP/1.1\r\nHost: k.x\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: k.x\r\nContent-Length: 2\r\n\r\nab"


def test_http_kept_connection_that_dies_on_a_get_is_tried_anew(start, scratch, free_port):
    server = Server(leaving_on_request(2))
    proxy, answers = answers_of(start, scratch, free_port(), server, GET % 1, GET % 2, GET % 3)
    assert answers == [200, b"GET /1 HTTP/1.1", 200, b"GET /2 HTTP/1.1", 200, b"GET /3 HTTP/1.1"]
    assert server.connections == 3 and len(proxy.events("request repeated")) == 2


def test_http_pipelined_requests_behind_a_repeated_one_keep_their_order(start, scratch, free_port):
    server = Server(leaving_on_request(2))
    port = free_port()
    answers_of(start, scratch, port, server)
    asked = b"".join(GET % number for number in range(1, 5)) + b"GET /5 HTTP/1.1\r\nHost: k.x\r\nConnection: close\r\n\r\n"
    answer = ask(("127.0.0.1", port), asked)
    assert [int(part[:1]) for part in answer.split(b"GET /")[1:]] == [1, 2, 3, 4, 5]


def test_http_what_is_not_idempotent_is_never_sent_twice(start, scratch, free_port):
    server = Server(leaving_on_request(2))
    proxy, answers = answers_of(start, scratch, free_port(), server, POST % 1, POST % 2)
    assert answers == [200, b"POST /1 HTTP/1.1", 502, b"Service unavailable\n"]
    assert server.connections == 1 and not proxy.events("request repeated")


def test_http_new_connection_that_dies_is_not_tried_again(start, scratch, free_port):
    server = Server(leaving_on_request(1))
    proxy, answers = answers_of(start, scratch, free_port(), server, GET % 1)
    assert answers == [502, b"Service unavailable\n"]
    assert server.connections == 1 and proxy.wait_event("no answer")["rule"] == "target_left"


def test_http_early_answer_to_a_long_body_arrives(host, scratch):
    def refuse(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)

    host.k_http._serve = refuse
    big = scratch / "big"
    big.write_bytes(bytes(3_000_000))
    assert host.get("tee-k.example.test", "/", "--data-binary", f"@{big}", "-H", "Expect:") == "no\n 413"


def s_client(port, *more):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *more],
        input=b"",
        capture_output=True,
        timeout=patience(20),
        check=False,
    )


def test_sni_routes_to_the_enclave_that_holds_the_certificate(host):
    for name, want in (("tee-k.example.test", "tee-k"), ("TEE-T.example.TEST", "tee-t"), ("x.wild.test", "tee-k")):
        assert f"{want}.example.test".encode() in s_client(host.https[1], "-servername", name).stdout


def test_sni_unknown_or_missing_name_gets_the_alert(host):
    assert b"unrecognized name" in s_client(host.https[1], "-servername", "other.example.test").stderr
    assert b"unrecognized name" in s_client(host.https[1], "-noservername").stderr
    for name in ("10.0.0.1", "bad_name.other.test", "tee-k.example.test.evil.test"):
        assert ask(host.https, client_hello(name if name[0] != "1" else None)) == ALERT
    assert host.proxy.wait_event("no SNI")["rule"] == "no_sni"
    assert host.proxy.wait_event("domain not found")["service"] == "https"
    assert b"no peer certificate" in s_client(host.https[1], "-servername", "down.example.test").stdout


def test_sni_what_is_not_tls_is_closed_without_a_word(host):
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x04\x02\0\0\0", b"\0"):
        assert is_closed_without_answer(host.https, data)
    assert host.proxy.wait_event("not TLS")


def test_sni_captured_flights_reach_the_enclave_whole_at_every_pace(start, scratch, free_port):
    got = []

    def keep(sock):
        got.append(read_all(sock))

    server = Server(keep)
    port = free_port()
    names = {"tee-k.example.test": 16, "tee-t.example.test": 17, "under_score.example.test": 18}
    start_proxy(
        start,
        scratch,
        {
            "domains": {n: {"cid": c, "http": server.address, "https": server.address} for n, c in names.items()},
            "listen": {"http": [], "kms": [], "internet": [], "https": f"tcp:127.0.0.1:{port}"},
        },
    )
    flights = sorted((SOURCE / "tests/vectors/client_hello").glob("*.bin"))
    assert len(flights) == 30
    num_routed = 0
    for path in flights:
        flight = path.read_bytes()
        for pieces in (1, 3, 40):
            with connect(("127.0.0.1", port)) as sock:
                step = -(-len(flight) // pieces)
                for at in range(0, len(flight), step):
                    sock.sendall(flight[at : at + step])
                    if pieces > 1:
                        time.sleep(0.001)
                sock.sendall(b"data behind it")
                sock.shutdown(socket.SHUT_WR)
                answer = read_all(sock)
            if any(word in path.name for word in ("nosni", "ip-", "lit", "traildot-003", "253", "255", "space", "puny")):
                assert answer in (ALERT, b""), path.name
                continue
            assert answer == b"", path.name
            num_routed += 1
            deadline = time.monotonic() + patience(10)
            while len(got) < num_routed and time.monotonic() < deadline:
                time.sleep(0.005)
            assert got[-1] == flight + b"data behind it", path.name
    assert num_routed == 3 * 20


def test_sni_early_bytes_behind_the_hello_are_forwarded(host):
    received = []
    host.k_tls._serve = lambda sock: received.append(read_all(sock))
    hello = client_hello("tee-k.example.test", extra=b"\x17\x03\x03\x00\x05early")
    ask(host.https, hello)
    assert received == [hello]


def test_sni_proxy_header_is_taken_and_passed_on(host):
    received = []

    def keep(sock):
        received.append((read_proxy_header(sock), read_all(sock)))

    host.k_tls._serve = keep
    hello = client_hello("tee-k.example.test")
    ask(host.behind, proxy_header() + hello)
    (family, body), rest = received[0]
    assert family == 0x11
    assert body == socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.8") + struct.pack("!HH", 4711, 443)
    assert rest == hello
    assert host.proxy.wait_event("connection ended")["peer"] == "tcp:192.0.2.7:4711"


def test_sni_proxy_header_is_demanded_where_it_is_configured_and_nowhere_else(host):
    assert is_closed_without_answer(host.behind, client_hello("tee-k.example.test"))
    assert is_closed_without_answer(host.https, proxy_header() + client_hello("tee-k.example.test"))
    assert host.proxy.wait_event("bad PROXY header")


def test_tls_session_survives_reload_and_new_ones_follow_the_new_file(host, scratch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(connect(host.https), server_hostname="tee-k.example.test") as tls:
        assert read_exactly(tls, 19) == b"tee-k.example.test\n"
        config = dict(host.config, domains={"tee-t.example.test": host.config["domains"]["tee-t.example.test"]})
        (scratch / "proxy.json").write_text(json.dumps(config), encoding="utf-8")
        host.proxy.send(signal.SIGHUP)
        host.proxy.wait_event("reloaded")
        assert b"unrecognized name" in s_client(host.https[1], "-servername", "tee-k.example.test").stderr
        assert b"tee-t" in s_client(host.https[1], "-servername", "tee-t.example.test").stdout
        tls.sendall(b"still the old one")
        assert read_exactly(tls, 17) == b"still the old one"


def test_faulty_reload_changes_nothing(host, scratch):
    (scratch / "proxy.json").write_text('{"domains": {"x": {"cid": 0}},\n "port": {}}', encoding="utf-8")
    host.proxy.send(signal.SIGHUP)
    host.proxy.wait_event("reload failed")
    assert {e["field"] for e in host.proxy.events("reload refused")} == {"/domains/x/cid", "/port"}
    assert host.get("tee-k.example.test").endswith(" 200")


def test_drain_lets_what_is_under_way_end(start, scratch, free_port):
    host = Host(start, scratch, free_port, timeouts={"drain_ms": 20000})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    idle = connect(host.http)
    idle.sendall(b"GET / HTTP/1.1\r\nHost: tee-k.example.test\r\n\r\n")
    idle.recv(1000)
    with context.wrap_socket(connect(host.https), server_hostname="tee-k.example.test") as tls:
        assert read_exactly(tls, 19)
        host.proxy.send(signal.SIGTERM)
        host.proxy.wait_event("draining")
        assert read_all(idle) == b""
        tls.sendall(b"not cut")
        assert read_exactly(tls, 7) == b"not cut"
        with pytest.raises(OSError):
            connect(host.https, 2)
    assert host.proxy.wait() == 0


def test_drain_time_ends_what_does_not(start, scratch, free_port):
    host = Host(start, scratch, free_port, timeouts={"drain_ms": 300})
    host.k_tls._serve = echo
    with connect(host.https) as sock:
        sock.sendall(client_hello("tee-k.example.test"))
        assert sock.recv(3) == b"\x16\x03\x01"
        host.proxy.send(signal.SIGTERM)
        assert host.proxy.wait() == 0
        assert host.proxy.wait_event("drain time is over")
