"""Data keys from Secrets Manager and KMS, by the emulator of AWS: released to the attested enclave alone, guarded,
rotated under load, and nowhere to be found."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest
from cryptography import x509

from conftest import BUILD, SOURCE, is_sanitized, patience
from enclave_cases import DEK, client_context, compose_fields, metric, serving, token_of, write_case

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from certificates import Authority  # noqa: E402
from emulator import Emulator  # noqa: E402

ACCOUNT = "111122223333"
PCR0 = b"\xa0" * 48
NEW_DEK = b"\xbb" * 32
CONTEXT = {"app": "tee"}


def released_to(pcr0):
    """A key policy: Decrypt for the image alone, whoever asks."""
    return {"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": pcr0.hex()}}}]}


class Cloud:
    """An AWS with one key, one secret and the enclave's credentials."""

    def __init__(self, aws):
        self.aws = aws
        self.key = aws.kms.create_key(released_to(PCR0))
        self.secret = aws.secrets.create("tee/dek", self.sealed(DEK))
        self.environment = aws.environment(aws.add_user("enclave"))

    def sealed(self, key, context=CONTEXT, under=None):
        return self.aws.kms.encrypt_under(under or self.key, key, context)

    def put(self, value):
        return self.aws.secrets.put(self.secret, value)

    def ring(self, *entries):
        """entries: (id, key, state)"""
        keys = [{"id": name, "ciphertext": base64.b64encode(self.sealed(key)).decode(), "state": state}
                for name, key, state in entries]
        return json.dumps({"keys": keys})

    def settings(self, **more):
        return {**self.environment, "SECRET_ARN": self.secret, "KMS_KEY_ID": self.key, "DEK_FILE": None,
                "KMS_ENCRYPTION_CONTEXT": "app=tee", "ATTESTATION_DEVICE": "simulator", "VSOCK_PROXY_PORT": 0, **more}

    def num_calls(self, operation):
        return len([each for each in self.aws.calls if each["operation"] == operation])


@pytest.fixture
def cloud(scratch):
    write_case(scratch, dek=None)
    root = x509.load_pem_x509_certificate((SOURCE / "tests/vectors/nitro/simulator-root.pem").read_bytes())
    with Emulator(root=root) as aws:
        yield Cloud(aws)


def token_by(key, text):
    nonce = hmac.new(key, text.encode(), hashlib.sha256).digest()[:12]
    return "v1." + base64.urlsafe_b64encode(nonce).decode().rstrip("=") + "."


def sealed_value(enclave, text="hello"):
    answer = enclave.encrypt({"ssn": text})
    assert answer.status == 200, answer
    return answer.json["ssn"]


@pytest.fixture
def opener(scratch):
    """(settings, context of a client) that let a client call /decrypt."""
    authority = Authority(scratch, "clients")
    certificate = authority.issue("opener.pem", ["DNS:opener.example"])
    settings = {"CLIENT_CA_PATH": authority.path, "DECRYPT_ALLOWED_CLIENTS": "opener.example"}
    return settings, client_context(certificate)


def test_key_is_released_to_the_measured_image(cloud, scratch):
    with serving(scratch, **cloud.settings()) as enclave:
        assert sealed_value(enclave).startswith(token_of("hello"))
        event = enclave.program.wait_event("data_keys")
        assert event["keys"] == 1 and re.fullmatch("[0-9a-f]{32}", event["fingerprint"])
        manifest = enclave.get("/attestation").json["manifest"]
        assert [dek["fingerprint"] for dek in manifest["deks"]] == [event["fingerprint"]]
        metrics = enclave.metrics()
        assert metric(metrics, "teegate_dek_readings_total", outcome="changed") == 1
        assert 0 <= metric(metrics, "teegate_dek_reading_age_seconds") < 3600
        asked = [each["operation"] for each in cloud.aws.calls]
        assert asked == ["GetSecretValue", "Decrypt"]


