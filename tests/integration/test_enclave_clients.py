"""Who may what on teegate-enclave: TLS versions, client certificates, resumed sessions, server names."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import types

import pytest

from certificates import Authority
from conftest import patience
from enclave_cases import (
    Connection,
    assert_refused,
    client_context,
    compose,
    compose_fields,
    serving,
    write_case,
)
from tool_cases import TOKEN_SSN

pytestmark = pytest.mark.sanitize
ENCRYPT = compose_fields("encrypt", {"ssn": "123-45-6789"})
DECRYPT = compose_fields("decrypt", {"ssn": TOKEN_SSN})
LIVE = compose("GET", "/live")
TLS_13 = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
TLS_12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
BOTH_VERSIONS = pytest.mark.parametrize("versions", [TLS_12, TLS_13], ids=["TLS 1.2", "TLS 1.3"])
BROKEN = (ssl.SSLError, ConnectionError)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    write_case(folder)
    authority = Authority(folder)
    other = Authority(folder, "other authority")
    issued = {
        "reader": authority.issue("reader.pem", ["DNS:reader.example"]),
        "uri": authority.issue("uri.pem", ["URI:spiffe://example/reader"]),
        "email": authority.issue("email.pem", ["email:reader@example.org"]),
        "second name": authority.issue("second.pem", ["DNS:x.example", "DNS:READER.example"]),
        "writer": authority.issue("writer.pem", ["DNS:writer.example"]),
        "no names": authority.issue("none.pem", [], common_name="reader.example"),
        "longer": authority.issue("longer.pem", ["DNS:a.reader.example", "DNS:reader.example.org", "DNS:*.example"]),
        "wrong kind": authority.issue(
            "kind.pem", ["DNS:spiffe", "URI:https://reader.example", "email:x@reader.example"]
        ),
        "case of a URI": authority.issue("case.pem", ["URI:spiffe://example/Reader"]),
        "expired": authority.issue("expired.pem", ["DNS:reader.example"], seconds=-60),
        "server's": authority.issue("server.pem", ["DNS:reader.example"], is_server=True),
        "unknown authority": other.issue("unknown.pem", ["DNS:reader.example"]),
    }
    settings = {
        "CLIENT_CA_PATH": authority.path,
        "DECRYPT_ALLOWED_CLIENTS": "reader.example,spiffe://example/reader,reader@example.org",
        "ENCRYPT_ALLOWED_CLIENTS": "writer.example,reader@example.org",
    }
    with serving(folder, **settings) as enclave:
        yield types.SimpleNamespace(enclave=enclave, issued=issued, authority=authority, folder=folder)


@BOTH_VERSIONS
@pytest.mark.parametrize("who, may_encrypt, may_decrypt", [
    ("reader", False, True), ("uri", False, True), ("email", True, True), ("second name", False, True),
    ("writer", True, False), ("no names", False, False), ("longer", False, False), ("wrong kind", False, False),
    ("case of a URI", False, False), (None, False, False),
])  # fmt: skip
def test_client_names_matched_exactly(served, versions, who, may_encrypt, may_decrypt):
    context = client_context(served.issued[who] if who else None, versions)
    with served.enclave.connect(context) as connection:
        for request, is_allowed in ((ENCRYPT, may_encrypt), (DECRYPT, may_decrypt)):
            answer = connection.ask(request)
            if is_allowed:
                assert answer.status == 200, answer
            else:
                assert_refused(answer, 403, "forbidden", secrets=["example"])
        assert connection.ask(LIVE).status == 200


@BOTH_VERSIONS
@pytest.mark.parametrize("who", ["expired", "unknown authority", "server's"])
def test_client_certificate_unverified_ends_the_handshake(served, versions, who):
    with pytest.raises(BROKEN):
        with served.enclave.connect(client_context(served.issued[who], versions)) as connection:
            connection.ask(LIVE)


@BOTH_VERSIONS
def test_client_certificate_expires_within_connection_forbidden(served, versions):
    """Asked per request, not per handshake; and a session that is resumed later is no younger."""
    brief = served.authority.issue("brief.pem", ["DNS:reader.example"], seconds=4)
    context = client_context(brief, versions)
    with served.enclave.connect(context) as connection:
        assert connection.ask(DECRYPT).status == 200
        session = connection.sock.session
        time.sleep(5.5)
        assert_refused(connection.ask(DECRYPT), 403, "forbidden")
    try:
        with served.enclave.connect(context, session=session) as connection:
            assert_refused(connection.ask(DECRYPT), 403, "forbidden")
    except BROKEN:
        pass  # as good: an expired certificate is refused in the handshake


@BOTH_VERSIONS
def test_session_resumed_carries_the_client(served, versions):
    context = client_context(served.issued["reader"], versions)
    session = None
    for i in range(4):
        with served.enclave.connect(context, session=session) as connection:
            assert connection.sock.session_reused == (i > 0)
            assert connection.ask(DECRYPT).status == 200
            assert_refused(connection.ask(ENCRYPT), 403, "forbidden")
            session = connection.sock.session


@BOTH_VERSIONS
def test_session_resumed_of_nobody_stays_nobody(served, versions):
    context = client_context(None, versions)
    with served.enclave.connect(context) as connection:
        assert connection.ask(LIVE).status == 200
        session = connection.sock.session
    context.load_cert_chain(served.issued["reader"])
    with served.enclave.connect(context, session=session) as connection:
        status = connection.ask(DECRYPT).status
        assert status == (403 if connection.sock.session_reused else 200)


def test_openssl_reconnects_resumed(served):
    """openssl s_client -reconnect: five connections behind the first, all resumed."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{served.enclave.port}", "-reconnect", "-tls1_2",
         "-cert", served.issued["reader"]],
        input=b"", capture_output=True, timeout=patience(30), check=False,
    )  # fmt: skip
    assert done.stdout.count(b"Reused, TLSv1.2") == 5, done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_session_file_carries_the_client(served, tmp_path, version):
    def s_client(*args):
        request = DECRYPT.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{served.enclave.port}", version, "-ign_eof", *args],
            input=request, capture_output=True, timeout=patience(30), check=False,
        ).stdout  # fmt: skip

    kept = tmp_path / "session"
    first = s_client("-cert", served.issued["reader"], "-sess_out", kept)
    assert b"New, TLS" in first and b"123-45-6789" in first, first
    second = s_client("-sess_in", kept)  # without the key: the session is proof enough
    assert b"Reused, TLS" in second and b"123-45-6789" in second, second


