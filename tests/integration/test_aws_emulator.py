"""The emulator of AWS is held to AWS's own client: botocore signs, and understands every answer."""

import base64
import json
import pathlib
import subprocess
import sys
import time

import pytest
import requests

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import ALLOW_ALL, Emulator  # noqa: E402
from emulator.device import Device, measurements  # noqa: E402

ACCOUNT = "111122223333"
ENCLAVE_ROLE = f"arn:aws:iam::{ACCOUNT}:user/enclave"


@pytest.fixture(scope="module")
def device():
    return Device()


@pytest.fixture
def aws(device):
    with Emulator(root=device.root) as emulator:
        yield emulator


def client(aws, service, name="enclave", attempts=1, **principal):
    access_key = next((key for key, each in aws.principals.items() if each["arn"].endswith("/" + name)), None)
    access_key = access_key or aws.add_user(name, **principal)
    return botocore.session.get_session().create_client(
        service, region_name=aws.region, endpoint_url=aws.url, aws_access_key_id=access_key,
        aws_secret_access_key=aws.principals[access_key]["secret"],
        aws_session_token=aws.principals[access_key].get("token"),
        config=Config(retries={"total_max_attempts": attempts}, s3={"addressing_style": "path"}))


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"].get("RequestId") or code.isdigit()
    return raised.value.response["Error"].get("Message")


def test_kms_opens_what_it_sealed_under_its_context_alone(aws):
    key, kms = aws.kms.create_key(alias="alias/tee"), client(aws, "kms")
    sealed = kms.encrypt(KeyId="alias/tee", Plaintext=b"data", EncryptionContext={"app": "tee"})
    assert sealed["KeyId"] == key
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"app": "tee"}, KeyId=key)
    assert opened["Plaintext"] == b"data" and opened["KeyId"] == key
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"])
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=b"\0" * 40)
    other = aws.kms.create_key()
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], KeyId=other,
            EncryptionContext={"app": "tee"})
    refused("NotFoundException", kms.generate_data_key, KeyId="none", KeySpec="AES_256")
    refused("ValidationException", kms.generate_data_key, KeyId=key)
    assert len(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]) == 32
    assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=16)
    assert len(kms.generate_random(NumberOfBytes=24)["Plaintext"]) == 24


def attested_policy(pcrs):
    condition = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": pcrs[0].hex(),
                                            "kms:RecipientAttestation:PCR3": pcrs[3].hex()}}
    return {"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ENCLAVE_ROLE}, "Action": "kms:Decrypt", "Resource": "*",
         "Condition": condition},
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/operator"}, "Action": "kms:*",
         "Resource": "*"}]}


def as_recipient(device, pcrs, key, now=None):
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    document = device.document(pcrs, now or time.time(), public_key=public)
    return {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document}


def call_raw(aws, operation, arguments, name="enclave"):
    """(status, answer) of a call that this botocore's model does not know."""
    access_key = next(key for key, each in aws.principals.items() if each["arn"].endswith("/" + name))
    request = AWSRequest("POST", aws.url + "/", data=json.dumps(arguments), headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"})
    SigV4Auth(Credentials(access_key, aws.principals[access_key]["secret"]), "kms", aws.region).add_auth(request)
    answer = requests.post(aws.url + "/", data=request.data, headers=dict(request.headers), timeout=30)
    return answer.status_code, answer.json()


def test_data_key_is_released_to_the_attested_image_alone(aws, device, tmp_path):
    pcrs, key = measurements(), rsa.generate_private_key(65537, 2048)
    arn = aws.kms.create_key(attested_policy(pcrs))
    client(aws, "kms")
    blob = aws.kms.encrypt_under(arn, b"k" * 32)

    def decrypt(recipient):
        arguments = {"CiphertextBlob": base64.b64encode(blob).decode()}
        if recipient:
            recipient["AttestationDocument"] = base64.b64encode(recipient["AttestationDocument"]).decode()
            arguments["Recipient"] = recipient
        return call_raw(aws, "Decrypt", arguments)

    status, answer = decrypt(as_recipient(device, pcrs, key))
    assert status == 200 and "Plaintext" not in answer and answer["KeyId"] == arn
    sealed = base64.b64decode(answer["CiphertextForRecipient"])
    assert sealed[1] == 0x80  # BER, of indefinite length
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    opened = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", str(tmp_path / "key.pem")],
                            input=sealed, stdout=subprocess.PIPE, check=True, timeout=30)
    assert opened.stdout == b"k" * 32
    for recipient in (None, as_recipient(device, measurements(), key), as_recipient(device, measurements(b""), key)):
        status, answer = decrypt(recipient)
        assert status == 400 and answer["__type"] == "AccessDeniedException"
        assert "is not authorized to perform: kms:Decrypt on resource" in answer["Message"]
    for recipient in (as_recipient(Device(), pcrs, key), as_recipient(device, pcrs, key, time.time() - 3600)):
        assert decrypt(recipient)[1]["__type"] == "ValidationException"


