"""The KMS proxy against AWS emulated: what a CID may ask, how requests come, what AWS and the network do to the answers."""

import base64
import json
import pathlib
import re
import socket
import sys
import threading
import time

import pytest
import requests
from certificates import Authority
from conftest import patience
from proxy_cases import ask, connect, read_all, start_proxy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

from emulator import Emulator  # noqa: E402
from emulator.device import Device, measurements  # noqa: E402


@pytest.fixture(scope="module")
def device():
    return Device()


@pytest.fixture
def aws(device):
    with Emulator(root=device.root) as emulator:
        yield emulator


class Proxied:
    """A proxy with two domains, k (CID 16, may see plaintext) and t (CID 17, may not), and a stranger's door."""

    def __init__(self, start, scratch, free_port, aws, plaintext=True, environment=None, **config):
        self.aws = aws
        self.key, self.other = aws.kms.create_key(), aws.kms.create_key()
        self.admin = free_port()
        self.paths = {cid: scratch / f"kms{cid}" for cid in (16, 17, 18)}
        self.plain = scratch / "plain"
        nowhere = "tcp:127.0.0.1:1"
        listen = [f"unix:{path}?cid={cid}" for cid, path in self.paths.items()] + [f"unix:{self.plain}"]
        whole = {
            "domains": {
                "k.x": {"cid": 16, "http": nowhere, "https": nowhere, "kms_key": self.key, "allow_plaintext": plaintext},
                "t.x": {"cid": 17, "http": nowhere, "https": nowhere, "kms_key": self.other},
            },
            "aws": {"region": aws.region},
            "listen": {"http": [], "https": [], "internet": [], "kms": listen},
            "admin": f"tcp:127.0.0.1:{self.admin}",
            **config,
        }
        environment = aws.environment(aws.add_user("host")) if environment is None else environment
        environment.pop("AWS_REGION", None)
        self.program = start_proxy(start, scratch, whole, ("127.0.0.1", self.admin), **environment)

    def call(self, operation, cid=16, **given):
        return json.loads(ask(self.paths[cid], json.dumps({"operation": operation, "input": given}).encode()))

    def metrics(self):
        return requests.get(f"http://127.0.0.1:{self.admin}/metrics", timeout=20).text


@pytest.fixture
def proxied(start, scratch, free_port, aws):
    return Proxied(start, scratch, free_port, aws)


def text_of(data):
    return base64.b64encode(data).decode()


def recipient_of(device, key, pcrs=None):
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    document = device.document(pcrs or measurements(1), time.time(), public_key=public)
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": text_of(document)}


def open_sealed(scratch, key, sealed):
    import subprocess

    path = scratch / "recipient.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    return subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", str(path)],
                          input=base64.b64decode(sealed), stdout=subprocess.PIPE, check=True, timeout=30).stdout


def test_four_operations_go_to_kms_and_are_signed(proxied):
    sealed = proxied.call("Encrypt", Plaintext=text_of(b"hello"))["output"]
    assert sealed["KeyId"] == proxied.key
    opened = proxied.call("Decrypt", CiphertextBlob=sealed["CiphertextBlob"], KeyId=proxied.key)["output"]
    assert base64.b64decode(opened["Plaintext"]) == b"hello" and opened["KeyId"] == proxied.key
    made = proxied.call("GenerateDataKey", KeySpec="AES_256", EncryptionContext={"app": "\u00e9\"\\"})["output"]
    assert len(base64.b64decode(made["Plaintext"])) == 32
    opened = proxied.call("Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"app": "\u00e9\"\\"})
    assert opened["output"]["Plaintext"] == made["Plaintext"]
    assert len(base64.b64decode(proxied.call("GenerateRandom", NumberOfBytes=20)["output"]["Plaintext"])) == 20
    assert {call["outcome"] for call in proxied.aws.calls} == {"ok"}
    assert "KeyId" not in proxied.aws.calls[-1]["input"]
    text = proxied.metrics()
    assert 'teegate_proxy_kms_calls_total{domain="k.x",operation="Decrypt",outcome="ok"} 2' in text
    assert 'teegate_aws_calls_total{service="kms",operation="Encrypt",outcome="ok"} 1' in text


