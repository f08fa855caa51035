"""`teegate call` and examples/client through a real enclave, with a host between that sees, changes or answers."""

import json
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import threading

import pytest
from certificates import Authority
from conftest import SOURCE, clean_environment, patience, program_path
from enclave_cases import compose
from envelope_peer import Envelope
from gateway_cases import Gateway, answer_of, raw, route
from proxy_cases import start_proxy

ALLOWED = [word for name in ("test-root", "any-image", "development", "open-encrypt", "open-secrets") for word in ("--allow", name)]
NODE = SOURCE / "tests/node"
SECRET = b'{"iban":"DE02120300000000202051"}'
TEE = "tee-k.example.org"


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:  # short, for the sockets' paths
        yield pathlib.Path(name)


@pytest.fixture(name="gateway")
def fixture_gateway(folder):
    """A gateway with a route for each envelope, and its backend as .backend_of."""
    gateway = Gateway(folder)
    gateway.backend_of = gateway.backend()
    routes = [
        route(f"{path}{kind}", gateway.backend_of, request={"decrypt": kind}, response={"encrypt": kind}, **more)
        for kind in ("jwe", "ohttp")
        for path, more in (("/", {}), ("/listed/", {"clients": ["caller.example"]}))
    ]
    with gateway.serving(routes, ATTESTATION_DEVICE="simulator", REPLAY_AHEAD_SECS=0):
        yield gateway


@pytest.fixture(name="call")
def fixture_call(gateway, run):
    def call(kind, *options, url=None, allowed=ALLOWED, body=SECRET):
        url = url or gateway.enclave.url
        return run("teegate", "call", f"{url}/{kind}", "-d", "@-", "--envelope", kind, *allowed, *options, input=body)

    return call


KINDS = pytest.mark.parametrize("kind", ["jwe", "ohttp"])


@KINDS
def test_backend_sees_the_request_and_the_caller_its_answer(gateway, call, folder, kind):
    gateway.deliver(gateway.bundle())
    done = call(kind, "-v")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"caller": "enclave", "received": json.loads(SECRET)}
    assert b"DE0212" not in done.stderr and b"* verified" in done.stderr
    assert gateway.backend_of.requests[-1].body == SECRET
    done = call(kind, "-o", folder / "answer", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["end"], told["verified"], told["status"]) == ("answered", True, 200) and "body" not in told
    assert json.loads((folder / "answer").read_bytes())["received"] == json.loads(SECRET)
    assert stat.S_IMODE((folder / "answer").stat().st_mode) == 0o600


@KINDS
def test_errors_behind_the_opening_are_verified(gateway, call, kind):
    gateway.deliver(gateway.bundle())
    gateway.backend_of.respond = lambda request: answer_of({"error": "no such account"}, status="422 Unprocessable Content")
    done = call(kind, "--json")
    assert done.returncode == 4, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == 422 and json.loads(told["body"]) == {"error": "no such account"}
    gateway.backend_of.respond = raw(lambda request, sock: None)  # ends without an answer
    done = call(kind)
    assert done.returncode == 4 and b"502 (verified)" in done.stderr, done.stderr
    assert json.loads(done.stdout)["code"].startswith("upstream_")


@KINDS
def test_errors_before_the_opening_are_nobodys(gateway, call, run, kind):
    done = call(kind)
    assert done.returncode == 5 and done.stdout == b"" and b"MTLS_CLIENT_CERT_JSON" in done.stderr, done.stderr
    gateway.deliver(gateway.bundle())
    other = "ohttp" if kind == "jwe" else "jwe"
    done = run("teegate", "call", f"{gateway.enclave.url}/{other}", "-d", "@-", "--envelope", kind, *ALLOWED, input=SECRET)
    assert done.returncode == 5 and done.stdout == b"" and b"unsupported_media_type" in done.stderr
    done = run("teegate", "call", f"{gateway.enclave.url}/nowhere", "-d", "@-", *ALLOWED, input=SECRET)
    assert done.returncode == 5 and done.stdout == b"" and b"nobody vouches" in done.stderr


@KINDS
def test_enclave_that_is_not_verified_gets_nothing(gateway, call, kind):
    gateway.deliver(gateway.bundle())
    done = call(kind, allowed=())
    assert done.returncode == 1 and done.stdout == b"" and b"nothing was sent" in done.stderr
    done = call(kind, "--pcr", "0=" + "11" * 48)
    assert done.returncode == 1 and b"PCR0 is a0a0" in done.stderr
    assert gateway.backend_of.requests == []


@KINDS
def test_listed_caller_shows_a_certificate(gateway, call, folder, kind):
    gateway.deliver(gateway.bundle())
    listed = f"{gateway.enclave.url}/listed"
    done = call(kind, url=listed)
    assert done.returncode == 5 and b"forbidden" in done.stderr, done.stderr
    done = call(kind, "--cert", folder / "caller.pem", "-v", url=listed)
    assert done.returncode == 0 and b"* identified" in done.stderr, done.stderr
    assert json.loads(done.stdout)["received"] == json.loads(SECRET)


