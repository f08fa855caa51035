"""The schemas of teegate-enclave while it runs: refused files, refresh, removal; and where its data key comes from."""

import base64
import json
import os
import signal
import stat
import time

import pytest

from enclave_cases import (
    RECORD,
    assert_refused,
    compose_fields,
    ended,
    launch,
    metric,
    serving,
    write_case,
)
from tool_cases import PERSON, TOKEN_HELLO, TOKEN_SSN

pytestmark = pytest.mark.sanitize
SMALL = """\
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /p:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/A"}}}}
      responses: {"204": {description: done}}
components:
  schemas:
    A:
      type: object
      properties:
        ssn: {type: string, x-pii: true}
        name: {type: string}
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(12)
)
BAD_FILES = {
    "empty.yaml": b"",
    "empty.json": b"",
    "binary.yaml": bytes(range(256)) * 64,
    "binary.json": b"\x7fELF" + bytes(4000),
    "text.yaml": b"openapi: 3.1.0\n\tinfo: tab\n",
    "cut.json": b'{"openapi":"3.1.0","info":{',
    "list.json": b"[1, 2]",
    "twice.yaml": SMALL.replace("  schemas:", "  schemas: {}\n  schemas:").encode(),
    "bomb.yaml": (SMALL + "x-a:\n" + "".join("  " + line + "\n" for line in BOMB.splitlines())).encode(),
    "merge.yaml": (SMALL + "x-self: &s\n  a: *s\n").encode(),
    "remote.yaml": SMALL.replace("#/components/schemas/A", "https://evil.example/a.yaml#/A").encode(),
    "network.yaml": SMALL.replace("#/components/schemas/A", "//evil.example/a.yaml#/A").encode(),
    "file-url.yaml": SMALL.replace("#/components/schemas/A", "file:///etc/passwd").encode(),
    "outside.yaml": SMALL.replace("#/components/schemas/A", "../../../../etc/passwd").encode(),
    "dangling.yaml": SMALL.replace("#/components/schemas/A", "#/components/schemas/B").encode(),
    "unreached.yaml": (SMALL + "    B: {type: object, properties: {tax: {type: string, x-pii: true}}}\n").encode(),
    "text-pii.yaml": SMALL.replace("x-pii: true", 'x-pii: "true"').encode(),
    "misspelt.yaml": SMALL.replace("x-pii: true", "x_pii: true").encode(),
    "shouted.yaml": SMALL.replace("x-pii: true", "X-PII: true").encode(),
    "endless.yaml": SMALL.replace("    A:\n", '    A: {$ref: "#/components/schemas/C"}\n    C: {$ref: "#/components/schemas/A"}\n    D:\n').encode(),
}  # fmt: skip


def hang_up(enclave):
    """Has the schemas read again and waits until that is over."""
    before = num_refreshes(enclave)
    enclave.program.send(signal.SIGHUP)
    enclave.program.wait_until(lambda: num_refreshes(enclave) > before, what="a refresh")


def num_refreshes(enclave):
    return sum(v for k, v in enclave.metrics().items() if k[0] == "teegate_schema_refreshes_total")


def wait_for(enclave, document, schema, expected):
    """Until every worker answers so: each takes up what was read in its own time."""
    for _ in range(20):
        enclave.program.wait_until(lambda: enclave.encrypt(document, schema).json == expected, what=f"{expected}")


def schema_names(enclave):
    return [schema["name"] for schema in enclave.admin("/status").json["schemas"]]


def write(enclave, name, text):
    path = enclave.folder / "schemas" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_bad_files_refused_each_with_its_name_others_served(tmp_path):
    write_case(tmp_path, {"good.yaml": SMALL, **BAD_FILES})
    with serving(tmp_path) as enclave:
        assert enclave.encrypt({"ssn": "hello"}, "good").json == {"ssn": TOKEN_HELLO}
        faults = enclave.program.events("schema_refused")
        for name in BAD_FILES:
            assert_refused(enclave.encrypt({"ssn": "hello"}, name.split(".")[0]), 400, "bad_request")
            mine = [f for f in faults if name in json.dumps(f)]
            assert mine and all(f.get("reason") for f in mine), (name, faults)
        assert schema_names(enclave) == ["good"]
        status = enclave.admin("/status").json
        assert status["schemas_refused"] == len(BAD_FILES)
        assert metric(enclave.metrics(), "teegate_schemas", state="refused") == len(BAD_FILES)
        # A refresh that says the same again logs nothing again.
        hang_up(enclave)
        assert len(enclave.program.events("schema_refused")) == len(faults)


def test_cycles_and_other_files_served(tmp_path):
    cyclic = SMALL.replace("        name: {type: string}\n", '        next: {$ref: "#/components/schemas/A"}\n')
    across = SMALL.replace("#/components/schemas/A", "lib/shared.yaml#/components/schemas/A").split("components:")[0]
    write_case(tmp_path, {"cyclic.yaml": cyclic, "across.yaml": across, "lib/shared.yaml": SMALL})
    with serving(tmp_path) as enclave:
        answer = enclave.encrypt({"next": {"next": {"ssn": "hello"}}}, "cyclic")
        assert answer.json == {"next": {"next": {"ssn": TOKEN_HELLO}}}
        assert enclave.encrypt({"ssn": "hello"}, "across").json == {"ssn": TOKEN_HELLO}
        assert schema_names(enclave) == ["across", "cyclic", "lib/shared"]


def test_no_schema_yet_degraded_then_ready_by_refresh(tmp_path):
    write_case(tmp_path, {"broken.yaml": "openapi: ["})
    with serving(tmp_path, ready=None, SCHEMA_REFRESH_INTERVAL_SECS=1) as enclave:
        enclave.program.wait_event("schema_refused")
        health = enclave.get("/health")
        assert (health.status, health.json) == (503, {"status": "degraded", "dek_ready": True, "schemas_loaded": 0})
        assert enclave.get("/ready").status == 503
        assert enclave.get("/live").status == 200
        assert_refused(enclave.encrypt({"ssn": "hello"}, "a"), 503, "service_unavailable")
        assert enclave.encrypt({"ssn": "hello"}, "a").header("Retry-After") == "1"
        assert_refused(enclave.encrypt({"ssn": "hello"}, None), 400, "bad_request")
        write(enclave, "a.yaml", SMALL)
        enclave.program.wait_event("ready")
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}
        assert enclave.get("/health").json == {"status": "ok", "dek_ready": True, "schemas_loaded": 1}


@pytest.mark.parametrize("name, text", [
    ("broken", "openapi: ["), ("empty", ""), ("weaker", SMALL.replace("x-pii: true", "x-pii: false")),
    ("unmarked", SMALL.replace(", x-pii: true", "")), ("renamed", SMALL.replace("ssn:", "sn:")),
    ("removed", None),
])  # fmt: skip
def test_refresh_broken_or_weaker_file_keeps_the_old(tmp_path, name, text):
    write_case(tmp_path, {"a.yaml": SMALL, "b.yaml": SMALL})
    with serving(tmp_path) as enclave:
        digests = {s["name"]: s["sha256"] for s in enclave.admin("/status").json["schemas"]}
        if text is None:
            (tmp_path / "schemas" / "a.yaml").unlink()
        else:
            write(enclave, "a.yaml", text)
        hang_up(enclave)
        expected = {"a": True, "b": False}
        enclave.program.wait_until(
            lambda: {s["name"]: s["kept"] for s in enclave.admin("/status").json["schemas"]} == expected,
            what="what is kept",
        )
        status = enclave.admin("/status").json
        assert {s["name"]: s["sha256"] for s in status["schemas"]} == digests
        assert metric(enclave.metrics(), "teegate_schemas", state="kept") == 1
        fault = enclave.program.wait_event("schema_refused")
        assert "a.yaml" in json.dumps(fault) or '"a"' in json.dumps(fault), name
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}
        assert enclave.encrypt({"ssn": "hello"}, "b").json == {"ssn": TOKEN_HELLO}
        # Mended, it is taken up again, with what was added.
        write(enclave, "a.yaml", SMALL.replace("name: {type: string}", "name: {type: string, x-pii: true}"))
        hang_up(enclave)
        wait_for(enclave, {"ssn": "hello", "name": "hello"}, "a", {"ssn": TOKEN_HELLO, "name": TOKEN_HELLO})
        enclave.program.wait_until(
            lambda: [s["kept"] for s in enclave.admin("/status").json["schemas"]] == [False, False], what="what is kept"
        )


def test_refresh_removal_allowed_takes_effect(tmp_path):
    write_case(tmp_path, {"a.yaml": SMALL, "b.yaml": SMALL})
    with serving(tmp_path, SCHEMA_ALLOW_REMOVAL="true") as enclave:
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}
        write(enclave, "a.yaml", SMALL.replace("ssn: {type: string, x-pii: true}", "ssn: {type: string}"))
        (tmp_path / "schemas" / "b.yaml").unlink()
        hang_up(enclave)
        wait_for(enclave, {"ssn": "hello"}, "a", {"ssn": "hello"})
        assert_refused(enclave.encrypt({"ssn": "hello"}, "b"), 400, "bad_request")
        assert schema_names(enclave) == ["a"]


def test_refresh_folder_gone_keeps_all(tmp_path):
    write_case(tmp_path, {"a.yaml": SMALL})
    with serving(tmp_path) as enclave:
        (tmp_path / "schemas").rename(tmp_path / "away")
        hang_up(enclave)
        assert enclave.program.wait_event("schemas_not_read")["old_schemas_serve"] is True
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}
        assert metric(enclave.metrics(), "teegate_schema_refreshes_total", outcome="failed") == 1
        (tmp_path / "away").rename(tmp_path / "schemas")
        hang_up(enclave)
        assert enclave.encrypt({"ssn": "hello"}, "a").json == {"ssn": TOKEN_HELLO}


def test_refresh_at_the_interval_takes_up_new_files(tmp_path):
    write_case(tmp_path, {"a.yaml": SMALL})
    with serving(tmp_path, SCHEMA_REFRESH_INTERVAL_SECS=1) as enclave:
        write(enclave, "b.json", json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}, "components": {
            "schemas": {"B": {"type": "object", "properties": {"ssn": {"type": "string", "x-pii": True}}}}}}))  # fmt: skip
        enclave.program.wait_event("schemas_loaded", schemas=2)
        wait_for(enclave, {"ssn": "hello"}, "b", {"ssn": TOKEN_HELLO})


def test_refresh_under_load_every_request_whole(tmp_path):
    """Schemas swap under requests on two workers; each request is answered by one or the other."""
    write_case(tmp_path, {"a.yaml": SMALL})
    wider = SMALL.replace("name: {type: string}", "name: {type: string, x-pii: true}")
    with serving(tmp_path, WORKERS=2, SCHEMA_ALLOW_REMOVAL="true") as enclave:
        seen = set()
        with enclave.connect() as one, enclave.connect() as two:
            request = compose_fields("encrypt", {"ssn": "hello", "name": "hello"}, "a")
            for i in range(30):
                write(enclave, "a.yaml", wider if i % 2 == 0 else SMALL)
                enclave.program.send(signal.SIGHUP)
                for connection in (one, two) * 10:
                    answer = connection.ask(request)
                    assert answer.json["ssn"] == TOKEN_HELLO and answer.json["name"] in ("hello", TOKEN_HELLO)
                    seen.add(answer.json["name"])
                time.sleep(0.01)
        assert seen == {"hello", TOKEN_HELLO}


def test_names_dots_links_and_endings(tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text(SMALL, encoding="utf-8")
    write_case(tmp_path, {"a.b.yml": SMALL, ".hidden.yaml": SMALL, "readme.txt": "x", "x/y/z.json.yaml": SMALL})
    os.symlink("x/y/z.json.yaml", tmp_path / "schemas" / "link.yaml")
    os.symlink(outside, tmp_path / "schemas" / "out.yaml")
    os.symlink("loop.yaml", tmp_path / "schemas" / "loop.yaml")
    os.mkfifo(tmp_path / "schemas" / "pipe.yaml")
    with serving(tmp_path) as enclave:
        assert schema_names(enclave) == ["a.b", "link", "x/y/z.json"]


def test_mounted_config_map_swapped_whole(tmp_path):
    """Kubernetes mounts a config map as links into a hidden folder, and swaps that folder's link."""
    schemas = tmp_path / "schemas"
    write_case(tmp_path, {"..1/a.yaml": SMALL})
    os.symlink("..1", schemas / "..data")
    os.symlink("..data/a.yaml", schemas / "a.yaml")
    with serving(tmp_path) as enclave:
        assert enclave.encrypt({"ssn": "hello", "name": "hello"}, "a").json == {"ssn": TOKEN_HELLO, "name": "hello"}
        write_case(tmp_path, {"..2/a.yaml": SMALL.replace("name: {type: string}", "name: {type: string, x-pii: true}")})
        os.symlink("..2", schemas / "..new")
        os.rename(schemas / "..new", schemas / "..data")
        hang_up(enclave)
        wait_for(enclave, {"ssn": "hello", "name": "hello"}, "a", {"ssn": TOKEN_HELLO, "name": TOKEN_HELLO})