def test_answers_are_spelt_as_the_caller_spells(proxied):
    def raw(text):
        return json.loads(ask(proxied.paths[16], text.encode()))

    blob = proxied.call("Encrypt", Plaintext=text_of(b"x"))["output"]["CiphertextBlob"]
    answer = raw(json.dumps({"OPERATION": "decrypt", "Input": {"ciphertext_blob": blob, "key_id": proxied.key}}))
    assert set(answer["output"]) == {"key_id", "plaintext", "encryption_algorithm"}
    answer = raw(json.dumps({"operation": "generate_data_key", "input": {"number_of_bytes": 16, "key_id": None}}))
    assert set(answer["output"]) == {"key_id", "plaintext", "ciphertext_blob"}
    answer = raw(json.dumps({"operation": "GenerateDataKey", "INPUT": {"keySpec": "AES_128"}}))
    assert set(answer["output"]) == {"keyId", "plaintext", "ciphertextBlob"}


def test_absent_key_is_filled_in_and_another_is_refused(proxied):
    assert proxied.call("Encrypt", Plaintext=text_of(b"x"))["output"]["KeyId"] == proxied.key
    own_id = proxied.key.rsplit("/", 1)[1]
    assert "output" in proxied.call("Encrypt", Plaintext=text_of(b"x"), KeyId=own_id)
    num_calls = len(proxied.aws.calls)
    for key in (proxied.other, proxied.other.rsplit("/", 1)[1], "alias/x", proxied.key + "x", "*"):
        answer = proxied.call("Encrypt", Plaintext=text_of(b"x"), KeyId=key)
        assert answer["code"] == "wrong_key" and "key" in answer["error"]
    assert len(proxied.aws.calls) == num_calls
    sealed = proxied.aws.kms.encrypt_under(proxied.other, b"x")
    assert proxied.call("Decrypt", CiphertextBlob=text_of(sealed))["code"] == "IncorrectKeyException"
    assert proxied.program.wait_event("KMS call refused", rule="wrong_key")


def test_callers_without_a_configured_cid_are_refused(proxied):
    assert proxied.call("GenerateRandom", cid=18, NumberOfBytes=8)["code"] == "unknown_caller"
    answer = json.loads(ask(proxied.plain, b'{"operation":"GenerateRandom","input":{"NumberOfBytes":8}}'))
    assert answer["code"] == "unknown_caller"
    assert not proxied.aws.calls


def test_plaintext_is_shown_to_enclaves_alone_by_default(proxied, device, scratch):
    for operation, given in (("Encrypt", {"Plaintext": text_of(b"x")}), ("GenerateDataKey", {"KeySpec": "AES_256"}),
                             ("GenerateRandom", {"NumberOfBytes": 8}), ("Decrypt", {"CiphertextBlob": text_of(b"x" * 60)})):
        assert proxied.call(operation, cid=17, **given)["code"] == "plaintext_refused"
    assert not proxied.aws.calls
    made = proxied.call("generate_data_key_without_plaintext", cid=17, key_spec="AES_256")["output"]
    assert set(made) == {"key_id", "ciphertext_blob"} and made["key_id"] == proxied.other
    key = rsa.generate_private_key(65537, 2048)
    answer = proxied.call("Decrypt", cid=17, CiphertextBlob=made["ciphertext_blob"], Recipient=recipient_of(device, key))
    assert len(open_sealed(scratch, key, answer["output"]["CiphertextForRecipient"])) == 32
    sealed = proxied.aws.kms.encrypt_under(proxied.other, b"k" * 32)
    answer = proxied.call("Decrypt", cid=17, CiphertextBlob=text_of(sealed), Recipient=recipient_of(device, key))
    assert "Plaintext" not in answer["output"]
    assert open_sealed(scratch, key, answer["output"]["CiphertextForRecipient"]) == b"k" * 32
    for plaintext in ("", None):
        proxied.aws.kms.beside_sealed = {"Plaintext": plaintext}
        answer = proxied.call("Decrypt", cid=17, CiphertextBlob=text_of(sealed), Recipient=recipient_of(device, key))
        assert open_sealed(scratch, key, answer["output"]["CiphertextForRecipient"]) == b"k" * 32
    proxied.aws.kms.beside_sealed = {"Plaintext": text_of(b"k" * 32)}
    answer = proxied.call("Decrypt", cid=17, CiphertextBlob=text_of(sealed), Recipient=recipient_of(device, key))
    assert answer["code"] == "unavailable" and text_of(b"k" * 32) not in json.dumps(answer)
    proxied.aws.kms.beside_sealed = {}
    snake = {"key_encryption_algorithm": "RSAES_OAEP_SHA_256",
             "attestation_document": recipient_of(device, key)["AttestationDocument"]}
    answer = proxied.call("generate_random", cid=17, number_of_bytes=8, recipient=snake)
    assert len(open_sealed(scratch, key, answer["output"]["ciphertext_for_recipient"])) == 8


