"""The gateway before a backend over mTLS: what passes, what is opened and sealed, and every way a backend can fail."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest
from conftest import SOURCE, _take_port
from enclave_cases import assert_refused, metric
from gateway_cases import Gateway, answer_of, route

pytestmark = pytest.mark.sanitize

CALLERS = ["caller.example"]


@pytest.fixture(name="gateway")
def fixture_gateway():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        yield Gateway(pathlib.Path(name))


def fields_route(path, backend, **members):
    return route(
        path,
        backend,
        clients=CALLERS,
        request={"decrypt": "fields", "schema": "record"},
        response={"encrypt": "fields", "schema": "record"},
        **members,
    )


def test_plain_route_hands_request_and_answer_on(gateway):
    backend = gateway.backend()
    with gateway.serving([route("/plain", backend, methods=["GET", "POST", "HEAD"])]):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/plain?a=1&b=%20", {"x": 1}, headers=[("X-Request-Id", "one-2"), ("Cookie", "c=1")])
        assert answer.status == 200 and answer.json == {"caller": "enclave", "received": {"x": 1}}
        assert answer.header("X-Request-Id") == "one-2"
        request = backend.requests[0]
        assert (request.method, request.target) == ("POST", "/process?a=1&b=%20")
        assert request.header("host") == f"localhost:{backend.port}"
        assert request.header("x-request-id") == "one-2" and request.header("cookie") is None
        answer = gateway.ask("/plain", method="GET")
        assert answer.status == 200 and answer.json["received"] is None


def test_fields_are_opened_for_the_backend_and_sealed_for_the_client(gateway):
    seen = []

    def respond(request):
        seen.append(request.body)
        return answer_of(request.body)

    backend = gateway.backend(respond=respond)
    with gateway.serving([fields_route("/records", backend)]) as enclave:
        gateway.deliver(gateway.bundle())
        sealed = enclave.encrypt({"ssn": "123-45-6789", "age": 7, "open": "x"}).json
        assert sealed["ssn"].startswith("v1.")
        answer = gateway.ask("/records", sealed)
        assert answer.status == 200, answer
        assert [json.loads(body) for body in seen] == [{"ssn": "123-45-6789", "age": 7, "open": "x"}]
        assert answer.json == sealed  # tokens are deterministic
        metrics = enclave.metrics()
        assert metric(metrics, "teegate_upstream_calls_total", upstream=f"localhost:{backend.port}", outcome="answered") == 1


def test_call_without_secrets_names_what_is_missing(gateway):
    backend = gateway.backend()
    by_value = {"path": "/value", "upstream": {"value": "ECS_WATERMARK_ENDPOINT"}}
    with gateway.serving([route("/plain", backend), by_value]):
        answer = gateway.ask("/plain", {})
        assert_refused(answer, 503, "secrets_missing")
        assert "MTLS_CLIENT_CERT_JSON" in answer.json["message"]
        answer = gateway.ask("/value", {})
        assert_refused(answer, 503, "secrets_missing")
        assert "ECS_WATERMARK_ENDPOINT" in answer.json["message"]
        gateway.deliver(gateway.bundle(ECS_WATERMARK_ENDPOINT=f"https://localhost:{backend.port}/other"))
        assert gateway.ask("/plain", {}).status == 200
        assert gateway.ask("/value", {}).status == 200
        assert backend.requests[-1].target == "/other"


def test_plaintext_is_in_no_log(gateway):
    backend = gateway.backend(respond=lambda request: answer_of(request.body))
    with gateway.serving([fields_route("/records", backend)], LOG_LEVEL="debug") as enclave:
        gateway.deliver(gateway.bundle())
        sealed = enclave.encrypt({"ssn": "never-in-a-log"}).json
        assert gateway.ask("/records", sealed).status == 200
        backend.respond = lambda request: answer_of(request.body[:-1])  # broken JSON
        answer = gateway.ask("/records", sealed)
        assert_refused(answer, 502, "upstream_schema", secrets=["never-in-a-log"])
        backend.respond = lambda request: answer_of(request.body, content_type="text/plain")
        assert_refused(gateway.ask("/records", sealed), 502, "upstream_media_type", secrets=["never-in-a-log"])
        enclave.program.wait_event("request", status=502)
        assert "never-in-a-log" not in enclave.program.log


def relay(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Egress:
    """An egress proxy on a unix socket: `HOST:PORT`, a newline, then bytes; a refusal is an end without a word."""

    def __init__(self, path, port):
        self.lines = []
        self.port = port  # what is dialled, whatever was asked for; None refuses
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self.listener.accept()
            line = b""
            while not line.endswith(b"\n"):
                line += sock.recv(1)
            self.lines.append(line.decode())
            if self.port is None:
                sock.close()
                continue
            target = socket.create_connection(("127.0.0.1", self.port))
            for ends in ((sock, target), (target, sock)):
                threading.Thread(target=relay, args=ends, daemon=True).start()


def test_calls_go_through_the_egress_proxy(gateway):
    backend = gateway.backend(["DNS:backend.internal.example"])
    path = str(gateway.folder / "e")
    egress = Egress(path, backend.port)
    away = {"path": "/away", "upstream": {"url": "https://backend.internal.example:8443/process"}}
    with gateway.serving([away], EGRESS_ADDRESS=f"unix:{path}", WORKERS=1):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/away", {"a": 1})
        assert answer.status == 200 and answer.json == {"caller": "enclave", "received": {"a": 1}}
        assert egress.lines == ["backend.internal.example:8443\n"]
        egress.port = None
        gateway.deliver(gateway.bundle("enclave-2"))  # connections anew
        assert_refused(gateway.ask("/away", {"a": 1}), 502, "upstream_unreachable")
        reason = gateway.enclave.program.wait_event("upstream_failed")["reason"]
        assert reason.startswith("egress: ") and "rules" in reason


def test_the_example_service_with_certificates_of_pki_init(gateway, run):
    made, mtls = gateway.folder / "pki", gateway.folder / "mtls"
    made.mkdir()
    mtls.mkdir()
    done = run("teegate", "pki", "init", made, "--server", "localhost", "--client", "enclave.test")
    assert done.returncode == 0, done.stderr
    for name, source in [("server.crt", "server.crt"), ("server.key", "server.key"), ("ca.crt", "backend-ca.crt")]:
        shutil.copy(made / source, mtls / name)
    port = _take_port()
    environment = {**os.environ, "MTLS_DIR": str(mtls), "HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, str(SOURCE / "examples/processing-service/service.py")]
    by_value = {"path": "/process", "upstream": {"value": "ECS_WATERMARK_ENDPOINT"}}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("processing service on")
            with gateway.serving([by_value], UPSTREAM_ALLOWED_HOSTS=f"localhost:{port}"):
                secrets = json.loads((made / "secrets.json").read_text())
                gateway.deliver({**secrets, "ECS_WATERMARK_ENDPOINT": f"https://localhost:{port}/process"})
                answer = gateway.ask("/process", {"ssn": "1"})
                assert answer.status == 200, answer
                assert answer.json == {"status": "processed", "caller": ["enclave.test"], "received": {"ssn": "1"}}
                assert gateway.ask("/process", b"no json").status == 400  # the service's own word
        finally:
            process.kill()
