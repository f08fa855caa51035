"""What the README says of the proxy: invocations of other programs in our words, and failures with the text that is logged."""

import json
import re
import socket

import pytest

from conftest import SOURCE
from proxy_cases import ask, client_hello, connect, read_all, start_proxy, write_config

SECTION = (SOURCE / "README.md").read_text(encoding="utf-8").split("\n## The host proxy\n", 1)[1].split("\n## ", 1)[0]


def rows_below(first_cell):
    """The rows of the table whose heading begins so, as lists of cells."""
    lines = SECTION.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_cell}"))
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def quoted(cell):
    return re.fullmatch(r"`(.*)`", cell)[1]


FAILURES = [[quoted(cell) for cell in row[:3]] for row in rows_below("`event`")]


@pytest.mark.parametrize("row", rows_below("in place of"), ids=lambda row: row[0].strip("`").split()[0])
def test_what_stands_in_place_of_an_invocation_is_a_good_configuration(run, scratch, row):
    (scratch / "list.yaml").write_text("allowlist:\n- {address: kms.ap-south-1.amazonaws.com, port: 443}\n", encoding="ascii")
    config = json.loads("{" + quoted(row[1]) + "}")
    config.setdefault("domains", {"tee-k.example.org": {"cid": 16}})
    done = run("teegate-proxy", "--check-config", env={"PROXY_CONFIG": write_config(scratch, config)}, cwd=scratch)
    assert done.returncode == 0, done.stderr.decode()


def test_invocations_are_those_that_the_programs_take():
    left = [row[0].strip("`") for row in rows_below("in place of")]
    assert sum(text.startswith("vsock-proxy ") for text in left) == 1
    assert sum(text.startswith("socat ") for text in left) == 3


@pytest.fixture
def host(start, scratch, free_port):
    https = ("127.0.0.1", free_port())
    config = {
        "domains": {
            "nobody.example.test": {"cid": 2, "https": "vsock:2:3999999999"},
            "tee-k.example.test": {"cid": 16},
        },
        "listen": {"http": [], "https": f"tcp:127.0.0.1:{https[1]}", "kms": [], "internet": []},
    }
    return https, start_proxy(start, scratch, config, https)


def told(proxy, event):
    found = proxy.wait_event(event)
    return [found["event"], found.get("rule", found.get("error")), found["remedy"]]


def test_missing_and_unknown_names_are_logged_as_the_readme_says(host):
    https, proxy = host
    with connect(https) as sock:
        sock.sendall(client_hello())
        read_all(sock)
    assert told(proxy, "no SNI") in FAILURES
    ask(https, client_hello("elsewhere.example.test"))
    assert told(proxy, "domain not found") in FAILURES
    assert proxy.events("domain not found")[0]["name"] == "elsewhere.example.test"


def test_vsock_port_where_nobody_listens_is_logged_as_the_readme_says(host):
    try:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as probe:
            probe.settimeout(5)
            probe.connect((2, 3999999999))
    except ConnectionResetError:
        pass
    except OSError as error:
        pytest.skip(f"this kernel's vsock says something else: {error}")
    https, proxy = host
    with connect(https) as sock:
        sock.sendall(client_hello("nobody.example.test"))
        read_all(sock)
    assert told(proxy, "vsock dial failed") in FAILURES
    assert proxy.events("vsock dial failed")[0]["target"] == "vsock:2:3999999999"


def test_every_remedy_of_the_readme_is_in_the_sources():
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "src/proxy").glob("*.c")))
    code = re.sub(r'"\s*\n\s*"', "", code).replace('\\"', '"')
    assert len(FAILURES) == 4
    for event, _, remedy in FAILURES:
        assert f'"{event}"' in code and f'"{remedy}"' in code, event
