"""AWS keys that a sealed delivery brings: used from the next call on, before all other sources, without a restart."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest
from cryptography import x509

from conftest import SOURCE, patience
from enclave_cases import serving, token_of, write_case

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import Emulator  # noqa: E402
from test_enclave_keys import Cloud  # noqa: E402
from test_secrets import Secrets, send  # noqa: E402


@pytest.fixture(name="folder")
def fixture_folder():
    with tempfile.TemporaryDirectory() as name:  # short, for the socket's path
        write_case(pathlib.Path(name), dek=None)
        yield pathlib.Path(name)


@pytest.fixture(name="cloud")
def fixture_cloud():
    root = x509.load_pem_x509_certificate((SOURCE / "tests/vectors/nitro/simulator-root.pem").read_bytes())
    with Emulator(root=root) as aws:
        yield Cloud(aws)


@pytest.fixture(name="settings")
def fixture_settings(cloud, folder, run):
    """Of an enclave in sealed mode that finds no AWS keys anywhere."""
    key = folder / "signer.pem"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=patience(30))
    settings = cloud.settings(
        SECRETS_ADDRESS=f"unix:{folder / 's'}",
        SECRETS_DIR="memory",
        SECRETS_MODE="sealed",
        SECRETS_SIGNERS=run("teegate", "secrets", "signer", key).stdout.decode().strip(),
        AWS_EC2_METADATA_DISABLED="true",
        HOME=folder,
    )
    return {name: value for name, value in settings.items() if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


def keys_of(cloud, access_key):
    principal = cloud.aws.principals[access_key]
    found = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": principal["secret"]}
    return {**found, "AWS_SESSION_TOKEN": principal["token"]} if principal.get("token") else found


def deliver(run, enclave, folder, content):
    done = send(run, enclave, Secrets(str(folder / "s")), folder / "signer.pem", content)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_enclave_without_aws_keys_serves_once_they_are_delivered(cloud, settings, folder, run):
    with serving(folder, ready=None, **settings) as enclave:
        event = enclave.program.wait_event("data_keys_not_read")
        assert event["stage"] == "secret" and cloud.aws.calls == []
        assert deliver(run, enclave, folder, keys_of(cloud, cloud.aws.add_user("first")))["status"] == "ok"
        enclave.program.wait_event("ready")
        assert enclave.encrypt({"ssn": "hello"}).json["ssn"].startswith(token_of("hello"))
        assert "SECRET_ACCESS" not in enclave.program.log


def test_delivered_keys_replace_what_is_in_use_without_a_restart(cloud, settings, folder, run):
    environment = cloud.aws.environment(cloud.aws.add_user("of the environment"))
    with serving(folder, **{**settings, **environment}) as enclave:
        enclave.program.wait_event("data_keys")
        first, second = cloud.aws.add_user("first"), cloud.aws.add_user("second")
        for access_key in (first, second):
            arn = cloud.aws.principals[access_key]["arn"]
            num_calls = len(cloud.aws.calls)
            deliver(run, enclave, folder, keys_of(cloud, access_key))

            def read_by_it():
                return [call for call in cloud.aws.calls[num_calls:] if call["operation"] == "GetSecretValue"]

            enclave.program.wait_until(read_by_it, 20, "the secret is read by the delivered keys")
            enclave.program.process.send_signal(signal.SIGHUP)
            enclave.program.wait_until(lambda: len(read_by_it()) > 1, 20, "and again")
            assert all(arn in str(call["principal"]) for call in cloud.aws.calls[num_calls:]), arn
        assert all(call["outcome"] == "ok" for call in cloud.aws.calls)