def test_header_name_configurable(tmp_path):
    write_case(tmp_path)
    with serving(tmp_path, SCHEMA_HEADER_NAME="X-Spec") as enclave:
        assert enclave.encrypt({"ssn": "hello"}, None, headers=[("x-spec", "record")]).json == {"ssn": TOKEN_HELLO}
        assert_refused(enclave.encrypt({"ssn": "hello"}), 400, "bad_request")


@pytest.mark.parametrize("content", [base64.b64encode(b"\xaa" * 32) + b"\n", b"\xaa" * 32])
def test_dek_file_forms_same_key(tmp_path, content):
    write_case(tmp_path, dek=content)
    with serving(tmp_path) as enclave:
        assert enclave.encrypt({"ssn": "123-45-6789"}).json == {"ssn": TOKEN_SSN}
        assert enclave.program.wait_event("development_key")


@pytest.mark.parametrize("content", [b"", b"\xaa" * 31, b"\xaa" * 33, b"\xaa" * 64, b"a" * 44, None])
def test_dek_file_wrong_ends_at_once(tmp_path, content):
    write_case(tmp_path, dek=content)
    with ended(launch(tmp_path)) as enclave:
        assert enclave.program.wait() == 1
        faults = enclave.program.events("fault")
        assert len(faults) == 1 and "dek" in json.dumps(faults[0]), enclave.program.log
        assert faults[0]["reason"] and faults[0]["remedy"]
        assert enclave.program.events("cannot_start")


