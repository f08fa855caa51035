"""What an operator sees of teegate-enclave: health, readiness, metrics, status, logs; and what none of them may show."""

import json
import re
import signal
import socket
import ssl
import time

import pytest

from certificates import Authority
from conftest import patience
from enclave_cases import (
    RECORD,
    assert_refused,
    client_context,
    compose,
    compose_fields,
    metric,
    serving,
    write_case,
)
from tool_cases import TOKEN_HELLO, TOKEN_SSN

pytestmark = pytest.mark.sanitize
MARKER = "MARKER-7f3a"


@pytest.fixture(scope="module")
def enclave(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operator")
    write_case(folder)
    with serving(folder, WORKERS=2) as running:
        yield running


def test_health_ready_live_bodies(enclave):
    for ask in (enclave.get, enclave.admin):
        health, ready, live = ask("/health"), ask("/ready"), ask("/live")
        assert (health.status, health.body) == (200, b'{"status":"ok","dek_ready":true,"schemas_loaded":1}')
        assert (ready.status, ready.json) == (200, {"status": "ready"})
        assert (live.status, live.json) == (200, {"status": "live"})
        for answer in (health, ready, live):
            assert answer.header("Content-Type") == "application/json"
            assert answer.header("Cache-Control") == "no-store"
            assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer.header("Date"))
            assert answer.header("Server") is None


def test_admin_head_and_refusals(enclave):
    for path in ("/metrics", "/version", "/status", "/health", "/ready", "/live"):
        assert enclave.admin(path, "HEAD").status == 200
        answer = enclave.admin(path, "POST")
        assert_refused(answer, 405, "method_not_allowed")
        assert answer.header("Allow") == "GET, HEAD"
    for path in ("/encrypt", "/decrypt", "/", "/metrics/"):
        assert_refused(enclave.admin(path), 404, "not_found")


def test_admin_version_and_status(enclave):
    version = enclave.admin("/version").json
    assert set(version) == {"program", "version", "build", "cipher"}
    assert version["program"] == "teegate-enclave" and version["build"] == "development" and version["cipher"]
    status = enclave.admin("/status").json
    assert status["status"] == "ok" and status["draining"] is False and status["workers"] == 2
    assert status["schemas_refused"] == 0 and abs(status["schemas_read_unix_ms"] / 1000 - time.time()) < 600
    assert [(s["name"], s["kept"]) for s in status["schemas"]] == [("record", False)]
    assert re.fullmatch("[0-9a-f]{64}", status["schemas"][0]["sha256"])
    assert [(d["id"], d["state"]) for d in status["deks"]] == [("file", "current")]
    fingerprint = status["deks"][0]["fingerprint"]
    assert re.fullmatch("[0-9a-f]+", fingerprint) and "aaaaaaaa" not in fingerprint


def test_metrics_known_requests_counted(enclave):
    before = enclave.metrics()
    with enclave.connect() as connection:
        for _ in range(3):
            assert connection.ask(compose_fields("encrypt", {"ssn": "a", "notes": ["b", "c", None]})).status == 200
        assert connection.ask(compose_fields("encrypt", b"{")).status == 400
        assert connection.ask(compose_fields("encrypt", {"owner": []})).status == 400
        assert connection.ask(compose_fields("encrypt", {}, "nobody")).status == 400
        assert connection.ask(compose_fields("decrypt", {})).status == 403
        assert connection.ask(compose("GET", "/nothing")).status == 404
        assert connection.ask(compose("GET", "/encrypt")).status == 405
        assert connection.ask(compose("GET", "/live")).status == 200
        during = enclave.metrics()
        assert connection.ask(b"GET / HTTP/1.1\r\n\r\n").status == 400
    enclave.program.wait_until(
        lambda: grown(enclave.metrics(), before, "teegate_http_requests_total", route="none", status="400") == 1,
        what="the last request to be counted",
    )
    after = enclave.metrics()
    for route, status, count in (
        ("/encrypt", "200", 3), ("/encrypt", "400", 3), ("/decrypt", "403", 1), ("none", "404", 1), ("/encrypt", "405", 1),
        ("/live", "200", 1), ("none", "400", 1),
    ):  # fmt: skip
        assert grown(after, before, "teegate_http_requests_total", route=route, status=status) == count, (route, status)
    assert grown(after, before, "teegate_fields_total", operation="encrypt", schema="record") == 9
    assert grown(after, before, "teegate_schema_lookups_total", result="hit") == 5
    assert grown(after, before, "teegate_schema_lookups_total", result="miss") == 1
    for reason, count in (("bad_request", 2), ("schema_mismatch", 1), ("forbidden", 1), ("not_found", 1), ("method_not_allowed", 1),
                          ("host_missing", 1)):  # fmt: skip
        assert grown(after, before, "teegate_requests_refused_total", reason=reason) == count, reason
    assert grown(after, before, "teegate_http_request_duration_seconds_count", route="/encrypt") == 7
    assert 0 < grown(after, before, "teegate_http_request_duration_seconds_sum", route="/encrypt") < 60
    assert grown(after, before, "teegate_http_bytes_total", direction="in") > 1000
    assert grown(after, before, "teegate_http_bytes_total", direction="out") > 1000
    assert metric(during, "teegate_http_connections") >= 1
    assert grown(after, before, "teegate_http_connections_accepted") >= 1


