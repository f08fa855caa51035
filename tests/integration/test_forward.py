"""Forward mode: requests are sealed by a schema and sent on to the application, directly and by teegate-proxy's sidecar,
and what is not sealed never leaves."""

import contextlib
import http.server
import json
import pathlib
import signal
import socket
import tempfile
import threading

import pytest

from certificates import Authority
from conftest import patience
from enclave_cases import Connection, assert_refused, client_context, compose, metric, serving, token_of, write_case
from proxy_cases import PROXY_SIGNATURE, Server, is_closed_without_answer

ORDER = b'{"id": 7, "ssn": "123-45-6789", "note": "as it is"}'
JSON_TYPE = ("Content-Type", "application/json")
SCHEMA = ("X-Schema-Name", "record")


class Application:
    """The user's application: answers by path, and keeps what it was sent."""

    def __init__(self):
        self.requests = []
        application = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                application.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = application.answer
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PUT = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.answer = (200, [JSON_TYPE], b'{"done": true}')
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="application")
def fixture_application():
    application = Application()
    yield application
    application.close()


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:  # short, for the sockets' paths
        write_case(pathlib.Path(name))
        yield pathlib.Path(name)


def forwarding(folder, endpoint, **more):
    settings = {"FORWARD_SCHEMAS": "/orders=record|record#Owner,/other=other", "APP_ENDPOINT": endpoint, **more}
    return serving(folder, **settings)


@pytest.fixture(name="enclave")
def fixture_enclave(folder, application):
    with forwarding(folder, f"tcp:127.0.0.1:{application.port}") as enclave:
        yield enclave


def order(body=ORDER, method="POST", path="/orders", headers=(SCHEMA,), media=JSON_TYPE):
    return compose(method, path, body, [media, *headers])


def test_request_is_sealed_sent_on_and_its_answer_relayed(enclave, application):
    application.answer = (201, [("Content-Type", "application/problem+json"), ("Set-Cookie", "a=b"), ("X-App", "1")], b'{"x": 1}')
    answer = enclave.ask(order(headers=[SCHEMA, ("Authorization", "Bearer hunter2"), ("Cookie", "hunter2"), ("X-Request-Id", "r-1")]))
    assert (answer.status, answer.body) == (201, b'{"x": 1}')
    assert answer.header("Content-Type") == "application/problem+json" and answer.header("X-Request-Id") == "r-1"
    assert answer.header("Set-Cookie") is None and answer.header("X-App") is None
    ((method, path, headers, body),) = application.requests
    assert (method, path) == ("POST", "/orders")
    sent = json.loads(body)
    assert sent["ssn"].startswith(token_of("123-45-6789")) and (sent["id"], sent["note"]) == (7, "as it is")
    assert body.startswith(b'{"id": 7, "ssn": "v1.')
    assert headers["X-Schema-Name"] == "record" and headers["X-Request-Id"] == "r-1" and headers["Host"] == "localhost"
    assert "hunter2" not in str(headers) and "traceparent" in headers
    assert metric(enclave.metrics(), "teegate_forwarded_requests_total", outcome="answered") == 1


def test_put_and_patch_go_the_same_way(enclave, application):
    for method in ("PUT", "PATCH"):
        assert enclave.ask(order(method=method)).status == 200
    assert [request[0] for request in application.requests] == ["PUT", "PATCH"]
    assert b"123-45" not in b"".join(request[3] for request in application.requests)


@pytest.mark.parametrize(
    "request_bytes, status, code",
    [
        (order(headers=()), 400, "schema_missing"),
        (order(headers=(SCHEMA, SCHEMA)), 400, "schema_missing"),
        (order(headers=(("X-Schema-Name", "other"),)), 400, "schema_not_allowed"),
        (order(headers=(("X-Schema-Name", "record#"),)), 400, "schema_not_allowed"),
        (order(path="/orders?ssn=123"), 400, "query_not_forwarded"),
        (order(path="/orders/"), 404, "not_found"),
        (order(path="/%6frders"), 404, "not_found"),
        (order(media=("Content-Type", "text/plain")), 415, "unsupported_media_type"),
        (order(headers=(SCHEMA, ("Content-Encoding", "gzip"))), 415, "unsupported_media_type"),
        (order(b'{"ssn": "1"'), 400, "bad_request"),
        (order(b'{"ssn": "1"} x'), 400, "bad_request"),
        (order(path="/other", headers=(("X-Schema-Name", "other"),)), 503, "schema_not_loaded"),
        (compose("GET", "/orders"), 405, "method_not_allowed"),
        (compose("DELETE", "/orders"), 405, "method_not_allowed"),
    ],
)
def test_what_no_schema_covers_is_refused_and_never_sent_on(enclave, application, request_bytes, status, code):
    assert_refused(enclave.ask(request_bytes), status, code, secrets=["123-45-6789"])
    assert application.requests == []


