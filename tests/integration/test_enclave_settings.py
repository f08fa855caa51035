"""The command line and settings of teegate-enclave; the kinds of address that it listens on."""

import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

import pytest

from certificates import Authority
from conftest import SOURCE, patience
from enclave_cases import (
    Connection,
    assert_refused,
    client_context,
    compose,
    compose_fields,
    ended,
    launch,
    serving,
    write_case,
)
from tool_cases import TOKEN_HELLO

PROGRAM = "teegate-enclave"


@pytest.fixture
def good(tmp_path, free_port):
    """Settings with which all is well."""
    write_case(tmp_path)
    return {
        "LISTEN_ADDRESS": f"tcp:127.0.0.1:{free_port()}",
        "SCHEMA_DIR": tmp_path / "schemas",
        "DEK_FILE": tmp_path / "dek",
    }


def test_help_lists_options_and_settings(run):
    for option in ("--help", "-h"):
        done = run(PROGRAM, option)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode()
        for word in (
            "Usage: teegate-enclave",
            "--check-config",
            "--print-config",
            "--local-mode",
            "--version",
            "--config PATH",
        ):
            assert word in text
        for name in (
            "LISTEN_ADDRESS",
            "SCHEMA_DIR",
            "DEK_FILE",
            "CLIENT_CA_PATH (M)",
            "DECRYPT_ALLOWED_CLIENTS (M)",
            "SERVER_NAMES (M)",
        ):
            assert name in text


def test_version_one_line(run):
    done = run(PROGRAM, "--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(rb"teegate-enclave \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    "args", [["--unknown"], ["serve"], ["--help=1"], ["-x"], [""], ["--config"], ["--local-mode=1"], ["--"]]
)
def test_usage_wrong_exit_2(run, args):
    done = run(PROGRAM, *args)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"teegate-enclave: ") and done.stderr.count(b"\n") == 1


def test_check_config_good_is_quiet(run, good):
    done = run(PROGRAM, "--check-config", env=good)
    assert (done.returncode, done.stderr) == (0, b""), done
    assert done.stdout == b"teegate-enclave: the configuration is good\n"


def test_check_config_all_faults_at_once(run, tmp_path):
    write_case(tmp_path)
    env = {
        "LISTEN_ADDRESS": "tcp:127.0.0.1:99999",
        "ADMIN_ADDRESS": "nonsense",
        "SCHEMA_REFRESH_INTERVAL_SECS": "0",
        "WORKERS": "many",
        "LOG_LEVEL": "loud",
        "SCHEMA_HEADER_NAME": "Content-Type",
        "SERVER_NAMES": "*.example",
        "DECRYPT_ALLOWED_CLIENTS": "reader.example",
        "TLS_CERT_PATH": tmp_path / "none.pem",
        "MAX_BODY_BYTES": "2GiB",
        "SCHEMA_ALLOW_REMOVAL": "yes please",
        "SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x",
    }
    done = run(PROGRAM, "--check-config", env=env)
    assert done.returncode == 1 and done.stdout == b""
    text = done.stderr.decode()
    for name in (*env, "SCHEMA_DIR"):
        assert any(name in line for line in text.splitlines()), (name, text)
    for value in ("99999", "nonsense", "many", "loud"):
        assert value in text
    # Serving says the same, and does not serve.
    assert run(PROGRAM, env=env).returncode == 1


def test_check_config_faults_of_files_all_at_once(run, good, tmp_path):
    (tmp_path / "dek").write_bytes(b"short")
    (tmp_path / "schemas" / "bad.yaml").write_text("openapi: [", encoding="utf-8")
    (tmp_path / "bad.pem").write_text("no PEM", encoding="utf-8")
    env = {
        **good,
        "TLS_CERT_PATH": tmp_path / "bad.pem",
        "TLS_KEY_PATH": tmp_path / "bad.pem",
        "CLIENT_CA_PATH": tmp_path / "no.pem",
    }
    done = run(PROGRAM, "--check-config", env=env)
    assert done.returncode == 1 and done.stdout == b""
    for name in ("dek", "bad.yaml", "bad.pem", "no.pem"):
        assert any(name in line for line in done.stderr.decode().splitlines()), (name, done.stderr)