def test_request_split_at_every_byte_is_one_request(proxied):
    request = b' {"operation":"GenerateRandom","input":{"NumberOfBytes":4}}\n'
    for at in range(1, len(request)):
        with connect(proxied.paths[16]) as sock:
            sock.sendall(request[:at])
            time.sleep(0.001)
            sock.sendall(request[at:])
            answer = sock.makefile("rb").readline()
            assert "output" in json.loads(answer), at
    with connect(proxied.paths[16]) as sock:
        for each in request:
            sock.sendall(bytes([each]))
        assert "output" in json.loads(sock.makefile("rb").readline())


def test_several_requests_of_a_connection_are_answered_in_order(proxied):
    one = json.dumps({"operation": "GenerateRandom", "input": {"NumberOfBytes": 3}}).encode()
    two = json.dumps({"operation": "GenerateRandom", "input": {"NumberOfBytes": 6}}).encode()
    with connect(proxied.paths[16]) as sock:
        sock.sendall(one + two + b"\r\n" + one[:10])
        lines = sock.makefile("rb")
        sizes = [len(base64.b64decode(json.loads(lines.readline())["output"]["Plaintext"])) for _ in range(2)]
        sock.sendall(one[10:] + b'{"operation":"Nothing","input":{}}')
        sock.shutdown(socket.SHUT_WR)
        sizes.append(len(base64.b64decode(json.loads(lines.readline())["output"]["Plaintext"])))
        assert sizes == [3, 6, 3]
        assert json.loads(lines.readline())["code"] == "unknown_operation"
        assert lines.read() == b""


@pytest.mark.parametrize("request_text, code", [
    (b"hello", "bad_request"),
    (b"[1]", "bad_request"),
    (b'{"operation":', "bad_request"),
    (b"{}", "bad_request"),
    (b'{"operation":"Decrypt"}', "bad_request"),
    (b'{"operation":"Decrypt","input":[]}', "bad_request"),
    (b'{"operation":7,"input":{}}', "bad_request"),
    (b'{"operation":"ReEncrypt","input":{}}', "unknown_operation"),
    (b'{"operation":"Decrypt","input":{},"x":1}', "bad_request"),
    (b'{"operation":"Decrypt","Operation":"Encrypt","input":{}}', "bad_request"),
    (b'{"operation":"Decrypt","input":{"KeyId":"a","key_id":"b"}}', "bad_request"),
    (b'{"operation":"Decrypt","input":{"Nothing":1}}', "bad_request"),
    (b'{"operation":"Decrypt","input":{"CiphertextBlob":"YQ"}}', "bad_request"),
    (b'{"operation":"Decrypt","input":{"CiphertextBlob":"YQ==","Recipient":{}}}', "bad_request"),
    (b'{"operation":"GenerateRandom","input":{"NumberOfBytes":"4"}}', "bad_request"),
    (b'{"operation":"Decrypt","input":{"EncryptionContext":{"a":1}}}', "bad_request"),
    (b'{"operation":"D\xff","input":{}}', "bad_request"),
    (b'{"a":' * 40, "request_too_large"),
])
def test_other_requests_are_refused_with_a_reason(proxied, request_text, code):
    answer = json.loads(ask(proxied.paths[16], request_text).splitlines()[0])
    assert answer["code"] == code and len(answer["error"]) > 10
    assert not proxied.aws.calls


def test_request_of_64_kib_is_taken_and_one_over_is_refused(proxied):
    frame = b'{"operation":"GenerateRandom","input":{"NumberOfBytes":4}%s}'
    whole = frame % (b" " * (65536 - len(frame) + 2))
    assert len(whole) == 65536
    assert "output" in json.loads(ask(proxied.paths[16], whole))
    answer = json.loads(ask(proxied.paths[16], frame % (b" " * (65537 - len(frame) + 2))))
    assert answer["code"] == "request_too_large"


def test_words_of_aws_are_passed_on_and_audited(proxied):
    proxied.aws.kms.keys[proxied.key]["policy"] = {"Statement": []}
    answer = proxied.call("GenerateDataKey", KeySpec="AES_256")
    assert answer["code"] == "AccessDeniedException"
    assert "is not authorized to perform: kms:GenerateDataKey on resource: " + proxied.key in answer["error"]
    line = proxied.program.wait_event("kms call", outcome="AccessDeniedException")
    assert line["cid"] == 16 and line["operation"] == "GenerateDataKey" and line["key"] == proxied.key
    assert line["request_id"] == proxied.aws.calls[-1]["request_id"] and "duration_ms" in line
    assert line["message"] == answer["error"]


