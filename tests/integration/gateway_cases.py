"""What the tests of the gateway share: a backend over mTLS that does what a test wants, and an enclave in front of it."""

import contextlib
import json
import socket
import ssl
import threading

from certificates import Authority
from conftest import _take_port, patience
from enclave_cases import client_context, compose, serving, write_case

JSON_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def answer_of(document, status="200 OK", content_type="application/json", headers=""):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Request:
    """What came: lower-case header names; caller: the common name in the client's certificate, or None."""

    def __init__(self, head, body, caller):
        lines = head.decode("ascii").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.headers = [(line.split(": ", 1)[0].lower(), line.split(": ", 1)[1]) for line in lines[1:]]
        self.body = body
        self.caller = caller

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else None


def echo(request):
    """As examples/processing-service answers."""
    return answer_of({"caller": request.caller, "received": json.loads(request.body or b"null")})


class Backend:
    """A server over mTLS on a port of its own; respond(request) gives the bytes of the answer, or takes (request, sock)
    itself where it is marked by `raw`."""

    def __init__(self, identity, authority, respond=echo, verify=ssl.CERT_REQUIRED, port=None):
        self.respond = respond
        self.requests = []
        self.num_connections = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity)
        self.context.verify_mode = verify
        if authority is not None:
            self.context.load_verify_locations(authority)
        self.port = port or _take_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.open = set()
        self.is_ended = False
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        raw.settimeout(patience(60))
        self.open.add(raw)
        self.num_connections += 1
        try:
            with self.context.wrap_socket(raw, server_side=True) as sock:
                self.open.add(sock)
                self._serve_requests(sock)
        except (OSError, ValueError):
            pass  # the enclave is gone, or does not believe us
        finally:
            self.open.discard(raw)

    def _serve_requests(self, sock):
        certificate = sock.getpeercert() or {}
        names = [value for item in certificate.get("subject", ()) for key, value in item if key == "commonName"]
        unread = b""
        while True:
            while b"\r\n\r\n" not in unread:
                more = sock.recv(65536)
                if not more:
                    return
                unread += more
            head, unread = unread.split(b"\r\n\r\n", 1)
            request = Request(head, b"", names[0] if names else None)
            length = int(request.header("content-length") or 0)
            while len(unread) < length:
                unread += sock.recv(65536)
            request.body, unread = unread[:length], unread[length:]
            self.requests.append(request)
            respond = self.respond
            if getattr(respond, "is_raw", False):
                respond(request, sock)
                return
            sock.sendall(respond(request))

    def end(self):
        """Ends at once, and all that is open."""
        self.listener.shutdown(socket.SHUT_RDWR)  # closing alone does not end the accept that waits
        self.accepting.join()
        self.listener.close()
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                sock.close()


def raw(respond):
    respond.is_raw = True
    return respond


def split_pem(path):
    text = path.read_text()
    at = text.index("-----BEGIN PRIVATE KEY-----")
    return text[:at], text[at:]


class Gateway:
    """An enclave with routes to one backend, the authority of both, and where secrets are delivered."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder, "mtls authority")
        self.clients = Authority(folder, "clients authority")
        self.secrets_path = str(folder / "s")
        self.client = client_context(self.clients.issue("caller.pem", ["DNS:caller.example"]))
        self.enclave = None

    def backend(self, names=("DNS:localhost",), respond=echo, authority=None, port=None, **options):
        certificate = (authority or self.authority).issue("backend.pem", names, "localhost", is_server=True, **options)
        return Backend(certificate, self.authority.path, respond, port=port)

    def bundle(self, name="enclave", authority=None, **values):
        authority = authority or self.authority
        cert, key = split_pem(authority.issue(f"{name}.pem", common_name=name))
        parts = {"client_cert": cert, "client_key": key, "ca_cert": self.authority.path.read_text()}
        return {"MTLS_CLIENT_CERT_JSON": parts, **values}

    def deliver(self, bundle):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(patience(30))
            sock.connect(self.secrets_path)
            sock.sendall(json.dumps(bundle).encode())
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while more := sock.recv(65536):
                answer += more
        answer = json.loads(answer)
        assert answer["status"] == "ok", answer
        return answer["version"]

    @contextlib.contextmanager
    def serving(self, routes, **settings):
        write_case(self.folder)
        path = self.folder / "routes.json"
        path.write_text(json.dumps({"routes": routes}))
        settings = {
            "ROUTES_PATH": path,
            "SECRETS_ADDRESS": f"unix:{self.secrets_path}",
            "SECRETS_DIR": "memory",
            "EGRESS_ADDRESS": "off",
            "CLIENT_CA_PATH": self.clients.path,
            **settings,
        }
        with serving(self.folder, **settings) as enclave:
            self.enclave = enclave
            yield enclave

    def ask(self, path, document=None, method="POST", headers=(), context=None):
        body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        given = [("Content-Type", "application/json"), *headers] if body else list(headers)
        return self.enclave.ask(compose(method, path, body, given), context or self.client)


def route(path, backend, **members):
    """A route to the backend's /process; members: request, response, clients, methods, and upstream's own."""
    upstream = {"url": f"https://localhost:{backend.port}/process", **members.pop("upstream", {})}
    return {"path": path, "upstream": upstream, **members}
