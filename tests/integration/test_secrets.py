"""Delivery of secrets to a running enclave: by socat and plain sockets, good ones, bad ones, and many at once."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest
from certificates import Authority
from conftest import patience
from enclave_cases import compose_fields, ended, launch, serving, write_case

MIB = 1 << 20


def split_pem(path):
    text = pathlib.Path(path).read_text()
    at = text.index("-----BEGIN PRIVATE KEY-----")
    return text[:at], text[at:]


class Parts:
    """An authority and a client certificate of it, as a delivery holds them."""

    def __init__(self, folder, name="test authority", **options):
        self.authority = Authority(folder, name)
        self.cert, self.key = split_pem(self.authority.issue(name.replace(" ", "-") + "-client.pem", **options))
        self.ca = self.authority.path.read_text()

    def bundle(self, **changes):
        return {"MTLS_CLIENT_CERT_JSON": {"client_cert": self.cert, "client_key": self.key, "ca_cert": self.ca, **changes}}


class Secrets:
    """The address that an enclave takes deliveries at."""

    def __init__(self, path):
        self.path = path

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(patience(30))
        sock.connect(self.path)
        return sock

    def deliver(self, content):
        """What is answered; content: bytes, or what becomes JSON."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        with self.connect() as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before the end; the answer is there all the same
            answer = b""
            while more := sock.recv(65536):
                answer += more
        return json.loads(answer)

    def refused(self, content, code):
        answer = self.deliver(content)
        assert answer["status"] == "error" and answer["code"] == code, answer
        assert set(answer) == {"status", "code", "message"} and len(answer["message"]) > 10
        return answer["message"]


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        yield pathlib.Path(name)


@pytest.fixture(name="place")
def fixture_place(folder):
    """An enclave in local mode with its settings: (enclave, secrets, folder of the files)."""
    write_case(folder)
    path = folder / "s"
    certs = folder / "certs"
    with serving(folder, SECRETS_ADDRESS=f"unix:{path}", SECRETS_DIR=certs, SECRETS_VALUES="PARTNER_TOKEN") as enclave:
        yield enclave, Secrets(str(path)), certs


@pytest.fixture(name="parts")
def fixture_parts(folder):
    return Parts(folder)


def modes(certs):
    return {path.name: oct(path.stat().st_mode & 0o777) for path in certs.iterdir()}


def test_delivery_by_socat_is_applied_and_answered(place, parts):
    enclave, secrets, certs = place
    done = subprocess.run(
        ["socat", "-t", "10", "-", f"UNIX-CONNECT:{secrets.path}"],
        input=json.dumps(parts.bundle()).encode(),
        capture_output=True,
        timeout=patience(30),
        check=True,
    )
    assert json.loads(done.stdout) == {"status": "ok", "applied": ["MTLS_CLIENT_CERT_JSON"], "version": 1}
    assert modes(certs) == {"client.crt": "0o644", "client.key": "0o600", "ecs-ca.crt": "0o644"}
    assert (certs / "client.crt").read_text() == parts.cert
    assert (certs / "client.key").read_text() == parts.key
    assert (certs / "ecs-ca.crt").read_text() == parts.ca
    enclave.program.wait_event("delivered", version=1)


def test_delivery_as_a_json_string_under_other_names_is_applied(place, parts):
    _, secrets, _ = place
    inner = json.dumps({"certificate": parts.cert, "private_key": parts.key, "ca_certificate": parts.ca})
    answer = secrets.deliver({"MTLS_CLIENT_CERT_JSON": inner, "ECS_WATERMARK_ENDPOINT": "https://w.example/a", "PARTNER_TOKEN": "t"})
    assert answer["status"] == "ok"
    assert sorted(answer["applied"]) == ["ECS_WATERMARK_ENDPOINT", "MTLS_CLIENT_CERT_JSON", "PARTNER_TOKEN"]


@pytest.mark.parametrize("content", [b"", b"{}", b"test", b"test\n", b'"test"'])
def test_delivery_that_says_nothing_changes_nothing(place, content):
    _, secrets, certs = place
    assert secrets.deliver(content) == {"status": "ok", "applied": [], "version": 0}
    assert list(certs.iterdir()) == []


