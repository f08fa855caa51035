"""teegate-enclave against clients that mean harm: what one of them may cost the others."""

import random
import socket
import ssl
import threading
import time

import pytest

from certificates import Authority
from conftest import patience
from enclave_cases import Closed, client_context, compose, compose_fields, serving, write_case
from tool_cases import TOKEN_SSN

pytestmark = pytest.mark.sanitize
LIVE = compose("GET", "/live")
DECRYPT = compose_fields("decrypt", {"ssn": TOKEN_SSN})
PATTERNS = """openapi: 3.1.0
info: {title: patterns, version: "1"}
components:
  schemas:
    Labels:
      type: object
      patternProperties:
        "[a-z]+_[a-z]+_[a-z]+": {type: string, x-pii: true}
"""
ABORTS = ("mid-body", "whole", "within the answer", "chunked", "bad JSON", "before the body")


def pad(document, length):
    """The document's bytes, with white space before the last up to the length."""
    return document[:-1] + b" " * (length - len(document)) + document[-1:]


@pytest.mark.parametrize("name, is_allowed", [
    ("DNS:reader.example", True), ("URI:reader.example", False), ("email:reader.example", False),
    ("URI:spiffe://example/reader", True), ("DNS:spiffe://example/reader", False),
    ("email:reader@example.org", True), ("DNS:reader@example.org", False), ("URI:reader@example.org", False),
    ("DNS:reader.example\0.evil.example", False), ("DNS:evil.example\0reader.example", False), ("DNS:", False),
])  # fmt: skip
def test_client_name_of_another_kind_forbidden(clients, name, is_allowed):
    enclave, authority = clients
    certificate = authority.issue("client.pem", [name])
    with enclave.connect(client_context(certificate)) as connection:
        assert connection.ask(DECRYPT).status == (200 if is_allowed else 403)


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    write_case(folder)
    authority = Authority(folder)
    listed = "reader.example,spiffe://example/reader,reader@example.org"
    with serving(folder, CLIENT_CA_PATH=authority.path, DECRYPT_ALLOWED_CLIENTS=listed) as enclave:
        yield enclave, authority


def test_member_name_of_a_whole_body_against_patterns_refused_at_once(tmp_path):
    write_case(tmp_path, {"labels.yaml": PATTERNS})
    with serving(tmp_path, WORKERS=1) as enclave:
        answer = enclave.encrypt(b'{"' + b"a" * 10000000 + b'":1}', schema="labels")
        assert answer.status == 400 and answer.json["code"] == "bad_request"
        assert enclave.get("/live").status == 200


def test_connections_aborted_anywhere_give_everything_back(tmp_path):
    write_case(tmp_path)
    fields = b'{"friends":[' + b",".join(b'{"ssn":"%09d"}' % i for i in range(2000)) + b"]}"
    document = pad(fields, 9 << 20)
    request = compose_fields("encrypt", document)
    head, _, body = request.partition(b"\r\n\r\n")
    chunked = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked") + b"\r\n\r\n"

    def abort(enclave, how, chance):
        with enclave.connect() as connection:
            try:
                if how == "mid-body":
                    connection.send(request[: chance.randrange(1, len(request))])
                elif how == "whole":
                    connection.send(request)
                elif how == "within the answer":
                    connection.send(request).sock.recv(1000)
                elif how == "chunked":
                    connection.send(chunked + b"100000\r\n" + b" " * 0x100000 + b"\r\n5")
                elif how == "bad JSON":
                    connection.send(request[:-1] + b"x")
                else:
                    connection.send(head + b"\r\nExpect: 100-continue\r\n\r\n").sock.recv(100)
            except (ssl.SSLError, ConnectionError):
                pass  # a body past what may be in flight is refused while it is sent
            if chance.random() < 0.7:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def abort_many(enclave, seed):
        chance = random.Random(seed)
        for _ in range(2):
            for how in ABORTS:
                abort(enclave, how, chance)

    with serving(tmp_path, WORKERS=2, MAX_INFLIGHT_BYTES="22MiB") as enclave:
        assert enclave.encrypt(document).status == 200
        num_descriptors = enclave.program.num_descriptors()
        threads = [threading.Thread(target=abort_many, args=(enclave, seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + patience(10)
        while enclave.program.num_descriptors() > num_descriptors and time.monotonic() < deadline:
            time.sleep(0.05)
        assert enclave.program.num_descriptors() <= num_descriptors
        answer = enclave.encrypt(document)  # which needs nearly all of the budget
        assert answer.status == 200 and len(answer.body) > len(document)


def test_long_bodies_that_do_not_end_leave_room_for_short_requests(tmp_path):
    """A few clients can hold all that long bodies may take, at the least speed that is allowed; not what short ones
    need."""
    write_case(tmp_path)

    def compose_padded(length):
        return compose_fields("encrypt", pad(b'{"ssn":"hello"}', length))

    def is_refused(connection, data):
        try:
            return connection.ask(data).status == 503
        except (ssl.SSLError, ConnectionError, Closed):
            return True  # the connection ended before all was sent

    def is_long_one_refused(enclave):
        with enclave.connect() as connection:
            return is_refused(connection, compose_padded(100000))

    with serving(tmp_path, MAX_INFLIGHT_BYTES="8MiB", MAX_BODY_BYTES="7MiB", MIN_BODY_BYTES_PER_SEC=0) as enclave:
        with enclave.connect() as first, enclave.connect() as second:
            first.send(compose_padded(7200000)[:-1])
            deadline = time.monotonic() + patience(30)
            while not is_long_one_refused(enclave):  # until what was sent has arrived
                assert time.monotonic() < deadline
            assert is_refused(second, compose_padded(1180000)[:-1])  # with the first one's all but 9 KB
            for _ in range(20):
                assert enclave.ask(compose_padded(20000)).status == 200
