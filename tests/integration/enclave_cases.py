"""What the tests of teegate-enclave share: a running enclave, a client that reads answers strictly, known values."""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading

from conftest import Program, _take_port, assert_no_sanitizer_report, patience

DEK = b"\xaa" * 32

# Every kind of value that a token can be made of, objects and arrays with PII below, and a wrapper's name.
RECORD = """\
openapi: 3.1.0
info: {title: records, version: "1"}
paths:
  /records:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Record"}}}}
      responses: {"204": {description: done}}
components:
  schemas:
    Record:
      type: object
      properties:
        ssn: {type: string, x-pii: true}
        age: {type: integer, x-pii: true}
        is_member: {type: boolean, x-pii: true}
        address: {type: object, x-pii: true}
        tags: {type: array, x-pii: true, items: {type: string}}
        owner: {$ref: "#/components/schemas/Owner"}
        notes: {type: array, items: {type: string, x-pii: true}}
        friends: {type: array, items: {$ref: "#/components/schemas/Record"}}
        "a/b~c": {type: string, x-pii: true}
    Owner:
      type: object
      properties:
        name: {type: string, x-pii: true}
"""


def token_of(text):
    """The deterministic nonce is enough to know a token's beginning without a GCM-SIV of our own."""
    nonce = hmac.new(DEK, text.encode(), hashlib.sha256).digest()[:12]
    return "v1." + base64.urlsafe_b64encode(nonce).decode().rstrip("=") + "."


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        """The one value of a header, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class Closed(Exception):
    """The server ended the connection before or within an answer; whole says whether it was before."""

    def __init__(self, is_before_answer):
        super().__init__("before an answer" if is_before_answer else "within an answer")
        self.is_before_answer = is_before_answer


class Connection:
    """A connection on which answers are read as RFC 9112 frames them; anything out of place fails."""

    def __init__(self, sock):
        self.sock = sock
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def _more(self, is_before_answer=False):
        data = self.sock.recv(65536)
        if not data:
            raise Closed(is_before_answer)
        self.unread += data

    def _line(self):
        while b"\r\n" not in self.unread:
            self._more()
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line

    def _take(self, length):
        while len(self.unread) < length:
            self._more()
        data, self.unread = self.unread[:length], self.unread[length:]
        return data

    def _read_head(self):
        while b"\r\n\r\n" not in self.unread:
            self._more(is_before_answer=not self.unread)
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        lines = head.decode("ascii").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*", lines[0])
        assert match, lines[0]
        headers = []
        for line in lines[1:]:
            field = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([!-~]|[!-~][ -~]*[!-~])", line)
            assert field, line
            headers.append((field.group(1), field.group(2)))
        return int(match.group(1)), headers

    def read_answer(self, is_head=False):
        """The next final answer. An interim 100 before it counts as header `(100)`."""
        status, headers = self._read_head()
        interim = []
        while status == 100:
            assert headers == []
            interim.append(("(100)", "Continue"))
            status, headers = self._read_head()
        answer = Answer(status, interim + headers, b"")
        length = answer.header("Content-Length")
        if is_head or status in (204, 304):
            return answer
        if answer.header("Transfer-Encoding") is not None:
            assert answer.header("Transfer-Encoding") == "chunked" and length is None
            while True:
                size = int(self._line(), 16)
                answer.body += self._take(size)
                assert self._line() == b""
                if size == 0:
                    return answer
        assert length is not None and re.fullmatch("0|[1-9][0-9]*", length), answer
        answer.body = self._take(int(length))
        return answer

    def read_end(self):
        """The server ends the connection, and has nothing more to say."""
        assert self.unread == b"", self.unread
        rest = self.sock.recv(1)
        assert rest == b"", rest

    def is_ended(self):
        """Whether the server has ended the connection, in order or not; waits for it to do something."""
        try:
            return self.sock.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def ask(self, data, is_head=False):
        return self.send(data).read_answer(is_head)


def compose(method, path, body=b"", headers=(), host="localhost"):
    """A request's bytes; Content-Length where there is a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def compose_fields(operation, document, schema="record", headers=(), query=""):
    """A request to /encrypt or /decrypt; document: bytes as they are, anything else as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    named = [("X-Schema-Name", schema)] if schema is not None else []
    return compose("POST", f"/{operation}{query}", body, [("Content-Type", "application/json"), *named, *headers])


def client_context(certificate=None, versions=None, protocols=("http/1.1",)):
    """A TLS client that believes any server (the identity is self-signed)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without close_notify is an error
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if certificate is not None:
        context.load_cert_chain(certificate)
    if versions is not None:
        context.minimum_version, context.maximum_version = versions
    return context