def test_bad_deliveries_leave_the_old_secrets_and_are_refused_without_content(place, parts, folder):
    enclave, secrets, certs = place
    assert secrets.deliver(parts.bundle())["version"] == 1
    before = {path.name: path.read_bytes() for path in certs.iterdir()}
    other = Parts(folder, "other authority")
    expired = Parts(folder, "third authority", seconds=-3600)
    chain = parts.authority.path.read_text()
    encrypted = subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:hunter2"],
        input=parts.key.encode(), capture_output=True, timeout=patience(30), check=True,
    ).stdout.decode()
    refusals = [
        (b"not json", "not_json"),
        (b'{"MTLS_CLIENT_CERT_JSON":', "not_json"),
        (b"[]", "not_json"),
        (b'{"A":1} {"A":1}', "not_json"),
        (b" " * (MIB + 1), "too_large"),
        (b"x" * (3 * MIB), "too_large"),
        ({"UNKNOWN": "hunter2"}, "unknown_member"),
        ({"DEK": "hunter2"}, "forbidden_member"),
        ({"TLS_CERT_JSON": {"cert": parts.cert, "key": parts.key}}, "forbidden_member"),
        ({"AWS_SECRET_ACCESS_KEY": "hunter2"}, "forbidden_member"),
        ({"CLIENT_CA_PEM": parts.ca}, "forbidden_member"),
        ({"ECS_WATERMARK_ENDPOINT": "hunter2"}, "bad_url"),
        (parts.bundle(client_key=other.key), "bad_certificate"),
        (parts.bundle(client_key=encrypted), "bad_certificate"),
        (parts.bundle(client_key=""), "bad_certificate"),
        (parts.bundle(ca_cert=other.ca), "bad_certificate"),
        (parts.bundle(client_cert=chain + parts.cert), "bad_certificate"),
        (parts.bundle(client_cert=parts.cert.replace("\n", "\\n")), "bad_certificate"),
        (expired.bundle(), "bad_certificate"),
        (parts.bundle(extra="hunter2"), "unknown_member"),
        (parts.bundle(cert=parts.cert), "doubled_member"),
    ]
    for content, code in refusals:
        message = secrets.refused(content, code)
        assert "hunter2" not in message
    for number, (_, code) in enumerate(refusals):
        enclave.program.wait_event("delivery_refused", count=1 + sum(c == code for _, c in refusals[:number]), code=code)
    assert "hunter2" not in enclave.program.log and "PRIVATE KEY" not in enclave.program.log.replace("BEGIN PRIVATE KEY----- to", "")
    assert {path.name: path.read_bytes() for path in certs.iterdir()} == before
    assert secrets.deliver(b"{}")["version"] == 1


def test_half_a_delivery_then_nothing_does_not_keep_others_waiting(place, parts):
    _, secrets, _ = place
    with secrets.connect() as sock:
        sock.sendall(b'{"MTLS_CLIENT_CERT_JSON":')
        assert secrets.deliver(parts.bundle())["status"] == "ok"
        answer = b""
        while more := sock.recv(65536):  # 10 s, then it is told
            answer += more
        assert json.loads(answer)["code"] == "timeout"
    assert secrets.deliver(b"{}")["version"] == 1