def test_no_dek_source_degraded(tmp_path):
    write_case(tmp_path, dek=None)
    with serving(tmp_path, ready="schemas_loaded", DEK_FILE=None) as enclave:
        enclave.program.wait_until(lambda: enclave.get("/health").json["schemas_loaded"] == 1)
        health = enclave.get("/health")
        assert (health.status, health.json) == (503, {"status": "degraded", "dek_ready": False, "schemas_loaded": 1})
        assert_refused(enclave.encrypt({"ssn": "hello"}), 503, "service_unavailable")
        assert enclave.get("/ready").status == 503 and enclave.get("/live").status == 200
        assert enclave.program.wait_event("no_data_key") and not enclave.program.events("ready")
        metrics = enclave.metrics()
        assert metric(metrics, "teegate_dek_age_seconds") == -1 and metric(metrics, "teegate_ready") == 0


def test_state_dir_keeps_the_local_key(tmp_path):
    write_case(tmp_path, {"record.yaml": RECORD, "people.yaml": PERSON.split("    Pet:")[0]}, dek=None)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    tokens = set()
    for _ in range(2):
        with serving(tmp_path, ["--local-mode"], DEK_FILE=None, STATE_DIR=state) as enclave:
            tokens.add(enclave.encrypt({"ssn": "hello"}).json["ssn"])
    assert len(tokens) == 1 and TOKEN_HELLO not in tokens
    files = [p for p in state.rglob("*") if p.is_file()]
    assert files and all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in files)
    with serving(tmp_path, ["--local-mode"], DEK_FILE=None) as enclave:  # without it: another each time
        assert enclave.encrypt({"ssn": "hello"}).json["ssn"] not in tokens
        assert "random" in enclave.program.wait_event("development_key")["source"]
