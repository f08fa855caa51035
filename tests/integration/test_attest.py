"""/attestation and `teegate attest`: a live enclave with the simulator, read by cbor2 and cryptography too."""

import base64
import datetime
import hashlib
import json
import socket
import ssl
import threading

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certificates import Authority
from conftest import SOURCE
from enclave_cases import Connection, client_context, compose, compose_fields, metric, serving, write_case
from tool_cases import TOKEN_SSN

ROOT = SOURCE / "tests/vectors/nitro/simulator-root.pem"
NONCE = bytes(range(32))
OPEN_DOORS = ("--allow", "development", "--allow", "open-encrypt")


@pytest.fixture
def enclave(scratch):
    write_case(scratch)
    with serving(scratch, ATTESTATION_DEVICE="simulator") as running:
        yield running


def canonical(manifest):
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed_by(issuer, certificate):
    issuer.public_key().verify(
        certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm)
    )


def verified_payload(document):
    """The payload of a COSE_Sign1 whose chain ends at the simulator's root, by libraries that are not ours."""
    protected, unprotected, payload, signature = cbor2.loads(document)
    assert cbor2.loads(protected) == {1: -35} and unprotected == {}
    content = cbor2.loads(payload)
    chain = [x509.load_der_x509_certificate(der) for der in content["cabundle"]]
    leaf = x509.load_der_x509_certificate(content["certificate"])
    assert chain[0].public_bytes(Encoding.PEM) == ROOT.read_bytes()
    for issuer, certificate in zip([chain[0], *chain], [*chain, leaf]):
        signed_by(issuer, certificate)
    made = datetime.datetime.utcfromtimestamp(content["timestamp"] / 1000)
    assert leaf.not_valid_before <= made <= leaf.not_valid_after
    text = cbor2.dumps(["Signature1", protected, b"", payload])
    pair = encode_dss_signature(int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big"))
    leaf.public_key().verify(pair, text, ec.ECDSA(hashes.SHA384()))
    return content


def connection_key(enclave):
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", enclave.port)))
    key = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@pytest.mark.parametrize("spelt", [NONCE.hex(), base64.urlsafe_b64encode(NONCE).decode().rstrip("=")])
def test_document_is_what_other_libraries_verify(enclave, spelt):
    answer = enclave.get(f"/attestation?nonce={spelt}")
    assert answer.status == 200 and answer.header("Content-Type") == "application/json"
    content = verified_payload(base64.b64decode(answer.json["document"], validate=True))
    manifest = answer.json["manifest"]
    assert content["nonce"] == NONCE
    assert content["user_data"] == hashlib.sha256(canonical(manifest)).digest()
    assert content["pcrs"][0] == b"\xa0" * 48 and content["pcrs"][15] == bytes(48)
    assert manifest["v"] == 1
    assert manifest["tls_spki"] == connection_key(enclave)
    assert manifest["tls_key_origin"] == "generated"
    assert [dek["state"] for dek in manifest["deks"]] == ["current"]
    status = enclave.admin("/status").json
    assert manifest["deks"][0]["fingerprint"] == status["deks"][0]["fingerprint"]


def test_live_endpoint_verifies_and_one_other_register_fails(enclave, run, scratch):
    policy = scratch / "policy.json"
    policy.write_bytes(run("teegate", "attest", "pcrs", enclave.url, "--name", "v1").stdout)
    good = run("teegate", "attest", "verify", enclave.url, "--policy", policy, "--allow", "test-root", *OPEN_DOORS)
    assert good.returncode == 0, good.stdout + good.stderr
    assert b"verified" in good.stdout.splitlines()[-1]
    other = json.loads(policy.read_text())
    other["pcr_sets"][0]["pcrs"]["1"] = "11" * 48
    policy.write_text(json.dumps(other))
    bad = run("teegate", "attest", "verify", enclave.url, "--policy", policy, "--allow", "test-root", *OPEN_DOORS, "--json")
    assert bad.returncode == 1
    failed = [check for check in json.loads(bad.stdout)["checks"] if check["verdict"] == "failed"]
    assert [check["check"] for check in failed] == ["pcrs"]
    assert "PCR1 is a1a1" in failed[0]["text"] and "1111" in failed[0]["text"]


def test_live_endpoint_is_refused_without_words_that_allow(enclave, run):
    done = run("teegate", "attest", "verify", enclave.url, "--json")
    assert done.returncode == 1
    verdicts = {check["check"]: check["verdict"] for check in json.loads(done.stdout)["checks"]}
    assert {name for name, verdict in verdicts.items() if verdict == "failed"} == {"root", "pcrs", "build", "encrypt"}
    assert verdicts["tls_key"] == verdicts["nonce"] == verdicts["manifest"] == "passed"


def test_another_connection_key_is_somebody_between(enclave, run, scratch):
    answer = scratch / "answer.json"
    answer.write_bytes(enclave.get(f"/attestation?nonce={NONCE.hex()}").body)
    allow = ("--allow", "test-root", "--allow", "any-image", *OPEN_DOORS)
    good = run("teegate", "attest", "verify", answer, "--nonce", NONCE.hex(), "--tls-spki", connection_key(enclave), *allow)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = run("teegate", "attest", "verify", answer, "--nonce", NONCE.hex(), "--tls-spki", "00" * 32, *allow)
    assert bad.returncode == 1
    assert b"somebody is between" in bad.stdout


def test_manifest_changed_on_the_way_is_found(enclave, run, scratch):
    changed = enclave.get(f"/attestation?nonce={NONCE.hex()}").json
    changed["manifest"]["settings"]["encrypt"] = "listed"
    answer = scratch / "answer.json"
    answer.write_text(json.dumps(changed))
    done = run("teegate", "attest", "verify", answer, "--allow", "test-root", "--allow", "any-image", *OPEN_DOORS)
    assert done.returncode == 1
    assert b"vouches for another one" in done.stdout


def test_simulator_says_the_registers_that_it_is_given(scratch):
    write_case(scratch)
    with serving(scratch, ATTESTATION_DEVICE="simulator", SIMULATOR_PCRS="00" * 48 + "," + "22" * 48) as running:
        content = verified_payload(base64.b64decode(running.get("/attestation").json["document"]))
        assert content["pcrs"][0] == bytes(48) and content["pcrs"][1] == b"\x22" * 48
        assert content["nonce"] is None


def test_nothing_attests_where_there_is_no_device(scratch):
    write_case(scratch)
    with serving(scratch, ATTESTATION_DEVICE="none") as running:
        assert running.get("/attestation").status == 404
        assert len(running.program.events("nothing_attests")) == 1


def test_host_that_sets_its_clock_back_does_not_revive_certificates(scratch):
    """By the device's clock it is three days later than the host says."""
    write_case(scratch)
    authority = Authority(scratch, "clients")
    ended = authority.issue("ended.pem", ["DNS:reader.example"], seconds=86400)
    valid = authority.issue("valid.pem", ["DNS:reader.example"], seconds=10 * 86400)
    settings = {
        "ATTESTATION_DEVICE": "simulator",
        "SIMULATOR_AHEAD_SECS": 3 * 86400,
        "CLIENT_CA_PATH": authority.path,
        "DECRYPT_ALLOWED_CLIENTS": "reader.example",
    }
    ask = compose_fields("decrypt", {"ssn": TOKEN_SSN})
    with serving(scratch, **settings) as running:
        assert running.ask(ask, context=client_context(valid)).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            running.ask(ask, context=client_context(ended))
        made = verified_payload(base64.b64decode(running.get("/attestation").json["document"]))["timestamp"]
        told = running.program.events("clock_set_back")
        assert len(told) == 1
        assert abs(told[0]["behind_ms"] - 3 * 86400_000) < 60_000
        assert told[0]["attested"][:10] == datetime.datetime.utcfromtimestamp(made / 1000).isoformat()[:10]
        metrics = running.metrics()
        assert metric(metrics, "teegate_clock_set_back_total") == 1
        assert abs(metric(metrics, "teegate_clock_behind_seconds") - 3 * 86400) < 60


def test_host_whose_clock_is_right_is_not_told_of(enclave):
    enclave.get(f"/attestation?nonce={NONCE.hex()}")
    assert metric(enclave.metrics(), "teegate_clock_set_back_total") == 0
    assert enclave.program.events("clock_set_back") == []


def test_client_that_floods_leaves_the_others_their_documents(enclave):
    """127.0.0.1 asks on two connections without end; 127.0.0.2 wants one document at a time, and always gets it."""
    ask, done, seen = compose("GET", f"/attestation?nonce={NONCE.hex()}"), threading.Event(), []

    def flood():
        with enclave.connect() as connection:
            while not done.is_set():
                seen.append(connection.ask(ask).status)

    floods = [threading.Thread(target=flood) for _ in range(2)]
    for each in floods:
        each.start()
    try:
        for _ in range(4):  # as many as are one client's in a second
            enclave.program.wait_until(lambda start=len(seen): 429 in seen[start:])
            raw = socket.create_connection(("127.0.0.1", enclave.port), 30, ("127.0.0.2", 0))
            with Connection(enclave.context.wrap_socket(raw)) as connection:
                assert connection.ask(ask).status == 200
            assert enclave.get("/attestation").status == 200
    finally:
        done.set()
        for each in floods:
            each.join()
    assert set(seen) == {200, 429}