@pytest.mark.parametrize("version", ["-ssl3", "-tls1", "-tls1_1"])
def test_tls_old_versions_refused(served, version):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{served.enclave.port}", version, "-cipher", "ALL:@SECLEVEL=0"],
        input="", capture_output=True, text=True, timeout=patience(30), check=False,
    )  # fmt: skip
    assert done.returncode != 0
    if "unknown option" not in done.stderr.lower():
        assert re.search("alert protocol version|no protocols available|unsupported protocol", done.stderr), done.stderr


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ADH-AES128-SHA256",
                                    "NULL"])  # fmt: skip
def test_tls_weak_suites_refused(served, cipher):
    context = client_context(None, TLS_12)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(BROKEN):
        served.enclave.connect(context).close()


def test_tls_early_data_refused(served, tmp_path):
    """No ticket permits 0-RTT, and a client that sends it anyway has it dropped and sends again."""
    kept, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(ENCRYPT)
    address = ["openssl", "s_client", "-connect", f"127.0.0.1:{served.enclave.port}", "-tls1_3", "-ign_eof"]
    request = LIVE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    subprocess.run([*address, "-sess_out", kept], input=request, capture_output=True, timeout=patience(30), check=False)
    shown = subprocess.run(
        ["openssl", "sess_id", "-in", kept, "-text", "-noout"], capture_output=True, text=True, check=True
    )
    assert "Max Early Data: 0" in shown.stdout
    second = subprocess.run(
        [*address, "-sess_in", kept, "-early_data", early],
        input=request,
        capture_output=True,
        timeout=patience(30),
        check=False,
    ).stdout
    assert b"Early data was not sent" in second or b"Early data was rejected" in second, second


def test_tls_alpn_http_1_1_alone(served):
    for offered, chosen in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), ([], None)):
        with served.enclave.connect(client_context(protocols=offered)) as connection:
            assert connection.sock.selected_alpn_protocol() == chosen
            assert connection.ask(LIVE).status == 200
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        served.enclave.connect(client_context(protocols=["h2"])).close()


