"""/encrypt and /decrypt of teegate-enclave over TLS: known answers, what passes unchanged, each refusal."""

import json
import subprocess
import types

import pytest

from certificates import Authority
from conftest import SOURCE, patience
from enclave_cases import (
    RECORD,
    assert_refused,
    client_context,
    compose,
    compose_fields,
    serving,
    token_of,
    write_case,
)
from tool_cases import PERSON, TOKEN_EMPTY, TOKEN_HELLO, TOKEN_SSN

pytestmark = pytest.mark.sanitize
VECTORS = SOURCE / "tests" / "vectors"
SECRET = "Zq7-secret-value"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An enclave with an open /encrypt and one client who may decrypt."""
    folder = tmp_path_factory.mktemp("fields")
    payments = (SOURCE / "examples" / "schemas" / "payments.yaml").read_bytes()
    transfers = (SOURCE / "examples" / "schemas" / "credit-transfers.yaml").read_bytes()
    files = {"record.yaml": RECORD, "bank/people.yaml": PERSON_IN_JSON, "payments.yaml": payments}
    write_case(folder, {**files, "credit-transfers.yaml": transfers})
    authority = Authority(folder)
    reader = client_context(authority.issue("reader.pem", ["DNS:reader.example"]))
    with serving(folder, CLIENT_CA_PATH=authority.path, DECRYPT_ALLOWED_CLIENTS="reader.example") as enclave:
        yield types.SimpleNamespace(enclave=enclave, reader=reader)


PERSON_IN_JSON = PERSON.split("    Pet:")[0]


def encrypt(served, document, schema="record", **options):
    return served.enclave.encrypt(document, schema, **options)


def decrypt(served, document, schema="record", **options):
    return served.enclave.decrypt(document, schema, context=served.reader, **options)


def seal(served, document):
    answer = encrypt(served, document)
    assert answer.status == 200, answer
    return answer.body


@pytest.mark.parametrize("text, token", [("123-45-6789", TOKEN_SSN), ("hello", TOKEN_HELLO), ("", TOKEN_EMPTY)])
def test_encrypt_known_answer_exact_bytes(served, text, token):
    document = json.dumps({"ssn": text}, separators=(",", ":")).encode()
    answer = encrypt(served, document)
    assert answer.status == 200
    assert answer.body == b'{"ssn":"' + token.encode() + b'"}'
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    opened = decrypt(served, answer.body)
    assert (opened.status, opened.body) == (200, document)


def test_encrypt_by_curl_known_answer(served):
    for version in ("--tlsv1.3", "--tls-max 1.2"):
        done = subprocess.run(
            ["curl", "-sSk", "--http1.1", *version.split(), f"{served.enclave.url}/encrypt", "-H", "X-Schema-Name: record",
             "-H", "Content-Type: application/json", "--data-binary", '{"ssn":"123-45-6789"}', "-w", "|%{http_code}"],
            capture_output=True, timeout=patience(20), check=False,
        )  # fmt: skip
        assert done.stderr == b""
        assert done.stdout.decode() == '{"ssn":"' + TOKEN_SSN + '"}|200'


def test_encrypt_all_kinds_of_values_round_trip(served):
    document = (
        b' { "ssn" : "123-45-6789" , "age":54000.00e+0, "is_member":true,\n"address":{"street":"x", "n":[1, 2]},'
        b'"tags":["a",null, {}],"other":"\\u0041\\/", "owner":{"name":"\xc3\xa9\\ud83d\\ude00"},"notes":["n1",null,"n2"],'
        b'"friends":[{"ssn":null,"age":-0}],"a/b~c":"p", "friends":[]}\r\n'
    )
    sealed = seal(served, document)
    values = json.loads(sealed)
    assert values["ssn"] == TOKEN_SSN
    for name in ("age", "is_member", "address", "tags", "a/b~c"):
        assert values[name].startswith("v1.")
    assert values["owner"]["name"].startswith(token_of("é😀"))
    assert values["notes"][0].startswith(token_of("n1")) and values["notes"][1] is None
    assert b'"other":"\\u0041\\/"' in sealed and sealed.startswith(b' { "ssn" : "v1.') and sealed.endswith(b"[]}\r\n")
    opened = decrypt(served, sealed)
    assert opened.status == 200
    # Strings come back equal after unescaping, everything else byte for byte.
    assert opened.body.replace(b"\xf0\x9f\x98\x80", b"\\ud83d\\ude00") == document


def test_encrypt_twice_same_tokens(served):
    document = {"ssn": SECRET, "notes": [SECRET, SECRET]}
    once, twice = json.loads(seal(served, document)), json.loads(seal(served, document))
    assert once == twice and once["ssn"] == once["notes"][0] == once["notes"][1]


def test_encrypt_token_sealed_again(served):
    again = json.loads(seal(served, {"ssn": TOKEN_SSN}))["ssn"]
    assert again.startswith(token_of(TOKEN_SSN))


@pytest.mark.parametrize(
    "document, expected",
    [
        (b'{"ssn":"hello","ssn":""}', f'{{"ssn":"{TOKEN_HELLO}","ssn":"{TOKEN_EMPTY}"}}'),
        (b'{"s\\u0073n":"hello"}', f'{{"s\\u0073n":"{TOKEN_HELLO}"}}'),
        (b'{"ssn":"\\u0068e\\u006cl\\u006f"}', f'{{"ssn":"{TOKEN_HELLO}"}}'),
        (b'{"a\\/b~c":"hello"}', f'{{"a\\/b~c":"{TOKEN_HELLO}"}}'),
        (b'{"payload":{"ssn":"hello"}}', f'{{"payload":{{"ssn":"{TOKEN_HELLO}"}}}}'),
        (b' {\t"payload" : {"ssn":"hello"} } ', f' {{\t"payload" : {{"ssn":"{TOKEN_HELLO}"}} }} '),
        (b'{"p\\u0061yload":{"ssn":"hello"}}', f'{{"p\\u0061yload":{{"ssn":"{TOKEN_HELLO}"}}}}'),
        (b'{"Ssn":"hello","SSN":"hello"}', '{"Ssn":"hello","SSN":"hello"}'),
        (b"{}", "{}"),
        (b"null", "null"),
        (b'{"owner":null,"notes":null,"friends":null}', '{"owner":null,"notes":null,"friends":null}'),
    ],
)
def test_encrypt_shapes_expected_bytes(served, document, expected):
    answer = encrypt(served, document)
    assert (answer.status, answer.body.decode()) == (200, expected)


@pytest.mark.parametrize(
    "schema, document, pii",
    [
        ("record#Owner", {"name": "hello", "ssn": "x"}, "name"),
        ("bank/people", {"ssn": "hello", "name": "x"}, "ssn"),
        ("bank/people#Person", {"ssn": "hello", "name": "x"}, "ssn"),
    ],
)
def test_encrypt_schema_names_found(served, schema, document, pii):
    answer = encrypt(served, document, schema)
    assert answer.status == 200, answer
    assert answer.json == {**document, pii: TOKEN_HELLO}


@pytest.mark.parametrize("name, schema", [("payment", "payments"), ("payouts", "payments"), ("payment", "payments#Payment"),
                                          ("credit-transfers", "credit-transfers")])  # fmt: skip
def test_examples_round_trip(served, name, schema):
    document = (SOURCE / "examples" / "documents" / f"{name}.json").read_bytes()
    sealed = encrypt(served, document, schema)
    assert sealed.status == 200 and sealed.body != document and b"v1." in sealed.body
    opened = decrypt(served, sealed.body, schema)
    assert opened.status == 200 and opened.json == json.loads(document)


REFUSED_DOCUMENTS = [
    ("empty", b""),
    ("white space", b" \r\n\t"),
    ("text", b"hello"),
    ("single quotes", b"{'ssn':'a'}"),
    ("comment", b'{"ssn":"a"} // b'),
    ("trailing comma", b'{"ssn":"a",}'),
    ("no comma", b'{"ssn":"a" "b":1}'),
    ("bare name", b'{ssn:"a"}'),
    ("no value", b'{"ssn":}'),
    ("unclosed string", b'{"ssn":"a'),
    ("unclosed object", b'{"ssn":"a"'),
    ("unclosed array", b'{"ssn":"a","other":[1'),
    ("wrong closing", b'{"ssn":"a"]'),
    ("two values", b'{"ssn":"a"}{}'),
    ("leading zero", b'{"ssn":"a","n":01}'),
    ("plus", b'{"ssn":"a","n":+1}'),
    ("bare point", b'{"ssn":"a","n":1.}'),
    ("no exponent", b'{"ssn":"a","n":1e}'),
    ("hexadecimal", b'{"ssn":"a","n":0x1}'),
    ("NaN", b'{"ssn":"a","n":NaN}'),
    ("Infinity", b'{"ssn":"a","n":-Infinity}'),
    ("True", b'{"ssn":"a","n":True}'),
    ("unknown escape", b'{"ssn":"a","n":"\\x41"}'),
    ("short escape", b'{"ssn":"a","n":"\\u12"}'),
    ("control character", b'{"ssn":"a","n":"\n"}'),
    ("NUL in a string", b'{"ssn":"a\x00b"}'),
    ("NUL behind", b'{"ssn":"a"}\x00'),
    ("byte order mark", b'\xef\xbb\xbf{"ssn":"a"}'),
    ("UTF-16", '{"ssn":"a"}'.encode("utf-16-le")),
    ("overlong solidus", b'{"ssn":"\xc0\xaf"}'),
    ("overlong NUL", b'{"ssn":"\xc0\x80"}'),
    ("overlong three", b'{"n":"\xe0\x80\xaf"}'),
    ("overlong four", b'{"n":"\xf0\x80\x80\xaf"}'),
    ("raw surrogate", b'{"n":"\xed\xa0\x80"}'),
    ("beyond Unicode", b'{"n":"\xf4\x90\x80\x80"}'),
    ("lone continuation", b'{"n":"\x80"}'),
    ("cut character", b'{"n":"\xe2\x82"}'),
    ("Latin-1", b'{"n":"\xe9"}'),
    ("depth 513", b'{"other":' + b"[" * 512 + b"]" * 512 + b"}"),
    ("depth 100000", b'{"other":' + b"[" * 100000),
]


@pytest.mark.parametrize("document", [d for _, d in REFUSED_DOCUMENTS], ids=[name for name, _ in REFUSED_DOCUMENTS])
def test_encrypt_malformed_json_bad_request(served, document):
    with served.enclave.connect() as connection:
        assert_refused(connection.ask(compose_fields("encrypt", document)), 400, "bad_request")
        # It costs the client nothing but the request.
        assert connection.ask(compose_fields("encrypt", {"ssn": "hello"})).json == {"ssn": TOKEN_HELLO}
    assert_refused(decrypt(served, document), 400, "bad_request")


def test_encrypt_json_test_suite_as_expected(served):
    """nst/JSONTestSuite: what it says is JSON passes with the same bytes (no schema matches there), the rest is 400."""
    num_accepted = num_refused = 0
    with served.enclave.connect() as connection:
        for path in sorted((VECTORS / "json" / "parsing").iterdir()):
            document = path.read_bytes()
            answer = connection.ask(compose_fields("encrypt", document, schema="record#Owner"))
            if answer.status == 200:
                assert path.name[0] in "yi", path.name
                assert answer.body == document, path.name
                num_accepted += 1
            else:
                # A root that must be an object says so of a list: that is no verdict about the JSON.
                assert answer.status == 400, path.name
                assert path.name[0] in "ni" or answer.json["code"] == "schema_mismatch", (path.name, answer)
                num_refused += 1
    assert num_accepted > 20 and num_refused > 100


def test_encrypt_depth_512_taken(served):
    document = b'{"other":' + b"[" * 511 + b"]" * 511 + b',"ssn":"hello"}'
    answer = encrypt(served, document)
    assert answer.status == 200
    assert answer.body == document.replace(b'"hello"', f'"{TOKEN_HELLO}"'.encode())
    assert_refused(encrypt(served, document.replace(b"[]", b"[[]]")), 400, "bad_request")


MISMATCHES = [
    ('{"owner":["%s"]}', "/owner"),
    ('{"friends":{"ssn":"%s"}}', "/friends"),
    ('{"notes":{"0":"%s"}}', "/notes"),
    ('{"friends":[{"ssn":"x"},{"owner":["%s"]}]}', "/friends/1/owner"),
    ('{"payload":{"owner":["%s"]}}', "/payload/owner"),
    ('["%s"]', ""),
]


@pytest.mark.parametrize("document, pointer", MISMATCHES)
def test_encrypt_container_mismatch_refused_with_pointer(served, document, pointer):
    body = (document % SECRET).encode()
    assert_refused(encrypt(served, body), 400, "schema_mismatch", pointer, [SECRET])
    assert_refused(decrypt(served, body), 400, "schema_mismatch", pointer, [SECRET])


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "a\\ud83dx", "\\ud83d\\u0041", "\\ude00\\ud83d"])
def test_encrypt_lone_surrogate_refused_only_at_pii(served, text):
    answer = encrypt(served, f'{{"owner":{{"name":"{SECRET}{text}"}}}}'.encode())
    assert_refused(answer, 400, "bad_request", "/owner/name", [SECRET])
    document = f'{{"other":"{text}"}}'.encode()
    assert encrypt(served, document).body == document


@pytest.mark.parametrize("document", ['{"payload":{"ssn":"%s"},"b":1}', '{"b":1,"payload":{"ssn":"%s"}}',
                                      '{"payload":{"ssn":"%s"},"payload":{}}'])  # fmt: skip
def test_encrypt_payload_with_siblings_refused(served, document):
    answer = encrypt(served, (document % SECRET).encode())
    assert answer.status == 400 and answer.json["code"] == "bad_request"
    assert SECRET.encode() not in answer.body


def test_encrypt_fields_at_and_over_limit(served):
    document = json.dumps({"notes": ["a"] * 10000}).encode()
    answer = encrypt(served, document)
    assert answer.status == 200
    assert len(answer.json["notes"]) == 10000 and all(n.startswith(token_of("a")) for n in answer.json["notes"])
    assert decrypt(served, answer.body).body == document
    over = json.dumps({"notes": ["a"] * 10001}).encode()
    assert_refused(encrypt(served, over), 413, "payload_too_large", "/notes/10000")
    nulls = json.dumps({"notes": ["a"] * 10000 + [None]}).encode()
    assert encrypt(served, nulls).status == 200


def test_encrypt_body_at_and_over_10_mib(served):
    begin, end = b'{"ssn":"hello","other":"', b'"}'
    document = begin + b"x" * ((10 << 20) - len(begin) - len(end)) + end
    assert len(document) == 10 << 20
    answer = encrypt(served, document)
    assert answer.status == 200 and answer.body == document.replace(b'"hello"', f'"{TOKEN_HELLO}"'.encode(), 1)
    over = document.replace(b"xxx", b"xxxx", 1)
    request = compose_fields("encrypt", over)
    head = request[: request.index(b"\r\n\r\n") + 4]
    with served.enclave.connect() as connection:  # the head alone is enough
        assert_refused(connection.ask(head), 413, "payload_too_large")
        connection.read_end()
    chunked = head.replace(b"Content-Length: %d" % len(over), b"Transfer-Encoding: chunked")
    with served.enclave.connect() as connection:
        connection.send(chunked + b"%x\r\n" % len(over))
        assert_refused(connection.read_answer(), 413, "payload_too_large")


@pytest.mark.parametrize("schema", ["unknown", "record#Unknown", "record#", "#Record", "record.yaml", "Record", "../record",
                                    "record#Owner#Owner", "bank", "bank/", "/record", "record "[:-1] + "x", "r" * 2000])  # fmt: skip
def test_encrypt_unknown_schema_bad_request(served, schema):
    assert_refused(encrypt(served, {"ssn": SECRET}, schema), 400, "bad_request", secrets=[SECRET, schema])


def test_encrypt_schema_header_missing_or_twice_bad_request(served):
    assert_refused(encrypt(served, {"ssn": SECRET}, None), 400, "bad_request", secrets=[SECRET])
    twice = encrypt(served, {"ssn": SECRET}, headers=[("x-schema-name", "record")])
    assert_refused(twice, 400, "bad_request", secrets=[SECRET])
    assert_refused(encrypt(served, {"ssn": SECRET}, None, headers=[("X-Schema-Name", "")]), 400, "bad_request")


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/jsonx", "application/x-www-form-urlencoded",
                                        "application/json; charset=utf-16", "json", "text/+json/x", ""])  # fmt: skip
def test_encrypt_media_type_unsupported(served, media_type):
    headers = [("X-Schema-Name", "record")] + ([("Content-Type", media_type)] if media_type is not None else [])
    answer = served.enclave.ask(compose("POST", "/encrypt", b'{"ssn":"a"}', headers))
    assert_refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["Application/JSON", "application/json; charset=UTF-8", "application/ld+json",
                                        'application/vnd.api+json;charset="utf-8"'])  # fmt: skip
def test_encrypt_media_type_taken(served, media_type):
    headers = [("X-Schema-Name", "record"), ("Content-Type", media_type)]
    answer = served.enclave.ask(compose("POST", "/encrypt", b'{"ssn":"hello"}', headers))
    assert answer.status == 200 and answer.json == {"ssn": TOKEN_HELLO}


def test_encrypt_content_encoding_unsupported(served):
    answer = encrypt(served, b"\x1f\x8b", headers=[("Content-Encoding", "gzip")])
    assert_refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/encrypt", "/decrypt", "/health", "/ready", "/live"])
def test_method_other_not_allowed(served, method, path):
    expected = "POST" if path in ("/encrypt", "/decrypt") else "GET, HEAD"
    if method in expected.split(", "):
        pytest.skip("this one is allowed")
    answer = served.enclave.ask(compose(method, path), is_head=method == "HEAD")
    assert answer.header("Allow") == expected
    if method == "HEAD":
        assert answer.status == 405
    else:
        assert_refused(answer, 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/encrypt/", "/Encrypt", "//encrypt", "/encrypt%20", "/metrics", "/status", "/version",
                                  "/health/x", "/%65ncrypt", "/x/../encrypt", "/" + "p" * 4000])  # fmt: skip
def test_path_unknown_not_found(served, path):
    answer = served.enclave.ask(compose("POST", path, b"{}"))
    assert_refused(answer, 404, "not_found")


def make_bad_tokens():
    version, nonce, sealed = TOKEN_SSN.split(".")
    flipped = sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1]
    other_nonce = ("A" if nonce[0] != "A" else "B") + nonce[1:]
    return {
        "plain text": (SECRET, "not_a_token"),
        "empty": ("", "not_a_token"),
        "prefix alone": ("v1.", "not_a_token"),
        "two parts": (f"{version}.{nonce}", "not_a_token"),
        "four parts": (f"{TOKEN_SSN}.x", "not_a_token"),
        "version 2": (f"v2.{nonce}.{sealed}", "not_a_token"),
        "padded": (f"{TOKEN_SSN}=", "not_a_token"),
        "blank": (f" {TOKEN_SSN}", "not_a_token"),
        "standard alphabet": (f"{version}.{nonce[:-1]}+.{sealed}", "not_a_token"),
        "short nonce": (f"{version}.{nonce[:-4]}.{sealed}", "not_a_token"),
        "shorter than a tag": (f"{version}.{nonce}.{sealed[:20]}", "not_a_token"),
        "flipped": (f"{version}.{nonce}.{flipped}", "bad_token"),
        "another nonce": (f"{version}.{other_nonce}.{sealed}", "bad_token"),
    }


BAD_TOKENS = make_bad_tokens()


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_decrypt_bad_token_refused_with_pointer(served, name):
    text, code = BAD_TOKENS[name]
    document = {"ssn": TOKEN_SSN, "friends": [{"notes": [TOKEN_HELLO, text]}]}
    answer = decrypt(served, document)
    assert_refused(
        answer, 400, code, "/friends/0/notes/1", ["123-45-6789", "hello"] + ([text] if len(text) > 4 else [])
    )


@pytest.mark.parametrize("value", [1, True, {}, [], {"a": 1}])
def test_decrypt_other_value_at_pii_not_a_token(served, value):
    assert_refused(decrypt(served, {"a/b~c": value}), 400, "not_a_token", "/a~1b~0c")


def test_decrypt_lenient_lets_pass_what_is_no_token(served):
    document = {"ssn": SECRET, "notes": [TOKEN_HELLO, "v1.x", None], "age": 4, "address": {"a": 1}}
    for query in ("?lenient=1", "?lenient", "?a=b&lenient=1&c"):
        answer = decrypt(served, document, query=query)
        assert answer.status == 200, answer
        assert answer.json == {**document, "notes": ["hello", "v1.x", None]}
    for query in ("", "?lenient=0", "?Lenient=1", "?xlenient=1"):
        assert_refused(decrypt(served, document, query=query), 400, "not_a_token", "/ssn", [SECRET])
    assert_refused(decrypt(served, document, query="?lenient=yes"), 400, "bad_request")
    # A token that does not open is no text that passes.
    flipped = BAD_TOKENS["flipped"][0]
    assert_refused(decrypt(served, {"ssn": flipped}, query="?lenient=1"), 400, "bad_token", "/ssn")


def test_decrypt_wrapper_kept(served):
    answer = decrypt(served, {"payload": {"ssn": TOKEN_SSN}})
    assert (answer.status, answer.json) == (200, {"payload": {"ssn": "123-45-6789"}})
    assert_refused(decrypt(served, {"payload": {"ssn": "x"}}), 400, "not_a_token", "/payload/ssn")


def test_encrypt_pointer_holds_names_but_no_values(served):
    answer = encrypt(served, {"friends": [{"owner": {"name": SECRET}}, {"owner": [SECRET]}]})
    assert_refused(answer, 400, "schema_mismatch", "/friends/1/owner", [SECRET])
