"""How teegate-enclave ends: SIGTERM under load loses nothing, SIGKILL leaves nothing that looks whole."""

import signal
import ssl
import threading
import time

import pytest

from conftest import is_sanitized, patience
from enclave_cases import Closed, compose, compose_fields, ended, launch, serving, write_case
from tool_cases import TOKEN_HELLO

BODY = b'{"ssn":"hello","pad":"' + b"x" * 1400 + b'"}'
REQUEST = compose_fields("encrypt", BODY)
SEALED = BODY.replace(b'"hello"', b'"' + TOKEN_HELLO.encode() + b'"')
LARGE_BODY = b'{"ssn":"hello","pad":"' + b"x" * 3000000 + b'"}'
LARGE_REQUEST = compose_fields("encrypt", LARGE_BODY)
LARGE_SEALED = LARGE_BODY.replace(b'"hello"', b'"' + TOKEN_HELLO.encode() + b'"')
BROKEN = (ConnectionError, ssl.SSLError, Closed)


class Client(threading.Thread):
    """Asks on one connection after another until the service is gone; notes what it saw."""

    def __init__(self, enclave, pipeline=1, request=REQUEST, expected=SEALED):
        super().__init__()
        self.enclave, self.pipeline, self.request, self.expected = enclave, pipeline, request, expected
        self.num_whole = 0
        self.faults = []  # answers that were begun and did not come whole
        self.wrong = []  # whole answers that are not what they must be
        self.must_stop = False

    def run(self):
        while not self.must_stop:
            try:
                connection = self.enclave.connect()
            except (OSError, ssl.SSLError):
                return  # nobody listens any more
            with connection:
                if not self.ask_on(connection):
                    return

    def ask_on(self, connection):
        while not self.must_stop:
            try:
                connection.send(self.request * self.pipeline)
                for _ in range(self.pipeline):
                    answer = connection.read_answer()
                    if answer.status != 200 or answer.body != self.expected:
                        self.wrong.append(answer)
                    self.num_whole += 1
                    if answer.header("Connection") == "close":
                        return True
            except Closed as closed:
                if not closed.is_before_answer:
                    self.faults.append("cut off within an answer")
                return True
            except (ConnectionError, ssl.SSLError) as fault:
                if connection.unread:
                    self.faults.append(repr(fault))
                return True
        return False


def run_clients(enclave, clients, seconds, number):
    for client in clients:
        client.start()
    time.sleep(seconds)
    enclave.program.send(number)
    status = enclave.program.wait(30)
    for client in clients:
        client.join(patience(20))
        assert not client.is_alive()
    return status


@pytest.mark.sanitize
def test_sigterm_under_load_every_begun_request_answered_whole(tmp_path):
    """Each client's answers are whole to the last; the end is in order and in time."""
    write_case(tmp_path)
    for seconds in (0.3, 1):
        with serving(tmp_path, WORKERS=2) as enclave:
            clients = [Client(enclave) for _ in range(6)] + [Client(enclave, pipeline=20) for _ in range(2)]
            clients += [Client(enclave, request=LARGE_REQUEST, expected=LARGE_SEALED)]
            began = time.monotonic()
            assert run_clients(enclave, clients, seconds, signal.SIGTERM) == 0
            assert time.monotonic() - began < patience(10)
            assert sum(client.num_whole for client in clients) > 20
            for client in clients:
                assert client.faults == [] and client.wrong == []
            assert enclave.program.events("ended")[0]["undrained_workers"] == 0
            assert not enclave.program.events("drain_incomplete")


