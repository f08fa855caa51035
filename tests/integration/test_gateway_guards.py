"""What the measured settings and routes keep from happening, whoever asks and whatever is delivered."""

import json
import pathlib
import ssl
import subprocess
import tempfile

import pytest
from certificates import Authority
from enclave_cases import assert_refused, client_context
from gateway_cases import Backend, Gateway, answer_of, raw, route

CALLERS = ["caller.example"]


@pytest.fixture(name="gateway")
def fixture_gateway():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        yield Gateway(pathlib.Path(name))


def fingerprint(path):
    """As the README has it."""
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], capture_output=True,
                          text=True, check=True)
    return done.stdout.strip().split("=")[1]


def test_clients_of_the_route_alone_are_answered(gateway):
    backend = gateway.backend()
    routes = [route("/listed", backend, clients=CALLERS), route("/other", backend, clients=["other.example"]),
              route("/open", backend)]
    with gateway.serving(routes):
        gateway.deliver(gateway.bundle())
        other = client_context(gateway.clients.issue("other.pem", ["DNS:other.example"]))
        nobody = client_context()
        for context, allowed in ((gateway.client, {"/listed"}), (other, {"/other"}), (nobody, set())):
            for path in ("/listed", "/other"):
                answer = gateway.ask(path, {}, context=context)
                assert (answer.status == 200) == (path in allowed), (path, answer)
                if path not in allowed:
                    assert_refused(answer, 403, "forbidden")
            assert gateway.ask("/open", {}, context=context).status == 200
        assert len(backend.requests) == 5  # those that were refused reached nobody


def test_other_methods_and_paths_are_refused(gateway):
    backend = gateway.backend()
    with gateway.serving([route("/r", backend, methods=["PUT", "POST"])]):
        gateway.deliver(gateway.bundle())
        assert gateway.ask("/r", {}, method="PUT").status == 200
        for method in ("GET", "DELETE", "PATCH", "OPTIONS"):
            answer = gateway.ask("/r", method=method)
            assert_refused(answer, 405, "method_not_allowed")
            assert answer.header("Allow") == "POST, PUT"
        for path in ("/r/", "/R", "/%72", "//r", "/r;a"):
            assert_refused(gateway.ask(path, {}), 404, "not_found")
        assert len(backend.requests) == 1


def test_bodies_at_the_limits_of_the_route_and_one_byte_over(gateway):
    backend = gateway.backend(respond=lambda request: answer_of(request.body))
    routes = [route("/in", backend, request={"max_bytes": 100}), route("/out", backend, response={"max_bytes": 100})]
    with gateway.serving(routes):
        gateway.deliver(gateway.bundle())
        assert gateway.ask("/in", b"x" * 100).body == b"x" * 100
        assert_refused(gateway.ask("/in", b"x" * 101), 413, "payload_too_large")
        assert len(backend.requests) == 1
        assert gateway.ask("/out", b"x" * 100).body == b"x" * 100
        assert_refused(gateway.ask("/out", b"x" * 101), 502, "upstream_too_large")


def test_backend_slower_than_the_route_allows_is_given_up(gateway):
    backend = gateway.backend(respond=raw(lambda request, sock: sock.recv(1)))
    with gateway.serving([route("/r", backend, upstream={"timeout_ms": 200})]):
        gateway.deliver(gateway.bundle())
        assert_refused(gateway.ask("/r", {}), 504, "upstream_timeout")


def test_delivered_url_outside_the_allowed_hosts_is_not_called(gateway):
    allowed, other = gateway.backend(), gateway.backend()
    by_value = {"path": "/r", "upstream": {"value": "ECS_WATERMARK_ENDPOINT"}}
    with gateway.serving([by_value], UPSTREAM_ALLOWED_HOSTS=f"localhost:{allowed.port}") as enclave:
        for bad in (f"https://localhost:{other.port}/process", f"https://127.0.0.1:{allowed.port}/process",
                    "https://localhost.attacker.example/process"):
            gateway.deliver(gateway.bundle(ECS_WATERMARK_ENDPOINT=bad))
            answer = gateway.ask("/r", {})
            assert_refused(answer, 502, "upstream_denied")
            assert "UPSTREAM_ALLOWED_HOSTS" in answer.json["message"] and bad not in answer.json["message"]
        gateway.deliver(gateway.bundle(ECS_WATERMARK_ENDPOINT=f"http://localhost:{allowed.port}/process"))
        assert_refused(gateway.ask("/r", {}), 502, "upstream_denied")
        gateway.deliver(gateway.bundle(ECS_WATERMARK_ENDPOINT=f"https://localhost:{allowed.port}/process"))
        assert gateway.ask("/r", {}).status == 200
        assert other.num_connections == 0 and "attacker.example" not in enclave.program.log


def test_authorities_that_are_not_pinned_are_not_believed(gateway):
    """The host delivers a bundle of its own, and answers for the backend with a certificate under it."""
    hosts_own = Authority(gateway.folder, "the hosts authority")
    real = gateway.backend()
    fake = Backend(hosts_own.issue("fake.pem", ["DNS:localhost"], "localhost", is_server=True), None, verify=ssl.CERT_NONE)
    routes = [route("/real", real), route("/fake", fake)]
    with gateway.serving(routes, UPSTREAM_CA_SHA256=fingerprint(gateway.authority.path)):
        bundle = gateway.bundle("attacker", authority=hosts_own)
        bundle["MTLS_CLIENT_CERT_JSON"]["ca_cert"] = hosts_own.path.read_text()
        gateway.deliver(bundle)
        for path in ("/real", "/fake"):
            answer = gateway.ask(path, {"ssn": "123-45-6789"})
            assert_refused(answer, 502, "upstream_denied")
            assert "UPSTREAM_CA_SHA256" in answer.json["message"]
        gateway.deliver(gateway.bundle())
        assert gateway.ask("/real", {}).status == 200
        assert_refused(gateway.ask("/fake", {}), 502, "upstream_tls")
        assert fake.requests == []


def test_another_who_answers_for_the_backend_gets_nothing(gateway):
    """No pin, sealed or not: the name must be in a certificate of the delivered authority."""
    other = Authority(gateway.folder, "another authority")
    fake = Backend(other.issue("fake.pem", ["DNS:localhost"], "localhost", is_server=True), None, verify=ssl.CERT_NONE)
    own = gateway.authority.issue("own.pem", ["DNS:other.example"], "other.example", is_server=True)
    misnamed = Backend(own, gateway.authority.path)
    with gateway.serving([route("/fake", fake), route("/misnamed", misnamed)]):
        gateway.deliver(gateway.bundle())
        assert_refused(gateway.ask("/fake", {"ssn": "123-45-6789"}), 502, "upstream_tls")
        assert_refused(gateway.ask("/misnamed", {"ssn": "123-45-6789"}), 502, "upstream_name")
        assert fake.requests == [] and misnamed.requests == []


def test_routes_stand_beside_the_enclaves_own_api(gateway):
    backend = gateway.backend()
    with gateway.serving([route("/r", backend)], SERVER_NAMES="localhost") as enclave:
        gateway.deliver(gateway.bundle())
        assert gateway.ask("/r", {}).status == 200
        assert enclave.get("/health").status == 200
        assert json.loads(enclave.encrypt({"ssn": "1"}).body)["ssn"].startswith("v1.")
        answer = enclave.ask(b"POST /r HTTP/1.1\r\nHost: other.example\r\nContent-Length: 0\r\n\r\n")
        assert_refused(answer, 421, "misdirected")
