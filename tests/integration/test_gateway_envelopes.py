"""Requests sealed by other people's implementations, through a real enclave to a backend over mTLS, and back; and what a
host can do with them that carries, keeps, changes and invents messages."""

import base64
import concurrent.futures
import contextlib
import functools
import hashlib
import json
import pathlib
import subprocess
import tempfile
import time

import pytest
from conftest import patience
from enclave_cases import compose, metric
from gateway_cases import Gateway, answer_of, route
from gateway_clients import PATHS, Client, Peers, base64url, wait_until_fresh

pytestmark = pytest.mark.sanitize
SECRET = b'{"card": "4111-1111-1111-1111", "memo": "nobody else may read this"}'
MARKS = (b"4111-1111", b"nobody else", b"answer of the backend")
LIMIT = 100000
KINDS = ("jwe", "ohttp")
AHEAD = "REPLAY_AHEAD_SECS"


def routes_of(backend):
    return [route(PATHS[kind], backend, request={"decrypt": kind, "max_bytes": LIMIT}, response={"encrypt": kind},
                  methods=["POST", "PUT"]) for kind in KINDS] + [
        route("/jwe-too", backend, request={"decrypt": "jwe"}, response={"encrypt": "jwe"}),
        route("/jwe-in", backend, request={"decrypt": "jwe"}),
    ]


def respond(request):
    """What a backend does: the answer says what came."""
    if request.body == b'"nothing"':
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    if request.body == b'"missing"':
        return answer_of({"code": "no such card"}, "404 Not Found")
    if request.body == b'"elsewhere"':
        return answer_of(b"", "302 Found", headers="Location: https://evil.example/\r\n")
    if request.body == b'"picture"':
        return answer_of(b"\x89PNG\x00\xff", content_type="image/png")
    return answer_of({"answer of the backend": request.body.decode("latin-1"), "type": request.header("content-type"),
                      "method": request.method, "target": request.target})


@pytest.fixture(name="peers", scope="module")
def fixture_peers():
    peers = Peers()
    yield peers
    peers.end()


@pytest.fixture(name="gateway", scope="module")
def fixture_gateway():
    with tempfile.TemporaryDirectory() as name:
        yield Gateway(pathlib.Path(name))


@pytest.fixture(name="backend", scope="module")
def fixture_backend(gateway):
    backend = gateway.backend(respond=respond)
    yield backend
    backend.end()


@pytest.fixture(name="place", scope="module")
def fixture_place(gateway, backend):
    """A gateway that is ready for sealed requests; its log holds nothing of what went through."""
    with gateway.serving(routes_of(backend), WORKERS=2, **{AHEAD: 0}) as enclave:
        gateway.deliver(gateway.bundle())
        wait_until_fresh()
        yield enclave
        assert not [mark for mark in MARKS if mark.decode() in enclave.program.log]


@pytest.fixture(name="aside")
def fixture_aside():
    """Another gateway and its backend, for tests that start and end enclaves; serving() readies one."""
    with tempfile.TemporaryDirectory() as name:
        aside = Gateway(pathlib.Path(name))
        aside.authority.issue = functools.partial(aside.authority.issue, seconds=20 * 86400)  # the clock may be ahead
        aside.behind = aside.backend(respond=respond)

        @contextlib.contextmanager
        def ready(**settings):
            with aside.serving(routes_of(aside.behind), **{AHEAD: 0, **settings}) as enclave:
                aside.deliver(aside.bundle())
                wait_until_fresh()
                yield enclave

        aside.ready = ready
        yield aside
        aside.behind.end()


@pytest.fixture(name="client")
def fixture_client(peers, place):
    return Client(peers, place)


def assert_nothing_shows(answer):
    assert not [mark for mark in MARKS if mark in answer.body or mark in str(answer.headers).encode()]


def assert_refused_plainly(answer, status, code, problem=None):
    assert answer.status == status, answer
    assert answer.json["code"] == code, answer
    assert answer.header("Content-Type") == ("application/problem+json" if problem else "application/json")
    assert answer.json.get("type") == (f"https://iana.org/assignments/http-problem-types#{problem}" if problem else None)
    assert_nothing_shows(answer)


# Round trips.


@pytest.mark.parametrize("options", [{"jwe": {}}, {"jwe": {"path": PATHS["jwe"], "cty": "json"}},
                                     *({"ohttp": {"aead": aead, "is_streamed": is_streamed}}
                                       for aead in (1, 2) for is_streamed in (False, True))], ids=str)