def test_two_hundred_senders_at_once_are_all_answered(place, parts):
    _, secrets, _ = place
    content = json.dumps(parts.bundle()).encode()
    socks = [secrets.connect() for _ in range(200)]
    for sock in socks:
        sock.sendall(content[: len(content) // 2])
    with concurrent.futures.ThreadPoolExecutor(50) as pool:

        def finish(sock):
            with sock:
                sock.sendall(content[len(content) // 2 :])
                sock.shutdown(socket.SHUT_WR)
                answer = b""
                while more := sock.recv(65536):
                    answer += more
                return json.loads(answer)

        answers = list(pool.map(finish, socks))
    assert sorted(answer["version"] for answer in answers) == list(range(1, 201))


def test_directory_that_is_gone_refuses_and_keeps_the_old(place, parts, folder):
    _, secrets, certs = place
    assert secrets.deliver(parts.bundle())["version"] == 1
    shutil.rmtree(certs)
    secrets.refused(Parts(folder, "other authority").bundle(), "cannot_store")
    assert secrets.deliver(b"{}")["version"] == 1
    certs.mkdir()
    assert secrets.deliver(Parts(folder, "third authority").bundle())["version"] == 2


def test_readiness_does_not_wait_for_secrets(place):
    enclave, _, _ = place
    assert enclave.get("/ready").status == 200
    enclave.program.wait_event("none_yet")


def test_requests_go_on_while_secrets_change(place, parts):
    enclave, secrets, _ = place
    with enclave.connect() as connection:
        for version in range(1, 21):
            assert secrets.deliver(parts.bundle())["version"] == version
            answer = connection.ask(compose_fields("encrypt", b'{"ssn":"123-45-6789"}'))
            assert answer.status == 200, answer


def test_address_that_is_taken_is_a_fault_at_start(folder):
    write_case(folder)
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(folder / "s"))
        taken.listen()
        with ended(launch(folder, SECRETS_ADDRESS=f"unix:{folder / 's'}")) as enclave:
            enclave.program.wait_event("cannot_start")
            assert enclave.program.wait() == 1
    assert os.path.exists(folder / "s")


ALLOW = [word for name in ("test-root", "any-image", "development", "open-encrypt") for word in ("--allow", name)]


@pytest.fixture(name="sealed")
def fixture_sealed(folder, run):
    """An enclave in sealed mode that a simulator attests: (enclave, secrets, the signer's key)."""
    write_case(folder)
    key = folder / "signer.pem"
    for name in ("signer.pem", "stranger.pem"):
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(folder / name)],
            check=True, capture_output=True, timeout=patience(30),
        )
    signer = run("teegate", "secrets", "signer", key).stdout.decode().strip()
    options = {
        "SECRETS_ADDRESS": f"unix:{folder / 's'}",
        "SECRETS_DIR": "memory",
        "SECRETS_MODE": "sealed",
        "SECRETS_SIGNERS": signer,
        "ATTESTATION_DEVICE": "simulator",
    }
    with serving(folder, **options) as enclave:
        yield enclave, Secrets(str(folder / "s")), key


def send(run, enclave, secrets, key, content, allow=ALLOW):
    arguments = ["--sign", key, "--attestation", enclave.url, *allow]
    return run("teegate", "secrets", "send", f"unix:{secrets.path}", *arguments, input=json.dumps(content).encode())


def test_sealed_delivery_by_the_tool_is_applied(sealed, run, parts):
    enclave, secrets, key = sealed
    done = send(run, enclave, secrets, key, parts.bundle())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["applied"] == ["MTLS_CLIENT_CERT_JSON"]


def test_sealed_delivery_brings_the_enclaves_own_certificate(sealed, run, parts):
    enclave, secrets, key = sealed
    done = send(run, enclave, secrets, key, {"TLS_CERT_JSON": {"cert": parts.cert, "key": parts.key}})
    assert done.returncode == 0, done.stderr

    def shown():
        with enclave.connect() as connection:
            return connection.sock.getpeercert(binary_form=True)

    wanted = ssl.PEM_cert_to_DER_cert(parts.cert)
    enclave.program.wait_until(lambda: shown() == wanted, 20, "the delivered certificate")
    manifest = enclave.get("/attestation").json["manifest"]
    assert manifest["tls_key_origin"] == "delivered" and manifest["secrets_mode"] == "sealed"


def test_sealed_enclave_takes_nothing_open_and_nothing_from_strangers(sealed, run, parts, folder):
    enclave, secrets, key = sealed
    secrets.refused(parts.bundle(), "not_sealed")
    done = send(run, enclave, secrets, folder / "stranger.pem", parts.bundle())
    assert done.returncode == 1 and b"unknown_signer" in done.stderr
    assert secrets.deliver(b"{}")["version"] == 0


def test_sealed_delivery_goes_to_no_enclave_that_is_not_verified(sealed, run, parts):
    enclave, secrets, key = sealed
    done = send(run, enclave, secrets, key, parts.bundle(), allow=())
    assert done.returncode == 1 and b"nothing was sent" in done.stderr
    assert secrets.deliver(b"{}")["version"] == 0


def test_sealed_delivery_replayed_by_the_host_is_refused(sealed, run, parts, folder):
    """A host in the middle keeps what it relays and sends it again."""
    enclave, secrets, key = sealed
    tap = folder / "tap"
    with subprocess.Popen(
        ["socat", "-r", str(folder / "kept"), f"UNIX-LISTEN:{tap}", f"UNIX-CONNECT:{secrets.path}"], stderr=subprocess.DEVNULL
    ) as relay:
        enclave.program.wait_until(tap.exists, 20, "socat's socket")
        done = send(run, enclave, Secrets(str(tap)), key, parts.bundle())
        assert done.returncode == 0, done.stderr
        relay.wait(patience(20))
    kept = (folder / "kept").read_bytes()
    assert b"PRIVATE KEY" not in kept and b"MTLS" not in kept
    secrets.refused(kept, "not_newer")


@pytest.mark.parametrize("kind", ["--rsa", "--days=30"])
def test_pki_init_makes_secrets_that_an_enclave_takes_and_openssl_believes(place, run, folder, kind):
    _, secrets, _ = place
    made = folder / "pki"
    made.mkdir()
    done = run("teegate", "pki", "init", made, "--server", "localhost", "--server", "127.0.0.1", kind)
    assert done.returncode == 0, done.stderr
    assert secrets.deliver((made / "secrets.json").read_bytes())["applied"] == ["MTLS_CLIENT_CERT_JSON"]
    for name, authority, purpose in [
        ("server", "backend-ca", "sslserver"),
        ("client", "backend-ca", "sslclient"),
        ("caller", "caller-ca", "sslclient"),
    ]:
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", made / f"{authority}.crt", made / f"{name}.crt"]
        checked = subprocess.run(command, capture_output=True, timeout=patience(30), check=False)
        assert checked.returncode == 0, checked.stderr
    command = ["openssl", "verify", "-verify_hostname", "localhost", "-CAfile", made / "backend-ca.crt", made / "server.crt"]
    assert subprocess.run(command, capture_output=True, timeout=patience(30), check=False).returncode == 0