@pytest.mark.parametrize("name, make", [
    ("expired", lambda a, o: (a.issue("x.pem", ["DNS:a"], seconds=-60, is_server=True),) * 2),
    ("another's key", lambda a, o: (a.issue("x.pem", ["DNS:a"], is_server=True), o.issue("y.pem", ["DNS:a"], is_server=True))),
])  # fmt: skip
def test_check_config_unusable_identity(run, good, tmp_path, name, make):
    certificate, key = make(Authority(tmp_path), Authority(tmp_path, "other"))
    done = run(PROGRAM, "--check-config", env={**good, "TLS_CERT_PATH": certificate, "TLS_KEY_PATH": key})
    assert done.returncode == 1 and ("x.pem" in done.stderr.decode() or "y.pem" in done.stderr.decode()), (name, done)


def test_check_config_schema_folder_empty(run, good, tmp_path):
    (tmp_path / "schemas" / "record.yaml").unlink()
    done = run(PROGRAM, "--check-config", env=good)
    assert done.returncode == 1 and b"SCHEMA_DIR" in done.stderr


def test_config_file_values_lines_and_environment_wins(run, good, tmp_path):
    path = tmp_path / "enclave.json"
    path.write_text(
        '{\n  "WORKERS": 3,\n  "IDLE_TIMEOUT_SECS": 7,\n  "SERVER_NAMES": ["a.example", "b.example"]\n}\n',
        encoding="utf-8",
    )
    done = run(PROGRAM, "--config", path, "--print-config=json", env={**good, "WORKERS": "5"})
    assert (done.returncode, done.stderr) == (0, b"")
    settings = json.loads(done.stdout)["settings"]
    assert settings["WORKERS"]["value"] == 5 and settings["WORKERS"]["source"] == "environment"
    assert settings["IDLE_TIMEOUT_SECS"]["value"] == 7 and settings["IDLE_TIMEOUT_SECS"]["source"] == "file"
    assert (
        settings["SERVER_NAMES"]["value"] == ["a.example", "b.example"] and settings["SERVER_NAMES"]["measured"] is True
    )
    assert settings["SCHEMA_HEADER_NAME"] == {"value": "X-Schema-Name", "source": "default", "measured": False}
    table = run(PROGRAM, f"--config={path}", "--print-config", env=good).stdout.decode()
    assert re.search(r"^IDLE_TIMEOUT_SECS +7 s +file line 3$", table, re.M), table
    assert re.search(r"^SCHEMA_DIR +\S+/schemas +environment$", table, re.M), table
    path.write_text('{\n  "WORKRES": 3,\n  "IDLE_TIMEOUT_SECS": "soon"\n}\n', encoding="utf-8")
    wrong = run(PROGRAM, f"--config={path}", "--check-config", env=good)
    assert wrong.returncode == 1
    assert re.search(r"enclave\.json:2.*WORKRES", wrong.stderr.decode()) and re.search(
        r"enclave\.json:3", wrong.stderr.decode()
    )
    absent = run(PROGRAM, "--config", tmp_path / "absent.json", "--check-config", env=good)
    assert absent.returncode == 1 and b"absent.json" in absent.stderr


def test_print_config_never_shows_key_bytes(run, good):
    done = run(PROGRAM, "--print-config=json", env=good)
    assert b"\xaa" not in done.stdout and b"aaaaaaaaaa" not in done.stdout


def test_local_mode_needs_no_setting(run):
    env = {"LISTEN_ADDRESS": None}
    done = run(PROGRAM, "--local-mode", "--print-config=json", env={k: v for k, v in env.items() if v}, cwd=SOURCE)
    assert done.returncode == 0
    settings = json.loads(done.stdout)["settings"]
    assert settings["LISTEN_ADDRESS"]["value"] == ["tcp:127.0.0.1:8443"]
    assert settings["SCHEMA_DIR"]["value"] == "examples/schemas"


