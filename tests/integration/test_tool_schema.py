"""teegate schema lint and diff: the real program on the examples, on others' specifications and on broken files."""

import json
import os
import pty
import re
import subprocess

import pytest
import yaml

from conftest import SOURCE, clean_environment, program_path
from tool_cases import EXAMPLES, PERSON, PERSON_AND_PET, assert_failed

VECTORS = SOURCE / "tests" / "vectors"


@pytest.fixture
def teegate(run):
    def run_tool(*args, **options):
        return run("teegate", *args, **options)

    return run_tool


# schema lint


def lint_json(teegate, *args):
    done = teegate("schema", "lint", "--json", *args, timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_lint_examples_are_clean(teegate):
    status, report = lint_json(teegate, EXAMPLES / "schemas")
    warnings = [finding for schema in report["schemas"] for finding in schema["findings"] if finding["level"] == "warning"]
    assert (status, warnings, report["refused"]) == (0, [], [])
    assert [schema["name"] for schema in report["schemas"]] == ["credit-transfers", "payments"]
    assert report["num_paths"] > 50


def test_lint_paths_have_type_and_line(teegate):
    _, report = lint_json(teegate, EXAMPLES / "schemas" / "payments.yaml")
    paths = {path["path"]: path for path in report["schemas"][0]["paths"]}
    lines = (EXAMPLES / "schemas" / "payments.yaml").read_text().splitlines()
    for path, types in (("/card/number", "string"), ("/customer/phone", "string or null"), ("/customer/annual_income", "number")):
        found = paths[path]
        assert found["types"] == types or set(found["types"].split(" or ")) == set(types.split(" or "))
        name = path.rsplit("/", 1)[1]
        assert lines[found["line"] - 1].strip() == "x-pii: true"
        assert any(f"{name}:" in line for line in lines[found["line"] - 6 : found["line"]]), found
    assert "/customer/emails/*" in paths


FINDINGS = """\
openapi: 3.0.3
info: {title: t, version: "1"}
paths: {}
components:
  schemas:
    Customer:
      type: object
      properties:
        ssn: {type: string}
        emailAddress: {type: string}
        email_verified: {type: boolean}
        dateOfBirth: {type: string, format: date}
        name: {type: string}
        card_brand: {type: string, enum: [visa, amex]}
        isVip: {type: boolean, x-pii: true}
        gender: {enum: [f, m, x], x-pii: true}
        pin: {type: string, pattern: "^[0-9]{4}$", x-pii: true}
        code: {type: string, maxLength: 2, x-pii: true}
        taxNumber: {type: string, pattern: "^[0-9]{9}$", x-pii: true}
        secret: {type: string, x-pii: true}
"""


@pytest.mark.sanitize
def test_lint_suspects_and_small_domains_are_found(teegate, scratch):
    (scratch / "c.yaml").write_text(FINDINGS)
    status, report = lint_json(teegate, scratch / "c.yaml")
    found = {(f["path"], f["kind"], f["level"]) for f in report["schemas"][0]["findings"]}
    assert status == 1
    assert found == {
        ("/ssn", "suspect", "warning"),
        ("/emailAddress", "suspect", "warning"),
        ("/dateOfBirth", "suspect", "warning"),
        ("/name", "suspect", "note"),
        ("/isVip", "small_domain", "warning"),
        ("/gender", "small_domain", "warning"),
        ("/pin", "small_domain", "warning"),
        ("/code", "small_domain", "warning"),
        ("/taxNumber", "large_domain", "note"),
    }
    lines = {f["path"]: f["line"] for f in report["schemas"][0]["findings"]}
    assert (lines["/ssn"], lines["/pin"]) == (9, 17)
    plain = teegate("schema", "lint", scratch / "c.yaml")
    assert plain.returncode == 1
    text = plain.stdout.decode()
    assert f"{scratch}/c.yaml:9: warning: /ssn looks personal (ssn)" in text
    assert "note:" not in text and "2 notes (--notes shows them)" in text
    assert "note: /name looks personal" in teegate("schema", "lint", "--notes", scratch / "c.yaml").stdout.decode()
    assert "\033[" not in text


def test_lint_accepted_paths_are_no_findings(teegate, scratch):
    (scratch / "c.yaml").write_text(FINDINGS)
    paths = ["/ssn", "/emailAddress", "/dateOfBirth", "/isVip", "/gender", "/pin", "/code"]
    accepted = [f"--accept={path}" for path in paths]
    assert teegate("schema", "lint", *accepted[:-1], scratch / "c.yaml").returncode == 1
    assert teegate("schema", "lint", *accepted, scratch / "c.yaml").returncode == 0


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "name, content",
    [
        ("empty.yaml", b""),
        ("binary.yaml", bytes(range(256))),
        ("text.json", b"not json"),
        ("dangling.yaml", PERSON.replace("schemas/Person\"}\n      responses", "schemas/Absent\"}\n      responses").encode()),
        ("remote.yaml", PERSON.replace("#/components/schemas/Person", "https://example.org/x.yaml", 1).encode()),
        ("mark.yaml", PERSON_AND_PET.replace("x-pii: true}", 'x-pii: "true"}', 1).encode()),
        ("spelling.yaml", PERSON_AND_PET.replace("x-pii: true}", "x_pii: true}", 1).encode()),
        ("unreached.yaml", PERSON.encode()),
        ("bomb.yaml", b"openapi: 3.1.0\na: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(20))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lint_broken_file_is_refused_with_reason_and_others_load(teegate, scratch, name, content):
    (scratch / name).write_bytes(content)
    (scratch / "good.yaml").write_text(PERSON_AND_PET)
    status, report = lint_json(teegate, scratch)
    assert status == 2
    assert [schema["name"] for schema in report["schemas"]] == ["good"]
    assert report["num_refused"] == 1
    assert report["refused"][0]["file"] == name and report["refused"][0]["reason"]
    plain = teegate("schema", "lint", scratch / name)
    assert plain.returncode == 2
    assert str(scratch / name) in plain.stdout.decode() and "refused" in plain.stdout.decode()


def test_lint_what_cannot_be_read_is_status_2(teegate, scratch):
    (scratch / "none").mkdir()
    assert_failed(teegate("schema", "lint", scratch / "absent.yaml"), 2, "No such file")
    assert_failed(teegate("schema", "lint", scratch / "none"), 2, "no OpenAPI document")
    assert_failed(teegate("schema", "lint"), 2, "an argument is missing: FILE...|FOLDER")
    (scratch / "a.yaml").write_text(PERSON_AND_PET)
    assert_failed(teegate("schema", "lint", scratch, scratch / "a.yaml"), 2, "is a folder")


def test_lint_files_that_refer_to_each_other_are_named_together(teegate, scratch):
    (scratch / "parts").mkdir()
    (scratch / "parts" / "person.yaml").write_text("Person:\n  type: object\n  properties:\n    tag: {type: string, x-pii: true}\n")
    main = PERSON.split("components:")[0].replace("#/components/schemas/Person", "parts/person.yaml#/Person")
    (scratch / "main.yaml").write_text(main)
    status, report = lint_json(teegate, scratch / "main.yaml", scratch / "parts" / "person.yaml")
    assert status == 0, report
    assert [path["path"] for path in report["schemas"][0]["paths"]] == ["/tag"]
    assert report["schemas"][0]["paths"][0]["file"] == "parts/person.yaml"
    assert lint_json(teegate, scratch / "main.yaml")[0] == 2


def vector_specs():
    return sorted((VECTORS / "openapi").glob("oas-*")) if (VECTORS / "openapi").is_dir() else []


@pytest.mark.parametrize("spec", vector_specs(), ids=lambda spec: spec.name)
def test_lint_example_specs_of_others_load_or_say_why(teegate, spec):
    status, report = lint_json(teegate, spec)
    if status == 2:
        assert report["refused"] and all(fault["reason"] for fault in report["refused"])
    else:
        assert len(report["schemas"]) == 1 and report["num_paths"] == 0


def without_places(report):
    """What lint says but for where it stands: JSON has no lines, and the files differ in their ending."""
    text = json.dumps(report)
    return re.sub(r'"line": \d+, |, "line": \d+|\.yaml|\.json', "", text)


@pytest.mark.parametrize("name", ["payments", "credit-transfers"])
def test_lint_yaml_and_json_give_the_same(teegate, scratch, name):
    source = EXAMPLES / "schemas" / f"{name}.yaml"
    (scratch / f"{name}.json").write_text(json.dumps(yaml.safe_load(source.read_text())))
    _, from_yaml = lint_json(teegate, source)
    _, from_json = lint_json(teegate, scratch / f"{name}.json")
    assert without_places(from_yaml) == without_places(from_json)
    same = teegate("schema", "diff", source, scratch / f"{name}.json")
    assert (same.returncode, same.stdout) == (0, b"")


# schema diff


@pytest.mark.sanitize
def test_diff_changes_are_listed(teegate, scratch):
    (scratch / "old.yaml").write_text(PERSON_AND_PET)
    (scratch / "new.yaml").write_text(
        PERSON_AND_PET.replace("ssn: {type: string, x-pii: true}", "ssn: {type: string}\n        mail: {type: string, x-pii: true}")
        .replace("tag: {type: string", "tag: {type: integer")
    )
    plain = teegate("schema", "diff", scratch / "old.yaml", scratch / "new.yaml")
    assert plain.returncode == 1, plain.stderr
    lines = plain.stdout.decode().splitlines()
    assert any(line.startswith("- new /ssn") for line in lines)
    assert any(line.startswith("+ new /mail") for line in lines)
    assert any(line.startswith("~ new /tag") and "->" in line for line in lines)
    done = teegate("schema", "diff", "--json", scratch / "old.yaml", scratch / "new.yaml")
    changes = json.loads(done.stdout)
    assert {("removed", "/ssn"), ("added", "/mail"), ("retyped", "/tag")} <= {
        (change["change"], change["path"]) for change in changes["changes"]
    }
    assert changes["num_changes"] == len(changes["changes"]) and changes["num_removed"] >= 1
    assert teegate("schema", "diff", scratch / "old.yaml", scratch / "old.yaml").returncode == 0


def test_diff_folders_schema_by_schema(teegate, scratch):
    for folder, names in (("old", ["a", "b"]), ("new", ["b", "c"])):
        (scratch / folder).mkdir()
        for name in names:
            (scratch / folder / f"{name}.yaml").write_text(PERSON_AND_PET)
    done = teegate("schema", "diff", scratch / "old", scratch / "new")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[:2] == ["- a (the whole schema)", "+ c (the whole schema)"]


def test_diff_what_cannot_be_loaded_is_status_2(teegate, scratch):
    (scratch / "good.yaml").write_text(PERSON_AND_PET)
    (scratch / "bad.yaml").write_text(PERSON)
    assert_failed(teegate("schema", "diff", scratch / "good.yaml", scratch / "bad.yaml"), 2, "part of it is refused")
    assert_failed(teegate("schema", "diff", scratch / "good.yaml", scratch / "absent.yaml"), 2, "No such file")
    assert_failed(teegate("schema", "diff", scratch / "good.yaml"), 2, "an argument is missing: OLD NEW")


def run_on_terminal(args, env):
    """stdout and stderr of the tool on a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [program_path("teegate"), *map(str, args)], stdout=follower, stderr=follower, stdin=subprocess.DEVNULL, env=clean_environment(env)
    )
    os.close(follower)
    output = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(leader)
    process.wait(30)
    return output


def test_colour_only_on_a_terminal_and_not_with_no_color(teegate, scratch):
    (scratch / "c.yaml").write_text(FINDINGS)
    args = ("schema", "lint", scratch / "c.yaml")
    assert b"\033[33mwarning\033[0m" in run_on_terminal(args, {"TERM": "xterm"})
    assert b"\033[" not in run_on_terminal(args, {"TERM": "xterm", "NO_COLOR": "1"})
    assert b"\033[" not in run_on_terminal(args, {"TERM": "dumb"})
    assert b"\033[" not in teegate(*args).stdout