def test_whoever_may_encrypt_can_substitute_a_ciphertext(aws):
    arn = aws.kms.create_key(attested_policy(measurements(1)))
    attacker = client(aws, "kms", "attacker")
    refused("AccessDeniedException", attacker.encrypt, KeyId=arn, Plaintext=b"x" * 32)
    aws.kms.grant(arn, f"arn:aws:iam::{ACCOUNT}:user/attacker", ["Encrypt"])
    assert attacker.encrypt(KeyId=arn, Plaintext=b"x" * 32)["KeyId"] == arn
    assert "explicit deny" not in refused("AccessDeniedException", attacker.decrypt,
                                          CiphertextBlob=aws.kms.encrypt_under(arn, b"k" * 32))


def test_secret_is_read_by_stage_and_version(aws):
    manager = client(aws, "secretsmanager")
    first = manager.create_secret(Name="tee/dek", SecretString="one")
    second = manager.put_secret_value(SecretId="tee/dek", SecretBinary=b"\0two")
    assert manager.get_secret_value(SecretId=first["ARN"])["SecretBinary"] == b"\0two"
    before = manager.get_secret_value(SecretId="tee/dek", VersionStage="AWSPREVIOUS")
    assert before["SecretString"] == "one" and before["VersionId"] == first["VersionId"] != second["VersionId"]
    refused("ResourceNotFoundException", manager.get_secret_value, SecretId="none")


def test_bucket_is_listed_in_pages_and_read_by_etag(aws):
    names = ["a b", "schemas/", "schemas/..", "schemas/a.yaml", "schemas/\u00e9<&>.json", "z"]
    aws.s3.create_bucket("specs")
    aws.s3.page_size = 2
    for name in names:
        aws.s3.put("specs", name, "content of " + name)
    s3 = client(aws, "s3")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="specs"))
    assert len(pages) == 3
    assert [each["Key"] for page in pages for each in page["Contents"]] == sorted(names)
    found = s3.get_object(Bucket="specs", Key=names[4], ExpectedBucketOwner=ACCOUNT)
    assert found["Body"].read().decode() == "content of " + names[4]
    refused("304", s3.get_object, Bucket="specs", Key=names[4], IfNoneMatch=found["ETag"])
    refused("PreconditionFailed", s3.get_object, Bucket="specs", Key="z", IfMatch=found["ETag"])
    refused("NoSuchKey", s3.get_object, Bucket="specs", Key="none")
    refused("NoSuchBucket", s3.list_objects_v2, Bucket="none")
    refused("AccessDenied", s3.list_objects_v2, Bucket="specs", ExpectedBucketOwner="999999999999")


def test_web_identity_becomes_a_session_that_ends(aws):
    role = f"arn:aws:iam::{ACCOUNT}:role/proxy"
    aws.identity.web_tokens["token of the pod"] = role
    made = client(aws, "sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="tee", WebIdentityToken="token of the pod")["Credentials"]
    aws.principals[made["AccessKeyId"]]["policies"] = [ALLOW_ALL]
    kms = botocore.session.get_session().create_client(
        "kms", region_name=aws.region, endpoint_url=aws.url, aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"], aws_session_token=made["SessionToken"])
    assert len(kms.generate_random(NumberOfBytes=4)["Plaintext"]) == 4
    aws.principals[made["AccessKeyId"]]["expires"] = time.time() - 1
    refused("ExpiredTokenException", kms.generate_random, NumberOfBytes=4)


def test_instance_and_container_give_credentials(aws):
    aws.identity.instance_role = "instance"
    aws.identity.container_paths = {"/v2/credentials/1": "task"}
    found = InstanceMetadataFetcher(base_url=aws.url + "/").retrieve_iam_role_credentials()
    assert found["role_name"] == "instance" and aws.principals[found["access_key"]]["token"] == found["token"]
    found = ContainerMetadataFetcher().retrieve_full_uri(aws.url.replace("localhost", "127.0.0.1") + "/v2/credentials/1")
    assert aws.principals[found["AccessKeyId"]]["role_arn"].endswith("role/task")


def test_wrong_signatures_and_clocks_are_refused(aws):
    kms = client(aws, "kms")
    aws.clock_offset = 3600
    assert "Signature expired" in refused("InvalidSignatureException", kms.generate_random, NumberOfBytes=4)
    aws.clock_offset = 0
    principal = next(iter(aws.principals.values()))
    principal["secret"] = "another"
    assert "does not match" in refused("InvalidSignatureException", kms.generate_random, NumberOfBytes=4)
    aws.principals.clear()
    refused("UnrecognizedClientException", kms.generate_random, NumberOfBytes=4)


@pytest.mark.parametrize("kind", ["throttle", "html", "status", "close"])
def test_faults_that_aws_clients_retry_pass(aws, kind):
    kms = client(aws, "kms", attempts=3)
    aws.fail(kind, service="kms", status=503)
    assert len(kms.generate_random(NumberOfBytes=4)["Plaintext"]) == 4
    assert aws.calls[-1]["outcome"] == "ok"
