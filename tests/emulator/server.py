"""The emulator: AWS's services at one address, over TCP or a unix socket, plain or in TLS, with faults on demand.

    with Emulator() as aws:                       # tcp:127.0.0.1:PORT; aws.url, aws.port
        key = aws.kms.create_key()
        user = aws.add_user("tee", policies=[ALLOW_ALL])
        ... environment: aws.environment(user) ...
        aws.fail(service="kms", operation="Decrypt", kind="throttle", count=2)
        assert aws.calls[-1]["operation"] == "Decrypt"
"""

import json
import secrets
import socket
import socketserver
import ssl
import threading
import time
import uuid
from email.utils import formatdate

from . import signing
from .errors import Refusal
from .identity import Identity
from .kms import Kms
from .s3 import S3
from .secrets import SecretsManager
from .signing import Request

MAX_HEAD = 65536
MAX_BODY = 16 << 20
ALLOW_ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TARGETS = {"TrentService": "kms", "secretsmanager": "secretsmanager"}
REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 412: "Precondition Failed",
           429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable"}


class _Closed(Exception):
    pass


class _Connection(socketserver.BaseRequestHandler):
    def setup(self):
        self.rest = b""
        if self.request.family in (socket.AF_INET, socket.AF_INET6):
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server.emulator.tls is not None:
            self.request = self.server.emulator.tls.wrap_socket(self.request, server_side=True)

    def finish(self):
        try:
            self.request.close()
        except OSError:
            pass

    def _more(self):
        data = self.request.recv(65536)
        if not data:
            raise _Closed
        self.rest += data

    def _take(self, count):
        while len(self.rest) < count:
            self._more()
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def _read(self):
        while b"\r\n\r\n" not in self.rest:
            if len(self.rest) > MAX_HEAD:
                raise _Closed
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        request = Request(method, target, headers, b"", self.server.emulator.tls is not None)
        length = int(request.header("content-length", "0"))
        if length > MAX_BODY or request.header("transfer-encoding"):
            raise _Closed
        request.body = self._take(length)
        return request

    def handle(self):
        emulator = self.server.emulator
        with emulator.lock:
            emulator.num_connections += 1
            emulator.sockets.add(self.request)
        try:
            while True:
                request = self._read()
                for piece in emulator.answer(request):
                    self.request.sendall(piece)
                if request.header("connection", "").lower() == "close":
                    return
        except (_Closed, OSError, ValueError):
            pass
        finally:
            with emulator.lock:
                emulator.sockets.discard(self.request)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # a handshake that the client gave up


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


