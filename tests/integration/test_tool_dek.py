"""`teegate dek create|rotate|pin` against the emulator of AWS: the tool never sees a key, enclaves follow."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap

import pytest
from cryptography import x509

from conftest import BUILD, SOURCE
from enclave_cases import serving, write_case

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import Emulator  # noqa: E402

ACCOUNT = "111122223333"
ALLOWED = ("--allow", "test-root", "--allow", "development", "--allow", "open-encrypt", "--allow", "any-image")


@pytest.fixture
def aws(scratch):
    root = x509.load_pem_x509_certificate((SOURCE / "tests/vectors/nitro/simulator-root.pem").read_bytes())
    with Emulator(root=root) as emulator:
        emulator.key = emulator.kms.create_key(alias="alias/tee")
        emulator.operator = emulator.environment(emulator.add_user("operator"))
        yield emulator


@pytest.fixture
def dek(run, aws):
    def run_dek(*args, status=0):
        done = run("teegate", "dek", *args, env=aws.operator)
        assert done.returncode == status, done.stderr
        return done

    return run_dek


def ring_of(aws, arn):
    current = [each for each in aws.secrets.secrets[arn]["versions"].values() if "AWSCURRENT" in each["stages"]]
    return [(key["id"], key["state"]) for key in json.loads(current[0]["value"])["keys"]]


def arn_of(done):
    return done.stdout.decode().splitlines()[0].removeprefix("SECRET_ARN=")


def test_ring_grows_by_pending_finish_and_drop(aws, dek):
    create = ("--secret", "tee/dek", "--kms-key", aws.key, "--context", "app=tee")
    arn = arn_of(dek("create", *create, "--id", "k1"))
    assert ring_of(aws, arn) == [("k1", "current")]
    done = dek("create", *create, status=2)
    assert b"holds data keys already" in done.stderr
    dek("rotate", "--secret", arn, "--kms-key", aws.key, "--context", "app=tee", "--id", "k2")
    assert ring_of(aws, arn) == [("k2", "pending"), ("k1", "current")]
    assert b"a key is pending already" in dek("rotate", "--secret", arn, "--kms-key", aws.key, status=2).stderr
    dek("rotate", "--secret", arn, "--finish")
    assert ring_of(aws, arn) == [("k2", "current"), ("k1", "retired")]
    assert b"no key is pending" in dek("rotate", "--secret", arn, "--finish", status=2).stderr
    assert b"only a retired key" in dek("rotate", "--secret", arn, "--drop", "k2", status=2).stderr
    dek("rotate", "--secret", arn, "--drop", "k1")
    assert ring_of(aws, arn) == [("k2", "current")]
    asked = {each["operation"] for each in aws.calls}
    assert asked == {"GetSecretValue", "CreateSecret", "PutSecretValue", "GenerateDataKeyWithoutPlaintext"}


def test_single_ciphertext_becomes_a_ring(aws, dek):
    arn = aws.secrets.create("old", aws.kms.encrypt_under(aws.key, b"k" * 32))
    dek("rotate", "--secret", arn, "--kms-key", aws.key, "--id", "k2")
    (new, old) = ring_of(aws, arn)
    assert new == ("k2", "pending") and old[0].startswith("kms-") and old[1] == "current"


def test_what_no_enclave_could_open_is_not_written(aws, dek):
    create = ("create", "--secret", "tee/dek", "--kms-key", aws.key)
    for context in (["app"], ["=tee"], [""], ["app=tee", "app=other"]):
        done = dek(*create, *[each for pair in context for each in ("--context", pair)], status=2)
        assert b"--context" in done.stderr
    assert b"the id is not" in dek(*create, "--id", "first key", status=2).stderr
    assert not aws.secrets.secrets
    dek(*create, "--context", "app==tee", "--context", "x=", "--id", "k1")
    asked = [each["input"] for each in aws.calls if each["operation"] == "GenerateDataKeyWithoutPlaintext"]
    assert asked[-1]["EncryptionContext"] == {"app": "=tee", "x": ""}


def test_refusals_of_aws_are_told_with_its_words(aws, dek, run):
    done = dek("create", "--secret", "tee/dek", "--kms-key", "alias/none", status=2)
    assert b"NotFoundException" in done.stderr and b"alias/none" in done.stderr and b"request id" in done.stderr
    assert b"--secret" in dek("create", "--kms-key", aws.key, status=2).stderr
    assert b"--kms-key" in dek("create", "--secret", "tee/dek", status=2).stderr
    assert b"holds no data key" in dek("rotate", "--secret", "tee/none", "--kms-key", aws.key, status=2).stderr
    none = {name: value for name, value in aws.operator.items() if name != "AWS_REGION"}
    done = run("teegate", "dek", "create", "--secret", "x", "--kms-key", "k", env=none)
    assert done.returncode == 2 and b"no ARN names a region" in done.stderr


def test_enclave_takes_a_created_key_and_pins_it(aws, dek, run, scratch):
    write_case(scratch, dek=None)
    arn = arn_of(dek("create", "--secret", "tee/dek", "--kms-key", aws.key, "--context", "app=tee", "--id", "k1"))
    enclave_user = aws.environment(aws.add_user("enclave"))
    settings = {**enclave_user, "SECRET_ARN": arn, "KMS_KEY_ID": aws.key, "KMS_ENCRYPTION_CONTEXT": "app=tee",
                "DEK_FILE": None, "ATTESTATION_DEVICE": "simulator", "VSOCK_PROXY_PORT": 0}
    with serving(scratch, **settings) as enclave:
        done = run("teegate", "dek", "pin", enclave.url, *ALLOWED)
        assert done.returncode == 0, done.stderr
        name, pinned = done.stdout.decode().strip().split("=")
        assert name == "DEK_FINGERPRINTS" and pinned == enclave.program.wait_event("data_keys")["fingerprint"]
        refused = run("teegate", "dek", "pin", enclave.url)
        assert refused.returncode == 1 and refused.stdout == b"" and b"NOT verified" in refused.stderr
    with serving(scratch, **settings, DEK_FINGERPRINTS=pinned) as enclave:
        dek("rotate", "--secret", arn, "--kms-key", aws.key, "--context", "app=tee", "--id", "k2")
        enclave.program.process.send_signal(signal.SIGHUP)
        event = enclave.program.wait_event("data_keys_not_read")
        assert event["field"] == "DEK_FINGERPRINTS" and event["old_keys_serve"]


def test_readme_commands_make_and_rotate_a_secret(aws, scratch):
    text = (SOURCE / "README.md").read_text()
    commands = textwrap.dedent(re.search(r"```bash\n(.*?)```", text, re.DOTALL)[1])
    env = {"PATH": f"{BUILD}:{os.environ['PATH']}", **aws.operator, "KEY": aws.key}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=scratch,
                          env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    arn = next(arn for arn, each in aws.secrets.secrets.items() if each["name"] == "tee/dek")
    assert [state for _, state in ring_of(aws, arn)] == ["current", "retired"]


def test_readme_policy_lacks_nothing(run, scratch):
    policy = re.search(r"```json\n(\s*\{\"Version\": \"2012-10-17\".*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)[1]
    (scratch / "policy.json").write_text(policy.replace('"PCR0"', '"' + "a0" * 48 + '"'))
    done = run("teegate", "kms", "explain", "--policy", scratch / "policy.json")
    assert done.returncode == 0, done.stdout + done.stderr