def grown(after, before, name, **labels):
    return metric(after, name, **labels) - metric(before, name, **labels)


def test_metrics_histogram_is_cumulative_and_whole(enclave):
    enclave.get("/live")
    metrics = enclave.metrics()
    buckets = sorted(
        (float(dict(labels)["le"].replace("+Inf", "inf")), value)
        for (name, *labels), value in metrics.items()
        if name == "teegate_http_request_duration_seconds_bucket" and dict(labels)["route"] == "/live"
    )
    counts = [count for _, count in buckets]
    assert len(buckets) > 5 and counts == sorted(counts) and counts[-1] >= 1
    assert buckets[-1] == (float("inf"), metric(metrics, "teegate_http_request_duration_seconds_count", route="/live"))


def test_metrics_gauges_of_keys_and_schemas(enclave):
    metrics = enclave.metrics()
    assert enclave.admin("/metrics").header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert metric(metrics, "teegate_ready") == 1 and metric(metrics, "teegate_deks") == 1
    assert 0 <= metric(metrics, "teegate_dek_age_seconds") < 600
    assert 0 <= metric(metrics, "teegate_schema_set_age_seconds") < 600
    assert metric(metrics, "teegate_schemas", state="loaded") == 1
    assert all(name[0].startswith(("teegate_", "process_")) for name in metrics), {name[0] for name in metrics}


def test_metrics_foreign_names_make_no_series(enclave):
    """A client cannot fill the registry: unknown paths and schemas are one series each."""
    with enclave.connect() as connection:
        connection.ask(compose("GET", f"/{MARKER}"))  # the one series of each kind comes into being
        connection.ask(compose_fields("encrypt", {}, MARKER))
    before = len(enclave.metrics())
    with enclave.connect() as connection:
        for i in range(300):
            connection.ask(compose("GET", f"/{MARKER}{i}"))
            connection.ask(compose_fields("encrypt", {}, f"{MARKER}{i}"))
    assert len(enclave.metrics()) <= before + 8


def test_logs_and_metrics_show_nothing_of_requests(tmp_path):
    """Each place of a request that a client fills carries a mark; none comes up anywhere, at the most talkative level."""
    write_case(tmp_path, {"record.yaml": RECORD})
    authority = Authority(tmp_path)
    reader = client_context(authority.issue("reader.pem", ["DNS:reader.example"]))
    settings = {"CLIENT_CA_PATH": authority.path, "DECRYPT_ALLOWED_CLIENTS": "reader.example", "LOG_LEVEL": "debug"}
    with serving(tmp_path, **settings) as enclave:
        requests = [
            compose_fields("encrypt", {"ssn": f"{MARKER}1", "other": f"{MARKER}2", f"{MARKER}3": 1}),
            compose_fields("encrypt", {"owner": [f"{MARKER}4"]}),
            compose_fields("encrypt", f'{{"ssn":"{MARKER}5'.encode()),
            compose_fields("encrypt", {f"{MARKER}6": {"a": 1}}, f"{MARKER}7"),
            compose_fields("decrypt", {"ssn": TOKEN_SSN, "notes": [TOKEN_HELLO]}),
            compose_fields("decrypt", {"friends": [{"ssn": f"{MARKER}8"}]}),
            compose_fields("decrypt", {"ssn": TOKEN_SSN[:-3] + "AAA"}),
            compose_fields("decrypt", {"ssn": TOKEN_SSN}, query=f"?lenient=1&{MARKER}9={MARKER}"),
            compose(
                "GET", f"/{MARKER}10?{MARKER}=1", headers=[("Authorization", f"Bearer {MARKER}"), ("Cookie", MARKER)]
            ),
            compose(f"{MARKER}", "/encrypt", b"{}"),
            compose(
                "GET", "/live", host=f"{MARKER}.example", headers=[(f"X-{MARKER}", MARKER), ("User-Agent", MARKER)]
            ),
        ]
        with enclave.connect(reader, name=f"{MARKER}.example") as connection:
            statuses = [connection.ask(request).status for request in requests]
        assert statuses == [200, 400, 400, 400, 200, 400, 400, 200, 404, 405, 200]
        for broken in (
            f"GET /{MARKER}\n\n",
            f"{MARKER} {MARKER} {MARKER}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{MARKER} : {MARKER}\r\n\r\n",
        ):
            with enclave.connect() as connection:
                assert connection.ask(broken.encode()).status == 400
        with enclave.connect() as connection:  # aborted within its body
            connection.send(compose_fields("encrypt", {"ssn": MARKER})[:-5])
        with enclave.tcp() as raw:
            raw.sendall(f"GET /{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\n\r\n".encode())
        with pytest.raises((ssl.SSLError, ConnectionError)):
            stranger = Authority(tmp_path, f"{MARKER} authority").issue("s.pem", [f"DNS:{MARKER}.example"], MARKER)
            with enclave.connect(client_context(stranger)) as connection:
                connection.ask(compose("GET", "/live"))
        time.sleep(0.5)  # what was cut off ends as aborted or as refused, whichever the server sees first
        metrics = enclave.admin("/metrics").body.decode()
        status = enclave.admin("/status").body.decode()
        enclave.program.stop()
        log = enclave.program.log
        assert len(enclave.program.events("request")) >= len(requests)
    assert_log_is_json_lines(log)
    for text in (log, metrics, status):
        for secret in (
            MARKER,
            MARKER.lower(),
            "123-45-6789",
            "cXnsox1M",
            "ZEaG7tl5",
            "\\xaa\\xaa",
            "aaaaaaaaaaaaaaaa",
            "qqqqqqqq",
        ):
            assert secret not in text, (secret, [line for line in text.splitlines() if secret in line])