def test_clients_of_encrypt_alone_are_forwarded(folder, application):
    authority = Authority(folder, "clients")
    certificate = authority.issue("caller.pem", ["DNS:caller.example"])
    other = authority.issue("other.pem", ["DNS:other.example"])
    settings = {"CLIENT_CA_PATH": authority.path, "ENCRYPT_ALLOWED_CLIENTS": "caller.example"}
    with forwarding(folder, f"tcp:127.0.0.1:{application.port}", **settings) as enclave:
        assert_refused(enclave.ask(order()), 403, "forbidden")
        assert_refused(enclave.ask(order(), client_context(other)), 403, "forbidden")
        assert application.requests == []
        assert enclave.ask(order(), client_context(certificate)).status == 200


def test_headers_that_the_image_names_pass_both_ways(folder, application):
    application.answer = (200, [JSON_TYPE, ("Location", "/orders/7"), ("Cache-Control", "max-age=1")], b"{}")
    with forwarding(folder, f"tcp:127.0.0.1:{application.port}", FORWARD_HEADERS="Authorization,location") as enclave:
        answer = enclave.ask(order(headers=[SCHEMA, ("authorization", "Bearer x"), ("Connection", "X-Hop"), ("X-Hop", "1")]))
        assert answer.header("Location") == "/orders/7" and answer.header("Cache-Control") == "no-store"
        headers = application.requests[0][2]
        assert headers["authorization"] == "Bearer x" and "X-Hop" not in headers


def broken(answer):
    def serve(sock):
        sock.recv(65536)
        sock.sendall(answer)

    return Server(serve)


@pytest.mark.parametrize(
    "answer, code",
    [
        (b"", "application_failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "application_failed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nxx", "application_failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "application_failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n", "application_failed"),
        (b"nonsense\r\n\r\n", "application_failed"),
    ],
)
def test_answer_that_is_none_is_502_and_never_a_short_200(folder, answer, code):
    server = broken(answer)
    with forwarding(folder, server.address) as enclave:
        assert_refused(enclave.ask(order()), 502, code)
        assert enclave.program.wait_event("not_answered", component="forward")["stage"] in ("head", "body")
    server.close()


