"""Backends that fail in every way: each has its own code, and no client ever gets a short 200."""

import pathlib
import socket
import ssl
import tempfile
import threading
import time

import pytest
from certificates import Authority
from conftest import patience
from enclave_cases import Closed, assert_refused, compose, metric
from gateway_cases import JSON_HEAD, Backend, Gateway, answer_of, raw, route

SECRET = "do-not-tell-4711"


@pytest.fixture(name="gateway")
def fixture_gateway():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        yield Gateway(pathlib.Path(name))


def refused(gateway, status, code, path="/r"):
    answer = gateway.ask(path, {"secret": SECRET})
    assert_refused(answer, status, code, secrets=[SECRET])
    return answer.json["message"]


def logged(gateway, code):
    """The line about a call that failed so."""
    event = gateway.enclave.program.wait_event("upstream_failed", code=code)
    assert SECRET not in gateway.enclave.program.log
    return event


def test_backend_that_is_down(gateway):
    backend = gateway.backend()
    backend.end()
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_unreachable")
        assert "dial" in logged(gateway, "upstream_unreachable")["reason"]


def test_backend_with_another_name_is_refused_and_the_remedy_named(gateway):
    backend = gateway.backend(["DNS:other.example"])
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        message = refused(gateway, 502, "upstream_name")
        assert "subjectAltName" in message and "allow_common_name" in message
        assert backend.requests == []


def test_backend_without_san_needs_the_routes_word(gateway):
    backend = gateway.backend(names=())
    strict = route("/strict", backend)
    lenient = route("/lenient", backend, upstream={"allow_common_name": True})
    with gateway.serving([strict, lenient]):
        gateway.deliver(gateway.bundle())
        message = refused(gateway, 502, "upstream_name", "/strict")
        assert "subjectAltName" in message and "allow_common_name" in message
        answer = gateway.ask("/lenient", {"a": 1})
        assert answer.status == 200 and answer.json["received"] == {"a": 1}


def test_backend_whose_certificate_has_expired(gateway):
    backend = gateway.backend(seconds=-60)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_expired")
        assert backend.requests == []


def test_backend_of_another_authority(gateway):
    backend = gateway.backend(authority=Authority(gateway.folder, "another authority"))
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_tls")
        assert backend.requests == []


def test_backend_that_does_not_believe_us(gateway):
    backend = gateway.backend()
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        assert gateway.ask("/r", {}).status == 200
    stranger = gateway.folder / "stranger.pem"
    stranger.write_bytes(Authority(gateway.folder, "a stranger").path.read_bytes())
    certificate = gateway.authority.issue("backend2.pem", ["DNS:localhost"], is_server=True)
    backend = Backend(certificate, stranger)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_refused")  # TLS 1.3: the alert comes when the handshake is over for us
        assert backend.requests == []


def test_backend_that_asks_for_no_certificate(gateway):
    certificate = gateway.authority.issue("backend.pem", ["DNS:localhost"], is_server=True)
    backend = Backend(certificate, None, verify=ssl.CERT_NONE)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_not_mutual")
        assert backend.requests == []


def test_backend_that_is_no_tls_server(gateway):
    backend = gateway.backend()
    backend.end()
    with socket.create_server(("127.0.0.1", backend.port)) as listener:

        def serve():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
                    sock.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        with gateway.serving([route("/r", backend)]):
            gateway.deliver(gateway.bundle())
            refused(gateway, 502, "upstream_tls")


