"""The file of the gateway's routes: what is wrong with it is refused by name before anything is served, what it says is
shown and stands in the manifest, and it does not change while the enclave runs."""

import copy
import hashlib
import json
import signal

import pytest
from certificates import Authority
from enclave_cases import serving, write_case

PROGRAM = "teegate-enclave"
BACKEND = {"url": "https://backend.example:8080/process"}
LITTLE = {"path": "/process", "upstream": BACKEND}
FINGERPRINT = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"


@pytest.fixture(name="good")
def fixture_good(tmp_path, free_port):
    """Settings with which all is well, but for the routes' file, which the test writes."""
    write_case(tmp_path)
    return {
        "LISTEN_ADDRESS": f"tcp:127.0.0.1:{free_port()}",
        "SCHEMA_DIR": tmp_path / "schemas",
        "DEK_FILE": tmp_path / "dek",
        "SECRETS_ADDRESS": f"unix:{tmp_path}/secrets",
        "CLIENT_CA_PATH": Authority(tmp_path).path,
        "ROUTES_PATH": tmp_path / "routes.json",
    }


def route(**members):
    """A good route with these members in place of its own; a value of None takes one out."""
    return {name: value for name, value in {**copy.deepcopy(LITTLE), **members}.items() if value is not None}


def write(good, *routes, text=None):
    good["ROUTES_PATH"].write_text(json.dumps({"routes": routes}, indent=1) if text is None else text)