def test_nothing_secret_is_logged(proxied):
    marker = text_of(b"a marker that stands in no log" * 3)
    sealed = proxied.call("Encrypt", Plaintext=marker)["output"]["CiphertextBlob"]
    assert proxied.call("Decrypt", CiphertextBlob=sealed)["output"]["Plaintext"] == marker
    proxied.program.wait_event("kms call", count=2)
    secret = next(iter(proxied.aws.principals.values()))["secret"]
    log = proxied.program.log
    assert marker[:20] not in log and secret not in log and marker[:20] not in proxied.metrics()


@pytest.mark.parametrize("kind, options", [
    ("throttle", {}), ("html", {}), ("status", {"status": 500}), ("truncated", {}), ("error_in_200", {}),
    ("close", {"when": "before"}), ("close", {"when": "head"}), ("wrong_length", {}), ("empty", {}),
])
def test_passing_faults_are_retried(proxied, kind, options):
    proxied.aws.fail(kind, service="kms", count=2, **options)
    assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
    assert len(proxied.aws.calls) == 3 or kind == "close"


@pytest.mark.parametrize("kind, options, code", [
    ("throttle", {}, "ThrottlingException"),
    ("html", {}, "unavailable"),
    ("truncated", {}, "unavailable"),
    ("error_in_200", {}, "InternalFailure"),
    ("redirect", {"location": "http://127.0.0.1:1/"}, "unavailable"),
    ("huge", {"bytes": 100 << 20}, "unavailable"),
    ("refuse", {"code": "KMSInvalidStateException", "message": "pending deletion"}, "KMSInvalidStateException"),
])
def test_lasting_faults_are_answered_with_what_is_known(proxied, kind, options, code):
    proxied.aws.fail(kind, service="kms", count=-1, **options)
    answer = proxied.call("GenerateRandom", NumberOfBytes=4)
    assert answer["code"] == code and answer["error"]
    proxied.aws.faults.clear()
    assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)


def test_clock_an_hour_off_is_corrected(proxied):
    proxied.aws.clock_offset = 3600
    assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
    assert [call["outcome"] for call in proxied.aws.calls] == ["InvalidSignatureException", "ok"]
    proxied.aws.clock_offset = -3600
    assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)


def test_slow_call_holds_up_no_other(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws)
    aws.fail("slow", service="kms", operation="Encrypt", seconds=5)
    slow = threading.Thread(target=proxied.call, args=("Encrypt",), kwargs={"Plaintext": text_of(b"x")})
    slow.start()
    while not aws.calls:
        time.sleep(0.01)
    for _ in range(10):
        assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
    assert slow.is_alive()
    slow.join(patience(30))


def test_thirty_callers_at_once_are_all_answered(proxied):
    proxied.aws.latency = 0.2
    answers = []

    def one():
        answers.append(proxied.call("GenerateRandom", NumberOfBytes=4))

    began = time.monotonic()
    threads = [threading.Thread(target=one) for _ in range(30)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(patience(60))
    assert len(answers) == 30 and all("output" in each for each in answers)
    assert time.monotonic() - began < patience(6)  # one behind the other: 6 s and more


def test_caller_that_leaves_leaves_nothing_behind(proxied):
    proxied.aws.latency = 0.3
    for _ in range(5):
        with connect(proxied.paths[16]) as sock:
            sock.sendall(b'{"operation":"GenerateRandom","input":{"NumberOfBytes":4}}')
    with connect(proxied.paths[16]) as sock:
        sock.sendall(b'{"operation":')
    proxied.program.wait_until(
        lambda: re.search(r'^teegate_proxy_connections\{service="kms"\} 0$', proxied.metrics(), re.MULTILINE),
        what="all connections ended")
    assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)


def test_connection_without_a_whole_request_is_ended(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws, timeouts={"hello_ms": 200})
    with connect(proxied.paths[16]) as sock:
        sock.sendall(b'{"operation":')
        assert read_all(sock) == b""
    assert proxied.program.wait_event("client too slow")