def test_bucket_is_the_secrets_accounts_unless_told(cloud, scratch):
    cloud.aws.s3.create_bucket("a-bucket")
    settings = {"S3_BUCKET": "a-bucket", "SCHEMA_DIR": None}
    for owner in (None, "444455556666"):
        cloud.aws.calls.clear()
        with serving(scratch, ready=None, **cloud.settings(S3_BUCKET_OWNER=owner, **settings)) as enclave:
            enclave.program.wait_until(lambda: cloud.num_calls("ListObjectsV2") > 0, what="a listing")
        asked = [each for each in cloud.aws.calls if each["operation"] == "ListObjectsV2"]
        assert {each["headers"]["x-amz-expected-bucket-owner"] for each in asked} == {owner or ACCOUNT}


def test_other_image_is_refused_and_serves_once_it_is_allowed(cloud, scratch):
    with serving(scratch, ready=None, **cloud.settings(SIMULATOR_PCRS="11" * 48)) as enclave:
        event = enclave.program.wait_event("data_keys_not_read")
        assert event["stage"] == "decrypt" and event["code"] == "AccessDeniedException"
        assert event["request_id"] and "not authorized to perform: kms:Decrypt" in event["reason"]
        assert enclave.encrypt({"ssn": "hello"}).status == 503
        assert enclave.get("/live").status == 200
        cloud.aws.kms.keys[cloud.key]["policy"] = released_to(b"\x11" * 48)
        enclave.program.wait_event("ready")
        assert sealed_value(enclave).startswith(token_of("hello"))


def test_start_without_aws_is_degraded_and_mends_itself(cloud, scratch):
    cloud.aws.fail("status", count=6, status=503, body=b"")
    with serving(scratch, ready=None, **cloud.settings()) as enclave:
        assert enclave.program.wait_event("data_keys_not_read")["stage"] == "secret"
        enclave.program.wait_event("ready")
        assert metric(enclave.metrics(), "teegate_dek_reading_failures_total", stage="secret") >= 1


def test_aws_whose_certificate_ended_by_the_attested_time_is_not_believed(scratch):
    """The host says that the day has not come; by the device's clock it is three days later."""
    write_case(scratch, dek=None)
    root = x509.load_pem_x509_certificate((SOURCE / "tests/vectors/nitro/simulator-root.pem").read_bytes())
    authority = Authority(scratch, "authority of aws")
    ends = str(authority.issue("aws.pem", ["DNS:localhost"], seconds=86400, is_server=True))
    with Emulator(root=root, tls=(ends, ends)) as aws:
        cloud = Cloud(aws)
        settings = cloud.settings(AWS_CA_BUNDLE=authority.path)
        with serving(scratch, **settings) as enclave:
            assert sealed_value(enclave).startswith(token_of("hello"))
        num_calls = len(aws.calls)
        with serving(scratch, ready=None, SIMULATOR_AHEAD_SECS=3 * 86400, **settings) as enclave:
            event = enclave.program.wait_event("data_keys_not_read")
            assert event["stage"] == "secret" and "certificate has expired" in event["reason"]
        assert len(aws.calls) == num_calls


def substitute(cloud, enclave, value):
    """Another secret's value is put in place and read; what the enclave says of it."""
    cloud.put(value)
    enclave.program.process.send_signal(signal.SIGHUP)
    return enclave.program.wait_event("data_keys_not_read")


def test_substituted_key_is_refused_by_its_fingerprint(cloud, scratch):
    with serving(scratch, **cloud.settings()) as first:
        fingerprint = first.program.wait_event("data_keys")["fingerprint"]
    with serving(scratch, **cloud.settings(DEK_FINGERPRINTS=fingerprint)) as enclave:
        event = substitute(cloud, enclave, cloud.sealed(NEW_DEK))  # what anybody with kms:Encrypt can make
        assert event["stage"] == "guard" and event["field"] == "DEK_FINGERPRINTS" and event["old_keys_serve"]
        assert sealed_value(enclave).startswith(token_of("hello"))