# What is wrong, where the fault points, and words of its reason or remedy.
BAD = {
    "decrypt_fields_without_clients": (route(request={"decrypt": "fields"}), "/routes/0", "no clients are listed"),
    "clients_empty": (route(clients=[]), "/routes/0/clients", "the list is empty"),
    "clients_pattern": (route(clients=["*.example"]), "/routes/0/clients/0", "matched exactly"),
    "no_path": (route(path=None), "/routes/0", "no path"),
    "path_relative": (route(path="process"), "/routes/0/path", "without a slash"),
    "path_encoded": (route(path="/%70rocess"), "/routes/0/path", "percent sign"),
    "path_with_query": (route(path="/process?a=b"), "/routes/0/path", "a query"),
    "path_with_dots": (route(path="/a/../process"), "/routes/0/path", "segment"),
    "path_encrypt": (route(path="/encrypt"), "/routes/0/path", "the enclave's own"),
    "path_decrypt": (route(path="/decrypt"), "/routes/0/path", "the enclave's own"),
    "path_attestation": (route(path="/attestation"), "/routes/0/path", "the enclave's own"),
    "path_health": (route(path="/health"), "/routes/0/path", "the enclave's own"),
    "path_metrics": (route(path="/metrics"), "/routes/0/path", "the enclave's own"),
    "path_well_known": (route(path="/.well-known/anything"), "/routes/0/path", "the enclave's own"),
    "no_upstream": (route(upstream=None), "/routes/0", "no upstream"),
    "upstream_without_tls": (route(upstream={"url": "http://backend.example/"}), "/routes/0/upstream/url", "https://"),
    "upstream_plain_loopback": (route(upstream={"url": "http://127.0.0.1:1/"}), "/routes/0/upstream/url", "https://"),
    "upstream_no_url": (route(upstream={"url": "backend.example"}), "/routes/0/upstream/url", "no URL"),
    "upstream_with_user": (route(upstream={"url": "https://a:b@backend.example/"}), "/routes/0/upstream/url", "no URL"),
    "upstream_both": (route(upstream={**BACKEND, "value": "B_URL"}), "/routes/0/upstream", "both"),
    "upstream_value_no_url": (route(upstream={"value": "PARTNER_TOKEN"}), "/routes/0/upstream/value", "_ENDPOINT"),
    "timeout_0": (route(upstream={**BACKEND, "timeout_ms": 0}), "/routes/0/upstream/timeout_ms", "1 to 600000"),
    "timeout_text": (route(upstream={**BACKEND, "timeout_ms": "5s"}), "/routes/0/upstream/timeout_ms", "whole number"),
    "decrypt_unknown": (route(request={"decrypt": "pgp"}), "/routes/0/request/decrypt", "jwe or ohttp"),
    "encrypt_jwe_alone": (route(response={"encrypt": "jwe"}), "/routes/0", "no key for the answer"),
    "ohttp_one_way": (route(request={"decrypt": "ohttp"}), "/routes/0", "both ways"),
    "encrypt_fields_without_schema": (route(response={"encrypt": "fields"}), "/routes/0/response", "without a schema"),
    "get_with_jwe": (route(methods=["GET"], request={"decrypt": "jwe"}), "/routes/0", "GET has no body"),
    "method_unknown": (route(methods=["BREW"]), "/routes/0/methods/0", "BREW"),
    "header_of_the_connection": (route(request={"headers": ["Upgrade"]}), "/routes/0/request/headers/0", "never passes"),
    "header_of_the_host": (route(request={"headers": ["X-Forwarded-For"]}), "/routes/0/request/headers/0", "never passes"),
    "credentials_beside_jwe": (
        route(request={"decrypt": "jwe", "headers": ["Authorization"]}), "/routes/0/request/headers/0", "credential"),
    "body_over_the_limit": (route(request={"max_bytes": 1 << 30}), "/routes/0/request/max_bytes", "outside its range"),
    "mistyped": (route(reqest={"decrypt": "jwe"}), "/routes/0/reqest", "did you mean request?"),
    "mistyped_within": (route(upstream={**BACKEND, "timeout": 5}), "/routes/0/upstream/timeout", "timeout_ms"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_route_refused_by_name(run, good, name):
    bad, pointer, words = BAD[name]
    write(good, bad)
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and done.stdout == b"", done
    (line,) = done.stderr.decode().splitlines()
    file, number, rest = line.split(":", 2)
    assert file == str(good["ROUTES_PATH"]) and int(number) >= 1
    assert rest.strip().startswith(f"{pointer}: ") and words in rest, line


def test_bad_routes_all_told_at_once(run, good):
    write(good, *(bad for bad, _, _ in BAD.values()))
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1
    text = done.stderr.decode()
    for index, (bad, pointer, _) in enumerate(BAD.values()):
        assert pointer.replace("/routes/0", f"/routes/{index}", 1) + ": " in text, bad


def test_path_twice_refused(run, good):
    write(good, LITTLE, route(path="/other"), route(methods=["PUT"]))
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1
    assert b"/routes/2: /routes/0 has the path /process too" in done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"routes": {}}', '{"routes": []}', '{"routes": [], "routes": []}', "{}"])
def test_file_that_holds_no_routes_refused(run, good, text):
    write(good, text=text)
    done = run(PROGRAM, "--check-config", env=good)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1


def test_file_absent_or_no_file_refused(run, good, tmp_path):
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and b"ROUTES_PATH" in done.stderr
    done = run(PROGRAM, "--check-config", env={**good, "ROUTES_PATH": tmp_path})
    assert done.returncode == 1 and str(tmp_path).encode() in done.stderr


def test_file_too_long_refused(run, good):
    write(good, text=json.dumps({"routes": [LITTLE]}) + " " * (1 << 20))
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and b"longer than 1048576 bytes" in done.stderr


def test_upstream_outside_the_allowed_hosts_refused(run, good):
    write(good, LITTLE)
    for allowed in ("backend.example", "backend.example:8080", "*.example", "other.example,BACKEND.example"):
        done = run(PROGRAM, "--check-config", env={**good, "UPSTREAM_ALLOWED_HOSTS": allowed})
        assert done.returncode == 0, (allowed, done)
    for allowed in ("other.example", "backend.example:443", "*.backend.example", "example"):
        done = run(PROGRAM, "--check-config", env={**good, "UPSTREAM_ALLOWED_HOSTS": allowed})
        assert done.returncode == 1, allowed
        assert b"UPSTREAM_ALLOWED_HOSTS does not name backend.example:8080" in done.stderr
    for broken in ("https://backend.example", "*", "a:0"):
        done = run(PROGRAM, "--check-config", env={**good, "UPSTREAM_ALLOWED_HOSTS": broken})
        assert done.returncode == 1 and b"is no host" in done.stderr


def test_clients_without_an_authority_refused(run, good):
    write(good, route(clients=["a.example"]))
    assert run(PROGRAM, "--check-config", env=good).returncode == 0
    del good["CLIENT_CA_PATH"]
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and b"CLIENT_CA_PATH is not set" in done.stderr


def test_value_that_nobody_can_deliver_refused(run, good):
    write(good, route(upstream={"value": "ECS_WATERMARK_ENDPOINT"}))
    done = run(PROGRAM, "--check-config", env={**good, "SECRETS_ADDRESS": "off"})
    assert done.returncode == 1 and b"ECS_WATERMARK_ENDPOINT" in done.stderr


def test_schema_that_is_not_there_told(run, good):
    write(good, route(response={"encrypt": "fields", "schema": "record"}))
    assert run(PROGRAM, "--check-config", env=good).returncode == 0
    write(good, route(clients=["a.example"], request={"decrypt": "fields", "schema": "recrod"}))
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and b"/routes/0/request/schema: there is no schema recrod" in done.stderr, done


def test_start_with_bad_routes_serves_nothing(run, good):
    write(good, BAD["decrypt_fields_without_clients"][0])
    done = run(PROGRAM, env=good)
    assert done.returncode == 1 and done.stdout == b""
    assert b"no clients are listed" in done.stderr


def test_check_config_shows_who_sees_what(run, good):
    write(
        good,
        route(clients=["a.example"], request={"decrypt": "jwe"}, response={"encrypt": "jwe"}),
        route(path="/open", upstream={"value": "BACKEND_URL"}),
    )
    done = run(PROGRAM, "--check-config", env=good)
    assert (done.returncode, done.stderr) == (0, b""), done
    first, titles, jwe, plain, *notes = done.stdout.decode().splitlines()
    assert first == "teegate-enclave: the configuration is good"
    assert titles.split("  ")[0] == "path"
    assert [cell.strip() for cell in jwe.split("  ") if cell] == [
        "/process", "POST", "a.example", "plaintext of jwe", BACKEND["url"], "sealed by jwe"]
    assert [cell.strip() for cell in plain.split("  ") if cell] == [
        "/open", "POST", "anybody", "as sent", "BACKEND_URL (delivered)", "as answered"]
    assert len(notes) == 2 and "BACKEND_URL" in notes[0] and "UPSTREAM_CA_SHA256" in notes[1]
    pinned = {**good, "UPSTREAM_CA_SHA256": FINGERPRINT, "UPSTREAM_ALLOWED_HOSTS": "*.example"}
    assert b"note:" not in run(PROGRAM, "--check-config", env=pinned).stdout


def test_manifest_binds_the_routes_and_a_hang_up_does_not_change_them(good, tmp_path):
    write(good, LITTLE)
    settings = {name: good[name] for name in ("ROUTES_PATH", "CLIENT_CA_PATH")}
    digest = hashlib.sha256(good["ROUTES_PATH"].read_bytes()).hexdigest()
    with serving(tmp_path, ATTESTATION_DEVICE="simulator", **settings) as enclave:
        assert enclave.get("/attestation").json["manifest"]["routes"] == digest
        write(good, LITTLE, route(path="/other"))
        enclave.program.send(signal.SIGHUP)
        enclave.program.wait_event("routes_kept", component="gateway")
        assert enclave.get("/attestation").json["manifest"]["routes"] == digest
        assert enclave.get("/other").status == 404
    with serving(tmp_path, ATTESTATION_DEVICE="simulator") as enclave:
        assert enclave.get("/attestation").json["manifest"]["routes"] is None