BROKEN = {
    "ends without an answer": (b"", "upstream_closed"),
    "ends within the head": (b"HTTP/1.1 200 OK\r\nContent-Ty", "upstream_closed"),
    "ends within the body": (JSON_HEAD.encode() + b'Content-Length: 100\r\n\r\n{"half": ', "upstream_broken"),
    "ends within a chunk": (JSON_HEAD.encode() + b'Transfer-Encoding: chunked\r\n\r\na\r\n{"half"', "upstream_broken"),
    "ends before the last chunk": (JSON_HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "upstream_broken"),
    "chunked garbage": (JSON_HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n", "upstream_bad_answer"),
    "garbage behind a chunk": (JSON_HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", "upstream_bad_answer"),
    "two lengths": (JSON_HEAD.encode() + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", "upstream_bad_answer"),
    "length and chunks": (
        JSON_HEAD.encode() + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "upstream_bad_answer",
    ),
    "no HTTP": (b"+OK ready\r\n\r\n", "upstream_bad_answer"),
    "a head without an end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000, "upstream_too_large"),
    "protocols switched": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "upstream_bad_answer"),
    "1xx without end": (b"HTTP/1.1 102 Processing\r\n\r\n" * 1000, "upstream_too_large"),
    "moved": (b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n", "upstream_redirect"),
}


def test_answers_that_break_are_502_each_with_its_code(gateway):
    """One enclave for all of them: none takes the gateway down, or opens the circuit between answers that are fine."""
    sent = {}

    @raw
    def respond(request, sock):
        name = request.header("x-case")
        sock.sendall(sent[name])
        try:
            sock.unwrap()
        except OSError:
            pass

    backend = gateway.backend(respond=respond)
    sent["fine"] = answer_of({"fine": True})
    with gateway.serving([route("/r", backend, request={"headers": ["X-Case"]})]):
        gateway.deliver(gateway.bundle())
        for name, (data, code) in BROKEN.items():
            sent[name] = data
            answer = gateway.ask("/r", {"secret": SECRET}, headers=[("X-Case", name)])
            assert_refused(answer, 502, code, secrets=[SECRET])
            assert gateway.ask("/r", {}, headers=[("X-Case", "fine")]).status == 200, name
        # an end without close_notify is a truncation, whatever the lengths say
        assert metric(gateway.enclave.metrics(), "teegate_upstream_open_circuits", upstream=f"localhost:{backend.port}") == 0


def test_reset_within_the_body_is_502(gateway):
    @raw
    def respond(_, sock):
        sock.sendall(JSON_HEAD.encode() + b"Content-Length: 100000\r\n\r\n" + b" " * 50000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/r", {})
        assert answer.status == 502 and answer.json["code"] in ("upstream_broken", "upstream_closed"), answer


def test_interim_answers_are_not_the_answer(gateway):
    def respond(request):
        return b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer_of({"n": len(request.body)})

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/r", {})
        assert answer.status == 200 and answer.json == {"n": 2}


def test_answer_over_the_routes_limit_is_502_and_is_not_read_on(gateway):
    sent = []

    @raw
    def respond(_, sock):
        sock.sendall(JSON_HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        while len(sent) < 1024:  # 1 GiB
            sock.sendall(piece)
            sent.append(len(piece))

    @raw
    def announce(_, sock):
        sock.sendall(JSON_HEAD.encode() + b"Content-Length: 1073741825\r\n\r\n" + b" " * 1000)
        sock.recv(1)

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend, response={"max_bytes": 1 << 20})]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 502, "upstream_too_large")
        assert len(sent) < 64
        backend.respond = announce
        refused(gateway, 502, "upstream_too_large")


def test_answer_that_no_memory_is_set_aside_for_is_503(gateway):
    """The longest answer that a route may take is all that is set aside for one request, and this one has a body too."""

    @raw
    def respond(_, sock):
        sock.sendall(JSON_HEAD.encode() + b"Content-Length: 234881024\r\n\r\n" + b" " * 1000)
        sock.recv(1)

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend, response={"max_bytes": 234881024})]):
        gateway.deliver(gateway.bundle())
        refused(gateway, 503, "service_unavailable")


