"""A host that means harm, against delivery of secrets: it carries every byte, may stop, keep and send them again, and knows
all that is public. What it forges is made here by another implementation than ours."""

import base64
import hashlib
import json
import pathlib
import ssl
import subprocess
import tempfile

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from conftest import patience
from enclave_cases import serving, write_case
from test_secrets import Parts, Secrets, send

BUNDLE = {"ECS_WATERMARK_ENDPOINT": "https://host.example/collect"}


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def compact_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def jwk_of(public):
    numbers = public.public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": b64(x), "y": b64(y)}


def thumbprint(public):
    return b64(hashlib.sha256(compact_json(jwk_of(public))).digest())


def sign(key, payload, kid=None, **header):
    """A JWS by ES256 (RFC 7515), whatever its header says."""
    protected = {"alg": "ES256", "kid": kid or thumbprint(key.public_key()), **header}
    signed = f"{b64(compact_json(protected))}.{b64(payload)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}".encode()


def seal(public, plaintext):
    """A JWE by ECDH-ES and A256GCM (RFC 7518 section 4.6) to a key, which anybody can make."""
    epk = ec.generate_private_key(ec.SECP256R1())
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": thumbprint(public), "epk": jwk_of(epk.public_key())}
    protected = b64(compact_json(header)).encode()
    info = b"".join(len(part).to_bytes(4, "big") + part for part in (b"A256GCM", b"", b"")) + (256).to_bytes(4, "big")
    key = ConcatKDFHash(hashes.SHA256(), 32, info).derive(epk.exchange(ec.ECDH(), public))
    nonce = bytes(12)
    box = AESGCM(key).encrypt(nonce, plaintext, protected)
    return b".".join([protected, b"", b64(nonce).encode(), b64(box[:-16]).encode(), b64(box[-16:]).encode()])


class Host:
    """What an attacker between the signer and the enclave has: the enclave's address, and its attestation document."""

    def __init__(self, enclave, secrets):
        self.enclave, self.secrets = enclave, secrets
        document = cbor2.loads(base64.b64decode(enclave.get("/attestation").json["document"]))
        signed = document.value if isinstance(document, cbor2.CBORTag) else document
        self.public = serialization.load_der_public_key(cbor2.loads(signed[2])["public_key"])
        self.key = ec.generate_private_key(ec.SECP256R1())

    def refused(self, content, code):
        before = self.version()
        self.secrets.refused(content, code)
        assert self.version() == before

    def version(self):
        return self.secrets.deliver(b"{}")["version"]


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        write_case(pathlib.Path(name))
        yield pathlib.Path(name)