@pytest.mark.sanitize
def test_sigterm_requests_at_every_stage(tmp_path):
    """Connections stand at every stage when the signal comes: each whose head was read is answered, the rest are closed."""
    write_case(tmp_path)
    with serving(tmp_path) as enclave:
        head_len = REQUEST.index(b"\r\n\r\n") + 4
        stages = [head_len, head_len + 1, head_len + len(BODY) // 2, len(REQUEST) - 1]
        begun = [(length, enclave.connect()) for length in stages]
        for length, connection in begun:
            connection.send(REQUEST[:length])
        half_head = enclave.connect().send(REQUEST[:20])
        silent = enclave.connect()
        used = enclave.connect()
        assert used.ask(REQUEST).body == SEALED
        handshaking = enclave.tcp()
        time.sleep(0.3)
        enclave.program.send(signal.SIGTERM)
        enclave.program.wait_event("draining")
        used.read_end()
        silent.read_end()
        with pytest.raises(OSError):
            enclave.tcp().recv(1)
        for length, connection in begun:
            answer = connection.ask(REQUEST[length:])
            assert answer.body == SEALED and answer.header("Connection") == "close"
            connection.read_end()
        # A request whose head was begun is waited for as well.
        assert half_head.ask(REQUEST[20:]).body == SEALED
        for connection in [half_head, silent, used, handshaking] + [c for _, c in begun]:
            connection.close()
        assert enclave.program.wait() == 0


def test_sigterm_drain_time_ends_it(tmp_path):
    """A client that never finishes cannot keep the process; everybody else was answered."""
    write_case(tmp_path)
    with serving(tmp_path, DRAIN_TIMEOUT_SECS=1) as enclave:
        with enclave.connect() as connection:
            connection.send(REQUEST[:-1])
            time.sleep(0.3)
            began = time.monotonic()
            enclave.program.send(signal.SIGTERM)
            assert enclave.program.wait() == 0
            assert 0.9 <= time.monotonic() - began < patience(10)
            assert enclave.program.events("drain_incomplete")
            with pytest.raises((*BROKEN, TimeoutError)):
                connection.ask(REQUEST[-1:])


@pytest.mark.parametrize("first, second", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
def test_second_signal_ends_at_once(tmp_path, first, second):
    write_case(tmp_path)
    with serving(tmp_path, DRAIN_TIMEOUT_SECS=3600) as enclave:
        with enclave.connect() as connection:
            connection.send(REQUEST[:-1])
            time.sleep(0.3)
            enclave.program.send(first)
            enclave.program.wait_event("draining")
            time.sleep(0.3)
            assert enclave.program.process.poll() is None
            began = time.monotonic()
            enclave.program.send(second)
            assert enclave.program.wait() == 0
            assert time.monotonic() - began < patience(5)


@pytest.mark.sanitize
def test_sigterm_before_ready_ends_in_order(tmp_path):
    write_case(tmp_path)
    for pause in (0, 0.005, 0.02, 0.05):
        with ended(launch(tmp_path)) as enclave:
            enclave.program.wait_event("listening", component="enclave") if pause else time.sleep(0.5)
            time.sleep(pause)
            enclave.program.send(signal.SIGTERM)
            assert enclave.program.wait() == 0


def test_sigkill_clients_never_see_a_short_200_and_restart_serves_within_a_second(tmp_path):
    write_case(tmp_path)
    settings = {}
    for _ in range(3):
        with ended(launch(tmp_path, **settings)) as enclave:
            settings["LISTEN_ADDRESS"] = settings.get("LISTEN_ADDRESS", f"tcp:127.0.0.1:{enclave.port}")
            enclave.port = int(settings["LISTEN_ADDRESS"].rsplit(":", 1)[1])
            began = time.monotonic()
            enclave.program.wait_event("ready")
            assert enclave.ask(REQUEST).body == SEALED
            if not is_sanitized():
                assert time.monotonic() - began < 1  # the same port, with connections of the last one in TIME_WAIT
            clients = [Client(enclave) for _ in range(4)] + [Client(enclave, 20)]
            clients += [Client(enclave, request=LARGE_REQUEST, expected=LARGE_SEALED)]
            assert run_clients(enclave, clients, 0.5, signal.SIGKILL) == -signal.SIGKILL
            for client in clients:
                # What was cut off is seen as cut off (a Closed or a TLS error), never as a whole answer.
                assert client.wrong == []
            assert sum(client.num_whole for client in clients) > 20


def test_answer_cut_off_by_sigkill_is_an_error_to_curl_like_clients(tmp_path):
    """A client that has read half of an answer gets a reset or a TLS truncation, not an end."""
    write_case(tmp_path)
    with ended(launch(tmp_path)) as enclave:
        enclave.program.wait_event("ready")
        with enclave.connect() as connection:
            body = b'{"ssn":"hello","pad":"' + b"x" * 9000000 + b'"}'
            connection.send(compose_fields("encrypt", body))
            connection.sock.recv(1000)
            enclave.program.process.kill()
            enclave.program.wait()
            with pytest.raises((ConnectionError, ssl.SSLError)):
                while connection.sock.recv(1 << 20):
                    pass
                raise AssertionError("the answer ended as if it were whole")


def test_sighup_storm_serves_on(tmp_path):
    write_case(tmp_path)
    with serving(tmp_path) as enclave, enclave.connect() as connection:
        for _ in range(200):
            enclave.program.send(signal.SIGHUP)
            assert connection.ask(compose("GET", "/live")).status == 200
        assert connection.ask(REQUEST).body == SEALED
