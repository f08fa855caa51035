"""Schemas from S3: the enclave beside an emulator of AWS that checks every signature, and whose faults are AWS's."""

import json
import pathlib
import signal
import sys

import pytest

from enclave_cases import serving, write_case
from tool_cases import TOKEN_HELLO

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import ALLOW_ALL, Emulator  # noqa: E402

pytestmark = pytest.mark.sanitize
PROGRAM = "teegate-enclave"
ACCOUNT = "111122223333"
SCHEMA = """\
openapi: 3.1.0
info: {title: t, version: "1"}
components:
  schemas:
    A: {type: object, properties: {ssn: {type: string, x-pii: true}, name: {type: string}}}
"""
WEAKER = SCHEMA.replace(", x-pii: true", "")


@pytest.fixture
def aws():
    with Emulator(account=ACCOUNT) as emulator:
        emulator.s3.create_bucket("a-bucket")
        yield emulator


def from_s3(folder, aws, ready="ready", **settings):
    write_case(folder, {})
    access_key = aws.add_user("enclave", policies=[ALLOW_ALL])
    settings = {"SCHEMA_DIR": None, "S3_BUCKET": "a-bucket", "S3_BUCKET_OWNER": ACCOUNT,
                "SCHEMA_REFRESH_INTERVAL_SECS": 3600, **aws.environment(access_key), **settings}
    return serving(folder, ready=ready, **settings)


def calls(aws, operation):
    return [call for call in aws.calls if call["operation"] == operation]


def num_readings(enclave):
    return sum(value for key, value in enclave.metrics().items() if key[0] == "teegate_schema_refreshes_total")


def read_again(enclave):
    """One more reading, asked for by SIGHUP, and waited for."""
    before = num_readings(enclave)
    enclave.program.send(signal.SIGHUP)
    enclave.program.wait_until(lambda: num_readings(enclave) > before, what="one more reading")


def names(enclave):
    return [schema["name"] for schema in enclave.admin("/status").json["schemas"]]


def test_schemas_of_a_bucket_signed_and_owned(tmp_path, aws):
    for key, text in {"schemas/bank/payments.yaml": SCHEMA, "schemas/grüße.json": json.dumps({"openapi": "3.1.0"}),
                      "schemas/": "", "schemas/folder.yaml/": "", "schemas/notes.txt": "no schema",
                      "schemas/a b.yaml": SCHEMA, "schemas/../up.yaml": SCHEMA, "elsewhere/c.yaml": SCHEMA,
                      "schemas/broken.yaml": "openapi: ["}.items():
        aws.s3.put("a-bucket", key, text)
    with from_s3(tmp_path, aws) as enclave:
        assert enclave.encrypt({"ssn": "hello", "name": "x"}, "bank/payments").json == {"ssn": TOKEN_HELLO, "name": "x"}
        assert names(enclave) == ["bank/payments", "grüße"]
        refused = {event["file"]: event["reason"] for event in enclave.program.events("schema_refused")}
        assert set(refused) == {"a b.yaml", "../up.yaml", "broken.yaml"}
        assert "blank" in refused["a b.yaml"] and "dot" in refused["../up.yaml"]
        assert {call["outcome"] for call in aws.calls} == {"ok"}
        assert {call["headers"]["x-amz-expected-bucket-owner"] for call in aws.calls} == {ACCOUNT}
        assert len(calls(aws, "GetObject")) == 5
        read_again(enclave)
        assert len(calls(aws, "GetObject")) == 5  # no etag has changed


def test_many_objects_over_pages(tmp_path, aws):
    for number in range(2500):
        aws.s3.put("a-bucket", f"schemas/{number:04}.yaml", SCHEMA if number % 500 == 0 else "x: 1\n")
    with from_s3(tmp_path, aws) as enclave:
        assert names(enclave) == ["0000", "0500", "1000", "1500", "2000"]
        assert len(calls(aws, "ListObjectsV2")) == 3
        assert len(calls(aws, "GetObject")) == 2500
        aws.s3.put("a-bucket", "schemas/2400.yaml", SCHEMA)
        read_again(enclave)
        assert "2400" in names(enclave)
        assert len(calls(aws, "GetObject")) == 2501


def test_object_that_changes_while_listed(tmp_path, aws):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    aws.s3.put("a-bucket", "schemas/b.yaml", SCHEMA)
    aws.s3.put("a-bucket", "schemas/c.yaml", SCHEMA)
    done = []

    def on_get(bucket, key):
        if not done:
            done.append(key)
            richer = SCHEMA.replace("name: {type: string}", "name: {type: string, x-pii: true}")
            aws.s3.put(bucket, "schemas/b.yaml", richer)
            aws.s3.put(bucket, "schemas/a.yaml", richer)
            aws.s3.delete(bucket, "schemas/c.yaml")

    aws.s3.on_get = on_get
    with from_s3(tmp_path, aws) as enclave:
        # What was read is what an object held at that moment, whole; what is gone is told or was read before.
        answers = [enclave.encrypt({"ssn": "hello", "name": "hello"}, each).json for each in ("a", "b")]
        assert {"ssn": TOKEN_HELLO, "name": TOKEN_HELLO} in answers
        aws.s3.on_get = None
        read_again(enclave)
        for each in ("a", "b"):
            expected = {"ssn": TOKEN_HELLO, "name": TOKEN_HELLO}
            assert enclave.encrypt({"ssn": "hello", "name": "hello"}, each).json == expected