def test_connections_of_a_cid_are_limited(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws, limits={"per_cid": 2})
    with connect(proxied.paths[16]) as one, connect(proxied.paths[16]) as two:
        for sock in (one, two):
            sock.sendall(b'{"operation":"GenerateRandom","input":{"NumberOfBytes":4}}')
            assert sock.makefile("rb").readline().startswith(b'{"output"')
        assert ask(proxied.paths[16], b'{"operation":"GenerateRandom","input":{"NumberOfBytes":4}}') == b""
        assert json.loads(ask(proxied.paths[17], b"{}"))["code"] == "bad_request"  # another CID has its own
    assert proxied.program.wait_event("limit reached", rule="limit_per_peer")


def test_reload_changes_the_key(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws)
    with connect(proxied.paths[16]) as before:
        before.sendall(b'{"operation":')
        config = json.loads((scratch / "proxy.json").read_text())
        config["domains"]["k.x"]["kms_key"] = proxied.other
        (scratch / "proxy.json").write_text(json.dumps(config))
        proxied.program.send(1)
        proxied.program.wait_event("reloaded")
        assert proxied.call("GenerateDataKey", KeySpec="AES_256")["output"]["KeyId"] == proxied.other
        before.sendall(b'"GenerateDataKey","input":{"KeySpec":"AES_256"}}')  # begun under the former configuration
        lines = before.makefile("rb")
        assert json.loads(lines.readline())["output"]["KeyId"] == proxied.key
        before.sendall(b'{"operation":"GenerateDataKey","input":{"KeySpec":"AES_256"}}')
        assert json.loads(lines.readline())["output"]["KeyId"] == proxied.other


def test_reload_takes_rights_from_connections_that_are_open(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws)
    request = b'{"operation":"GenerateDataKey","input":{"KeySpec":"AES_256"}}'
    with connect(proxied.paths[16]) as kept:
        lines = kept.makefile("rb")
        kept.sendall(request)
        assert "output" in json.loads(lines.readline())
        config = json.loads((scratch / "proxy.json").read_text())
        del config["domains"]["k.x"]["allow_plaintext"]
        (scratch / "proxy.json").write_text(json.dumps(config))
        proxied.program.send(1)
        proxied.program.wait_event("reloaded")
        kept.sendall(request)
        assert json.loads(lines.readline())["code"] == "plaintext_refused"
        del config["domains"]["k.x"]
        (scratch / "proxy.json").write_text(json.dumps(config))
        proxied.program.send(1)
        proxied.program.wait_event("reloaded", count=2)
        kept.sendall(request + request)
        for _ in range(2):
            assert json.loads(lines.readline())["code"] == "unknown_caller"


def test_calls_go_over_tls_with_the_name_verified(start, scratch, free_port, device):
    authority, stranger = Authority(scratch), Authority(scratch, "another authority")
    good = authority.issue("aws.pem", names=("DNS:localhost",), is_server=True)
    with Emulator(root=device.root, tls=(good, good)) as aws:
        environment = {**aws.environment(aws.add_user("host")), "AWS_CA_BUNDLE": authority.path}
        proxied = Proxied(start, scratch, free_port, aws, environment=dict(environment))
        assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
        assert aws.num_connections == 1
        proxied.program.stop()
        environment["AWS_CA_BUNDLE"] = stranger.path
        proxied = Proxied(start, scratch, free_port, aws, environment=environment)
        answer = proxied.call("GenerateRandom", NumberOfBytes=4)
        assert answer["code"] == "unavailable" and "certificate" in answer["error"]


