"""The gateway before a backend over mTLS: what passes, what is opened and sealed, and every way a backend can fail."""

import pathlib
import tempfile

import pytest
from enclave_cases import assert_refused, metric, token_of
from gateway_cases import Gateway, answer_of, route

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
        assert sealed["ssn"].startswith(token_of('"123-45-6789"')[:3])
        answer = gateway.ask("/records", sealed)
        assert answer.status == 200, answer
        assert seen == [b'{"ssn":"123-45-6789","age":7,"open":"x"}'] or b'"123-45-6789"' in seen[0]
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
