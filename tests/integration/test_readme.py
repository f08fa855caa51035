"""The commands that README.md shows work, script/demo does, and docs/enclave.md lists the settings and metrics that there are."""

import json
import os
import re
import shlex
import shutil
import subprocess
import textwrap

import pytest
from conftest import BUILD, SOURCE, patience, program_path

README = (SOURCE / "README.md").read_text()
REFERENCE = (SOURCE / "docs/enclave.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def environment(**more):
    names = ("HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "PATH": f"{BUILD}:{os.environ['PATH']}", **more}


def in_folder(folder, command, timeout=60, **more):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True,
                          env=environment(**more), timeout=patience(timeout), check=False)


@pytest.fixture
def folder(tmp_path):
    for name in ("examples", "deploy"):
        (tmp_path / name).symlink_to(SOURCE / name)
    return tmp_path


def test_readme_has_commands():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0].lstrip("# ")[:40] for block in BLOCKS])
def test_readme_command_as_written_works(folder, block):
    program_path("teegate")
    if "systemctl" in block and shutil.which("systemctl") is None:
        pytest.skip("needs systemctl (script/bootstrap installs it)")
    done = in_folder(folder, re.sub(r"tcp:127\.0\.0\.1:8443", f"unix:{folder}/s", block), DESTDIR=str(folder / "root"))
    assert done.returncode == 0, done.stdout + done.stderr
    if "systemctl" in block:
        wanted = folder / "root/etc/systemd/system"
        assert (wanted / "multi-user.target.wants/teegate-proxy.service").is_symlink()
        assert (wanted / "sockets.target.wants/teegate-proxy-https.socket").is_symlink()
        assert os.access(folder / "root/usr/bin/teegate-proxy", os.X_OK)
    if "# the token" in block.splitlines()[0]:
        assert "v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3" in done.stdout
        assert done.stdout.splitlines()[-1] == '{"ssn": "123-45-6789"}'


def test_readme_curl_line_against_dev_answers_a_token(start, free_port):
    port = free_port()
    program = start("teegate", "dev", "--port", str(port), cwd=SOURCE)
    program.wait_until(lambda: "try:" in program.output, what="the curl line")
    command = re.search(r"^    (curl (?:.*\\\n)*.*)$", README, re.MULTILINE)[1]
    words = [word for word in shlex.split(command.replace("\\\n", " "))]
    words = [word.replace("8443", str(port)) for word in words]
    done = subprocess.run([*words, "-s"], capture_output=True, text=True, timeout=patience(20), check=True)
    assert re.fullmatch(r'\{"card":\{"holder":"v1\.[\w-]{16}\.[\w-]{22,}"\}\}', done.stdout), done.stdout


def test_readme_and_reference_known_answers_are_the_same():
    table = re.compile(r"^\| (?:`[^`]*`|\(empty\)) \| `v1\..*$", re.MULTILINE)
    assert table.findall(README) == table.findall(REFERENCE)
    assert len(table.findall(README)) == 3


