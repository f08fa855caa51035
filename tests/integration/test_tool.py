"""teegate, the tool: the real program against known answers, bad input, its own help and real shells."""

import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import SOURCE, clean_environment, program_path
from tool_cases import EXAMPLES, PERSON, PERSON_AND_PET, TOKEN_EMPTY, TOKEN_HELLO, TOKEN_SSN, assert_failed


@pytest.fixture
def teegate(run):
    def run_tool(*args, **options):
        return run("teegate", *args, **options)

    return run_tool


@pytest.fixture
def files(scratch):
    """A schema and a key of 32 bytes 0xAA."""
    (scratch / "person.yaml").write_text(PERSON_AND_PET)
    (scratch / "dek").write_bytes(b"\xaa" * 32)
    return scratch


@pytest.fixture
def crypt(teegate, files):
    """encrypt or decrypt a document with the schema and the key of `files`."""

    def run_crypt(command, document, *extra, schema="person.yaml"):
        if isinstance(document, str):
            document = document.encode()
        return teegate(
            command, "--schema", files / schema, "--dek-file", files / "dek", *extra, input=document
        )

    return run_crypt


# encrypt and decrypt


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "value, token", [("hello", TOKEN_HELLO), ("", TOKEN_EMPTY), ("123-45-6789", TOKEN_SSN)], ids=["hello", "empty", "ssn"]
)
def test_encrypt_known_answers_come_out(crypt, value, token):
    document = json.dumps({"ssn": value})
    sealed = crypt("encrypt", document)
    assert sealed.returncode == 0, sealed.stderr
    assert sealed.stdout == json.dumps({"ssn": token}).encode()
    assert sealed.stderr == b""
    opened = crypt("decrypt", sealed.stdout)
    assert opened.stdout == document.encode()


def test_encrypt_bytes_outside_sealed_values_stay(crypt):
    document = b' {"other" : 1.10e2,\t"ss\\u006e":"a\\u00e9\\/b",\n "age": 4.50, "x":null }\r\n'
    sealed = crypt("encrypt", document)
    assert sealed.returncode == 0, sealed.stderr
    pattern = rb'^ \{"other" : 1\.10e2,\t"ss\\u006e":"v1\.[\w-]{16}\.[\w-]+",\n "age": "v1\.[\w-]{16}\.[\w-]+", "x":null \}\r\n$'
    assert re.match(pattern, sealed.stdout)
    opened = crypt("decrypt", sealed.stdout)
    assert opened.stdout == document.replace(b"a\\u00e9\\/b", "aé/b".encode())


@pytest.mark.sanitize
def test_ndjson_lines_are_rewritten_in_order_and_a_bad_one_is_answered(crypt):
    lines = [json.dumps({"ssn": "hello", "n": n}) if n != 3 else '{"ssn":' for n in range(1, 2001)]
    sealed = crypt("encrypt", "\n".join(lines) + "\n", "--ndjson")
    assert sealed.returncode == 1
    assert sealed.stderr.decode().strip().endswith("1 of 2000 lines are refused")
    answers = sealed.stdout.decode().splitlines()
    assert json.loads(answers[2]) == {
        "error": {"code": "bad_request", "message": "the body ends inside a JSON value", "line": 3}
    }
    assert answers[1] == json.dumps({"ssn": TOKEN_HELLO, "n": 2})
    del lines[2], answers[2]
    opened = crypt("decrypt", "\n".join(answers), "--ndjson")
    assert (opened.returncode, opened.stderr) == (0, b"")
    assert opened.stdout.decode() == "\n".join(lines)


def test_ndjson_each_line_is_answered_before_the_next_is_given(files):
    """A stream without end: nothing waits for more than its own line."""
    command = [program_path("teegate"), "encrypt", "--ndjson", "--schema", files / "person.yaml", "--dek-file", files / "dek"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(50):
            process.stdin.write(b'{"ssn":"hello"}\n')
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"ssn": TOKEN_HELLO}
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(60) == 0


def test_encrypt_component_begins_elsewhere(crypt, files):
    sealed = crypt("encrypt", '{"tag":"hello","owner":{"ssn":"hello"}}', schema="person.yaml#Pet")
    assert sealed.stdout.decode() == f'{{"tag":"{TOKEN_HELLO}","owner":{{"ssn":"{TOKEN_HELLO}"}}}}'
    only_person = crypt("encrypt", '{"tag":"hello"}', schema="person.yaml#Person")
    assert only_person.stdout == b'{"tag":"hello"}'
    assert_failed(crypt("encrypt", "{}", schema="person.yaml#Cat"), 2, 'no schema "person#Cat"')


