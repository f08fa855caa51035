"""What operators of teegate-proxy see: faults of the configuration, effective values, metrics, health, its symbols."""

import json
import pathlib
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import program_path
from proxy_cases import Server, ask, echo, http_named, start_proxy


def test_missing_file_shows_a_minimal_one(run, scratch):
    done = run("teegate-proxy", cwd=scratch)
    assert done.returncode == 2
    minimal = re.search(r'\{"domains".*\}', done.stderr.decode()).group(0)
    (scratch / "proxy-config.json").write_text(minimal.replace("arn:aws:kms:...", "alias/k"), encoding="utf-8")
    assert run("teegate-proxy", "--check-config", cwd=scratch).returncode == 0


def test_all_faults_are_told_at_once_with_line_key_reason_and_remedy(run, scratch):
    path = scratch / "p.json"
    path.write_text('{"domains":\n {"a.b": {"cid": 0,\n  "kmskey": "x"}},\n "ports": {"http": 70000}}', encoding="utf-8")
    done = run("teegate-proxy", "--check-config", env={"PROXY_CONFIG": path, "WORKERS": "many"})
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 4
    assert f"teegate-proxy: {path}:2: /domains/a.b/cid: the number is outside its range" in lines[1] + lines[2] + lines[3]
    assert any("p.json:3: /domains/a.b/kmskey: there is no such key; did you mean kms_key?" in line for line in lines)
    assert any("p.json:4: /ports/http" in line for line in lines)
    assert any("WORKERS" in line for line in lines)


def test_print_config_reads_back_as_itself(run, scratch):
    path = scratch / "p.json"
    path.write_text('{"domains": {"tee-k.x": {"cid": 16}, "*.y": {"cid": 17}}}', encoding="utf-8")
    env = {"TEE_K_KMS_KEY": "alias/k", "AWS_REGION": "eu-west-1", "PROXY_CONFIG": path}
    first = run("teegate-proxy", "--print-config", env=env)
    assert first.returncode == 0
    effective = json.loads(first.stdout)
    assert effective["domains"]["tee-k.x"] == {
        "cid": 16,
        "kms_key": "alias/k",
        "http": "vsock:16:8080",
        "https": "vsock:16:8443",
        "allow_plaintext": False,
    }
    assert effective["aws"] == {"region": "eu-west-1"}
    path.write_bytes(first.stdout)
    assert run("teegate-proxy", "--print-config", env={"PROXY_CONFIG": path}).stdout == first.stdout


def test_usage(run):
    assert b"PROXY_CONFIG" in run("teegate-proxy", "--help").stdout
    assert run("teegate-proxy", "--version").returncode == 0
    assert run("teegate-proxy", "--what").returncode == 2
    assert run("teegate-proxy", "--help", "--version").returncode == 2