def test_interim_answers_are_passed_over(folder):
    server = broken(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    with forwarding(folder, server.address) as enclave:
        answer = enclave.ask(order())
        assert (answer.status, answer.body) == (200, b"{}")
    server.close()


def test_application_that_is_down_is_502_and_serves_again_when_it_is_back(folder, application):
    path = folder / "app"
    with forwarding(folder, f"unix:{path}") as enclave:
        assert_refused(enclave.ask(order()), 502, "application_unreachable")
        server = Server(lambda sock: (sock.recv(65536), sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")), path)
        assert enclave.ask(order()).status == 204
        server.close()


def test_termination_answers_what_is_under_way(folder):
    asked, go_on = threading.Event(), threading.Event()

    def serve(sock):
        sock.recv(65536)
        asked.set()
        go_on.wait(patience(30))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    server = Server(serve)
    with forwarding(folder, server.address) as enclave:
        with enclave.connect() as connection:
            connection.send(order())
            assert asked.wait(patience(30))
            enclave.program.process.send_signal(signal.SIGTERM)
            enclave.program.wait_event("draining")
            go_on.set()
            answer = connection.read_answer()
            assert (answer.status, answer.body) == (200, b"done")
        assert enclave.program.wait() == 0
    server.close()


def test_client_that_leaves_has_its_call_given_up(folder):
    gone = threading.Event()

    def serve(sock):
        sock.recv(65536)
        started.set()
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
        gone.set()

    started = threading.Event()
    server = Server(serve)
    with forwarding(folder, server.address) as enclave:
        connection = enclave.connect()
        connection.send(order())
        assert started.wait(patience(30))
        connection.close()
        assert gone.wait(patience(30))
    server.close()


class Sidecar:
    """teegate-proxy beside the application, and the enclave behind it, on unix sockets."""

    def __init__(self, start, folder, application, port):
        self.port = port
        self.environment = {
            "LISTEN_PORT": self.port,
            "ENCLAVE_ADDRESS": f"unix:{folder / 'in'}",
            "MAIN_APP_ADDR": f"127.0.0.1:{application.port}",
            "RETURN_ADDRESS": f"unix:{folder / 'back'}",
            "WORKERS": 1,
        }
        self.start = start
        self.program = None
        self.restart()

    def restart(self):
        if self.program is not None:
            self.program.stop()
        self.program = self.start("teegate-proxy", env=self.environment)
        self.program.wait_event("started")

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=patience(30))
        return Connection(client_context().wrap_socket(raw, suppress_ragged_eofs=False))

    def ask(self, data):
        with self.connect() as connection:
            return connection.ask(data)


@pytest.fixture(name="pod")
def fixture_pod(start, folder, application, free_port):
    """(sidecar, enclave): the application is reached by the sidecar's return socket alone."""
    with forwarding(folder, f"unix:{folder / 'back'}", LISTEN_PROXY_ADDRESS=f"unix:{folder / 'in'}") as enclave:
        yield Sidecar(start, folder, application, free_port()), enclave


def test_sidecar_carries_both_ways_and_sees_no_plaintext(pod, application):
    sidecar, _ = pod
    with sidecar.connect() as connection:
        for _ in range(3):
            answer = connection.ask(order())
            assert (answer.status, answer.body) == (200, b'{"done": true}')
    assert len(application.requests) == 3
    assert all(b"123-45-6789" not in request[3] and b"v1." in request[3] for request in application.requests)
    assert_refused(sidecar.ask(order(headers=())), 400, "schema_missing")
    assert len(application.requests) == 3
    assert sidecar.ask(compose("GET", "/live")).status == 200  # the enclave's own API is there, too


def test_sidecar_that_starts_anew_tells_new_bytes_and_is_believed(pod, application):
    sidecar, _ = pod
    assert sidecar.ask(order()).status == 200
    sidecar.restart()
    assert sidecar.ask(order()).status == 200
    assert len(application.requests) == 2


def test_enclave_without_the_bytes_is_refused_by_the_sidecar(pod, application):
    """A connection that told no return port has no token to say, so the return socket does not let it in."""
    sidecar, enclave = pod
    assert_refused(enclave.ask(order()), 502, "application_failed")
    assert sidecar.program.wait_event("return port refused")["rule"] == "token"
    assert application.requests == []


def test_large_body_passes_the_sidecar_whole(pod, application):
    sidecar, _ = pod
    body = json.dumps({"ssn": "hello", "filler": "x" * 3_000_000}).encode()
    application.answer = (200, [JSON_TYPE], b'"' + b"y" * 3_000_000 + b'"')
    answer = sidecar.ask(order(body))
    assert answer.status == 200 and len(answer.body) == 3_000_002
    assert len(application.requests[0][3]) > len(body) and json.loads(application.requests[0][3])["filler"] == "x" * 3_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + bytes(40),
        PROXY_SIGNATURE + b"\x21\x11\xff\xff" + bytes(70000),
        PROXY_SIGNATURE + b"\x21\x00\x00\x18\xe7\x00\x15\x01" + bytes(20),  # port 0
        PROXY_SIGNATURE + b"\x21\x00\x00\x04\xe7\x00\x01\x01",
    ],
)
def test_connection_without_its_header_is_closed_before_tls(pod, folder, data):
    _, enclave = pod
    assert is_closed_without_answer(str(folder / "in"), data)
    enclave.program.wait_event("proxy_header_refused")


def test_header_that_comes_a_byte_at_a_time_is_read_to_its_end_alone(pod, folder):
    """LOCAL, as a balancer's health check; then TLS begins with the next byte."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(patience(30))
        raw.connect(str(folder / "in"))
        for byte in PROXY_SIGNATURE + b"\x20\x00\x00\x07\x04\x00\x04abcd":
            raw.sendall(bytes([byte]))
        with Connection(client_context().wrap_socket(raw)) as connection:
            assert connection.ask(compose("GET", "/live")).status == 200


def test_settings_that_lead_nowhere_are_faults(folder, run):
    cases = [
        ({"FORWARD_SCHEMAS": "/orders"}, "names no schema"),
        ({"FORWARD_SCHEMAS": "orders=record"}, "does not begin with a path"),
        ({"FORWARD_SCHEMAS": "/orders=record|"}, "names a schema that is empty"),
        ({"FORWARD_SCHEMAS": "/encrypt=record"}, "is a path of the enclave's own API"),
        ({"FORWARD_SCHEMAS": "/a=record,/a=other"}, "names one path twice"),
        ({"FORWARD_SCHEMAS": "/orders=record", "APP_ENDPOINT": None}, "leads nowhere"),
        ({"FORWARD_HEADERS": "Host"}, "never passes"),
        ({}, "nothing is forwarded"),
    ]
    for more, words in cases:
        environment = {"SCHEMA_DIR": folder / "schemas", "DEK_FILE": folder / "dek", "APP_ENDPOINT": "tcp:127.0.0.1:9", **more}
        environment = {name: str(value) for name, value in environment.items() if value is not None}
        done = run("teegate-enclave", "--local-mode", "--check-config", env=environment)
        assert done.returncode == 1 and words in done.stderr.decode() + done.stdout.decode(), (more, done.stderr)