def test_encrypt_schema_folder_finds_names_as_the_header_does(teegate, files):
    (files / "schemas" / "bank").mkdir(parents=True)
    shutil.copy(files / "person.yaml", files / "schemas" / "bank" / "person.yaml")
    shutil.copy(files / "person.yaml", files / "schemas" / "other.yaml")
    key = ("--dek-file", files / "dek", "--schema-dir", files / "schemas")
    sealed = teegate("encrypt", "--schema", "bank/person#Person", *key, input=b'{"ssn":"hello"}')
    assert sealed.stdout.decode() == f'{{"ssn":"{TOKEN_HELLO}"}}'
    assert_failed(teegate("encrypt", "--schema", "person", *key, input=b"{}"), 2, 'no schema "person" among the 2')


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "command, document, texts",
    [
        ("encrypt", b"", ["bad_request"]),
        ("encrypt", b'{"ssn": "x"', ["bad_request"]),
        ("encrypt", b'{"ssn": "x"} {}', ["bad_request"]),
        ("encrypt", b'{"ssn": "\xff"}', ["bad_request"]),
        ("encrypt", b'{"ssn": "\\ud800"}', ["/ssn", "bad_request"]),
        ("encrypt", b'{"friends": {}}', ["/friends", "schema_mismatch"]),
        ("encrypt", b'{"payload": {"ssn": "x"}, "more": 1}', ["bad_request"]),
        ("encrypt", b'{"other":' + b"[" * 512 + b"]" * 512 + b"}", ["bad_request"]),
        ("decrypt", b'{"ssn": "123-45-6789"}', ["/ssn", "not_a_token"]),
        ("decrypt", ('{"friends":[{},{"ssn":"%s"}]}' % TOKEN_SSN.replace("cX", "dX")).encode(), ["/friends/1/ssn", "bad_token"]),
        ("decrypt", b'{"ssn": 5}', ["/ssn", "not_a_token"]),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value)[:20],
)
def test_crypt_refused_document_writes_nothing_and_shows_no_value(crypt, command, document, texts):
    done = crypt(command, document)
    assert_failed(done, 1, "teegate: ", *texts)
    assert b"123-45-6789" not in done.stderr


def test_decrypt_lenient_lets_what_is_no_token_pass(crypt):
    document = f'{{"ssn":"{TOKEN_SSN}","friends":[{{"ssn":"plain"}}]}}'
    assert_failed(crypt("decrypt", document), 1, "/friends/0/ssn", "not_a_token")
    opened = crypt("decrypt", document, "--lenient")
    assert opened.stdout == b'{"ssn":"123-45-6789","friends":[{"ssn":"plain"}]}'
    assert_failed(crypt("encrypt", "{}", "--lenient"), 2, "there is no option --lenient")


def test_crypt_payload_wrapper_is_kept(crypt):
    sealed = crypt("encrypt", '{"payload": {"ssn": "hello"}}')
    assert sealed.stdout.decode() == f'{{"payload": {{"ssn": "{TOKEN_HELLO}"}}}}'


def test_crypt_what_cannot_be_loaded_is_status_2(teegate, files):
    schema, key = ("--schema", files / "person.yaml"), ("--dek-file", files / "dek")
    (files / "short").write_bytes(b"x" * 31)
    (files / "bad.yaml").write_text(PERSON.replace("x-pii: true}", "x-pii: yes}", 1))
    (files / "person.txt").write_text(PERSON)
    cases = [
        ([], "--schema FILE[#COMPONENT] is missing"),
        (schema, "--dek-file FILE is missing"),
        (key, "--schema FILE[#COMPONENT] is missing"),
        (("--schema", files / "absent.yaml", *key), "No such file"),
        (("--schema", files / "person.txt", *key), "ends in none of .yaml, .yml and .json"),
        (("--schema", files / "bad.yaml", *key), "bad.yaml:"),
        ((*schema, "--dek-file", files / "absent"), "absent"),
        ((*schema, "--dek-file", files / "short"), "short"),
        ((*schema, *key, "extra"), '"extra" is one argument too many'),
        ((*schema, *schema, *key), "--schema is given twice"),
        (("--shema=x", *key), "did you mean --schema?"),
    ]
    for args, text in cases:
        assert_failed(teegate("encrypt", *args, input=b"{}"), 2, text)


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "schema, document",
    [("payments", "payment"), ("payments", "payouts"), ("credit-transfers", "credit-transfers")],
)
def test_examples_come_back_as_they_were(teegate, files, schema, document):
    plain = (EXAMPLES / "documents" / f"{document}.json").read_bytes()
    options = ("--schema", EXAMPLES / "schemas" / f"{schema}.yaml", "--dek-file", files / "dek")
    sealed = teegate("encrypt", *options, input=plain)
    assert sealed.returncode == 0, sealed.stderr
    assert sealed.stdout.count(b'"v1.') >= 4
    for name in ("Kowalska", "Thorne", "Lefèvre", "Petersen", "4242424242424242", "DE89370400440532013000", "@", "Menon"):
        assert name.encode() not in sealed.stdout.replace(b"Ravi Menon Transport", b"")
    opened = teegate("decrypt", *options, input=sealed.stdout)
    assert json.loads(opened.stdout) == json.loads(plain)
    assert shape(json.loads(sealed.stdout), json.loads(plain))