class Emulator:
    def __init__(self, region="eu-west-1", account="111122223333", host="127.0.0.1", port=0, unix=None, tls=None, root=None):
        """tls: an ssl.SSLContext, or (certificate, key) paths; unix: a path to listen at in place of TCP; root: the
        certificate (x509) under which attestation documents are verified."""
        self.region, self.account = region, account
        self.lock = threading.RLock()
        self.principals = {}
        self.kms = Kms(region, account, root)
        self.secrets = SecretsManager(region, account)
        self.s3 = S3(region, account)
        self.identity = Identity(self.principals, account, region)
        self.calls = []
        self.faults = []
        self.sockets = set()
        self.num_connections = 0
        self.clock_offset = 0  # seconds that this AWS is ahead of the machine
        self.latency = 0.0  # seconds that every answer takes
        self.tls = self._context(tls)
        self.unix = unix
        self.server = _UnixServer(str(unix), _Connection) if unix else _Server((host, port), _Connection)
        self.server.emulator = self
        self.port = None if unix else self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @staticmethod
    def _context(tls):
        if tls is None or isinstance(tls, ssl.SSLContext):
            return tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*[str(each) for each in tls])
        return context

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            for each in list(self.sockets):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def now(self):
        return time.time() + self.clock_offset

    def add_user(self, name, policies=(ALLOW_ALL,), access_key=None, account=None):
        """Long-term credentials of a new user: its access key id; the secret is in principals."""
        access_key = access_key or "AKIA" + secrets.token_hex(8).upper()
        account = account or self.account
        self.principals[access_key] = {"secret": secrets.token_urlsafe(30), "account": account, "policies": list(policies),
                                       "arn": f"arn:aws:iam::{account}:user/{name}"}
        return access_key

    def environment(self, access_key):
        """The variables that an AWS client needs to use these credentials here."""
        principal = self.principals[access_key]
        found = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": principal["secret"], "AWS_REGION": self.region,
                 "AWS_ENDPOINT_URL": self.url}
        if principal.get("token"):
            found["AWS_SESSION_TOKEN"] = principal["token"]
        return found

    def fail(self, kind, service=None, operation=None, count=1, **options):
        """The next `count` calls (-1: all) of the service and operation (None: any) end in a fault. Kinds: status (status,
        body), refuse (code, message, status), throttle, expired_token, html, truncated, empty, slow (seconds: before the
        head; body_seconds: in the body), redirect (location), wrong_length (difference), huge (bytes), close (when:
        "before", "head", "body"), error_in_200."""
        with self.lock:
            self.faults.append({"kind": kind, "service": service, "operation": operation, "count": count, **options})

    def _take_fault(self, call):
        with self.lock:
            for fault in self.faults:
                if fault["count"] == 0 or fault["service"] not in (None, call["service"]):
                    continue
                if fault["operation"] not in (None, call["operation"]):
                    continue
                fault["count"] -= 1
                return fault
        return None

    # Deciding ---------------------------------------------------------------------------------------------------------

    def _service_of(self, request):
        target = request.header("x-amz-target", "")
        if "." in target:
            return TARGETS.get(target.split(".")[0], "unknown")
        if request.path in self.identity.container_paths:
            return "container"
        if request.path.startswith("/latest/"):
            return "metadata"
        if request.method == "POST" and request.path == "/":
            return "sts"
        return "s3"

    def _answer_json(self, call, request):
        service = self.kms if call["service"] == "kms" else self.secrets
        call["operation"] = request.header("x-amz-target").split(".", 1)[1]
        if request.header("content-type") != "application/x-amz-json-1.1":
            raise Refusal("SerializationException", None, 415)
        call["principal"] = self._authenticate(call, request)
        try:
            arguments = json.loads(request.body)
        except ValueError:
            raise Refusal("SerializationException") from None
        if not isinstance(arguments, dict):
            raise Refusal("SerializationException", "Start of structure or map found where not expected.")
        call["input"] = arguments
        if call["service"] == "kms":
            output = service.call(call, call["operation"], arguments)  # its own state is only read: calls run together
        else:
            with self.lock:
                output = service.call(call, call["operation"], arguments)
        return 200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(output).encode()

    def _authenticate(self, call, request):
        scope = signing.scope_of(request)
        if scope is not None and scope[3] != call["service"]:
            raise Refusal("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{call['service']}'.", 403)
        return signing.authenticate(request, self.principals, self.region, self.now())

    def _answer_service(self, call, request):
        if call["service"] in ("kms", "secretsmanager"):
            return self._answer_json(call, request)
        if call["service"] == "s3":
            call["principal"] = self._authenticate(call, request)
            with self.lock:
                return self.s3.call(call, request)
        with self.lock:
            if call["service"] == "sts":
                return 200, [("Content-Type", "text/xml")], self.identity.sts(call, request)
            if call["service"] == "metadata":
                return self.identity.metadata(call, request)
            if call["service"] == "container":
                return self.identity.container(call, request)
        raise Refusal("UnknownOperationException", None, 404)

    def _refuse(self, call, refusal):
        if call["service"] == "s3":
            return refusal.status, [("Content-Type", "application/xml")], refusal.s3_body(call["request_id"])
        if call["service"] == "sts":
            return refusal.status, [("Content-Type", "text/xml")], refusal.sts_body(call["request_id"])
        kind = [("Content-Type", "application/x-amz-json-1.1")]
        if call["service"] == "secretsmanager":
            kind.append(("x-amzn-ErrorType", refusal.code))
        return refusal.status, kind, refusal.json_body()

    def answer(self, request):
        """The answer to one request, in pieces to send."""
        call = {"service": self._service_of(request), "operation": None, "input": None, "outcome": "ok", "principal": None,
                "request_id": str(uuid.uuid4()), "now": self.now(), "headers": dict(request.headers), "target": request.target}
        if "x-amz-target" in call["headers"]:
            call["operation"] = call["headers"]["x-amz-target"].split(".", 1)[-1]
        elif call["service"] == "s3":
            call["operation"] = "GetObject" if self.s3.target_of(request)[1] else "ListObjectsV2"
        fault = self._take_fault(call)
        try:
            if fault is not None and fault["kind"] in ("refuse", "throttle", "expired_token"):
                raise self._fault_refusal(call, fault)
            status, headers, body = self._answer_service(call, request)
        except Refusal as refusal:
            call["outcome"] = refusal.code
            status, headers, body = self._refuse(call, refusal)
        with self.lock:
            self.calls.append(call)
        if self.latency:
            time.sleep(self.latency)
        name = "x-amzn-RequestId" if call["service"] in ("kms", "secretsmanager", "sts") else "x-amz-request-id"
        headers = [*headers, (name, call["request_id"]), ("Date", formatdate(self.now(), usegmt=True))]
        if call["service"] == "s3":
            headers.append(("x-amz-id-2", "emulated/host+id="))
        if fault is not None:
            yield from self._faulty(fault, status, headers, body)
            return
        yield self._head(status, headers, len(body), status == 304) + (b"" if request.method == "HEAD" else body)

    @staticmethod
    def _fault_refusal(call, fault):
        if fault["kind"] == "throttle":
            if call["service"] == "s3":
                return Refusal("SlowDown", "Please reduce your request rate.", 503)
            return Refusal("ThrottlingException", "Rate exceeded", 400)
        if fault["kind"] == "expired_token":
            code = "ExpiredToken" if call["service"] == "s3" else "ExpiredTokenException"
            return Refusal(code, "The security token included in the request is expired", 400)
        return Refusal(fault["code"], fault.get("message"), fault.get("status", 400))

    @staticmethod
    def _head(status, headers, length, is_bodiless=False):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not is_bodiless:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _faulty(self, fault, status, headers, body):
        kind = fault["kind"]
        if kind == "close" and fault.get("when", "before") == "before":
            raise _Closed
        if kind == "slow":
            time.sleep(fault.get("seconds", 0))
            half = len(body) // 2
            yield self._head(status, headers, len(body)) + body[:half]
            time.sleep(fault.get("body_seconds", 0))
            yield body[half:]
        elif kind == "status":
            content = fault.get("body", "").encode()
            yield self._head(fault["status"], headers, len(content)) + content
        elif kind == "html":
            content = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"
            own = [each for each in headers if each[0] != "Content-Type"] + [("Content-Type", "text/html")]
            yield self._head(fault.get("status", 503), own, len(content)) + content
        elif kind == "truncated":
            content = body[: len(body) // 2]
            yield self._head(status, headers, len(content)) + content
        elif kind == "empty":
            yield self._head(fault.get("status", status), headers, 0)
        elif kind == "redirect":
            yield self._head(fault.get("status", 302), [*headers, ("Location", fault["location"])], 0)
        elif kind == "wrong_length":
            yield self._head(status, headers, len(body) + fault.get("difference", 10)) + body
            raise _Closed
        elif kind == "huge":
            yield self._head(status, headers, fault["bytes"])
            for _ in range(fault["bytes"] // 65536):
                yield b" " * 65536
        elif kind == "close":
            head = self._head(status, headers, len(body))
            yield head[: len(head) // 2] if fault["when"] == "head" else head + body[: len(body) // 2]
            raise _Closed
        elif kind == "error_in_200":
            content = json.dumps({"__type": "InternalFailure", "message": "something went wrong"}).encode()
            yield self._head(200, headers, len(content)) + content
        else:
            yield self._head(status, headers, len(body)) + body