def assert_log_is_json_lines(log):
    assert log.endswith("\n")
    for line in log.splitlines():
        event = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), line
        assert event["level"] in ("debug", "info", "warn", "error")
        assert re.fullmatch("[a-z0-9_]+", event["component"]) and re.fullmatch("[a-z0-9_]+", event["event"])


def test_log_start_warns_of_open_encrypt(enclave):
    events = [event["event"] for event in enclave.program.events()]
    for name in ("listening", "ready", "encrypt_is_open", "decrypt_is_closed", "identity", "schemas_loaded"):
        assert name in events
    opened = enclave.program.events("encrypt_is_open")[0]
    assert opened["level"] == "warn" and "ENCRYPT_ALLOWED_CLIENTS" in opened["remedy"]
    assert re.fullmatch("[0-9a-f]{64}", enclave.program.events("identity")[0]["spki_sha256"])


def test_log_flood_of_refusals_is_bounded(enclave):
    """Past a bound refusals are counted, not written: a client cannot fill the disk."""
    time.sleep(1.1)  # another test may have used up this second's lines
    before = len(enclave.program.events("request"))
    began = time.monotonic()
    with enclave.connect() as connection:
        for _ in range(20):
            connection.send(compose("GET", "/nothing") * 100)
            for _ in range(100):
                assert connection.read_answer().status == 404
    seconds = time.monotonic() - began
    enclave.program.wait_until(lambda: len(enclave.program.events("request")) > before, what="a line")
    written = len(enclave.program.events("request")) - before
    assert 0 < written <= 50 * (seconds + 2), written
    time.sleep(1.1)
    for _ in range(24):  # each worker counts its own: one of these comes to the one that was flooded
        with enclave.connect() as connection:
            connection.ask(compose("GET", "/nothing"))
    enclave.program.wait_until(
        lambda: any(event["unlogged"] > 0 for event in enclave.program.events("request")[before:])
    )


def test_draining_told_on_admin_and_on_open_connections(tmp_path):
    """A request that is not yet whole keeps the process; meanwhile readiness says no, and what was begun is answered."""
    write_case(tmp_path)
    with serving(tmp_path) as enclave:
        request = compose_fields("encrypt", {"ssn": "hello"})
        with enclave.connect() as connection, enclave.connect() as idle:
            assert idle.ask(compose("GET", "/ready")).status == 200
            connection.send(request[:-3])
            enclave.program.wait_until(lambda: metric(enclave.metrics(), "teegate_http_connections") == 2)
            time.sleep(0.2)
            enclave.program.send(signal.SIGTERM)
            enclave.program.wait_event("draining")
            idle.read_end()  # nothing was asked there
            assert (enclave.admin("/ready").status, enclave.admin("/ready").json) == (503, {"status": "draining"})
            assert enclave.admin("/live").status == 200
            assert enclave.admin("/status").json["draining"] is True
            answer = connection.ask(request[-3:])
            assert answer.json == {"ssn": TOKEN_HELLO} and answer.header("Connection") == "close"
            connection.read_end()
        assert enclave.program.wait() == 0
        assert enclave.program.events("ended")[0]["undrained_workers"] == 0


def test_service_manager_is_told_of_the_service_life(tmp_path):
    """sd_notify: ready, then serving; a reload; signs of life; the end."""
    write_case(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(patience(20))

        def told(beginning):
            while True:
                message = manager.recv(1024).decode("ascii")
                if message.startswith(beginning):
                    return message

        with serving(tmp_path, NOTIFY_SOCKET=tmp_path / "notify", WATCHDOG_USEC=200000) as enclave:
            told("READY=1")
            told("WATCHDOG=1")
            assert told("STATUS") == "STATUS=serving\n"
            told("WATCHDOG=1")
            enclave.program.send(signal.SIGHUP)
            told("RELOADING=1")
            assert told("READY=1") == "READY=1\nSTATUS=serving\n"
            enclave.program.send(signal.SIGTERM)
            told("STOPPING=1")