def test_backend_that_hangs_is_504_on_time(gateway):
    hangs = threading.Event()

    @raw
    def respond(_, sock):
        sock.sendall(b"" if hangs.is_set() else JSON_HEAD.encode() + b"Content-Length: 10\r\n\r\n{")
        sock.recv(1)  # the enclave gives up

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend, upstream={"timeout_ms": 300})]):
        gateway.deliver(gateway.bundle())
        for _ in range(2):
            began = time.monotonic()
            refused(gateway, 504, "upstream_timeout")
            assert time.monotonic() - began >= 0.3
            hangs.set()


def test_client_that_goes_cancels_the_call(gateway):
    came, gone = threading.Event(), threading.Event()

    @raw
    def respond(_, sock):
        came.set()
        try:
            sock.recv(1)
        except OSError:
            pass
        gone.set()

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend)]) as enclave:
        gateway.deliver(gateway.bundle())
        connection = enclave.connect(gateway.client)
        connection.send(compose("POST", "/r", b"{}", [("Content-Type", "application/json")]))
        assert came.wait(patience(20))
        connection.close()
        assert gone.wait(patience(20))


def test_circuit_opens_and_closes_again(gateway):
    backend = gateway.backend()
    port = backend.port
    backend.end()
    with gateway.serving([route("/r", backend)], WORKERS=1) as enclave:
        gateway.deliver(gateway.bundle())
        for _ in range(5):
            refused(gateway, 502, "upstream_unreachable")
        answer = gateway.ask("/r", {})
        assert_refused(answer, 503, "circuit_open")
        assert int(answer.header("Retry-After")) >= 1
        enclave.program.wait_event("circuit_opened", upstream=f"localhost:{port}")
        assert metric(enclave.metrics(), "teegate_upstream_open_circuits", upstream=f"localhost:{port}") == 1
        gateway.backend(port=port)
        deadline = time.monotonic() + patience(30)
        while (answer := gateway.ask("/r", {})).status != 200:
            assert_refused(answer, 503, "circuit_open")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        enclave.program.wait_event("circuit_closed", upstream=f"localhost:{port}")
        assert metric(enclave.metrics(), "teegate_upstream_open_circuits", upstream=f"localhost:{port}") == 0


def test_identity_rotated_under_load_fails_no_request(gateway):
    """Clients ask on and on while new identities arrive; every request is answered, and by its end the new one is used."""
    backend = gateway.backend()
    ended, failures, num_asked = threading.Event(), [], []

    def ask_on():
        try:
            with gateway.enclave.connect(gateway.client) as connection:
                while not ended.is_set():
                    answer = connection.ask(compose("POST", "/r", b'{"a":1}', [("Content-Type", "application/json")]))
                    if answer.status != 200 or answer.json["received"] != {"a": 1}:
                        failures.append(answer)
                    num_asked.append(1)
        except (OSError, Closed, AssertionError) as error:
            failures.append(error)

    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle("enclave-0"))
        threads = [threading.Thread(target=ask_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 31):
                before = len(num_asked)
                deadline = time.monotonic() + patience(30)
                while len(num_asked) < before + 10 and time.monotonic() < deadline and not failures:
                    time.sleep(0.001)
                assert gateway.deliver(gateway.bundle(f"enclave-{number}")) == number + 1
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert gateway.ask("/r", {"a": 1}).json["caller"] == "enclave-30"
        callers = [request.caller for request in backend.requests]
        assert {f"enclave-{number}" for number in range(31)} == set(callers)


def test_sigterm_answers_what_waits_for_its_backend(gateway):
    came, may_answer = threading.Event(), threading.Event()

    def respond(_):
        came.set()
        assert may_answer.wait(patience(60))
        return answer_of({"late": True})

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend)]) as enclave:
        gateway.deliver(gateway.bundle())
        with enclave.connect(gateway.client) as connection:
            connection.send(compose("POST", "/r", b"{}", [("Content-Type", "application/json")]))
            assert came.wait(patience(20))
            enclave.program.process.terminate()
            enclave.program.wait_event("draining")
            may_answer.set()
            answer = connection.read_answer()
            assert answer.status == 200 and answer.json == {"late": True}
        assert enclave.program.process.wait(patience(30)) == 0
