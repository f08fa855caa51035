"""Which headers pass the gateway, each way, before a backend that says what it got."""

import pathlib
import re
import tempfile

import pytest
from enclave_cases import assert_refused
from gateway_cases import Gateway, answer_of, raw, route

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(name="gateway")
def fixture_gateway():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        yield Gateway(pathlib.Path(name))


def ask(gateway, *headers, **members):
    """What a backend gets of a request with these headers, but for those that every call has; and the answer."""
    backend = gateway.backend()
    with gateway.serving([route("/r", backend, **members)]):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/r", {}, headers=headers)
        assert answer.status == 200, answer
        got = backend.requests[0]
    own = {"host": f"localhost:{backend.port}", "content-length": "2", "content-type": "application/json"}
    for name, value in own.items():
        assert got.header(name) == value
    return [(name, value) for name, value in got.headers if name not in own], answer


def test_what_the_route_does_not_list_does_not_reach_the_backend(gateway):
    got, _ = ask(
        gateway,
        ("Cookie", "a=b"),
        ("Authorization", "Bearer x"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "http"),
        ("Forwarded", "for=192.0.2.1"),
        ("Via", "1.1 host"),
        ("X-Real-IP", "192.0.2.1"),
        ("X-Schema-Name", "record"),
        ("X-Tenant", "a"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("Proxy-Authorization", "Basic x"),
        ("Range", "bytes=0-1"),
        ("Accept", "application/json"),
    )
    assert [name for name, _ in got] == ["x-request-id", "traceparent", "accept"]
    assert re.fullmatch("[0-9a-f]{32}", got[0][1])
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", got[1][1])


def test_what_the_route_lists_reaches_the_backend_unless_connection_names_it(gateway):
    got, _ = ask(
        gateway,
        ("X-TENANT", "a"),
        ("x-tenant", "b"),
        ("X-Other", "c"),
        ("Connection", "X-Other"),
        ("Cookie", "d=e"),
        request={"headers": ["X-Tenant", "X-Other", "Cookie"]},
    )
    assert [pair for pair in got if pair[0] not in ("x-request-id", "traceparent")] == [
        ("x-tenant", "a"), ("x-tenant", "b"), ("cookie", "d=e")]


def test_marks_are_passed_on_and_come_back(gateway):
    got, answer = ask(gateway, ("X-Request-ID", "abc-1"), ("traceparent", PARENT), ("tracestate", "k=v"))
    assert got == [("x-request-id", "abc-1"), ("traceparent", PARENT), ("tracestate", "k=v")]
    assert answer.header("X-Request-Id") == "abc-1"


@pytest.mark.parametrize("bad", ["a b", 'a"b', "a" * 129, "a,b"])
def test_marks_that_no_log_should_hold_are_made_anew(gateway, bad):
    got, answer = ask(gateway, ("X-Request-Id", bad), ("traceparent", "00-" + bad), ("tracestate", "k=v"))
    assert [name for name, _ in got] == ["x-request-id", "traceparent"]
    assert re.fullmatch("[0-9a-f]{32}", got[0][1]) and answer.header("X-Request-Id") == got[0][1]


def test_marks_stand_in_the_log_of_a_failed_call(gateway):
    backend = gateway.backend(respond=raw(lambda request, sock: None))  # it ends the connection
    with gateway.serving([route("/r", backend)]) as enclave:
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/r", {}, headers=[("X-Request-Id", "find-me")])
        assert_refused(answer, 502, "upstream_closed")
        enclave.program.wait_event("upstream_failed", component="gateway", request_id="find-me", route="/r")


def test_answer_brings_only_what_is_fixed_or_listed(gateway):
    headers = (
        "Set-Cookie: a=b\r\nServer: backend/1\r\nX-Cost: 3\r\nX-Cost: 4\r\nX-Hidden: 5\r\nLocation: /elsewhere\r\n"
        "Connection: keep-alive, x-named\r\nX-Named: 6\r\nKeep-Alive: timeout=5\r\nCache-Control: public\r\n"
        "X-Request-Id: other\r\nAlt-Svc: h3=\":443\"\r\nStrict-Transport-Security: max-age=1\r\n"
    )
    backend = gateway.backend(respond=lambda _: answer_of({}, headers=headers))
    listed = route("/listed", backend, response={"headers": ["X-Cost", "X-Named", "Cache-Control"]})
    with gateway.serving([route("/plain", backend), listed]):
        gateway.deliver(gateway.bundle())
        expected = {"date", "content-length", "content-type", "x-request-id", "cache-control"}
        answer = gateway.ask("/plain", {}, headers=[("X-Request-Id", "mine")])
        assert {name.lower() for name, _ in answer.headers} == expected, answer
        assert answer.header("Cache-Control") == "no-store" and answer.header("X-Request-Id") == "mine"
        answer = gateway.ask("/listed", {})
        assert {name.lower() for name, _ in answer.headers} == expected | {"x-cost"}, answer
        assert [value for name, value in answer.headers if name.lower() == "x-cost"] == ["3", "4"]
        assert answer.header("Cache-Control") == "public"


def test_content_coding_passes_with_a_body_that_passes(gateway):
    def respond(request):
        assert request.header("content-encoding") == "x-any"
        return answer_of(b"opaque", headers="Content-Encoding: x-other\r\n", content_type="application/octet-stream")

    backend = gateway.backend(respond=respond)
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        answer = gateway.ask("/r", b"also opaque", headers=[("Content-Encoding", "x-any")])
        assert (answer.status, answer.body) == (200, b"opaque")
        assert answer.header("Content-Encoding") == "x-other"
        assert answer.header("Content-Type") == "application/octet-stream"


def test_content_coding_of_a_body_that_is_read_refused(gateway):
    backend = gateway.backend(respond=lambda _: answer_of({}, headers="Content-Encoding: gzip\r\n"))
    fields = {"clients": ["caller.example"], "request": {"decrypt": "fields", "schema": "record"}}
    sealing = {"response": {"encrypt": "fields", "schema": "record"}}
    with gateway.serving([route("/open", backend, **fields), route("/seal", backend, **sealing)]):
        gateway.deliver(gateway.bundle())
        assert_refused(gateway.ask("/open", {}, headers=[("Content-Encoding", "gzip")]), 415, "unsupported_media_type")
        assert backend.requests == []
        assert_refused(gateway.ask("/seal", {}), 502, "upstream_media_type")


def test_doubled_content_type_refused(gateway):
    backend = gateway.backend(respond=lambda _: answer_of({}, headers="Content-Type: text/html\r\n"))
    with gateway.serving([route("/r", backend)]):
        gateway.deliver(gateway.bundle())
        assert_refused(gateway.ask("/r", {}, headers=[("Content-Type", "text/html")]), 400, "bad_request")
        assert backend.requests == []
        assert_refused(gateway.ask("/r", {}), 502, "upstream_bad_answer")