def test_demo_without_a_terminal_shows_the_round_and_leaves_nothing(tmp_path):
    done = in_folder(SOURCE, "script/demo </dev/null", TEEGATE_BUILD=str(BUILD), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"v1\.[\w-]{16}\.[\w-]{22,}", done.stdout)
    assert "The same 696 bytes as at first" in done.stdout
    for told in ('"status":"ok"', '"code":"forbidden"', '"code":"bad_token"', '"event":"ended"', "teegate_fields_total"):
        assert told in done.stdout, told
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_demo_of_keys_shows_release_refusal_rotation_and_substitution(tmp_path):
    done = in_folder(SOURCE, "script/demo aws </dev/null", timeout=120, TEEGATE_BUILD=str(BUILD), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ('"event":"data_keys","keys":1', '"code":"AccessDeniedException"', "FAILS  kms:RecipientAttestation:ImageSha384",
                 " 0 of them not 200", '"field":"DEK_FINGERPRINTS"', "PCR1 is a1a1"):
        assert told in done.stdout, told
    assert list(tmp_path.iterdir()) == []

def test_demo_proxy_routes_by_name_and_names_the_rule_that_refuses(tmp_path):
    program_path("teegate-proxy")
    done = in_folder(SOURCE, "script/demo proxy </dev/null", TEEGATE_BUILD=str(BUILD), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("Domain not found", "unrecognized name", '"rule":"metadata"', '"rule":"no_rule"', '{"ssn":"v1.'):
        assert told in done.stdout, told
    assert list(tmp_path.iterdir()) == []


def test_demo_program_that_fails_is_told_and_cleaned_up(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin/teegate").symlink_to(program_path("teegate"))
    fake = tmp_path / "bin/teegate-enclave"
    fake.write_text("#!/bin/sh\necho '{\"event\":\"cannot_start\"}' >&2\nexit 3\n")
    fake.chmod(0o755)
    done = in_folder(SOURCE, "script/demo </dev/null", TEEGATE_BUILD=str(tmp_path / "bin"), TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 1
    assert "teegate-enclave ended at once" in done.stderr and "cannot_start" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def rows_of(heading):
    """The first table below a heading of docs/enclave.md, as lists of cells."""
    text = REFERENCE.split(f"\n{heading}\n", 1)[1]
    lines = re.search(r"((?:^\|.*\n)+)", text, re.MULTILINE)[1].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]


def test_settings_table_is_what_the_program_says(run):
    shown = json.loads(run("teegate-enclave", "--local-mode", "--print-config=json", cwd=SOURCE).stdout)["settings"]
    written = {}
    for setting, default, meaning in rows_of("## Settings"):
        name, measured = re.fullmatch(r"`([A-Z0-9_]+)`( \(M\))?", setting).groups()
        written[name] = (measured is not None, default.strip("`"))
        assert meaning
    assert list(written) == list(shown)
    assert {n: m for n, (m, _) in written.items()} == {n: s["measured"] for n, s in shown.items()}
    help_text = run("teegate-enclave", "--help").stdout.decode()
    defaults = dict(re.findall(r"^  ([A-Z0-9_]+)(?: \(M\))? \[(.*)\]$", help_text, re.MULTILINE))
    defaults["WORKERS"] = "cores"  # the table's fallback stands for what is read from the machine
    defaults["SECRETS_ADDRESS"] = "vsock:any:7777"  # local mode has another
    defaults["EGRESS_ADDRESS"] = "vsock:parent:8444"  # as above
    assert {n: d for n, (_, d) in written.items() if d} == defaults


def test_gateway_in_ten_minutes_works_as_written(folder, free_port):
    section = README.split("\n### The gateway in ten minutes\n", 1)[1].split("\n##", 1)[0]
    steps = [textwrap.dedent(step) for step in re.findall(r"^   ```bash\n(.*?)^   ```$", section, re.MULTILINE | re.DOTALL)]
    assert len(steps) == 6
    script = "trap 'kill $(jobs -p); wait' EXIT\n" + "".join(steps)
    for port in ("8080", "8443"):
        script = script.replace(port, str(free_port()))
    done = in_folder(folder, script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plaintext of jwe" in done.stdout and "note:" not in done.stdout
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer == {"status": "processed", "caller": ["enclave.teegate.internal"], "received": {"ssn": "123-45-6789"}}
    assert "123-45-6789" not in (folder / "enclave.log").read_text()


def test_routes_table_names_every_member():
    source = (SOURCE / "src/gateway/route_members.c").read_text()
    known = {name for names in re.findall(r"known\[\] = \{(.*?)NULL\}", source, re.DOTALL) for name in re.findall(r'"(\w+)"', names)}
    section = README.split("\n## The gateway\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)
    assert {part for row in rows for part in row.split(".")} >= known | {"request", "upstream", "response"}
    assert len(rows) == len(set(rows))


def test_metrics_table_is_what_the_sources_define():
    defined = {}
    for source in sorted((SOURCE / "src").glob("*/*.c")):
        if source.parent.name == "proxy":
            continue
        for body in re.findall(r"tg_metric_family \w+ = \{(.*?)\};", source.read_text(), re.DOTALL):
            labels = re.search(r"\.labels = \{(.*?)\}", body, re.DOTALL)
            defined[re.search(r'\.name = "(\w+)"', body)[1]] = re.findall(r'"(\w+)"', labels[1]) if labels else []
    written = {cells[0].strip("`"): [l.strip() for l in cells[1].split(",") if l.strip()] for cells in rows_of("### Metrics")}
    assert written == defined


def test_gateway_errors_table_names_every_code():
    written = {(code, int(status)) for names, status, _ in rows_of("### Errors of the gateway") for code in re.findall(r"`(\w+)`", names)}
    general = {(cells[0].strip("`"), int(cells[1])) for cells in rows_of("### Errors")}
    defined = set()
    for source in (SOURCE / "src/gateway").glob("*.c"):
        text = source.read_text()
        defined |= {(code, int(status)) for status, code in re.findall(r'\.status = (\d+),\s*\.code =\s*"(\w+)"', text)}
        defined |= {(code, int(status)) for status, code in re.findall(r'[({]\s*(\d{3}),\s*"(\w+)",', text)}
    assert written >= defined - general
    assert written <= defined


def test_errors_table_names_every_code():
    codes = {cells[0].strip("`"): cells[1] for cells in rows_of("### Errors")}
    table = (SOURCE / "src/http/refusal.c").read_text().split("codes[] = {", 1)[1].split("};", 1)[0]
    of_http = {code: status for status, code in re.findall(r'\{(\d+), "(\w+)"\}', table)}
    of_fields = dict(re.findall(r'\{"(\w+)", ([45]\d\d)\}', (SOURCE / "src/fields/fault.c").read_text()))
    assert {**of_http, **of_fields}.items() >= codes.items()
    assert codes.keys() >= of_fields.keys()
    assert set(of_http) - set(codes) == {"bad_gateway", "gateway_timeout"}