def test_sealed_request_reaches_the_backend_and_its_answer_the_client_alone(client, backend, options):
    (kind, given), = options.items()
    sealed = client.seal(kind, SECRET, **given)
    assert not [mark for mark in MARKS if mark in sealed.body]
    answer = client.send(sealed)
    assert_nothing_shows(answer)
    inside = client.open(sealed, answer)
    assert inside.status == 200 and inside.content_type == "application/json"
    assert inside.json == {"answer of the backend": SECRET.decode(), "type": "application/json", "method": "POST",
                           "target": "/process"}
    assert backend.requests[-1].caller == "enclave"
    assert backend.requests[-1].body == SECRET


@pytest.mark.parametrize("kind, body, status, content_type, answered", [
    ("jwe", b'"nothing"', 204, None, b""),  # node makes no Response of 204 that has a body, empty or not
    *((kind, b'"missing"', 404, "application/json", b'{"code": "no such card"}') for kind in KINDS),
    *((kind, b'"picture"', 200, "image/png", b"\x89PNG\x00\xff") for kind in KINDS)])
def test_status_and_type_of_an_answer_are_inside(client, kind, body, status, content_type, answered):
    sealed = client.seal(kind, body)
    answer = client.send(sealed)
    assert answer.status == (404 if kind == "jwe" and status == 404 else 200)
    inside = client.open(sealed, answer)
    assert (inside.status, inside.content_type, inside.body) == (status, content_type, answered)


@pytest.mark.parametrize("kind", KINDS)
def test_error_behind_the_opening_is_sealed_too(client, kind):
    inside = client.call(kind, b'"elsewhere"')
    assert inside.status == 502 and inside.json["code"] == "upstream_redirect"
    assert metric(client.enclave.metrics(), "teegate_requests_refused_total", reason="upstream_redirect") >= 1


def test_jwe_names_its_content_and_may_go_unanswered_by_envelope(client, backend):
    inside = client.call("jwe", b"\x00\x01binary", cty="image/png")
    assert inside.json["type"] == "image/png"
    plain = client.send(client.seal_jwe(SECRET, reply_jwk=None), path="/jwe-in")
    assert plain.status == 200 and plain.json["answer of the backend"] == SECRET.decode()
    assert backend.requests[-1].header("content-length") == str(len(SECRET))
    assert_refused_plainly(client.send(client.seal_jwe(SECRET), path="/jwe-in"), 400, "path_missing")
    plain = client.send(client.seal_jwe(SECRET, path="/jwe-in"), path="/jwe-in")
    assert plain.status == 200 and plain.json["answer of the backend"] == SECRET.decode()