class DuplexTls:
    """A TLS socket that two threads may use, one to send and one to receive, and that can end its own side alone
    (close_notify, then FIN) and go on reading: an ssl.SSLSocket can do neither."""

    def __init__(self, raw, context):
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.using_tls = threading.Lock()  # never held while the socket is waited for
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
        self._flush()

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.raw.sendall(data)

    def _receive(self):
        data = self.raw.recv(65536)
        with self.using_tls:
            if data:
                self.incoming.write(data)
            else:
                self.incoming.write_eof()

    def sendall(self, data):
        with self.using_tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.raw.sendall(data)

    def recv(self, length):
        while True:
            try:
                with self.using_tls:
                    return self.tls.read(length)
            except ssl.SSLWantReadError:
                self._receive()
            except ssl.SSLZeroReturnError:
                return b""

    def half_close(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # that is the server's close_notify, which we do not wait for
        try:
            self._flush()
            self.raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has ended the connection already; what it said can still be read

    def close(self):
        self.raw.close()


class Enclave:
    """A running teegate-enclave."""

    def __init__(self, program, port, admin_port, folder):
        self.program = program
        self.port = port
        self.admin_port = admin_port
        self.folder = folder
        self.url = f"https://127.0.0.1:{port}"
        self.context = client_context()

    def tcp(self, timeout=30, port=None):
        sock = socket.create_connection(("127.0.0.1", port or self.port), timeout=patience(timeout))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def connect(self, context=None, name=None, session=None, timeout=30):
        """A TLS connection; name: the SNI."""
        raw = self.tcp(timeout)
        try:
            context = context or self.context
            secure = context.wrap_socket(raw, server_hostname=name, session=session, suppress_ragged_eofs=False)
            return Connection(secure)
        except Exception:
            raw.close()
            raise

    def connect_duplex(self, timeout=30):
        return Connection(DuplexTls(self.tcp(timeout), self.context))

    def ask(self, data, context=None, is_head=False):
        """One request on a connection of its own."""
        with self.connect(context) as connection:
            return connection.ask(data, is_head)

    def get(self, path):
        return self.ask(compose("GET", path))

    def encrypt(self, document, schema="record", context=None, headers=(), query=""):
        return self.ask(compose_fields("encrypt", document, schema, headers, query), context)

    def decrypt(self, document, schema="record", context=None, headers=(), query=""):
        return self.ask(compose_fields("decrypt", document, schema, headers, query), context)

    def admin(self, path, method="GET"):
        with Connection(self.tcp(port=self.admin_port)) as connection:
            return connection.ask(compose(method, path), is_head=method == "HEAD")

    def metrics(self):
        answer = self.admin("/metrics")
        assert answer.status == 200
        return parse_metrics(answer.body.decode())


METRIC_LINE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+]+|NaN|\+Inf)'
)


def parse_metrics(text):
    """Prometheus's text format (0.0.4), strictly: {(name, (label, value), ...): number}."""
    found, types, family = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE")
            if what == "TYPE":
                assert name not in types and rest in ("counter", "gauge", "histogram")
                types[name], family = rest, name
            continue
        match = METRIC_LINE.fullmatch(line)
        assert match, line
        name = match.group(1)
        suffixes = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], (name, family)
        labels = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")
        key = (name, *sorted(labels))
        assert key not in found, key
        found[key] = float(match.group(3))
    return found


def metric(metrics, name, **labels):
    """One series's value; 0 where it does not exist yet."""
    return metrics.get((name, *sorted(labels.items())), 0)


def write_case(folder, schemas=None, dek=DEK):
    """The folder that an enclave is started in: schemas/ and dek."""
    (folder / "schemas").mkdir(exist_ok=True)
    for name, text in (schemas or {"record.yaml": RECORD}).items():
        path = folder / "schemas" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if dek is not None:
        (folder / "dek").write_bytes(dek)


def launch(folder, args=(), **settings):
    """Starts an enclave on ports of its own, and does not wait. A setting of None is left out."""
    port, admin_port = _take_port(), _take_port()
    env = {
        "LISTEN_ADDRESS": f"tcp:127.0.0.1:{port}",
        "ADMIN_ADDRESS": f"tcp:127.0.0.1:{admin_port}",
        "SCHEMA_DIR": folder / "schemas",
        "DEK_FILE": folder / "dek",
        "DRAIN_TIMEOUT_SECS": 10,
        "SECRETS_ADDRESS": "off",
    }
    env.update(settings)
    env = {name: value for name, value in env.items() if value is not None}
    program = Program("teegate-enclave", *args, env=env, cwd=folder)
    return Enclave(program, port, admin_port, folder)


@contextlib.contextmanager
def ended(enclave):
    """Ends the enclave after the block: in order, if it still runs, and without a sanitizer's report."""
    try:
        yield enclave
        was_running = enclave.program.process.poll() is None
        status = enclave.program.stop()
        assert not was_running or status == 0, (status, enclave.program.log[-3000:])
    finally:
        enclave.program.stop()
        assert_no_sanitizer_report(enclave.program.log)


@contextlib.contextmanager
def serving(folder, args=(), ready="ready", **settings):
    """A serving enclave; ready: the event that is waited for."""
    with ended(launch(folder, args, **settings)) as enclave:
        enclave.program.wait_event("listening", component="enclave")
        if ready:
            enclave.program.wait_event(ready)
        yield enclave


def assert_refused(answer, status, code, pointer=None, secrets=()):
    """An error of the API: exact status, code and pointer, a message, and nothing of what was sent."""
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/json"
    error = answer.json
    assert error["code"] == code, error
    assert set(error) == {"code", "message"} | ({"pointer"} if pointer is not None else set()), error
    assert error.get("pointer") == pointer, error
    assert isinstance(error["message"], str) and 10 <= len(error["message"]) <= 200
    for secret in secrets:
        assert secret.encode() not in answer.body, secret