def test_weaker_and_missing_schemas_are_held_back(tmp_path, aws):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    aws.s3.put("a-bucket", "schemas/b.yaml", SCHEMA)
    with from_s3(tmp_path, aws) as enclave:
        aws.s3.put("a-bucket", "schemas/a.yaml", WEAKER)
        aws.s3.delete("a-bucket", "schemas/b.yaml")
        read_again(enclave)
        for each in ("a", "b"):
            assert enclave.encrypt({"ssn": "hello"}, each).json == {"ssn": TOKEN_HELLO}
        assert {event["file"] for event in enclave.program.events("schema_refused")} >= {"a.yaml"}


@pytest.mark.parametrize("fault, said", [
    ({"kind": "refuse", "code": "AccessDenied", "message": "Access Denied", "status": 403}, "AccessDenied: Access Denied"),
    ({"kind": "html"}, "the bucket cannot be listed"),
    ({"kind": "truncated"}, "the bucket cannot be listed"),
    ({"kind": "redirect", "location": "http://evil.example/"}, "the bucket cannot be listed"),
    ({"kind": "huge", "bytes": 100 << 20}, "the bucket cannot be listed"),
    ({"kind": "error_in_200"}, "no listing of S3's"),
])  # fmt: skip
def test_listing_that_fails_changes_nothing(tmp_path, aws, fault, said):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    with from_s3(tmp_path, aws) as enclave:
        aws.fail(operation="ListObjectsV2", count=-1, **fault)
        read_again(enclave)
        event = enclave.program.wait_event("schemas_not_read")
        assert event["source"] == "s3://a-bucket/schemas/" and event["old_schemas_serve"] is True
        assert any(said in each["reason"] for each in enclave.program.events("schema_refused"))
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}
        assert enclave.get("/ready").status == 200
        aws.faults.clear()
        aws.s3.put("a-bucket", "schemas/b.yaml", SCHEMA)
        read_again(enclave)
        assert names(enclave) == ["a", "b"]


def test_throttled_and_dropped_calls_are_made_again(tmp_path, aws):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    aws.fail(operation="ListObjectsV2", kind="throttle", count=1)
    aws.fail(operation="GetObject", kind="close", when="body", count=1)
    with from_s3(tmp_path, aws) as enclave:
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}


def test_object_that_cannot_be_read_takes_no_other_along(tmp_path, aws):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    aws.fail(operation="GetObject", kind="refuse", code="AccessDenied", message="Access Denied", status=403, count=1)
    aws.s3.put("a-bucket", "schemas/b.yaml", SCHEMA)
    with from_s3(tmp_path, aws) as enclave:
        assert len(names(enclave)) == 1
        [fault] = enclave.program.events("schema_refused")
        assert "AccessDenied" in fault["reason"]
        read_again(enclave)
        assert names(enclave) == ["a", "b"]


def test_bucket_of_another_account_is_not_read(tmp_path, aws):
    aws.s3.create_bucket("squatted", owner="999999999999")
    aws.s3.put("squatted", "schemas/a.yaml", WEAKER)
    with from_s3(tmp_path, aws, ready=None, S3_BUCKET="squatted") as enclave:
        event = enclave.program.wait_event("schemas_not_read")
        assert event["old_schemas_serve"] is False
        assert any("AccessDenied" in each["reason"] for each in enclave.program.events("schema_refused"))
        assert enclave.get("/ready").status == 503
        assert calls(aws, "GetObject") == []


def test_owner_and_region_are_the_secrets(tmp_path, aws):
    aws.s3.put("a-bucket", "schemas/a.yaml", SCHEMA)
    secret = f"arn:aws:secretsmanager:{aws.region}:{ACCOUNT}:secret:tee-AbCdEf"
    with from_s3(tmp_path, aws, ready="schemas_loaded", S3_BUCKET_OWNER=None, AWS_REGION=None, DEK_FILE=None,
                 SECRET_ARN=secret, ATTESTATION_DEVICE="simulator") as enclave:
        enclave.program.wait_until(lambda: names(enclave) == ["a"], what="the schema")
        for operation in ("ListObjectsV2", "GetObject"):
            assert [call["headers"]["x-amz-expected-bucket-owner"] for call in calls(aws, operation)] == [ACCOUNT]


def test_end_while_s3_says_nothing(tmp_path, aws):
    aws.fail(operation="ListObjectsV2", kind="slow", seconds=60, count=-1)
    with from_s3(tmp_path, aws, ready=None) as enclave:
        enclave.program.wait_event("listening", component="enclave")
        assert enclave.get("/live").status == 200  # leaving the block ends it in order, without waiting for S3


def test_check_config_of_a_bucket_asks_nobody(run, tmp_path):
    settings = {"S3_BUCKET": "a-bucket", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    done = run(PROGRAM, "--local-mode", "--check-config", env=settings)
    assert done.returncode == 1 and b"AWS_REGION: is not set" in done.stderr
    done = run(PROGRAM, "--local-mode", "--check-config", env={**settings, "AWS_REGION": "eu-west-1"})
    assert done.returncode == 0, done.stderr
    done = run(PROGRAM, "--check-config", env={**settings, "SCHEMA_DIR": tmp_path, "S3_BUCKET_OWNER": "me"})
    assert done.returncode == 1
    for said in (b"S3_BUCKET: is set, and SCHEMA_DIR too", b"S3_BUCKET_OWNER: "):
        assert said in done.stderr