def shape(sealed, plain):
    """Whether both have the same members and elements, but where a token stands."""
    if isinstance(sealed, str) and sealed.startswith("v1."):
        return True
    if isinstance(plain, dict):
        return isinstance(sealed, dict) and list(sealed) == list(plain) and all(shape(sealed[k], plain[k]) for k in plain)
    if isinstance(plain, list):
        return isinstance(sealed, list) and len(sealed) == len(plain) and all(map(shape, sealed, plain))
    return sealed == plain


def test_encrypt_closed_output_is_an_error(files):
    command = [program_path("teegate"), "encrypt", "--schema", files / "person.yaml", "--dek-file", files / "dek"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, input=b"{}", stdout=full, stderr=subprocess.PIPE, env=clean_environment({}), check=False)
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr


# token inspect


def test_token_inspect_says_lengths_and_nothing_more(teegate):
    done = teegate("token", "inspect", TOKEN_HELLO)
    assert done.returncode == 0
    assert done.stdout.decode().split() == (
        "version v1 nonce tugTagQOcSZuNg4j (12 bytes) plaintext 5 bytes tag 16 bytes token 48 characters".split()
    )
    several = teegate("token", "inspect", "--json", input=f'{TOKEN_SSN}\n\n"{TOKEN_EMPTY}"\r\n'.encode())
    facts = json.loads(several.stdout)
    assert [fact["plaintext_bytes"] for fact in facts] == [11, 0]
    assert all(fact["is_token"] and fact["version"] == 1 and fact["tag_bytes"] == 16 for fact in facts)


@pytest.mark.sanitize
def test_token_inspect_other_text_is_refused_and_not_repeated(teegate):
    bad = ["123-45-6789", "v1.", "v1..", TOKEN_HELLO + "=", TOKEN_EMPTY[:-1] + "x", TOKEN_HELLO[:40], "v2." + TOKEN_HELLO[3:], "é"]
    for text in bad:
        done = teegate("token", "inspect", text)
        assert done.returncode == 1, text
        assert text.encode() not in done.stdout
    done = teegate("token", "inspect", "--json", TOKEN_HELLO, *bad)
    assert done.returncode == 1
    assert [fact["is_token"] for fact in json.loads(done.stdout)] == [True] + [False] * len(bad)
    assert_failed(teegate("token", "inspect", input=b"\n \n"), 2, "no token to inspect")


# dek, dev


def test_dek_generate_makes_a_private_file_once(teegate, crypt, files):
    path = files / "new.dek"
    assert teegate("dek", "generate", "--out", path).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    assert len(first) == 32 and len(set(first)) > 8
    assert_failed(teegate("dek", "generate", "--out", path), 2, "exists")
    assert path.read_bytes() == first
    assert_failed(teegate("dek", "generate"), 2, "--out FILE is missing")
    assert_failed(teegate("dek", "generate", "--out", files / "no" / "such"), 2, "No such file")
    other = teegate("encrypt", "-s", files / "person.yaml", "-k", path, input=b'{"ssn":"hello"}')
    assert other.returncode == 0 and TOKEN_HELLO.encode() not in other.stdout


def test_dev_serves_prints_a_curl_line_and_ends_with_its_enclave(start, scratch, free_port):
    port = free_port()
    (scratch / "dek").write_bytes(b"\xaa" * 32)
    dev = start("teegate", "dev", "--port", port, "--dek-file", scratch / "dek", cwd=scratch)
    dev.wait_text("try:")
    line = dev.wait_text(r"curl (?:.|\n)*'\n").group(0).replace("\\\n", " ")
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=False)
    assert re.fullmatch(rb'\{"card":\{"holder":"v1\.[\w-]{16}\.[\w-]+"\}\}', done.stdout), (done, dev.log)
    dev.send(signal.SIGTERM)
    assert dev.wait() == 0
    refused = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30, check=False)
    assert refused.returncode == 7  # curl: failed to connect


def test_dev_bad_port_or_setting_is_said(teegate, scratch, free_port):
    assert_failed(teegate("dev", "--port", "70000"), 2, "--port takes 1 to 65535")
    done = teegate("dev", "--port", free_port(), "--schema-dir", scratch / "absent", env={"WORKERS": "many"})
    assert done.returncode == 2
    assert b"WORKERS" in done.stderr and b"ended at once" in done.stderr


# help, usage, completion