@pytest.fixture(name="signer")
def fixture_signer(folder):
    """The operator's key, which never leaves the operator."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "signer.pem").write_bytes(pem)
    return key


@pytest.fixture(name="settings")
def fixture_settings(folder, signer):
    point = signer.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return {
        "SECRETS_ADDRESS": f"unix:{folder / 's'}",
        "SECRETS_DIR": "memory",
        "SECRETS_MODE": "sealed",
        "SECRETS_SIGNERS": b64(point),
        "ATTESTATION_DEVICE": "simulator",
    }


@pytest.fixture(name="host")
def fixture_host(folder, settings):
    with serving(folder, **settings) as enclave:
        yield Host(enclave, Secrets(str(folder / "s")))


def test_sealing_by_another_implementation_is_taken_so_that_the_attacks_below_mean_something(host, signer):
    answer = host.secrets.deliver(seal(host.public, sign(signer, compact_json(BUNDLE), version=1)))
    assert answer == {"status": "ok", "applied": ["ECS_WATERMARK_ENDPOINT"], "version": 1}


def test_bundle_of_the_hosts_own_is_refused_in_every_dress(host, signer):
    payload = compact_json(BUNDLE)
    kid = thumbprint(signer.public_key())
    unsigned = f"{b64(compact_json({'alg': 'none', 'kid': kid, 'version': 9}))}.{b64(payload)}.".encode()
    by_hmac = compact_json({"alg": "HS256", "kid": kid, "version": 9})
    cases = [
        (BUNDLE, "not_sealed"),
        (sign(host.key, payload, version=9), "not_sealed"),
        (seal(host.key.public_key(), sign(host.key, payload, version=9)), "unknown_key"),
        (seal(host.public, payload), "not_signed"),
        (seal(host.public, unsigned), "not_signed"),
        (seal(host.public, f"{b64(by_hmac)}.{b64(payload)}.{b64(bytes(32))}".encode()), "not_signed"),
        (seal(host.public, sign(host.key, payload, version=9)), "unknown_signer"),
        (seal(host.public, sign(host.key, payload, kid=kid, version=9)), "bad_signature"),
        (seal(host.public, sign(host.key, payload, kid=kid, version=9, jwk=jwk_of(host.key.public_key()))), "bad_signature"),
    ]
    for content, code in cases:
        host.refused(content, code)


def test_tls_key_of_the_hosts_own_is_never_shown(host):
    parts = Parts(host.enclave.folder, "the host")
    content = {"TLS_CERT_JSON": {"cert": parts.cert, "key": parts.key}}
    host.refused(content, "not_sealed")
    host.refused(seal(host.public, sign(host.key, compact_json(content), version=9)), "unknown_signer")
    assert host.enclave.get("/attestation").json["manifest"]["tls_key_origin"] == "generated"
    with host.enclave.connect() as connection:
        assert connection.sock.getpeercert(binary_form=True) != ssl.PEM_cert_to_DER_cert(parts.cert)


def test_delivery_that_was_held_back_or_kept_does_not_come_later(host, signer):
    older, newer = (seal(host.public, sign(signer, compact_json(BUNDLE), version=version)) for version in (5, 6))
    assert host.secrets.deliver(newer)["version"] == 6
    host.refused(older, "not_newer")
    host.refused(newer, "not_newer")
    host.refused(seal(host.public, sign(signer, compact_json(BUNDLE))), "not_newer")  # without a version


def test_delivery_kept_over_a_restart_is_of_no_use(folder, settings, run):
    kept = folder / "kept"
    tap = folder / "tap"
    with serving(folder, **settings) as enclave:
        command = ["socat", "-r", str(kept), f"UNIX-LISTEN:{tap}", f"UNIX-CONNECT:{folder / 's'}"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as relay:
            enclave.program.wait_until(tap.exists, 20, "socat's socket")
            done = send(run, enclave, Secrets(str(tap)), folder / "signer.pem", BUNDLE)
            assert done.returncode == 0, done.stderr
            relay.wait(patience(20))
    with serving(folder, **settings) as enclave:
        Host(enclave, Secrets(str(folder / "s"))).refused(kept.read_bytes(), "unknown_key")


def test_delivery_changed_at_any_byte_is_refused(host, signer):
    sealed = seal(host.public, sign(signer, compact_json(BUNDLE), version=7))
    for at in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[at] = ord("A") if changed[at] != ord("A") else ord("B")
        answer = host.secrets.deliver(bytes(changed))
        assert answer["status"] == "error", (at, answer)
    assert host.version() == 0
    assert host.secrets.deliver(sealed)["version"] == 7


def test_open_mode_takes_no_identity_credentials_or_keys_from_the_host(folder):
    """Open mode is weaker, and bounded: what decides who the enclave is and what it may open is not taken from anybody."""
    parts = Parts(folder, "the host")
    with serving(folder, SECRETS_ADDRESS=f"unix:{folder / 's'}", SECRETS_DIR="memory", ATTESTATION_DEVICE="simulator") as enclave:
        secrets = Secrets(str(folder / "s"))
        for content in (
            {"TLS_CERT_JSON": {"cert": parts.cert, "key": parts.key}},
            {"CLIENT_CA_PEM": parts.ca},
            {"AWS_ACCESS_KEY_ID": "AKIAHOST", "AWS_SECRET_ACCESS_KEY": "x"},
            {"DEK": b64(bytes(32))},
            {**parts.bundle(), "TLS_CERT_JSON": {"cert": parts.cert, "key": parts.key}},
        ):
            secrets.refused(content, "forbidden_member")
        manifest = enclave.get("/attestation").json["manifest"]
        assert (manifest["tls_key_origin"], manifest["secrets_mode"]) == ("generated", "open")
        assert secrets.deliver(b"{}")["version"] == 0