def run_jose(*arguments, given=b""):
    done = subprocess.run(["jose", *arguments], input=given, capture_output=True, timeout=patience(30), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_debians_jose_tool_seals_and_reads(client, tmp_path):
    """The whole exchange by a command-line tool."""
    recipient = next(key for key in client.jwks["keys"] if key["use"] == "enc")
    signers = {"keys": [key for key in client.jwks["keys"] if key["use"] == "sig"]}
    reply = json.loads(run_jose("jwk", "gen", "-i", '{"kty":"EC","crv":"P-256"}'))
    for name, key in {"to": recipient, "reply": reply, "signers": signers}.items():
        (tmp_path / name).write_text(json.dumps(key))
    now = client.seal_jwe(b"")  # whose clock is right
    iat = json.loads(base64.urlsafe_b64decode(now.body.split(b".")[0] + b"=="))["iat"]
    public = {name: reply[name] for name in ("kty", "crv", "x", "y")}
    template = {"protected": {"alg": "ECDH-ES", "enc": "A256GCM", "kid": recipient["kid"], "iat": iat, "reply_jwk": public}}
    now.body = run_jose("jwe", "enc", "-i", json.dumps(template), "-I", "-", "-k", str(tmp_path / "to"), "-c", given=SECRET)
    answer = client.send(now)
    assert answer.status == 200, answer
    signed = run_jose("jwe", "dec", "-i", "-", "-k", str(tmp_path / "reply"), given=answer.body)
    payload = run_jose("jws", "ver", "-i", "-", "-k", str(tmp_path / "signers"), "-O", "-", given=signed)
    assert json.loads(payload)["answer of the backend"] == SECRET.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_body_at_the_routes_limit_passes_and_one_over_does_not(client, kind):
    for length in (LIMIT, LIMIT + 1):
        sealed = client.seal(kind, b"x" * length)
        answer = client.send(sealed)
        if length == LIMIT:
            assert len(client.open(sealed, answer).json["answer of the backend"]) == LIMIT
        elif kind == "jwe":
            assert_refused_plainly(answer, 413, "payload_too_large")
        else:
            assert client.open(sealed, answer).status == 413


def test_large_bodies_both_ways(client):
    body = b"z" * 3000000
    inside = client.open(sealed := client.seal_jwe(body), client.send(sealed, path="/jwe-too"))
    assert inside.json["answer of the backend"] == body.decode()


def test_inner_target_may_be_the_backends(client, backend):
    inside = client.call("ohttp", SECRET, authority=f"localhost:{backend.port}", path="/process")
    assert inside.json["target"] == "/process"
    inside = client.call("ohttp", SECRET, method="PUT")
    assert inside.json["method"] == "PUT"


# What is not taken.


@pytest.mark.parametrize("header, status, code", [
    ({"iat": None}, 400, "iat_missing"), ({"reply_jwk": None}, 400, "reply_jwk_missing"),
    ({"kid": "unknown"}, 400, "unknown_kid"), ({"enc": "A128GCM"}, 400, "bad_enc"),
    ({"alg": "ECDH-ES+A256KW"}, 400, "bad_jwe"),  # it has an encrypted key
    ({"path": "/jwe-too"}, 400, "path_mismatch"), ({"padding": "x" * 4096}, 431, "jwe_header_too_large"),
    ({"reply_jwk": {"kty": "EC", "crv": "P-256", "x": "AQEB" * 10 + "AQE", "y": "AQEB" * 10 + "AQE"}}, 400, "bad_reply_jwk"),
])  # fmt: skip
def test_jwe_header_that_is_not_taken_is_refused_by_its_code(client, header, status, code):
    assert_refused_plainly(client.send(client.seal_jwe(SECRET, **header)), status, code)


def test_jwe_that_the_jose_tool_compresses_is_refused(client, tmp_path):
    recipient = next(key for key in client.jwks["keys"] if key["use"] == "enc")
    (tmp_path / "to").write_text(json.dumps(recipient))
    template = {"protected": {"alg": "ECDH-ES", "enc": "A256GCM", "kid": recipient["kid"], "iat": 1, "zip": "DEF"}}
    sealed = client.seal_jwe(b"")
    sealed.body = run_jose("jwe", "enc", "-i", json.dumps(template), "-I", "-", "-k", str(tmp_path / "to"), "-c", given=bytes(1000))
    assert_refused_plainly(client.send(sealed), 400, "zip_not_taken")


@pytest.mark.parametrize("kind", KINDS)
def test_envelope_changed_on_the_way_is_refused_without_a_word_of_it(client, backend, kind):
    sealed = client.seal(kind, SECRET)
    whole, num_before = sealed.body, len(backend.requests)
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        other = b"B" if whole[at : at + 1] == b"A" else b"A"
        sealed.body = whole[:at] + other + whole[at + 1 :]
        answer = client.send(sealed)
        assert answer.status == 400 and answer.json["code"], (at, answer)
        assert_nothing_shows(answer)
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        sealed.body = whole[:end]
        assert client.send(sealed).status == 400
    assert len(backend.requests) == num_before
    sealed.body = whole
    assert client.open(sealed, client.send(sealed)).status == 200


def test_ohttp_to_keys_that_are_not_ours_is_a_problem_of_the_key(client):
    for at, code in ((0, "unknown_key_id"), (2, "ohttp_algorithm"), (6, "ohttp_algorithm")):
        sealed = client.seal_ohttp(SECRET)
        sealed.body = sealed.body[:at] + bytes([sealed.body[at] ^ 0x55]) + sealed.body[at + 1 :]
        assert_refused_plainly(client.send(sealed), 400, code, "ohttp-key")


@pytest.mark.parametrize("inner, status, code", [
    ({"method": "DELETE"}, 405, "inner_method"), ({"path": "/jwe"}, 400, "inner_path"),
    ({"authority": "evil.example"}, 421, "inner_authority"),
    ({"connection": "close"}, 400, "inner_header"), ({"host": "localhost"}, 400, "inner_header"),
    ({"transfer-encoding": "chunked"}, 400, "inner_header"), ({"message": "00"}, 400, "bad_bhttp"),
])  # fmt: skip
def test_inner_request_that_is_not_the_routes_is_refused_inside(client, backend, inner, status, code):
    num_before = len(backend.requests)
    inside = client.call("ohttp", SECRET, **inner)
    assert (inside.status, inside.json["code"]) == (status, code)
    assert len(backend.requests) == num_before


@pytest.mark.parametrize("date, code", [(1000000000, "date_too_old"), (4000000000, "date_in_future")])
def test_inner_date_that_is_not_of_now_is_a_problem_of_the_date(client, date, code):
    inside = client.call("ohttp", SECRET, date=date)
    assert (inside.status, inside.json["code"]) == (400, code)
    assert inside.content_type == "application/problem+json"
    assert inside.json["type"] == "https://iana.org/assignments/http-problem-types#date"
    assert inside.headers["date"].endswith(" GMT")  # the client can set its clock by it


@pytest.mark.parametrize("iat, code", [(1000000000, "iat_too_old"), (4000000000, "iat_in_future")])
def test_iat_that_is_not_of_now_is_refused_inside(client, iat, code):
    inside = client.call("jwe", SECRET, iat=iat)
    assert (inside.status, inside.json["code"]) == (400, code)


@pytest.mark.parametrize("kind", KINDS)
def test_other_types_and_queries_are_refused(client, kind):
    sealed = client.seal(kind, SECRET)
    for content_type in ("application/json", "application/jose+json", "message/bhttp"):
        request = compose("POST", PATHS[kind], sealed.body, [("Content-Type", content_type)])
        assert_refused_plainly(client.enclave.ask(request), 415, "unsupported_media_type")
    assert_refused_plainly(client.send(sealed, path=PATHS[kind] + "?admin=1"), 400, "query_not_sealed")
    assert client.open(sealed, client.send(sealed)).status == 200  # it was never taken


# A host that keeps what it carries.


@pytest.mark.parametrize("kind", KINDS)
def test_captured_request_is_taken_once_whoever_sends_it_and_however_often(client, backend, kind):
    sealed = client.seal(kind, SECRET)
    num_before = len(backend.requests)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # on connections of their own: both workers
        answers = list(pool.map(lambda _: client.send(sealed), range(24)))
    insides = [client.open(sealed, answer) for answer in answers]
    assert sorted(inside.status for inside in insides) == [200] + [409] * 23
    assert all(inside.json["code"] == "replayed" for inside in insides if inside.status == 409)
    assert len(backend.requests) == num_before + 1
    for answer in answers:
        assert_nothing_shows(answer)


def test_captured_jwe_is_not_taken_on_another_route_than_its_own(client, backend):
    sealed = client.seal_jwe(SECRET, path="/jwe")
    num_before = len(backend.requests)
    assert_refused_plainly(client.send(sealed, path="/jwe-too"), 400, "path_mismatch")
    assert len(backend.requests) == num_before
    assert client.open(sealed, client.send(sealed)).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_captured_request_is_not_taken_by_a_process_that_started_later(peers, aside, kind):
    with aside.ready() as enclave:
        client = Client(peers, enclave)
        taken, withheld = client.seal(kind, SECRET), client.seal(kind, SECRET)
        assert client.open(taken, client.send(taken)).status == 200
    with aside.ready() as enclave:
        for sealed in (taken, withheld):  # the enclave cannot tell the one from the other
            inside = client.open(sealed, client.send(sealed, enclave=enclave))
            assert inside.status == 503 and inside.json["code"] in ("iat_before_start", "date_before_start")
        again = client.seal(kind, SECRET)
        assert client.open(again, client.send(again, enclave=enclave)).status == 200


def test_so_long_after_a_start_as_clocks_may_differ_nothing_is_taken(peers, aside):
    with aside.ready(**{AHEAD: 3600}) as enclave:
        client = Client(peers, enclave)
        sealed = client.seal_jwe(SECRET)
        answer = client.send(sealed)
        assert client.open(sealed, answer).json["code"] == "iat_before_start"
        assert answer.status == 503 and 3000 < int(answer.header("Retry-After")) <= 3601


def test_full_cache_says_when_to_come_again_and_forgets_nothing(peers, aside):
    with aside.ready(REPLAY_ENTRIES=16) as enclave:
        client = Client(peers, enclave)
        first = client.seal_jwe(SECRET)
        taken = [client.open(sealed, client.send(sealed)).status
                 for sealed in [first, *(client.seal(KINDS[i % 2], SECRET) for i in range(15))]]
        assert taken == [200] * 16
        assert metric(enclave.metrics(), "teegate_replay_room") == 0
        over = client.seal_jwe(SECRET)
        answer = client.send(over)
        assert client.open(over, answer).json["code"] == "replay_cache_full"
        assert answer.status == 503 and 0 < int(answer.header("Retry-After")) <= 301
        over = client.seal_ohttp(SECRET)
        answer = client.send(over)
        inside = client.open(over, answer)
        assert inside.status == 503 and 0 < int(inside.headers["retry-after"]) <= 301
        assert answer.header("Retry-After") is None  # the outside says nothing
        assert client.open(first, client.send(first)).json["code"] == "replayed"


def test_each_replica_takes_a_captured_request_once(peers, aside, place):
    """What SECURITY.md says is not prevented: the memory is one process's, the keys are all replicas'."""
    with aside.ready() as replica:
        client = Client(peers, place)
        assert Client(peers, replica).jwks["keys"][0]["kid"] == client.jwks["keys"][0]["kid"]
        sealed = client.seal_jwe(SECRET)
        for enclave in (place, replica):
            statuses = [client.open(sealed, client.send(sealed, enclave=enclave)).status for _ in range(2)]
            assert statuses == [200, 409]


# A host that answers itself.


def test_forged_answer_of_a_host_is_not_believed(client):
    sealed = client.seal_jwe(SECRET)
    req = base64url(hashlib.sha256(sealed.body).digest())
    public = {name: sealed.kept[name] for name in ("kty", "crv", "x", "y")}
    signer = next(key["kid"] for key in client.jwks["keys"] if key["use"] == "sig")
    forged = client.peers.jose.ask_json(forge=b"all is well".hex(), reply=public,
                                        header={"kid": signer, "req": req, "status": 200, "iat": 1})
    with pytest.raises(ValueError, match="SIGNATURE"):
        client.open_jwe(sealed, forged["jwe"].encode())
    assert client.open(sealed, client.send(sealed)).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_answers_swapped_between_two_clients_are_not_believed(client, kind):
    one, two = client.seal(kind, b'"one"'), client.seal(kind, b'"two"')
    answer_one, answer_two = client.send(one), client.send(two)
    for sealed, answer in ((one, answer_two), (two, answer_one)):
        with pytest.raises(ValueError):
            client.open(sealed, answer)
    assert client.open(one, answer_one).json["answer of the backend"] == '"one"'


def test_answer_to_an_earlier_request_of_the_same_client_is_not_believed(client):
    """Two requests that bring the same reply key: `req` tells their answers apart."""
    first = client.seal_jwe(b'"first"')
    public = {name: first.kept[name] for name in ("kty", "crv", "x", "y")}
    second = client.seal_jwe(b'"second"', reply_jwk=public)
    second.kept = first.kept
    earlier, answer = client.send(first), client.send(second)
    with pytest.raises(ValueError, match="another request"):
        client.open(second, earlier)
    assert client.open(second, answer).json["answer of the backend"] == '"second"'


@pytest.mark.parametrize("kind", KINDS)
def test_answer_changed_on_the_way_is_not_believed(client, kind):
    sealed = client.seal(kind, SECRET)
    answer = client.send(sealed)
    whole = answer.body
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        if kind == "jwe" and whole[at + 1 : at + 2] in (b"", b"."):
            continue  # npm jose does not look at the spare bits of a part's last character
        other = b"B" if whole[at : at + 1] == b"A" else b"A"
        answer.body = whole[:at] + other + whole[at + 1 :]
        with pytest.raises(ValueError):
            client.open(sealed, answer)


# Keys that change.


def test_keys_of_the_last_epoch_are_read_and_older_ones_are_not(peers, aside):
    """The attested clock runs a day ahead, then two: what was published yesterday still opens, and no more."""
    day = 86400
    with aside.ready() as enclave:
        client = Client(peers, enclave)
        old = client.jwks, client.ohttp_keys
    for num_days in (1, 2):
        with aside.ready(ATTESTATION_DEVICE="simulator", SIMULATOR_AHEAD_SECS=num_days * day) as enclave:
            client = Client(peers, enclave)
            new = client.jwks
            client.jwks, client.ohttp_keys = old
            now = time.time() + num_days * day
            sealed = client.seal_jwe(SECRET, iat=int(now))
            answer = client.send(sealed)
            client.jwks = new  # which the answer is signed by
            if num_days == 1:
                assert client.open(sealed, answer).status == 200
                assert client.call("ohttp", SECRET, date=now).status == 200
            else:
                assert_refused_plainly(answer, 400, "unknown_kid")
                assert client.send(client.seal_ohttp(SECRET, date=now)).json["type"].endswith("#ohttp-key")