def test_local_mode_serves_examples(free_port, tmp_path):
    port = free_port()
    with serving(SOURCE, ["--local-mode"], DEK_FILE=None, SCHEMA_DIR=None, ADMIN_ADDRESS=None, LISTEN_ADDRESS=None,
                 TLS_PORT=port) as enclave:  # fmt: skip
        enclave.port = port
        answer = enclave.encrypt({"full_name": "x", "ssn": "1"}, "payments#Customer")
        assert answer.status == 200 and answer.json["ssn"].startswith("v1.")


@pytest.mark.parametrize("workers", [1, 2])
def test_port_in_use_says_so(tmp_path, workers):
    write_case(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
        with ended(launch(tmp_path, LISTEN_ADDRESS=address, WORKERS=workers)) as enclave:
            assert enclave.program.wait() in (1, 3)
            fault = enclave.program.events("fault")[0]
            assert str(taken.getsockname()[1]) in json.dumps(fault) and fault["reason"] and fault["remedy"]
            assert not enclave.program.events("listening")


@pytest.mark.parametrize("workers", [1, 2])
def test_port_of_another_enclave_in_use(tmp_path, workers):
    """Two enclaves never share a port by accident: each would get some of the connections."""
    write_case(tmp_path)
    with serving(tmp_path, WORKERS=workers) as first:
        with ended(launch(tmp_path, LISTEN_ADDRESS=f"tcp:127.0.0.1:{first.port}", WORKERS=workers)) as second:
            second.program.wait_until(
                lambda: second.program.process.poll() is not None or second.program.events("ready"), what="its end"
            )
            assert second.program.process.poll() in (1, 3), second.program.log
        assert first.get("/live").status == 200


def test_admin_port_in_use_ends(tmp_path):
    write_case(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with ended(launch(tmp_path, ADMIN_ADDRESS=f"tcp:127.0.0.1:{taken.getsockname()[1]}")) as enclave:
            assert enclave.program.wait() in (1, 3)


@pytest.mark.sanitize
def test_unix_socket_served_over_tls_and_removed(scratch):
    write_case(scratch)
    path, admin = scratch / "front.sock", scratch / "admin.sock"
    with serving(scratch, LISTEN_ADDRESS=f"unix:{path}", ADMIN_ADDRESS=f"unix:{admin}") as enclave:
        done = subprocess.run(
            ["curl", "-sSk", "--unix-socket", path, "https://localhost/encrypt", "-H", "X-Schema-Name: record",
             "-H", "Content-Type: application/json", "--data-binary", '{"ssn":"hello"}'],
            capture_output=True, timeout=patience(20), check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, b'{"ssn":"' + TOKEN_HELLO.encode() + b'"}'), done
        metrics = subprocess.run(
            ["curl", "-sS", "--unix-socket", admin, "http://localhost/metrics"], capture_output=True, check=False
        ).stdout
        assert b"teegate_fields_total" in metrics
        assert path.stat().st_mode & 0o077 == 0
        assert enclave.program.stop() == 0
    assert not path.exists() and not admin.exists()


def test_unix_socket_left_behind_is_replaced(scratch):
    write_case(scratch)
    path = scratch / "front.sock"
    for _ in range(2):
        with ended(launch(scratch, LISTEN_ADDRESS=f"unix:{path}")) as enclave:
            enclave.program.wait_event("ready")
            enclave.program.process.kill()
            enclave.program.wait()
        assert path.exists()
    path.unlink()
    path.write_text("a file of somebody's", encoding="utf-8")
    with ended(launch(scratch, LISTEN_ADDRESS=f"unix:{path}")) as enclave:
        assert enclave.program.wait() in (1, 3)
    assert path.read_text(encoding="utf-8") == "a file of somebody's"


@pytest.mark.sanitize
def test_hvsock_and_more_addresses_served(scratch, free_port):
    """Inbound on hvsock:PATH:PORT comes at the unix socket PATH_PORT, as Firecracker forwards it."""
    write_case(scratch)
    port = free_port()
    listen = f"hvsock:{scratch}/vm.sock:8443,tcp:127.0.0.1:{port},unix:{scratch}/u.sock?cid=16"
    with serving(scratch, LISTEN_ADDRESS=listen) as enclave:
        assert len(enclave.program.events("listening")) >= 3
        sockets = [socket.create_connection(("127.0.0.1", port), timeout=patience(20))]
        for path in (scratch / "vm.sock_8443", scratch / "u.sock"):
            sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sockets[-1].settimeout(patience(20))
            sockets[-1].connect(str(path))
        for raw in sockets:
            with Connection(client_context().wrap_socket(raw)) as connection:
                assert connection.ask(compose_fields("encrypt", {"ssn": "hello"})).json == {"ssn": TOKEN_HELLO}


def test_ipv6_address_served(tmp_path):
    write_case(tmp_path)
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        port = probe.getsockname()[1]
    with serving(tmp_path, LISTEN_ADDRESS=f"tcp:[::1]:{port}"):
        raw = socket.create_connection(("::1", port), timeout=patience(20))
        with Connection(client_context().wrap_socket(raw)) as connection:
            assert connection.ask(compose("GET", "/live")).status == 200


def test_max_connections_kept(tmp_path):
    """Past the limit connections wait in the kernel's queue, and are served when there is room."""
    write_case(tmp_path)
    with serving(tmp_path, MAX_CONNECTIONS=3, WORKERS=1) as enclave:
        held = [enclave.connect() for _ in range(3)]
        for connection in held:
            assert connection.ask(compose("GET", "/live")).status == 200
        with enclave.tcp() as waiting:
            waiting.settimeout(0.3)
            with pytest.raises((TimeoutError, ssl.SSLError)):
                client_context().wrap_socket(waiting)
        for connection in held:
            assert connection.ask(compose("GET", "/live")).status == 200
            connection.close()
        assert enclave.get("/live").status == 200


def test_budget_of_bodies_in_flight_503(tmp_path):
    """One body holds most of MAX_INFLIGHT_BYTES; another that does not fit is told to come again."""
    write_case(tmp_path)
    with serving(tmp_path, MAX_INFLIGHT_BYTES="7MiB", MAX_BODY_BYTES="3MiB") as enclave:
        body = b'{"ssn":"hello","pad":"' + b"x" * 2900000 + b'"}'
        request = compose_fields("encrypt", body)
        for pause in (0.3, 1, 3):  # until the first one's bytes have arrived
            with enclave.connect() as first, enclave.connect() as second:
                first.send(request[:-10])
                time.sleep(pause)
                answer = second.ask(request)
                if answer.status == 200:
                    continue
                assert_refused(answer, 503, "service_unavailable")
                assert answer.header("Retry-After") == "1"
                assert first.ask(request[-10:]).status in (200, 503)  # its answer may not fit any more
                break
        else:
            raise AssertionError("both were taken")
        assert enclave.encrypt(body).status == 200


def test_limits_of_settings_in_force(tmp_path):
    write_case(tmp_path)
    with serving(tmp_path, MAX_FIELDS_PER_REQUEST=2, MAX_BODY_BYTES=1024) as enclave:
        assert enclave.encrypt({"notes": ["a", "b"]}).status == 200
        assert enclave.encrypt({"notes": ["a", "b", "c"]}).status == 413
        assert enclave.encrypt(b'{"x":"' + b"x" * 1016 + b'"}').status == 200
        assert enclave.encrypt(b'{"x":"' + b"x" * 1017 + b'"}').status == 413


def test_process_is_not_dumpable_and_drops_no_files(tmp_path):
    """Other processes of this user cannot read its memory, and a crash writes no core."""
    write_case(tmp_path)
    with serving(tmp_path) as enclave:
        status = pathlib.Path(f"/proc/{enclave.program.pid}/limits").read_text(encoding="ascii")
        assert re.search(r"Max core file size +0 ", status)
        before = sorted(os.listdir(tmp_path))
        assert enclave.encrypt({"ssn": "a"}).status == 200
        assert sorted(os.listdir(tmp_path)) == before
