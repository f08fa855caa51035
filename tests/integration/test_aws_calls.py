"""AWS's operations as our client makes them, against the emulator, which has botocore compute every signature again."""

import pathlib
import subprocess
import sys

import pytest
from conftest import BUILD, clean_environment

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import Emulator  # noqa: E402

PROGRAM = next(iter(BUILD.rglob("aws_calls")), None)


@pytest.fixture
def aws():
    with Emulator() as emulator:
        emulator.user = emulator.add_user("client")
        yield emulator


def call(aws, *arguments, **environment):
    """(words, {name: bytes}) of the last line, and the lines before it."""
    made = subprocess.run([str(PROGRAM), *arguments], env=clean_environment({**aws.environment(aws.user), **environment}),
                          stdout=subprocess.PIPE, timeout=60, check=False, text=True)
    assert made.returncode in (0, 1), made.returncode
    lines = made.stdout.splitlines()
    return parts_of(lines[-1]), [parts_of(line) for line in lines[:-1]]


def parts_of(line):
    if line.startswith("failed"):
        return line, {}
    words = [word for word in line.split() if "=" not in word]
    values = dict(word.split("=", 1) for word in line.split() if "=" in word)
    return " ".join(words), {name: bytes.fromhex(value) if name != "size" else int(value) for name, value in values.items()}


def test_kms_operations_give_what_kms_gives(aws):
    key = aws.kms.create_key(alias="alias/tee")
    (words, made), _ = call(aws, "encrypt", "alias/tee", "hello")
    assert words == "kms" and made["key"].decode() == key and not made["plaintext"]
    (_, opened), _ = call(aws, "decrypt", key, made["ciphertext"].hex())
    assert opened["plaintext"] == b"hello"
    sealed = aws.kms.encrypt_under(key, b"x", {"a\u00e9\"": "b\\"})
    (_, opened), _ = call(aws, "decrypt", key, sealed.hex(), "a\u00e9\"", "b\\")
    assert opened["plaintext"] == b"x"
    (_, made), _ = call(aws, "datakey", key, "32")
    assert len(made["plaintext"]) == 32 and made["ciphertext"]
    (_, made), _ = call(aws, "blindkey", key, "32")
    assert not made["plaintext"] and made["ciphertext"]
    (_, made), _ = call(aws, "random", "24")
    assert len(made["plaintext"]) == 24
    (words, _), _ = call(aws, "datakey", "alias/none", "32")
    assert words.startswith("failed NotFoundException: Alias alias/none is not found. (HTTP 400, request ")
    assert aws.calls[-1]["request_id"] in words


def test_secret_is_read_and_written(aws):
    arn = aws.secrets.create("tee/dek", b"\0bytes")
    (words, secret), _ = call(aws, "secret", arn)
    assert words == "secret binary" and secret["value"] == b"\0bytes"
    (_, written), _ = call(aws, "put", "tee/dek", "text \u00e9")
    (words, secret), _ = call(aws, "secret", "tee/dek")
    assert words == "secret text" and secret["value"].decode() == "text \u00e9"
    assert secret["version"] == written["version"] == b"0123456789abcdef0123456789abcdef"
    (words, _), _ = call(aws, "secret", "none")
    assert words.startswith("failed ResourceNotFoundException")


def test_bucket_of_2500_objects_is_listed_over_pages(aws):
    aws.s3.create_bucket("specs")
    names = [f"schemas/{number:04}.yaml" for number in range(2496)]
    names += ["schemas/", "schemas/a b+c", "schemas/..", "schemas/\u00e9&<\u4e2d>'\"%2f"]
    for name in names:
        aws.s3.put("specs", name, name)
    aws.s3.put("specs", "other", "x")
    (words, _), objects = call(aws, "list", "specs", aws.account, "schemas/")
    assert words == "listed" and [each["key"].decode() for _, each in objects] == sorted(names, key=str.encode)
    assert len(aws.calls) == 3 and {each["outcome"] for each in aws.calls} == {"ok"}
    by_name = {each["key"].decode(): each for _, each in objects}
    for name in names[-4:]:
        (words, found), _ = call(aws, "get", "specs", aws.account, name)
        assert words == "content whole" and found["body"].decode() == name and found["etag"] == by_name[name]["etag"]
        assert by_name[name]["size"] == len(name.encode())
    (words, found), _ = call(aws, "get", "specs", aws.account, "schemas/a b+c", found_etag(by_name, "schemas/a b+c"))
    assert words == "content unchanged" and not found["body"]


def found_etag(objects, name):
    return objects[name]["etag"].decode()


@pytest.mark.parametrize("arguments, expected", [
    (("list", "specs", "999999999999", ""), "failed AccessDenied: Access Denied (HTTP 403, request "),
    (("list", "no-such-bucket", "", ""), "failed NoSuchBucket"),
    (("get", "specs", "", "none"), "failed NoSuchKey: The specified key does not exist. (HTTP 404, request "),
    (("get", "elsewhere", "", "x"), "failed PermanentRedirect"),
    (("get", "specs", "", "large"), "failed limit"),
])
def test_refusals_of_s3_are_told_in_its_words(aws, arguments, expected):
    aws.s3.create_bucket("specs")
    aws.s3.create_bucket("elsewhere", region="us-east-1")
    aws.s3.put("specs", "large", bytes(2 << 20))
    (words, _), _ = call(aws, *arguments)
    assert words.startswith(expected)


@pytest.mark.parametrize("kind", ["throttle", "html", "truncated", "wrong_length"])
def test_listing_survives_faults(aws, kind):
    aws.s3.create_bucket("specs")
    aws.s3.put("specs", "a", "x")
    aws.fail(kind, service="s3", count=1)
    (words, _), objects = call(aws, "list", "specs", "", "")
    if kind == "truncated":  # well-formed HTTP, half of the XML: told, not taken for an empty bucket
        assert words.startswith("failed") and not objects
    else:
        assert words == "listed" and len(objects) == 1


def test_session_token_is_signed_and_a_cancelled_call_tells_nobody(aws):
    access_key, _, _, _ = aws.identity.session("role", aws.now(), policies=[])
    aws.user = access_key
    aws.secrets.create("x", "value")
    (words, _), _ = call(aws, "secret", "x")
    assert words == "secret text" and aws.calls[-1]["headers"]["x-amz-security-token"]
    (words, _), before = call(aws, "cancel")
    assert words == "cancelled" and not before