def test_tls_renegotiation_refused(served):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{served.enclave.port}", "-tls1_2"],
        input=b"R\n", capture_output=True, timeout=patience(30), check=False,
    )  # fmt: skip
    assert b"no renegotiation" in done.stderr.lower() or done.returncode != 0, done.stderr


GARBAGE = {
    "plain HTTP": LIVE,
    "plain POST": ENCRYPT,
    "zeros": bytes(2000),
    "ones": b"\xff" * 2000,
    "SSL 2 hello": b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(37),
    "record too long": b"\x16\x03\x01\xff\xff" + bytes(70000),
    "empty records": b"\x16\x03\x01\x00\x00" * 100,
    "application data first": b"\x17\x03\x03\x00\x10" + bytes(16),
    "alert first": b"\x15\x03\x03\x00\x02\x02\x28",
    "hello cut short": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(20),
    "hello of 16 MiB": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03" + bytes(16373),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_tls_garbage_closed_never_answered_in_plain(served, name):
    before = served.enclave.metrics().get(("teegate_tls_faults_total",), 0)
    with served.enclave.tcp(timeout=20) as raw:
        raw.sendall(GARBAGE[name])
        if name in ("hello cut short", "hello of 16 MiB", "empty records"):
            raw.shutdown(socket.SHUT_WR)
        said = b""
        try:
            while True:
                data = raw.recv(4096)
                if not data:
                    break
                said += data
        except ConnectionError:
            pass
    assert said == b"" or said[0] == 0x15, said  # at most an alert
    assert b"HTTP" not in said
    if name in ("plain HTTP", "zeros"):
        assert served.enclave.metrics()[("teegate_tls_faults_total",)] > before


def test_tls_hello_byte_by_byte_taken(served):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = served.enclave.context.wrap_bio(incoming, outgoing)
    with served.enclave.tcp() as raw:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))
                incoming.write(raw.recv(65536))
        client.write(LIVE)
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))
        answer = b""
        while b'{"status":"live"}' not in answer:
            try:
                answer += client.read(4096)
            except ssl.SSLWantReadError:
                data = raw.recv(65536)
                assert data, answer
                incoming.write(data)
        assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    folder = tmp_path_factory.mktemp("named")
    write_case(folder)
    with serving(folder, SERVER_NAMES="tee.example,other.example", ADMIN_ADDRESS=None) as enclave:
        yield enclave


@pytest.mark.parametrize("sni, host, status", [
    ("tee.example", "tee.example", 200), ("tee.example", "TEE.example:8443", 200), ("tee.example", "other.example", 200),
    ("TEE.EXAMPLE", "tee.example.", 200), (None, "tee.example", 200),
    ("tee.example", "evil.example", 421), ("evil.example", "tee.example", 421), ("a.tee.example", "tee.example", 421),
    ("tee.example", "a.tee.example", 421), ("tee.example", "127.0.0.1", 421), ("tee.example", "tee.example..", 421),
    (None, "evil.example", 421), (None, "[::1]:443", 421), ("tee.example", "tee.exampl", 421),
])  # fmt: skip
def test_server_names_others_misdirected(named, sni, host, status):
    with named.connect(name=sni) as connection:
        for request in (compose("GET", "/live", host=host), compose("GET", "/health", host=host)):
            answer = connection.ask(request)
            assert answer.status == status
            if status == 421:
                assert_refused(answer, 421, "misdirected", secrets=["example"])


@BOTH_VERSIONS
def test_server_names_resumed_session_judged_by_its_own_hello(named, versions):
    context = client_context(None, versions)
    with named.connect(context, name="tee.example") as connection:
        assert connection.ask(compose("GET", "/live", host="tee.example")).status == 200
        session = connection.sock.session
    with named.connect(context, name="evil.example", session=session) as connection:
        assert_refused(connection.ask(compose("GET", "/live", host="tee.example")), 421, "misdirected")


def test_server_names_absolute_target_counts(named):
    request = b"GET https://evil.example/live HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    with named.connect(name="tee.example") as connection:
        assert_refused(connection.ask(request), 421, "misdirected")


