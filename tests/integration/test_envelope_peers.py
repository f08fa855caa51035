"""Envelopes against other implementations: npm jose, @hpke and bhttp-js, Debian's jose tool, python cryptography."""

import base64
import json
import pathlib
import random
import subprocess

import pytest
from conftest import clean_environment, patience, program_path
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NODE = pathlib.Path(__file__).resolve().parents[1] / "node"
LENGTHS = [0, 1, 2, 3, 15, 16, 17, 255, 1500, 65536]


def answers(command, questions):
    done = subprocess.run(
        command,
        input="".join(question + "\n" for question in questions),
        capture_output=True,
        text=True,
        env=clean_environment(None),
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(questions)
    return lines


def ours(questions):
    return answers([str(program_path("tests/envelope_answers"))], questions)


def theirs(questions, program="envelope.mjs"):
    if not (NODE / "node_modules").is_dir():
        pytest.fail("tests/node has no node_modules: script/bootstrap installs them")
    return answers(["node", str(NODE / program)], questions)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hexadecimal(data):
    return data.hex() or "-"


class Key:
    """A P-256 key as each side wants it."""

    def __init__(self):
        numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
        self.private = numbers.private_value.to_bytes(32, "big")
        x, y = (value.to_bytes(32, "big") for value in (numbers.public_numbers.x, numbers.public_numbers.y))
        self.public_jwk = {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)}
        self.jwk = {**self.public_jwk, "d": base64url(self.private)}

    def __str__(self):
        return self.private.hex()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


@pytest.fixture(name="key")
def fixture_key():
    return Key()


@pytest.fixture(name="texts")
def fixture_texts():
    dice = random.Random(7516)
    return [dice.randbytes(length) for length in LENGTHS]


def test_jwk_is_the_key_that_cryptography_made(key):
    (jwk,) = ours([f"jwk {key}"])
    for name, value in key.public_jwk.items():
        assert json.loads(jwk)[name] == value


def test_jwe_of_npm_jose_opens(key, texts):
    sealed = theirs([f"seal {compact(key.public_jwk)} k1 {hexadecimal(text)}" for text in texts])
    assert ours([f"jwe-open {key} {jwe}" for jwe in sealed]) == [hexadecimal(text) for text in texts]


def test_jwe_of_ours_opens_with_npm_jose(key, texts):
    sealed = ours([f"jwe-seal {key} {hexadecimal(text)}" for text in texts])
    assert theirs([f"open {compact(key.jwk)} {jwe}" for jwe in sealed]) == [hexadecimal(text) for text in texts]


@pytest.mark.parametrize("alg, enc", [("ECDH-ES", "A128GCM"), ("ECDH-ES", "A256CBC-HS512"), ("ECDH-ES+A256KW", "A256GCM")])
def test_jwe_of_other_algorithms_is_refused(key, alg, enc):
    (sealed,) = theirs([f"seal {compact(key.public_jwk)} k1 00 {alg} {enc}"])
    (answer,) = ours([f"jwe-open {key} {sealed}"])
    assert answer.startswith("refused"), answer


def test_jws_goes_both_ways_with_npm_jose(key, texts):
    signed = ours([f"jws-sign {key} {hexadecimal(text)}" for text in texts])
    assert theirs([f"verify {compact(key.public_jwk)} {jws}" for jws in signed]) == [hexadecimal(text) for text in texts]
    signed = theirs([f"sign {compact(key.jwk)} k1 {hexadecimal(text)}" for text in texts])
    assert ours([f"jws-open {key} {jws}" for jws in signed]) == [hexadecimal(text) for text in texts]


def jose_tool(*arguments, stdin=b""):
    return subprocess.run(["jose", *arguments], input=stdin, capture_output=True, timeout=patience(30), check=False)


