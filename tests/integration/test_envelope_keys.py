"""The keys that clients seal to, as a running enclave publishes them."""

import hashlib
import json
import pathlib
import subprocess
import tempfile

import pytest
from conftest import patience
from enclave_cases import serving, write_case


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def published(folder):
    write_case(folder)
    with serving(folder, ATTESTATION_DEVICE="simulator") as enclave:
        jwks = enclave.get("/.well-known/jwks.json")
        keys = enclave.get("/.well-known/ohttp-gateway")
        manifest = enclave.get("/attestation").json["manifest"]
    return jwks, keys, manifest


def test_keys_are_bound_into_the_manifest_and_the_same_after_a_restart(folder):
    jwks, keys, manifest = published(folder)
    assert jwks.header("Content-Type") == "application/jwk-set+json"
    assert keys.header("Content-Type") == "application/ohttp-keys"
    assert manifest["jwks"] == hashlib.sha256(jwks.body).hexdigest()
    assert manifest["ohttp"] == hashlib.sha256(keys.body).hexdigest()
    again, _, _ = published(folder)
    kids = [[key["kid"] for key in answer.json["keys"]] for answer in (jwks, again)]
    assert set(kids[0]) & set(kids[1])  # all of them, unless midnight came between


def test_keys_are_what_the_jose_tool_takes(folder):
    jwks, _, _ = published(folder)
    uses = [(key["use"], key["alg"]) for key in jwks.json["keys"]]
    assert uses == [("enc", "ECDH-ES"), ("sig", "ES256"), ("sig", "ES256")]
    for key in jwks.json["keys"]:
        done = subprocess.run(["jose", "jwk", "thp", "-i", "-"], input=json.dumps(key).encode(), capture_output=True,
                              timeout=patience(30), check=True)
        assert done.stdout.decode().strip() == key["kid"]