def test_key_of_another_account_or_context_is_refused(cloud, scratch):
    other = cloud.aws.kms.create_key(account="999999999999")
    cloud.aws.kms.keys[other]["policy"] = {"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
    with serving(scratch, **cloud.settings(KMS_KEY_ID=None)) as enclave:
        event = substitute(cloud, enclave, cloud.sealed(NEW_DEK, under=other))
        assert event["stage"] == "guard" and event["field"] == "KeyId", event
        assert sealed_value(enclave).startswith(token_of("hello"))
    with serving(scratch, ready=None, **cloud.settings(KMS_ENCRYPTION_CONTEXT="app=other")) as enclave:
        cloud.put(cloud.sealed(DEK))
        assert enclave.program.wait_event("data_keys_not_read")["stage"] == "decrypt"


def test_key_of_wrong_length_is_refused(cloud, scratch):
    with serving(scratch, **cloud.settings()) as enclave:
        event = substitute(cloud, enclave, cloud.sealed(b"\xbb" * 31))
        assert event["stage"] == "recipient" and "shorter" in event["reason"]
        assert sealed_value(enclave).startswith(token_of("hello"))


FAULTS = [
    ("refuse", {"code": "AccessDeniedException", "message": "no", "status": 400}),
    ("status", {"status": 400, "body": b""}),
    ("status", {"status": 500, "body": b"<html>broken</html>"}),
    ("html", {}),
    ("truncated", {}),
    ("empty", {}),
    ("redirect", {"location": "http://127.0.0.1:1/"}),
    ("wrong_length", {"difference": -5}),
    ("error_in_200", {}),
    ("close", {"when": "body"}),
]


@pytest.mark.parametrize("service", ["secretsmanager", "kms"])
def test_what_breaks_in_aws_never_costs_the_key_in_use(cloud, scratch, service):
    with serving(scratch, **cloud.settings()) as enclave:
        for number, (kind, options) in enumerate(FAULTS, 1):
            cloud.put(cloud.sealed(NEW_DEK))  # another ciphertext each time: it has to be opened
            cloud.aws.fail(kind, service=service, count=-1, **options)
            enclave.program.process.send_signal(signal.SIGHUP)
            enclave.program.wait_event("data_keys_not_read", count=number, timeout=60)
            cloud.aws.faults.clear()
            assert sealed_value(enclave).startswith(token_of("hello")), kind
            cloud.put(cloud.sealed(DEK))  # so that what is tried again by itself finds the key in use
            before = metric(enclave.metrics(), "teegate_dek_readings_total", outcome="unchanged")
            changed = metric(enclave.metrics(), "teegate_dek_readings_total", outcome="changed")
            enclave.program.process.send_signal(signal.SIGHUP)
            enclave.program.wait_until(
                lambda: metric(enclave.metrics(), "teegate_dek_readings_total", outcome="unchanged") > before
                or metric(enclave.metrics(), "teegate_dek_readings_total", outcome="changed") > changed, what=f"{kind} to end")
        stages = {event["stage"] for event in enclave.program.events("data_keys_not_read")}
        assert stages <= ({"secret", "form"} if service == "secretsmanager" else {"decrypt", "recipient", "guard"}), stages


def test_rotation_under_load_has_no_error_and_old_tokens_open(cloud, scratch, opener):
    settings, context = opener
    with serving(scratch, **cloud.settings(**settings, DEK_ROTATION_INTERVAL_SECS=1, WORKERS=2)) as enclave:
        old = sealed_value(enclave)
        faults, ended = [], threading.Event()

        def ask():
            while not ended.is_set():
                try:
                    sealed = enclave.encrypt({"ssn": "load"})
                    opened = enclave.decrypt({"ssn": sealed.json["ssn"]}, context=context)
                    if sealed.status != 200 or opened.status != 200 or opened.json["ssn"] != "load":
                        faults.append((sealed, opened))
                except Exception as why:  # whatever a client meets is a fault
                    faults.append(why)

        clients = [threading.Thread(target=ask) for _ in range(2)]
        for each in clients:
            each.start()
        cloud.put(cloud.ring(("k2", NEW_DEK, "current"), ("k1", DEK, "retired")))
        enclave.program.wait_until(lambda: sealed_value(enclave).startswith(token_by(NEW_DEK, "hello")), what="the new key")
        ended.set()
        for each in clients:
            each.join()
        assert faults == []
        assert enclave.decrypt({"ssn": old}, context=context).json == {"ssn": "hello"}
        waited = [event for event in enclave.program.events("data_keys") if event["new_key_waits"]]
        assert len(waited) == 1  # it was readable an interval before it sealed
    with serving(scratch, **cloud.settings(**settings)) as again:
        assert again.decrypt({"ssn": old}, context=context).json == {"ssn": "hello"}
        assert sealed_value(again).startswith(token_by(NEW_DEK, "hello"))


def test_single_key_replaced_leaves_old_tokens_readable_until_the_end(cloud, scratch, opener):
    settings, context = opener
    with serving(scratch, **cloud.settings(**settings)) as enclave:
        old = sealed_value(enclave)
        cloud.put(base64.b64encode(cloud.sealed(NEW_DEK)).decode())
        enclave.program.process.send_signal(signal.SIGHUP)
        enclave.program.wait_event("keys_no_longer_in_the_secret")
        enclave.program.wait_until(lambda: sealed_value(enclave).startswith(token_by(NEW_DEK, "hello")), what="the new key")
        assert enclave.decrypt({"ssn": old}, context=context).json == {"ssn": "hello"}


def test_unknown_token_has_the_secret_read_once(cloud, scratch, opener):
    settings, context = opener
    with serving(scratch, **cloud.settings(**settings)) as other:
        cloud.put(cloud.ring(("k2", NEW_DEK, "current"), ("k1", DEK, "retired")))
        with serving(scratch, **cloud.settings(**settings)) as ahead:
            token = sealed_value(ahead)
            assert token.startswith(token_by(NEW_DEK, "hello"))
        before = cloud.num_calls("GetSecretValue")
        assert other.decrypt({"ssn": token}, context=context).status == 400
        other.program.wait_until(lambda: other.decrypt({"ssn": token}, context=context).status == 200, what="the new key")
        for _ in range(10):
            other.ask(compose_fields("decrypt", {"ssn": token[:-1] + ("A" if token[-1] != "A" else "B")}), context)
        assert cloud.num_calls("GetSecretValue") == before + 1


def test_unknown_token_in_a_stream_of_lines_opens_on_that_stream_once_the_secret_is_read(cloud, scratch, opener):
    settings, context = opener
    with serving(scratch, **cloud.settings(**settings)) as other:
        cloud.put(cloud.ring(("k2", NEW_DEK, "current"), ("k1", DEK, "retired")))
        with serving(scratch, **cloud.settings(**settings)) as ahead:
            token = sealed_value(ahead)
        line = json.dumps({"ssn": token}).encode() + b"\n"
        with other.connect(context) as stream:
            stream.send(b"POST /decrypt HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nX-Schema-Name: record\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            answers = []

            def is_opened():
                stream.send(b"%x\r\n%s\r\n" % (len(line), line))
                if not answers:
                    assert stream._read_head()[0] == 200
                answers.append(stream._take(int(stream._line(), 16)))
                assert stream._line() == b""
                return json.loads(answers[-1]) == {"ssn": "hello"}

            other.program.wait_until(is_opened, what="the new key")
        assert json.loads(answers[0])["error"]["code"] == "bad_token"


def dumped_memory(pid):
    """What a core dump would hold: every readable mapping that is not left out of dumps (VmFlags dd)."""
    mapping, found = None, []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r)", line)
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mapping = (int(match[1], 16), int(match[2], 16)) if match else None
        elif line.startswith("VmFlags:") and mapping and not {"dd", "io", "pf"} & set(line.split()[1:]):
            found.append(mapping)
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end in found:
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue  # vvar and the like


def spelt(key):
    return [key, key.hex().encode(), base64.b64encode(key)[:42], base64.urlsafe_b64encode(key)[:42]]


def dumped_by_gcore(pid, folder, *options):
    """The core that gdb's gcore makes of a process, or None where it cannot (it is no core that says nothing)."""
    done = subprocess.run(["gcore", *options, "-o", str(folder / "gcore"), str(pid)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=patience(120))
    path = folder / f"gcore.{pid}"
    if not path.exists():
        assert done.returncode != 0 and "ptrace" in done.stderr.lower() + done.stdout.lower(), done
        return None
    core = path.read_bytes()
    path.unlink()
    assert core.startswith(b"\x7fELF") and len(core) > 100_000, done
    return core


@pytest.mark.skipif(is_sanitized(), reason="dumps are not forbidden there")
def test_core_dumps_fail_or_hold_no_data_key(cloud, scratch, opener):
    settings, context = opener
    key = os.urandom(32)
    cloud.put(cloud.sealed(key))
    with serving(scratch, **cloud.settings(**settings)) as enclave:
        token = sealed_value(enclave)
        assert enclave.decrypt({"ssn": token}, context=context).status == 200
        pid = enclave.program.pid
        core = dumped_by_gcore(pid, scratch)
        if core is not None:  # root's, which ptrace lets attach
            assert not any(text in core for text in spelt(key))
            # What root could have all the same, outside a TEE; and that a key would be found here.
            assert key in dumped_by_gcore(pid, scratch, "-a")
        assert sealed_value(enclave) == token
        before = set(scratch.rglob("*"))
        os.kill(pid, signal.SIGABRT)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended.si_status == signal.SIGABRT and ended.si_code == os.CLD_KILLED  # not CLD_DUMPED
        assert not [path for path in set(scratch.rglob("*")) - before if "core" in path.name]


def test_data_key_is_nowhere_to_be_found(cloud, scratch, opener):
    settings, context = opener
    key = os.urandom(32)
    cloud.put(cloud.sealed(key))
    spellings = spelt(key)
    with serving(scratch, LOG_LEVEL="debug", **cloud.settings(**settings)) as enclave:
        token = sealed_value(enclave)
        assert enclave.decrypt({"ssn": token}, context=context).status == 200
        assert enclave.decrypt({"ssn": token[:-2] + "AA"}, context=context).status == 400
        seen = [enclave.get(path).body for path in ("/attestation", "/health", "/nothing")]
        seen += [enclave.admin(path).body for path in ("/metrics", "/status", "/version")]
        seen += [enclave.program.log.encode(), enclave.program.output.encode()]
        seen += [path.read_bytes() for path in scratch.rglob("*") if path.is_file()]
        if not is_sanitized():
            try:
                seen += dumped_memory(enclave.program.pid)
            except PermissionError:
                pass  # then nobody can dump it
    assert len(seen) > 8 and BUILD.exists()
    for text in seen:
        assert not any(spelling in text for spelling in spellings)


def test_settings_without_a_secret_are_faults(scratch, run):
    write_case(scratch)
    environment = {"SCHEMA_DIR": scratch / "schemas", "DEK_FINGERPRINTS": "00" * 16, "LISTEN_ADDRESS": "tcp:127.0.0.1:0"}
    done = run("teegate-enclave", "--check-config", env=environment)
    assert done.returncode != 0 and b"DEK_FINGERPRINTS" in done.stderr and b"SECRET_ARN is not" in done.stderr
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:x-AbCdEf"
    environment = {"SCHEMA_DIR": scratch / "schemas", "SECRET_ARN": secret, "KMS_KEY_ID": "alias/tee",
                   "LISTEN_ADDRESS": "tcp:127.0.0.1:0"}
    done = run("teegate-enclave", "--check-config", env=environment)
    assert done.returncode != 0 and b"an alias names no key" in done.stderr