class Tap:
    """A host that relays and keeps what it sees."""

    def __init__(self, port):
        self.port = port
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp:127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=(one, other), daemon=True).start()

    def _relay(self, one, other):
        try:
            while data := one.recv(65536):
                self.seen.append(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@KINDS
def test_host_that_routes_sees_ciphertext_alone(gateway, call, start, folder, free_port, kind):
    gateway.deliver(gateway.bundle())
    tap = Tap(gateway.enclave.port)
    port = free_port()
    front = f"tcp:127.0.0.1:{port}"
    config = {
        "domains": {TEE: {"cid": 16, "https": tap.address, "egress": []}},
        "listen": {"http": [], "https": [front], "kms": [], "internet": [f"unix:{folder}/egress?cid=16"]},
    }
    start_proxy(start, folder, config, ("127.0.0.1", port))
    done = call(kind, "--connect-to", front, url=f"https://{TEE}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["received"] == json.loads(SECRET)
    seen = b"".join(tap.seen)
    assert len(seen) > 1000 and TEE.encode() in seen  # the name by which it routes
    for hidden in (b"DE0212", b"caller", b"received", kind.encode() + b" HTTP", b"nonce="):
        assert hidden not in seen


@KINDS
def test_host_that_ends_tls_itself_is_found_and_sent_nothing(gateway, call, folder, kind):
    """It has a certificate that the world believes, and relays the attestation word for word."""
    gateway.deliver(gateway.bundle())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(folder, "host authority").issue("host.pem", ["DNS:localhost"], is_server=True))
    asked = []

    def serve(listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with context.wrap_socket(near, server_side=True) as sock:
                while data := sock.recv(65536):
                    asked.append(data)
                    target = data.split(b" ")[1].decode()
                    answer = gateway.enclave.ask(compose("GET", target))
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer.body) + answer.body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        done = call(kind, url=f"https://127.0.0.1:{listener.getsockname()[1]}")
        assert done.returncode == 1 and b"somebody is between" in done.stderr, done.stderr
        listener.shutdown(socket.SHUT_RDWR)
    assert len(asked) == 1 and asked[0].startswith(b"GET /attestation?nonce=")
    assert gateway.backend_of.requests == []


def test_envelope_of_another_implementation_goes_through(gateway):
    gateway.deliver(gateway.bundle())
    keys = gateway.enclave.get("/.well-known/jwks.json").json

    def ask():
        envelope = Envelope(keys, SECRET, "/jwe")
        answer = gateway.enclave.ask(compose("POST", "/jwe", envelope.text, [("Content-Type", "application/jose")]))
        status, body = envelope.open(answer.body)
        assert status == answer.status
        is_early = status == 503 and json.loads(body)["code"] == "iat_before_start"  # of a second that began before it
        return None if is_early else (status, body)

    status, body = gateway.enclave.program.wait_until(ask, 20, "an envelope of now to be taken")
    assert status == 200 and json.loads(body)["received"] == json.loads(SECRET)


@pytest.fixture(name="client")
def fixture_client(gateway, folder):
    """examples/client with the npm jose of tests/node, as `npm install` would have put it there."""
    if not (NODE / "node_modules").is_dir():
        pytest.fail("tests/node has no node_modules: script/bootstrap installs them")
    made = folder / "client"
    shutil.copytree(SOURCE / "examples/client", made)
    (made / "node_modules").symlink_to(NODE / "node_modules")
    (folder / "request.json").write_bytes(SECRET)

    def run_client(*options, url=None, **environment):
        command = ["node", str(made / "client.mjs"), url or f"{gateway.enclave.url}/jwe", str(folder / "request.json"), *options]
        environment = {**clean_environment(None), "TEEGATE": str(program_path("teegate")), **environment}
        return subprocess.run(command, env=environment, capture_output=True, timeout=patience(60), check=False)

    return run_client


def test_example_client_gets_the_answer_that_is_its_own(gateway, client):
    gateway.deliver(gateway.bundle())
    done = client(*ALLOWED)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"caller": "enclave", "received": json.loads(SECRET)}
    gateway.backend_of.respond = lambda request: answer_of({"error": "no such account"}, status="422 Unprocessable Content")
    done = client(*ALLOWED)
    assert done.returncode == 4 and json.loads(done.stdout) == {"error": "no such account"}, done.stderr


def test_example_client_believes_nobody_else(gateway, client, folder):
    gateway.deliver(gateway.bundle())
    done = client()
    assert done.returncode == 1 and done.stdout == b"" and b"not verified" in done.stderr and b"root: " in done.stderr
    done = client(*ALLOWED, url=f"{gateway.enclave.url}/nowhere")
    assert done.returncode == 1 and done.stdout == b"" and b"nobody vouches" in done.stderr
    # The tool is asked where the enclave is; what the client then connects to is somebody else's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(folder, "host authority").issue("host.pem", ["DNS:localhost"], is_server=True))
    heard = []

    def serve(listener):
        near, _ = listener.accept()
        try:
            with context.wrap_socket(near, server_side=True) as sock:
                heard.append(sock.recv(65536))
        except OSError:  # the client ends within the handshake's last step
            heard.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        done = client(*ALLOWED, CONNECT_TO=f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join(patience(20))
    assert done.returncode == 1 and b"somebody is between" in done.stderr, done.stderr
    assert heard == [b""]
    assert gateway.backend_of.requests == []
