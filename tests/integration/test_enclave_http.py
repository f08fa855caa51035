"""HTTP/1.1 of teegate-enclave over TLS: framing, pipelines, limits, what is refused, and clients that others wrote."""

import random
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
import urllib3

from conftest import SOURCE, is_sanitized, patience
from enclave_cases import (
    Closed,
    assert_refused,
    compose,
    compose_fields,
    serving,
    write_case,
)
from tool_cases import TOKEN_HELLO

HTTP_VECTORS = SOURCE / "tests" / "vectors" / "http1"
SMALL = compose_fields("encrypt", b'{"ssn":"hello"}')
SMALL_ANSWER = b'{"ssn":"' + TOKEN_HELLO.encode() + b'"}'
CHUNKED = (
    b"POST /encrypt HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Schema-Name: record\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n4;a=b\r\n{"ss\r\n07\r\nn":"hel\r\nA;q="x;y"\r\nlo"       \r\n1\r\n}\r\n0\r\nT: v\r\n\r\n'
)
CHUNKED_ANSWER = b'{"ssn":"' + TOKEN_HELLO.encode() + b'"       }'


@pytest.fixture(scope="module")
def enclave(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    write_case(folder)
    with serving(folder) as running:
        yield running


@pytest.mark.sanitize
@pytest.mark.parametrize("request_bytes, body", [(SMALL, SMALL_ANSWER), (CHUNKED, CHUNKED_ANSWER)])
def test_request_byte_by_byte_answered(enclave, request_bytes, body):
    """Each byte is a TLS record of its own."""
    with enclave.connect() as connection:
        for i in range(len(request_bytes)):
            connection.send(request_bytes[i : i + 1])
        answer = connection.read_answer()
        assert (answer.status, answer.body) == (200, body)


@pytest.mark.sanitize
@pytest.mark.parametrize("request_bytes, body", [(SMALL, SMALL_ANSWER), (CHUNKED, CHUNKED_ANSWER)])
def test_request_every_split_same_answer(enclave, request_bytes, body):
    with enclave.connect() as connection:
        for split in range(1, len(request_bytes)):
            connection.send(request_bytes[:split])
            if split % 8 == 0:
                time.sleep(0.001)  # so that the server sees the first part alone; the others come as they come
            answer = connection.ask(request_bytes[split:])
            assert (answer.status, answer.body) == (200, body), split


@pytest.mark.sanitize
def test_pipeline_any_cut_answered_in_order(enclave):
    generator = random.Random(7)
    expected, stream = [], b""
    for i in range(60):
        kind = generator.randrange(4)
        if kind == 0:
            stream += compose("GET", "/live")
            expected.append((200, b'{"status":"live"}'))
        elif kind == 1:
            stream += compose_fields("encrypt", {"n": i})
            expected.append((200, b'{"n": %d}' % i))
        elif kind == 2:
            stream += CHUNKED
            expected.append((200, CHUNKED_ANSWER))
        else:
            stream += compose("GET", f"/none{i}")
            expected.append((404, None))
    with enclave.connect() as connection:
        at = 0
        while at < len(stream):
            length = generator.choice([1, 7, 100, 1000, 5000])
            connection.send(stream[at : at + length])
            at += length
        for status, body in expected:
            answer = connection.read_answer()
            assert answer.status == status
            assert body is None or answer.body == body
        assert connection.ask(SMALL).body == SMALL_ANSWER


def test_pipeline_deeper_than_all_buffers_answered(enclave):
    """The client sends everything before it reads anything of it, from a thread; nothing is lost or swapped."""
    requests_ = [compose_fields("encrypt", {"n": i, "pad": "x" * 2000}) for i in range(2000)]
    with enclave.connect_duplex() as connection:
        sender = threading.Thread(target=connection.send, args=(b"".join(requests_),))
        sender.start()
        for i in range(2000):
            assert connection.read_answer().json["n"] == i
        sender.join(patience(30))


def test_head_same_headers_no_body(enclave):
    with enclave.connect() as connection:
        got = connection.ask(compose("GET", "/health"))
        head = connection.ask(compose("HEAD", "/health"), is_head=True)
        assert (head.status, head.header("Content-Length")) == (200, str(len(got.body)))
        assert connection.ask(SMALL).body == SMALL_ANSWER


def test_expect_continue_interim_then_answer(enclave):
    head = SMALL[: SMALL.index(b"\r\n\r\n")] + b"\r\nExpect: 100-Continue\r\n\r\n"
    with enclave.connect() as connection:
        connection.send(head)
        assert connection.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.ask(b'{"ssn":"hello"}').body == SMALL_ANSWER
        # With the body behind it, nothing is owed.
        answer = connection.ask(head + b'{"ssn":"hello"}')
        assert answer.body == SMALL_ANSWER and answer.header("(100)") is None
        # A head that is refused is refused before the body, which never has to be sent.
        refused = connection.ask(head.replace(b"record", b"nobody"))
        assert_refused(refused, 400, "bad_request")
        assert refused.header("(100)") is None


def test_expect_other_expectation_failed(enclave):
    with enclave.connect() as connection:
        answer = connection.ask(SMALL.replace(b"\r\n\r\n", b"\r\nExpect: 200-ok\r\n\r\n", 1))
        assert_refused(answer, 417, "expectation_failed")


@pytest.mark.parametrize("headers, version, is_kept", [
    ((), "1.1", True), (["Connection: close"], "1.1", False), (["Connection: x, CLOSE"], "1.1", False),
    ((), "1.0", False), (["Connection: keep-alive"], "1.0", True),
])  # fmt: skip
def test_connection_persistence_as_asked(enclave, headers, version, is_kept):
    lines = [f"GET /live HTTP/{version}", "Host: a", *headers]
    with enclave.connect() as connection:
        answer = connection.ask("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert answer.status == 200
        if is_kept:
            assert connection.ask(SMALL).body == SMALL_ANSWER
        else:
            assert answer.header("Connection") == "close"
            connection.read_end()


def smuggling_forms():
    """Each is read by some server as one request and by another as two; all must be refused and the connection ended."""
    host = b"POST /encrypt HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Schema-Name: record\r\n"
    behind = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"
    chunked = b"0\r\n\r\n"
    forms = {
        "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + chunked,
        "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "two equal lengths": b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "list of lengths": b"Content-Length: 2, 2\r\n\r\n{}",
        "signed length": b"Content-Length: +2\r\n\r\n{}",
        "negative length": b"Content-Length: -2\r\n\r\n{}",
        "hexadecimal length": b"Content-Length: 0x2\r\n\r\n{}",
        "length with blank": b"Content-Length: 2 0\r\n\r\n{}",
        "empty length": b"Content-Length: \r\n\r\n{}",
        "huge length": b"Content-Length: 18446744073709551618\r\n\r\n{}",
        "length 2^63": b"Content-Length: 9223372036854775808\r\n\r\n{}",
        "blank before colon": b"Content-Length : 2\r\n\r\n{}",
        "tab before colon": b"Transfer-Encoding\t: chunked\r\n\r\n" + chunked,
        "blank before name": b" Content-Length: 2\r\n\r\n{}",
        "folded": b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "bare LF": b"X: a\nContent-Length: 2\r\n\r\n{}",
        "bare LF at the end": b"Content-Length: 2\r\n\n{}",
        "bare CR": b"X: a\rContent-Length: 2\r\n\r\n{}",
        "NUL": b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
        "NUL in a name": b"X\x00: a\r\nContent-Length: 2\r\n\r\n{}",
        "no colon": b"Content-Length\r\n\r\n{}",
        "empty name": b": a\r\nContent-Length: 2\r\n\r\n{}",
        "identity": b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
        "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunked,
        "chunked in two lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "chunked misspelt": b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "chunked quoted": b'Transfer-Encoding: "chunked"\r\n\r\n' + chunked,
        "chunked with vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunked,
        "chunked with a parameter": b"Transfer-Encoding: chunked;q=1\r\n\r\n" + chunked,
        "two hosts": b"Host: b\r\nContent-Length: 2\r\n\r\n{}",
        "chunk size signed": b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n" + chunked,
        "chunk size 0x": b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n" + chunked,
        "chunk size blank": b"Transfer-Encoding: chunked\r\n\r\n 2\r\n{}\r\n" + chunked,
        "chunk size empty": b"Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n" + chunked,
        "chunk size huge": b"Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n" + chunked,
        "chunk bare LF": b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n" + chunked,
        "chunk end missing": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}" + chunked,
        "chunk end bare LF": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\n" + chunked,
        "chunk extension bare LF": b"Transfer-Encoding: chunked\r\n\r\n2;a\n\r\n{}\r\n" + chunked,
        "chunk too long for its size": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n" + chunked,
        "trailer malformed": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX : a\r\n\r\n",
    }
    cases = {name: host + form + behind for name, form in forms.items()}
    cases["chunked in HTTP/1.0"] = (
        host.replace(b"1.1", b"1.0")
        + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked
        + behind
    )
    cases["no host"] = b"GET /live HTTP/1.1\r\n\r\n" + behind
    cases["target contradicts host"] = b"GET http://b/live HTTP/1.1\r\nHost: a\r\n\r\n" + behind
    cases["host with a path"] = b"GET /live HTTP/1.1\r\nHost: a/b\r\n\r\n" + behind
    cases["two blanks"] = b"GET  /live HTTP/1.1\r\nHost: a\r\n\r\n" + behind
    cases["tab in the request line"] = b"GET\t/live HTTP/1.1\r\nHost: a\r\n\r\n" + behind
    cases["blank behind the version"] = b"GET /live HTTP/1.1 \r\nHost: a\r\n\r\n" + behind
    cases["lower-case version"] = b"GET /live http/1.1\r\nHost: a\r\n\r\n" + behind
    cases["HTTP/0.9"] = b"GET /live\r\n\r\n" + behind
    cases["LF before the request"] = b"\n" + behind
    cases["blank before the request"] = b" " + behind
    cases["fragment"] = b"GET /live#a HTTP/1.1\r\nHost: a\r\n\r\n" + behind
    cases["raw UTF-8 target"] = b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n" + behind
    return cases


SMUGGLING = smuggling_forms()


@pytest.mark.sanitize
@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling_form_refused_and_connection_ended(enclave, name):
    with enclave.connect() as connection:
        answer = connection.ask(SMUGGLING[name])
        assert_refused(answer, 400, "bad_request")
        assert answer.header("Connection") == "close"
        connection.read_end()


@pytest.mark.parametrize("line, status, code", [
    (b"GET /live HTTP/2.0", 505, "version_not_supported"), (b"GET /live HTTP/1.2", 505, "version_not_supported"),
    (b"PRI * HTTP/2.0", None, None), (b"CONNECT a HTTP/1.1", 400, "bad_request"), (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nX: y", 501, "not_implemented"),
    (b"GET /" + b"a" * 8192 + b" HTTP/1.1", 414, "uri_too_long"),
])  # fmt: skip
def test_request_line_refused_and_connection_ended(enclave, line, status, code):
    with enclave.connect() as connection:
        host = b"" if b"Host" in line else b"\r\nHost: a"
        answer = connection.ask(line + host + b"\r\n\r\n")
        assert answer.status >= 400
        if status is not None:
            assert_refused(answer, status, code)
        connection.read_end()


def test_head_limits_at_and_over(enclave):
    def head_of(length):
        start, end = b"GET /live HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n\r\n"
        return start + b"x" * (length - len(start) - len(end)) + end

    with enclave.connect() as connection:
        assert connection.ask(head_of(16384)).status == 200
        answer = connection.ask(head_of(16385))
        assert_refused(answer, 431, "headers_too_large")
        connection.read_end()
    fields = b"".join(b"X%d: y\r\n" % i for i in range(99))
    with enclave.connect() as connection:
        assert connection.ask(b"GET /live HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n").status == 200
        answer = connection.ask(b"GET /live HTTP/1.1\r\nHost: a\r\nY: z\r\n" + fields + b"\r\n")
        assert_refused(answer, 431, "headers_too_large")
        connection.read_end()


def test_head_endless_refused_early(enclave):
    """Nobody can make the server collect a head: it answers at its limit, however much is sent."""
    with enclave.connect() as connection:
        try:
            connection.send(b"GET /live HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 4000)
        except (ConnectionError, ssl.SSLError):
            pass
        assert_refused(connection.read_answer(), 431, "headers_too_large")


@pytest.mark.sanitize
def test_llhttp_messages_never_crash_or_hang(enclave):
    """251 messages of llhttp's tests, each behind a good request, from a client that then ends its side."""
    for path in sorted(HTTP_VECTORS.glob("*.raw")):
        message = path.read_bytes()
        with enclave.connect_duplex() as connection:
            connection.send(SMALL + message)
            connection.sock.half_close()
            assert connection.read_answer().body == SMALL_ANSWER
            num_answers = 0
            while num_answers < 10:
                try:
                    answer = connection.read_answer(is_head=message.startswith(b"HEAD"))
                except (Closed, ConnectionError):
                    assert connection.unread == b"", path.name
                    break
                num_answers += 1
                assert answer.status in (400, 404, 405, 414, 415, 417, 431, 501, 505), (path.name, answer)
            assert num_answers < 10, path.name


@pytest.mark.sanitize
@pytest.mark.parametrize("request_bytes", [SMALL, CHUNKED])
def test_request_truncated_at_every_byte_refused_never_200(enclave, request_bytes):
    """The client ends its side within the request, and still reads: it is told."""
    for length in range(1, len(request_bytes), 3):
        with enclave.connect_duplex() as connection:
            connection.send(request_bytes[:length])
            connection.sock.half_close()
            assert_refused(connection.read_answer(), 400, "bad_request")
            connection.read_end()


@pytest.mark.sanitize
def test_request_truncated_without_close_notify_never_answered(enclave):
    """Without close_notify the end may be an attacker's: what came before it counts for nothing."""
    for length in (10, len(SMALL) - 1, len(CHUNKED) - 1):
        request_bytes = CHUNKED if length == len(CHUNKED) - 1 else SMALL
        with enclave.connect() as connection:
            connection.send(request_bytes[:length])
            socket.socket.shutdown(connection.sock, socket.SHUT_WR)
            assert connection.is_ended()


def test_client_half_closed_after_request_gets_answer(enclave):
    for num_requests in (1, 2, 30):
        with enclave.connect_duplex() as connection:
            connection.send(SMALL * num_requests)
            connection.sock.half_close()
            for _ in range(num_requests):
                assert connection.read_answer().body == SMALL_ANSWER
            connection.read_end()


def test_early_answer_client_that_sends_first_still_reads_it(enclave):
    """A refusal comes while 8 MiB of body are on their way: no reset overtakes it."""
    head = compose_fields("encrypt", b"{}", schema="nobody").replace(b"Content-Length: 2", b"Content-Length: 8388608")
    with enclave.connect() as connection:
        try:
            connection.send(head[:-2] + b"x" * 8388608)
        except (ConnectionError, ssl.SSLError):
            pass
        assert_refused(connection.read_answer(), 400, "bad_request")


def test_curl_many_forms_answered(enclave):
    """curl: chunked upload, keep-alive over several URLs, HEAD, HTTP/1.0, Expect with a large body."""
    url = enclave.url
    common = ["curl", "-sSk", "-H", "X-Schema-Name: record", "-H", "Content-Type: application/json"]

    def curl(*args, data=b""):
        done = subprocess.run([*common, *args], input=data, capture_output=True, timeout=patience(30), check=False)
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout

    small = b'{"ssn":"hello"}'
    assert curl(f"{url}/encrypt", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-", data=small) == SMALL_ANSWER
    assert curl(f"{url}/encrypt", "--http1.0", "--data-binary", "@-", data=small) == SMALL_ANSWER
    assert curl("-I", f"{url}/health").startswith(b"HTTP/1.1 200 ")
    report = curl("-w", "%{num_connects} ", f"{url}/live", f"{url}/live", f"{url}/live")
    assert report == b'{"status":"live"}1 {"status":"live"}0 {"status":"live"}0 '
    large = b'{"ssn":"hello","pad":"' + b"x" * 3000000 + b'"}'
    expected = large.replace(b'"hello"', b'"' + TOKEN_HELLO.encode() + b'"')
    assert curl(f"{url}/encrypt", "-H", "Expect: 100-continue", "--data-binary", "@-", data=large) == expected


def test_requests_library_session_answered(enclave):
    urllib3.disable_warnings()
    with requests.Session() as session:
        session.verify, session.trust_env = False, False
        for i in range(50):
            answer = session.post(
                f"{enclave.url}/encrypt", json={"ssn": "hello", "n": i}, headers={"X-Schema-Name": "record"}
            )
            assert answer.status_code == 200 and answer.json() == {"ssn": TOKEN_HELLO, "n": i}
        pieces = (piece for piece in (b'{"ssn":', b'"hello"', b"}"))
        answer = session.post(
            f"{enclave.url}/encrypt",
            data=pieces,
            headers={"X-Schema-Name": "record", "Content-Type": "application/json"},
        )
        assert answer.json() == {"ssn": TOKEN_HELLO}
        assert session.get(f"{enclave.url}/nothing").json()["code"] == "not_found"


@pytest.mark.alone
def test_wrk_some_seconds_no_error(enclave, tmp_path):
    script = tmp_path / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.headers["X-Schema-Name"] = "record"\n'
        'wrk.body = \'{"ssn":"hello","pad":"' + "x" * 1400 + "\"}'\n"
        "local bad = 0\nfunction response(status, headers, body)\n  if #body ~= 1400 + 77 then bad = bad + 1 end\nend\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["wrk", "-t1", "-c32", "-d4", "-s", str(script), f"{enclave.url}/encrypt"],
        capture_output=True, text=True, timeout=patience(30), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout
    num_requests = int(done.stdout.split(" requests in ")[0].split()[-1])
    assert num_requests > (200 if is_sanitized() else 4000), done.stdout