def test_server_certificate_made_holds_the_names(named):
    shown = subprocess.run(
        f"openssl s_client -connect 127.0.0.1:{named.port} </dev/null 2>/dev/null | openssl x509 -noout -text",
        shell=True, capture_output=True, text=True, timeout=patience(30), check=True,
    ).stdout  # fmt: skip
    for name in ("DNS:tee.example", "DNS:other.example", "DNS:localhost", "IP Address:127.0.0.1", "id-ecPublicKey"):
        assert name in shown
    pem = subprocess.run(
        f"openssl s_client -connect 127.0.0.1:{named.port} </dev/null 2>/dev/null | openssl x509",
        shell=True, capture_output=True, timeout=patience(30), check=True,
    ).stdout  # fmt: skip
    path = named.folder / "made.pem"
    path.write_bytes(pem)
    done = subprocess.run(
        ["curl", "-sS", "--cacert", path, "--resolve", f"tee.example:{named.port}:127.0.0.1", f"https://tee.example:{named.port}/live"],
        capture_output=True, timeout=patience(30), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b'{"status":"live"}'), done


def test_server_certificate_from_files_reloaded_on_hangup(tmp_path):
    authority = Authority(tmp_path)
    write_case(tmp_path)
    path = authority.issue("tee.pem", ["DNS:first.example"], is_server=True)
    context = ssl.create_default_context(cafile=authority.path)

    def ask_as(enclave, name):
        raw = enclave.tcp()
        with raw, context.wrap_socket(raw, server_hostname=name) as sock:
            return Connection(sock).ask(LIVE).status

    def is_named(enclave, name):
        try:
            return ask_as(enclave, name) == 200
        except ssl.SSLCertVerificationError:
            return False

    with serving(tmp_path, WORKERS=1, TLS_CERT_PATH=path, TLS_KEY_PATH=path) as enclave:
        assert ask_as(enclave, "first.example") == 200
        with enclave.connect() as old:
            assert old.ask(LIVE).status == 200
            authority.issue("tee.pem", ["DNS:second.example"], is_server=True)
            enclave.program.send(1)
            enclave.program.wait_event("reload")
            enclave.program.wait_until(lambda: is_named(enclave, "second.example"))
            with pytest.raises(ssl.SSLCertVerificationError):
                ask_as(enclave, "first.example")
            path.write_bytes(b"not a certificate")
            enclave.program.send(1)
            enclave.program.wait_event("certificate_kept")
            assert ask_as(enclave, "second.example") == 200
            assert old.ask(LIVE).status == 200  # no connection is dropped for it


def test_authorities_replaced_on_hangup_hold_for_every_connection(tmp_path):
    """Without certificate files too; a connection from before is not served on; a broken file changes nothing."""
    write_case(tmp_path)
    authority, other = Authority(tmp_path), Authority(tmp_path, "other authority")
    before = client_context(authority.issue("before.pem", ["DNS:reader.example"]))
    after = client_context(other.issue("after.pem", ["DNS:reader.example"]))
    believed = tmp_path / "believed.pem"
    shutil.copy(authority.path, believed)
    with serving(tmp_path, CLIENT_CA_PATH=believed, DECRYPT_ALLOWED_CLIENTS="reader.example", WORKERS=1) as enclave:
        with enclave.connect(before) as connection:
            assert connection.ask(DECRYPT).status == 200
            shutil.copy(other.path, believed)
            enclave.program.send(signal.SIGHUP)
            connection.read_end()
        assert enclave.ask(DECRYPT, context=after).status == 200
        with pytest.raises(BROKEN):
            enclave.ask(DECRYPT, context=before)
        believed.write_text("no PEM", encoding="ascii")
        with enclave.connect(after) as connection:
            enclave.program.send(signal.SIGHUP)
            enclave.program.wait_event("client_authorities_kept")
            assert connection.ask(DECRYPT).status == 200
            believed.unlink()
            os.mkfifo(believed)  # nobody writes to it: whoever opened it would wait for ever
            enclave.program.send(signal.SIGHUP)
            enclave.program.wait_event("client_authorities_kept", count=2)
            assert connection.ask(DECRYPT).status == 200
        assert enclave.ask(DECRYPT, context=after).status == 200
