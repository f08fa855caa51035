"""NDJSON on /encrypt and /decrypt: a stream of lines, answered while it comes, in order, in constant memory."""

import json
import re
import select
import ssl
import subprocess
import time

import pytest

from conftest import patience
from enclave_cases import Closed, compose, serving, write_case
from tool_cases import TOKEN_HELLO

LINE = b'{"ssn":"hello"}\n'
SEALED = b'{"ssn":"' + TOKEN_HELLO.encode() + b'"}\n'
TYPE = ("Content-Type", "application/x-ndjson")
HEAD = (b"POST /encrypt HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nX-Schema-Name: record\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")


@pytest.fixture(scope="module")
def enclave(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bulk")
    write_case(folder)
    with serving(folder, WORKERS=1) as running:
        yield running


def ask(enclave, body, headers=(), path="/encrypt"):
    return enclave.ask(compose("POST", path, body, [TYPE, ("X-Schema-Name", "record"), *headers]))


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.sanitize
def test_lines_answered_in_order_bad_one_in_its_place(enclave):
    answer = ask(enclave, LINE + b"\n[1]\n" + LINE[:-1])
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/x-ndjson"
    lines = answer.body.split(b"\n")
    assert lines[0] + b"\n" == SEALED and lines[1] == b"" and lines[3] + b"\n" == SEALED and len(lines) == 4
    assert json.loads(lines[2])["error"]["code"] == "schema_mismatch"
    assert json.loads(lines[2])["error"]["line"] == 3


@pytest.mark.sanitize
def test_line_answered_before_the_next_is_sent(enclave):
    with enclave.connect() as connection:
        connection.send(HEAD)
        for number in range(20):
            connection.send(chunk(LINE))
            if number == 0:
                status, headers = connection._read_head()
                assert status == 200 and ("Transfer-Encoding", "chunked") in headers
            size = int(connection._line(), 16)
            assert connection._take(size) == SEALED and connection._line() == b""
        connection.send(b"0\r\n\r\n")
        assert connection._line() == b"0" and connection._line() == b""
        assert connection.ask(compose("GET", "/live")).status == 200  # the connection is kept


def resident_kib(program):
    with open(f"/proc/{program.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


class Duplex:
    """A TLS connection that one thread writes to and reads from, neither waiting for the other."""

    def __init__(self, connection, data):
        self.sock = connection.sock
        self.sock.setblocking(False)
        self.data = memoryview(data)
        self.got = bytearray()

    def send_some(self):
        try:
            self.data = self.data[self.sock.send(self.data[:65536]) :]
            return True
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False

    def read_some(self):
        try:
            piece = self.sock.recv(1 << 20)
            self.got += piece
            return bool(piece)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False

    def wait(self, seconds):
        select.select([self.sock], [self.sock] if self.data else [], [], seconds)


def test_long_stream_memory_stays_and_a_client_that_does_not_read_is_not_read(enclave):
    """16 MB in, 56 MB out; the client reads only once its own writes have come to a halt."""
    num_pieces = 250
    before = resident_kib(enclave.program.process)
    with enclave.connect() as connection:
        duplex = Duplex(connection, HEAD + chunk(LINE * 4096) * num_pieces + b"0\r\n\r\n")
        halted_since = None
        while halted_since is None or time.monotonic() - halted_since < 0.5:
            assert duplex.data, "all of it was read by a server whose answer nobody takes"
            if duplex.send_some():
                halted_since = None
            else:
                halted_since = halted_since or time.monotonic()
                time.sleep(0.02)
        assert resident_kib(enclave.program.process) - before < 16 * 1024
        until = time.monotonic() + patience(120)
        while not duplex.got.endswith(b"\r\n0\r\n\r\n"):
            assert time.monotonic() < until
            has_sent = bool(duplex.data) and duplex.send_some()
            if not duplex.read_some() and not has_sent:
                duplex.wait(0.1)
    assert not duplex.data
    assert duplex.got.count(SEALED.strip()) > 4096 * num_pieces * 0.99  # the others are cut by a chunk's end
    assert resident_kib(enclave.program.process) - before < 16 * 1024


def test_stream_cut_off_answer_breaks_off(enclave):
    with enclave.connect() as connection:
        connection.send(HEAD + chunk(LINE) + b"zz\r\n")
        with pytest.raises((Closed, OSError)):
            connection.read_answer()


def test_refused_before_the_first_line_by_status(enclave):
    assert enclave.ask(compose("POST", "/encrypt", LINE, [TYPE])).status == 400
    assert ask(enclave, LINE, path="/decrypt").status == 403
    for wrong in ("application/x-ndjson; charset=latin1", "application/ndjsonx", "text/x-ndjson"):
        answer = enclave.ask(compose("POST", "/encrypt", LINE, [("Content-Type", wrong), ("X-Schema-Name", "record")]))
        assert answer.status == 415


def test_curl_sends_a_file_and_gets_it_back_sealed(enclave, tmp_path):
    (tmp_path / "rows").write_bytes(LINE * 50000)
    done = subprocess.run(["curl", "-sSk", "-T", tmp_path / "rows", "-X", "POST", "-H", "Content-Type: application/x-ndjson",
                           "-H", "X-Schema-Name: record", "-o", tmp_path / "sealed", f"{enclave.url}/encrypt"],
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "sealed").read_bytes() == SEALED * 50000
