"""Clients of a gateway's envelopes on other people's implementations: npm jose, @hpke with bhttp-js, Debian's jose."""

import base64
import hashlib
import json
import pathlib
import subprocess
import threading
import time
from email.utils import formatdate

import pytest
from conftest import clean_environment, patience, program_path
from enclave_cases import compose

NODE = pathlib.Path(__file__).resolve().parents[1] / "node"
PATHS = {"jwe": "/jwe", "ohttp": "/ohttp"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hexadecimal(data):
    return data.hex() or "-"


def from_hexadecimal(text):
    return b"" if text == "-" else bytes.fromhex(text)


class Peer:
    """A program that answers a line with a line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=clean_environment(None))
        self.lock = threading.Lock()

    def ask(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().rstrip("\n")

    def ask_json(self, **question):
        return json.loads(self.ask(json.dumps(question)))

    def end(self):
        self.process.stdin.close()
        self.process.wait(patience(30))
        self.process.stdout.close()


class Peers:
    """The programs, each started when it is first asked."""

    def __init__(self):
        self.running = {}

    def __getattr__(self, name):
        if name not in self.running:
            if not (NODE / "node_modules").is_dir():
                pytest.fail("tests/node has no node_modules: script/bootstrap installs them")
            self.running[name] = Peer("node", str(NODE / {"jose": "gateway.mjs", "ohttp": "ohttp.mjs"}[name]))
        return self.running[name]

    def end(self):
        for peer in self.running.values():
            peer.end()


def streamed(message):
    """The same binary HTTP in the form of indeterminate length, which bhttp-js does not write."""
    program = str(program_path("tests/envelope_answers"))
    done = subprocess.run([program], input=f"bhttp-stream - {message}\n", capture_output=True, text=True,
                          env=clean_environment(None), timeout=patience(30), check=True)
    return done.stdout.strip()


class Sealed:
    """A request that is sealed, and what its sender keeps to read the answer by."""

    def __init__(self, kind, body, kept):
        self.kind = kind
        self.body = body
        self.kept = kept


class Inside:
    """What an answer holds when it is opened."""

    def __init__(self, status, content_type, body, headers):
        self.status = status
        self.content_type = content_type
        self.body = body
        self.headers = headers

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.content_type} {self.headers} {self.body[:300]!r}>"


class Client:
    """One that seals to a running enclave's published keys, and reads what comes back."""

    def __init__(self, peers, enclave):
        self.peers = peers
        self.enclave = enclave
        self.fetch_keys()

    def fetch_keys(self):
        jwks = self.enclave.get("/.well-known/jwks.json")
        keys = self.enclave.get("/.well-known/ohttp-gateway")
        assert jwks.status == 200 and keys.status == 200, (jwks, keys)
        self.jwks = jwks.json
        self.ohttp_keys = keys.body

    def seal_jwe(self, body, **header):
        made = self.peers.jose.ask_json(seal=body.hex(), jwks=self.jwks, header=header)
        return Sealed("jwe", made["jwe"].encode(), made["reply"])

    def open_jwe(self, sealed, text):
        """The answer, verified as far as npm jose does; what it says of the request is held against it here."""
        opened = self.peers.jose.ask_json(open=text.decode(), reply=sealed.kept, jwks=self.jwks)
        if "refused" in opened:
            raise ValueError(opened["refused"])
        header = opened["header"]
        if header["req"] != base64url(hashlib.sha256(sealed.body).digest()):
            raise ValueError("an answer to another request")
        assert set(header) <= {"alg", "kid", "cty", "req", "status", "iat"}, header
        assert abs(header["iat"] - time.time()) < patience(120) + 86400 * 3
        return Inside(header["status"], header.get("cty"), bytes.fromhex(opened["payload"]), header)

    def inner(self, body, method="POST", path=PATHS["ohttp"], authority="localhost", date=None, is_streamed=False, **headers):
        """A binary HTTP request of bhttp-js; streamed: in the form of indeterminate length."""
        all_headers = {"content-type": "application/json", "date": formatdate(date, usegmt=True), **headers}
        given = base64url(json.dumps({name: value for name, value in all_headers.items() if value}).encode())
        message = self.peers.ohttp.ask(f"encode {method} https://{authority}{path} {hexadecimal(body)} {given}")
        assert not message.startswith("refused"), message
        return streamed(message) if is_streamed else message

    def seal_ohttp(self, body, aead=1, **inner):
        message = inner.pop("message", None) or self.inner(body, **inner)
        sealed, state = self.peers.ohttp.ask(f"ask {hexadecimal(self.ohttp_keys)} {aead} {message}").split(" ")
        return Sealed("ohttp", bytes.fromhex(sealed), state)

    def open_ohttp(self, sealed, data):
        message = self.peers.ohttp.ask(f"answered {sealed.kept} {hexadecimal(data)}")
        if message.startswith("refused"):
            raise ValueError(message)
        status, body, headers = self.peers.ohttp.ask(f"decode-response {message} headers").split(" ")
        headers = json.loads(base64.urlsafe_b64decode(headers + "=="))
        return Inside(int(status), headers.get("content-type"), from_hexadecimal(body), headers)

    def seal(self, kind, body, **options):
        return self.seal_jwe(body, **options) if kind == "jwe" else self.seal_ohttp(body, **options)

    def send(self, sealed, path=None, enclave=None, connection=None):
        """The answer as it came over the wire."""
        content_type = {"jwe": "application/jose", "ohttp": "message/ohttp-req"}[sealed.kind]
        request = compose("POST", path or PATHS[sealed.kind], sealed.body, [("Content-Type", content_type)])
        return connection.ask(request) if connection else (enclave or self.enclave).ask(request)

    def open(self, sealed, answer):
        """What is inside an answer that must be sealed."""
        expected = {"jwe": "application/jose", "ohttp": "message/ohttp-res"}[sealed.kind]
        assert answer.header("Content-Type") == expected, answer
        assert answer.header("Cache-Control") == "no-store"
        inside = (self.open_jwe if sealed.kind == "jwe" else self.open_ohttp)(sealed, answer.body)
        if sealed.kind == "ohttp":
            assert answer.status == 200
        elif inside.status not in (204, 205, 304):
            assert answer.status == inside.status
        return inside

    def call(self, kind, body, **options):
        sealed = self.seal(kind, body, **options)
        return self.open(sealed, self.send(sealed))


def wait_until_fresh():
    """What was sealed in the second in which an enclave started counts as made before it."""
    began = int(time.time())
    while int(time.time()) <= began:
        time.sleep(0.02)
