"""Slow clients of teegate-enclave: heads, bodies, handshakes and readers that take too long. All wait at the same time."""

import socket
import ssl
import threading
import time

import pytest

from enclave_cases import Closed, assert_refused, compose, compose_fields, metric, serving, write_case
from tool_cases import TOKEN_HELLO

SMALL = compose_fields("encrypt", {"ssn": "hello"})
RATE_GRACE_S = 10  # before a body's rate is looked at


@pytest.fixture(scope="module")
def enclave(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deadlines")
    write_case(folder)
    settings = {"HEAD_TIMEOUT_SECS": 2, "IDLE_TIMEOUT_SECS": 3, "MIN_BODY_BYTES_PER_SEC": 1000}
    with serving(folder, **settings) as running:
        yield running


def seconds_until(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_head_slow_request_timeout(enclave):
    """A byte now and then does not help: the whole head has its time."""
    with enclave.connect_duplex() as connection:

        def dribble():
            for byte in SMALL:
                try:
                    connection.send(bytes([byte]))
                except (ConnectionError, ssl.SSLError):
                    return
                time.sleep(0.1)

        sender = threading.Thread(target=dribble)
        sender.start()
        seconds = seconds_until(lambda: assert_refused(connection.read_answer(), 408, "request_timeout"))
        assert 1.5 <= seconds < 20
        with pytest.raises((Closed, ssl.SSLError, ConnectionError)):
            connection.read_answer()
        sender.join()


def test_nothing_sent_closed_without_an_answer(enclave):
    with enclave.connect() as connection:
        assert 1.5 <= seconds_until(connection.read_end) < 20


def test_idle_after_an_answer_closed_without_an_answer(enclave):
    with enclave.connect() as connection:
        for _ in range(3):
            assert connection.ask(SMALL).json == {"ssn": TOKEN_HELLO}
            time.sleep(0.5)
        assert 2 <= seconds_until(connection.read_end) < 20


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_handshake_never_finished_closed(enclave, sent):
    with enclave.tcp() as raw:
        raw.sendall(sent)

        def wait():
            try:
                data = raw.recv(100)
                assert data == b"" or data[0] == 0x15
            except ConnectionError:
                pass

        assert 1.5 <= seconds_until(wait) < 20


def test_body_slow_or_stalled_request_timeout_and_fast_enough_taken(enclave):
    """Below the rate floor after its grace a body is refused, also one whose first bytes came in a burst; above it a
    slow one is taken. All at once, to save time."""
    body = b'{"ssn":"hello","pad":"' + b"x" * 60000 + b'"}'
    request = compose_fields("encrypt", body)
    head = request[: -len(body)]
    outcome = {}

    def send_at(name, bytes_per_second, at_once=1):
        with enclave.connect(timeout=60) as connection:
            connection.send(head)
            began, sent = time.monotonic(), 0
            connection.sock.settimeout(0.2)
            while sent < len(body):
                due = min(len(body), int((time.monotonic() - began) * bytes_per_second) + at_once)
                try:
                    if due > sent:
                        connection.send(body[sent:due])
                        sent = due
                    outcome[name] = connection.read_answer(), time.monotonic() - began
                    return
                except (TimeoutError, ssl.SSLWantReadError):
                    continue
            connection.sock.settimeout(60)
            outcome[name] = connection.read_answer(), time.monotonic() - began

    threads = [
        threading.Thread(target=send_at, args=case) for case in (("slow", 300), ("stalled", 0, 50000), ("steady", 4500))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("slow", "stalled"):
        answer, seconds = outcome[name]
        assert_refused(answer, 408, "request_timeout")
        assert RATE_GRACE_S - 1 <= seconds < 45, (name, seconds)
    answer, seconds = outcome["steady"]
    assert answer.status == 200 and seconds > RATE_GRACE_S


def test_reader_that_stops_is_dropped(enclave):
    """A client that asks for much and reads nothing holds its answer's memory for a while only."""
    body = b'{"ssn":"hello","pad":"' + b"x" * 9000000 + b'"}'
    before = metric(enclave.metrics(), "teegate_http_requests_aborted_total")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(60)
    raw.connect(("127.0.0.1", enclave.port))
    with enclave.context.wrap_socket(raw) as sock:
        sock.sendall(compose_fields("encrypt", body))
        enclave.program.wait_until(
            lambda: metric(enclave.metrics(), "teegate_http_requests_aborted_total") > before, 60, "the reader's end"
        )
        with pytest.raises((ConnectionError, ssl.SSLError)):
            while sock.recv(1 << 20):
                pass
            raise ConnectionError("the kernel's rest was read; no whole answer came")


def test_slow_ones_delay_nobody(enclave):
    held = []
    for _ in range(50):
        connection = enclave.connect()
        connection.send(SMALL[: len(SMALL) // 2])
        held.append(connection)
    began = time.monotonic()
    for _ in range(50):
        assert enclave.ask(compose("GET", "/live")).status == 200
    assert time.monotonic() - began < 20
    for connection in held:
        connection.close()