def test_jwe_of_ours_opens_with_the_jose_tool(key, tmp_path):
    (sealed,) = ours([f"jwe-seal {key} {b'a text'.hex()}"])
    (tmp_path / "key.jwk").write_text(json.dumps(key.jwk))
    done = jose_tool("jwe", "dec", "-i", "-", "-k", str(tmp_path / "key.jwk"), stdin=sealed.encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"a text"


def test_jws_of_the_jose_tool_opens(key, tmp_path):
    (tmp_path / "key.jwk").write_text(json.dumps({**key.jwk, "alg": "ES256", "kid": "k1"}))
    template = json.dumps({"protected": {"alg": "ES256", "kid": "k1"}})
    done = jose_tool("jws", "sig", "-s", template, "-I", "-", "-k", str(tmp_path / "key.jwk"), "-c", stdin=b"a payload")
    assert done.returncode == 0, done.stderr
    assert ours([f"jws-open {key} {done.stdout.decode().strip()}"]) == [b"a payload".hex()]


def test_kid_is_the_thumbprint_of_the_jose_tool(key):
    done = jose_tool("jwk", "thp", "-i", "-", stdin=json.dumps(key.public_jwk).encode())
    assert done.returncode == 0, done.stderr
    assert ours([f"kid {key}"]) == [done.stdout.decode().strip()]


def test_jwe_of_the_jose_tool_with_zip_is_refused(key, tmp_path):
    (tmp_path / "key.jwk").write_text(json.dumps(key.public_jwk))
    template = json.dumps({"protected": {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "k1", "zip": "DEF"}})
    done = jose_tool("jwe", "enc", "-i", template, "-I", "-", "-k", str(tmp_path / "key.jwk"), stdin=bytes(100000))
    assert done.returncode == 0, done.stderr
    general = json.loads(done.stdout)
    # The tool puts epk beside the protected header; compact form has that header alone.
    header = json.loads(base64.urlsafe_b64decode(general["protected"] + "=="))
    header |= general.get("header", {})
    text = ".".join([base64url(json.dumps(header).encode()), "", general["iv"], general["ciphertext"], general["tag"]])
    assert ours([f"jwe-open {key} {text}"]) == ["refused denied"]


class OhttpKey:
    """An X25519 key as each side wants it."""

    def __init__(self):
        key = x25519.X25519PrivateKey.generate()
        self.private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        (self.configuration,) = ours([f"ohttp-keys {self.private} -"])


@pytest.mark.parametrize("aead", [1, 2])
def test_ohttp_of_an_npm_client_opens_and_its_answer_too(texts, aead):
    key = OhttpKey()
    asked = [line.split(" ") for line in theirs([f"ask {key.configuration} {aead} {hexadecimal(text)}" for text in texts], "ohttp.mjs")]
    assert ours([f"ohttp-open {key.private} {sealed}" for sealed, _ in asked]) == [hexadecimal(text) for text in texts]
    sealed_answers = ours([f"ohttp-answer {key.private} {sealed} {hexadecimal(text)}" for (sealed, _), text in zip(asked, texts)])
    opened = theirs([f"answered {state} {sealed}" for (_, state), sealed in zip(asked, sealed_answers)], "ohttp.mjs")
    assert opened == [hexadecimal(text) for text in texts]


def test_ohttp_of_ours_opens_with_npm_hpke(texts):
    key = OhttpKey()
    sealed = ours([f"ohttp-ask {key.private} {hexadecimal(text)}" for text in texts])
    opened = theirs([f"serve {key.private} {key.public} {one}" for one in sealed], "ohttp.mjs")
    assert opened == [hexadecimal(text) for text in texts]


def test_ohttp_to_another_key_is_refused():
    key, other = OhttpKey(), OhttpKey()
    (asked,) = theirs([f"ask {key.configuration} 1 00"], "ohttp.mjs")
    assert ours([f"ohttp-open {other.private} {asked.split(' ')[0]}"]) == ["refused auth"]


def test_bhttp_goes_both_ways_with_npm_bhttp(texts):
    bodies = [text for text in texts if text]
    encoded = theirs([f"encode POST https://example.com/process {body.hex()}" for body in bodies], "ohttp.mjs")
    again = ours([f"bhttp - {message}" for message in encoded])
    decoded = theirs([f"decode {message}" for message in again], "ohttp.mjs")
    assert decoded == [f"POST https://example.com/process {body.hex()}" for body in bodies]


def test_bhttp_of_indeterminate_length_is_read_by_npm_bhttp():
    known = "0140c8000568656c6c6f00"
    (streamed,) = ours([f"bhttp-stream - {known}"])
    assert streamed == "0340c8000568656c6c6f0000"
    assert theirs([f"decode-response {streamed}"], "ohttp.mjs") == [f"200 {b'hello'.hex()}"]
    assert ours([f"bhttp - {streamed}"]) == [known]
