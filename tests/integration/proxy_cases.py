"""What the tests of teegate-proxy share: small servers to route to, sockets to ask with, a running proxy."""

import contextlib
import json
import socket
import ssl
import struct
import threading

from certificates import Authority
from conftest import patience, wait_for_listener

PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def connect(address, timeout=20):
    """A connected socket to a (host, port) or a unix path."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(patience(timeout))
    sock.connect(address if family == socket.AF_INET else str(address))
    return sock


def read_all(sock):
    """Everything up to the end; a reset counts as the end."""
    chunks = []
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            break
        data += chunk
    return data


def ask(address, data, timeout=20):
    """Sends the bytes, ends our side, returns the whole answer."""
    with connect(address, timeout) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def is_closed_without_answer(address, data, timeout=20):
    with connect(address, timeout) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
        return read_all(sock) == b""


class Server:
    """A listener whose connections each run `serve(socket)` in a thread. `connections` counts them."""

    def __init__(self, serve, path=None):
        self._serve = serve
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.port = self._listener.getsockname()[1]
            self.address = f"tcp:127.0.0.1:{self.port}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen(512)
            self.address = f"unix:{path}"
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        sock.settimeout(patience(60))
        with sock, contextlib.suppress(OSError, ValueError):
            self._serve(sock)

    def close(self):
        self._listener.close()


def echo(sock):
    """Sends back what comes, ends when the other side does."""
    while chunk := sock.recv(65536):
        sock.sendall(chunk)
    sock.shutdown(socket.SHUT_WR)


def http_named(name):
    """A server of HTTP/1.1 that answers each request with its own name, the request line and the body's length."""

    def serve(sock):
        file = sock.makefile("rb")
        while True:
            line = file.readline()
            if not line:
                return
            headers = {}
            while (field := file.readline()) not in (b"\r\n", b""):
                key, _, value = field.decode("latin-1").partition(":")
                headers[key.strip().lower()] = value.strip()
            if "chunked" in headers.get("transfer-encoding", ""):
                length = 0
                while size := int(file.readline(), 16):
                    length += len(file.read(size))
                    file.readline()
                file.readline()
            else:
                length = len(file.read(int(headers.get("content-length", 0))))
            body = f"{name} {line.decode('latin-1').strip()} {length}\n".encode()
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if headers.get("connection") == "close":
                return

    return serve


def tls_named(name, folder):
    """A TLS server with a certificate for its name that says it and echoes what comes."""
    certificate = Authority(folder, f"{name} authority").issue(name, names=[f"DNS:{name}"], is_server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            tls.sendall(name.encode() + b"\n")
            while chunk := tls.recv(65536):
                tls.sendall(chunk)

    return serve


def client_hello(name=None, extra=b""):
    """The first flight of a TLS client, as the ssl module makes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read() + extra


def proxy_header(source=("192.0.2.7", 4711), destination=("192.0.2.8", 443), tlvs=b""):
    body = socket.inet_aton(source[0]) + socket.inet_aton(destination[0]) + struct.pack("!HH", source[1], destination[1])
    return PROXY_SIGNATURE + b"\x21\x11" + struct.pack("!H", len(body + tlvs)) + body + tlvs


def read_proxy_header(sock):
    """(family byte, body) of a PROXY header of version 2, or None where none stands there."""
    head = read_exactly(sock, 16)
    if head[:12] != PROXY_SIGNATURE:
        return None
    return head[13], read_exactly(sock, struct.unpack("!H", head[14:16])[0])


def write_config(scratch, config):
    path = scratch / "proxy.json"
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    return path


def start_proxy(start, scratch, config, *waits, sockets=(), prefix=(), is_heard=True, **environment):
    """A running proxy; `waits` are the addresses that must accept before it counts as started.

    is_heard: its log is read; otherwise the addresses alone say that it runs.
    """
    path = write_config(scratch, config)
    program = start("teegate-proxy", env={"PROXY_CONFIG": path, "WORKERS": 2, **environment}, sockets=sockets, prefix=prefix)
    if is_heard:
        program.wait_event("started")
    for address in waits:
        wait_for_listener(address)
    return program