def environment_of(aws, **variables):
    return {"AWS_ENDPOINT_URL": aws.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": aws.url, **variables}


@pytest.mark.parametrize("source", ["web identity", "shared files", "config file", "container", "instance"])
def test_credentials_are_found_and_renewed(start, scratch, free_port, aws, source):
    role = f"arn:aws:iam::{aws.account}:role/host"
    aws.identity.session_seconds = 10  # within the five minutes: each call starts a renewal
    if source == "web identity":
        aws.identity.web_tokens["token of the pod"] = role
        (scratch / "token").write_text("token of the pod\n")
        environment = environment_of(aws, AWS_WEB_IDENTITY_TOKEN_FILE=scratch / "token", AWS_ROLE_ARN=role)
    elif source == "container":
        aws.identity.container_paths, aws.identity.container_token = {"/v1/credentials": "host"}, "agent token"
        (scratch / "token").write_text("agent token")
        environment = environment_of(aws, AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/v1/credentials",
                                     AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=scratch / "token")
    elif source == "instance":
        aws.identity.instance_role = "host"
        environment = environment_of(aws)
    else:
        user = aws.add_user("host")
        name = "[tee]" if source == "shared files" else "[profile tee]"
        (scratch / "file").write_text(f"[default]\nregion = x\n{name}\naws_access_key_id = {user}\n"
                                      f"aws_secret_access_key={aws.principals[user]['secret']}\n")
        variable = "AWS_SHARED_CREDENTIALS_FILE" if source == "shared files" else "AWS_CONFIG_FILE"
        environment = environment_of(aws, AWS_PROFILE="tee", **{variable: scratch / "file"})
    proxied = Proxied(start, scratch, free_port, aws, environment={**environment, "WORKERS": 1})
    aws.principals.setdefault("pattern", {"role_arn": role, "secret": "", "arn": role, "account": aws.account,
                                          "policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]})
    for _ in range(3):
        assert "output" in proxied.call("GenerateDataKey", KeySpec="AES_256")
    is_temporary = source in ("web identity", "container", "instance")
    if is_temporary:
        aws.identity.session_seconds = 3600
        for access_key, each in list(aws.principals.items()):
            if access_key.startswith("ASIA"):
                each["expires"] = time.time() - 1  # AWS says so before the proxy knows
        assert "output" in proxied.call("GenerateDataKey", KeySpec="AES_256")
        assert aws.identity.num_issued >= 2
        num_issued = aws.identity.num_issued
        for _ in range(3):
            assert "output" in proxied.call("GenerateDataKey", KeySpec="AES_256")
        assert aws.identity.num_issued <= num_issued + 2  # each worker once more; then they last


def test_credentials_that_seem_expired_are_tried(start, scratch, free_port, aws):
    """The host's clock is two hours ahead: what lasts an hour seems to have ended, until AWS's answer tells."""
    aws.clock_offset = -7200
    aws.identity.instance_role = "host"
    role = f"arn:aws:iam::{aws.account}:role/host"
    aws.principals["pattern"] = {"role_arn": role, "secret": "", "arn": role, "account": aws.account,
                                 "policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]}
    proxied = Proxied(start, scratch, free_port, aws, environment={**environment_of(aws), "WORKERS": 1})
    for _ in range(3):
        assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
    calls = [call["outcome"] for call in aws.calls if call["operation"] == "GenerateRandom"]
    assert calls == ["InvalidSignatureException", "ok", "ok", "ok"]
    assert aws.identity.num_issued == 1


def test_credentials_are_fetched_once_however_many_wait(start, scratch, free_port, aws):
    aws.identity.instance_role = "host"
    aws.latency = 0.1
    policies = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
    aws.principals["pattern"] = {"role_arn": f"arn:aws:iam::{aws.account}:role/host", "secret": "", "arn": "host",
                                 "account": aws.account, "policies": policies}
    proxied = Proxied(start, scratch, free_port, aws, environment={**environment_of(aws), "WORKERS": 1})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(proxied.call("GenerateRandom", NumberOfBytes=4)))
               for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(patience(60))
    assert len(answers) == 20 and all("output" in each for each in answers)
    assert aws.identity.num_issued == 1


def test_kept_connections_that_aws_ended_are_replaced(proxied):
    for _ in range(3):
        assert "output" in proxied.call("GenerateRandom", NumberOfBytes=4)
        proxied.aws.drop_connections()


def test_missing_credentials_are_an_answer_and_not_the_end(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws, environment=environment_of(aws, AWS_EC2_METADATA_DISABLED="true"))
    for _ in range(2):
        answer = proxied.call("GenerateRandom", NumberOfBytes=4)
        assert answer["code"] == "unavailable" and "credentials" in answer["error"]


def test_instance_without_a_role_is_said(start, scratch, free_port, aws):
    proxied = Proxied(start, scratch, free_port, aws, environment=environment_of(aws))
    answer = proxied.call("GenerateRandom", NumberOfBytes=4)
    assert answer["code"] == "unavailable" and "the instance has no role" in answer["error"]


def test_drain_answers_what_is_under_way(proxied):
    proxied.aws.latency = 0.5
    with connect(proxied.paths[16]) as idle, connect(proxied.paths[16]) as busy:
        busy.sendall(b'{"operation":"GenerateRandom","input":{"NumberOfBytes":4}}')
        while not proxied.aws.calls:
            time.sleep(0.01)
        proxied.program.send(15)
        assert "output" in json.loads(read_all(busy))
        assert read_all(idle) == b""
    assert proxied.program.wait() == 0