def test_address_in_use_is_told(run, scratch):
    server = Server(echo)
    path = scratch / "p.json"
    path.write_text(
        json.dumps({"forwards": [{"listen": server.address, "connect": "unix:/nowhere"}]}), encoding="utf-8"
    )
    done = run("teegate-proxy", env={"PROXY_CONFIG": path, "WORKERS": 1})
    assert done.returncode == 2 and str(server.port).encode() in done.stderr


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.sanitize
def test_admin_tells_metrics_health_and_status(start, scratch, free_port):
    admin, http, server = free_port(), free_port(), Server(http_named("k"))
    down = f"tcp:127.0.0.1:{free_port()}"
    config = {
        "domains": {
            "k.x": {"cid": 16, "http": server.address, "https": server.address},
            "t.x": {"cid": 17, "http": down, "https": down},
        },
        "listen": {"http": f"tcp:127.0.0.1:{http}", "https": [], "kms": [], "internet": []},
        "admin": f"tcp:127.0.0.1:{admin}",
    }
    start_proxy(start, scratch, config, ("127.0.0.1", http), ("127.0.0.1", admin))
    ask(("127.0.0.1", http), b"GET / HTTP/1.1\r\nHost: k.x\r\nConnection: close\r\n\r\n")
    ask(("127.0.0.1", http), b"GET / HTTP/1.1\r\nHost: none.x\r\nConnection: close\r\n\r\n")
    status, text = fetch(admin, "/metrics")
    assert status == 200
    assert 'teegate_proxy_requests_total{route="k.x",status="200"} 1' in text
    assert 'teegate_proxy_requests_total{route="none",status="404"} 1' in text
    assert 'teegate_proxy_refusals_total{service="http",rule="no_domain"} 1' in text
    assert 'teegate_proxy_dial_seconds_count{service="http",outcome="ok"} 1' in text
    assert 'teegate_proxy_relayed_bytes_total{service="http",route="k.x",from="target"}' in text
    status, text = fetch(admin, "/health")
    health = json.loads(text)
    assert status == 200 and health["status"] == "degraded"
    assert health["enclaves"]["k.x"]["answers"] and not health["enclaves"]["t.x"]["answers"]
    assert fetch(admin, "/health")[1] == text  # from what is known: latencies too
    assert fetch(admin, "/live")[0] == 200 and fetch(admin, "/ready")[0] == 200
    assert json.loads(fetch(admin, "/status")[1])["domains"] == 2
    assert fetch(admin, "/nothing")[0] == 404


def test_health_is_503_where_no_enclave_answers(start, scratch, free_port):
    admin = free_port()
    down = f"tcp:127.0.0.1:{free_port()}"
    config = {
        "domains": {"t.x": {"cid": 17, "http": down, "https": down}},
        "listen": {"http": [], "https": [], "kms": [], "internet": []},
        "admin": f"tcp:127.0.0.1:{admin}",
    }
    start_proxy(start, scratch, config, ("127.0.0.1", admin))
    status, text = fetch(admin, "/health")
    assert status == 503 and json.loads(text)["status"] == "down"


def test_program_links_what_its_own_calls_of_aws_need_and_no_more():
    program = program_path("teegate-proxy")
    libraries = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    assert not re.search(r"libgcrypt|libpcre", libraries)
    symbols = subprocess.run(["nm", "--defined-only", str(program)], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in symbols.splitlines()}
    sources = pathlib.Path(__file__).resolve().parents[2] / "src"
    foreign = set()
    for room in ("crypto", "fields", "schema", "keys", "envelope", "attest", "enclave", "tool"):
        for header in (sources / room).glob("*.h"):
            foreign |= set(re.findall(r"\b(tg_[a-z0-9_]+)\(", header.read_text(encoding="utf-8")))
    own = {name for name in names if name.startswith("tg_")}
    assert len(own) > 200
    allowed = set()
    for room in ("base", "sys", "settings", "io", "hello", "http", "tls", "outbound", "aws", "telemetry", "proxy"):
        for file in (sources / room).glob("*.h"):
            allowed |= set(re.findall(r"\b(tg_[a-z0-9_]+)\(", file.read_text(encoding="utf-8")))
    assert not (own & foreign) - allowed


def test_flood_of_refusals_is_bounded_in_the_log_and_counted(start, scratch, free_port):
    admin, path = free_port(), scratch / "egress"
    config = {
        "listen": {"internet": f"unix:{path}"},
        "admin": f"tcp:127.0.0.1:{admin}",
    }
    proxy = start_proxy(start, scratch, config, WORKERS=1)
    for _ in range(600):
        ask(path, b"\n")
    _, text = fetch(admin, "/metrics")
    assert 'teegate_proxy_refusals_total{service="internet",rule="bad_line"} 600' in text
    num_left_out = int(re.search(r"^teegate_proxy_unlogged_total (\d+)$", text, re.MULTILINE).group(1))
    assert len(proxy.events("egress refused")) + num_left_out == 600
    assert num_left_out > 0