def all_commands(teegate):
    """Every command path, from the help texts."""
    found, waiting = [], [[]]
    while waiting:
        path = waiting.pop()
        found.append(path)
        text = teegate(*path, "--help").stdout.decode()
        section = re.search(r"\nCommands:\n((?:  .*\n)+)", text)
        for name in re.findall(r"^  (\S+)", section.group(1) if section else "", re.M):
            waiting.append([*path, name])
    return found


def test_help_of_every_command_shows_usage_and_options(teegate):
    commands = all_commands(teegate)
    assert ["schema", "lint"] in commands and ["token", "inspect"] in commands and len(commands) >= 12
    for path in commands:
        done = teegate(*path, "--help")
        assert done.returncode == 0 and done.stderr == b""
        text = done.stdout.decode()
        assert text.startswith(f"usage: {' '.join(['teegate', *path])}")
        assert max(map(len, text.splitlines())) <= 120
        assert teegate("help", *path).stdout == done.stdout


def test_documentation_names_every_command_and_option(teegate):
    document = (SOURCE / "docs" / "tool.md").read_text()
    for path in all_commands(teegate):
        assert " ".join(path) in document
        for option in re.findall(r"--[a-z-]+", teegate(*path, "--help").stdout.decode()):
            assert option in document, option


def test_usage_mistakes_are_status_2_with_a_hint(teegate):
    for args, text in [
        ((), "a command is missing"),
        (("schema",), "a command is missing"),
        (("encrpyt",), "did you mean encrypt?"),
        (("schema", "lnt"), "did you mean lint?"),
        (("--verison",), "did you mean --version?"),
        (("completion", "tcsh"), "is not one of: bash zsh fish"),
        (("token", "inspect", "--json=1"), "--json takes no value"),
    ]:
        assert_failed(teegate(*args), 2, text, "usage: teegate")


def test_version_is_the_project_s(teegate):
    version = re.search(r"VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text().split("project(")[1]).group(1)
    assert teegate("--version").stdout.decode() == f"teegate {version}\n"
    assert teegate("-V").stdout == teegate("--version").stdout


def complete_in_bash(teegate, scratch, *words):
    """What bash would offer at the end of the words."""
    script = scratch / "completion.bash"
    script.write_bytes(teegate("completion", "bash").stdout)
    assert script.stat().st_size > 500
    quoted = " ".join(f"'{word}'" for word in ("teegate", *words))
    done = subprocess.run(
        ["bash", "-uc", f'source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _teegate; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        cwd=scratch,
        check=False,
        timeout=20,
    )
    assert done.stderr == b""
    return set(done.stdout.decode().split())


def test_completion_bash_offers_what_the_tables_hold(teegate, scratch):
    (scratch / "folder").mkdir()
    (scratch / "file.yaml").write_text("")
    usage = teegate("--help").stdout.decode()
    listed = usage.split("\nCommands:\n")[1].split("\n\n")[0]
    commands = {line.split()[0] for line in listed.splitlines()}
    assert {"encrypt", "decrypt", "token", "schema", "dek", "attest", "completion"} <= commands
    offered = [
        (("",), commands),
        (("sch",), {"schema"}),
        (("schema", ""), {"lint", "diff"}),
        (("schema", "lint", "--"), {"--help", "--json", "--notes", "--accept"}),
        (("encrypt", "--sch"), {"--schema", "--schema-dir"}),
        (("encrypt", "--schema-dir", "f"), {"folder"}),
        (("encrypt", "--schema", "f"), {"folder", "file.yaml"}),
        (("encrypt", "--schema", "=", "fi"), {"file.yaml"}),
        (("schema", "lint", "fi"), {"file.yaml"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
        (("token", "inspect", "x"), set()),
    ]
    for words, expected in offered:
        assert complete_in_bash(teegate, scratch, *words) == expected, words


def test_completion_scripts_are_valid_to_their_shells(teegate, scratch):
    for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
        script = scratch / f"completion.{shell}"
        script.write_bytes(teegate("completion", shell).stdout)
        assert b"teegate" in script.read_bytes()
        if shutil.which(shell):
            done = subprocess.run([*check, script], capture_output=True, check=False, timeout=20)
            assert (done.returncode, done.stderr) == (0, b"")


def test_progress_only_on_a_terminal(files):
    """A sender that pauses: after half a second a terminal is told."""
    command = [program_path("teegate"), "encrypt", "-s", files / "person.yaml", "-k", files / "dek"]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=follower, env=clean_environment({"TERM": "xterm"})
    )
    os.close(follower)
    process.stdin.write(b'{"ssn":')
    process.stdin.flush()
    shown = os.read(leader, 4096)
    assert b"reading" in shown
    out, _ = process.communicate(b'"hello"}', timeout=20)
    os.close(leader)
    assert process.returncode == 0
    assert out.decode() == f'{{"ssn":{json.dumps(TOKEN_HELLO)}}}'
