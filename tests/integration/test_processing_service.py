"""The example backend, with certificates of `teegate pki init`, called by curl."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import SOURCE, _take_port, patience


@pytest.fixture(name="service")
def fixture_service(run, scratch):
    """The running example: (URL, folder of certificates)."""
    made = scratch / "pki"
    mtls = scratch / "mtls"
    made.mkdir()
    mtls.mkdir()
    done = run("teegate", "pki", "init", made, "--server", "127.0.0.1", "--client", "enclave.test")
    assert done.returncode == 0, done.stderr
    for name, source in [("server.crt", "server.crt"), ("server.key", "server.key"), ("ca.crt", "backend-ca.crt")]:
        shutil.copy(made / source, mtls / name)
    port = _take_port()
    environment = {**os.environ, "MTLS_DIR": str(mtls), "HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, str(SOURCE / "examples/processing-service/service.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("processing service on")
            yield f"https://127.0.0.1:{port}", made
        finally:
            process.kill()


def curl(url, made, *arguments, certificate="client"):
    identity = ["--cert", made / f"{certificate}.crt", "--key", made / f"{certificate}.key"] if certificate else []
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(patience(20)), "--cacert", made / "backend-ca.crt", *identity]
    return subprocess.run([*command, *arguments, url], capture_output=True, timeout=patience(40), check=False)


def test_process_answers_what_came_and_from_whom(service):
    url, made = service
    done = curl(url + "/process", made, "-H", "Content-Type: application/json", "-d", '{"ssn":"123-45-6789"}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "processed", "caller": ["enclave.test"], "received": {"ssn": "123-45-6789"}}


@pytest.mark.parametrize("certificate", [None, "caller"])
def test_caller_without_a_certificate_of_the_authority_gets_nothing(service, certificate):
    url, made = service
    done = curl(url + "/process", made, "-d", "{}", certificate=certificate)
    assert done.returncode != 0 and done.stdout == b""


def test_process_refuses_what_is_no_json_and_other_paths(service):
    url, made = service
    status = ["-o", "/dev/null", "-w", "%{http_code}"]
    assert curl(url + "/process", made, "-d", "no json", *status).stdout == b"400"
    assert curl(url + "/other", made, "-d", "{}", *status).stdout == b"404"
    assert curl(url + "/process", made, "-H", "Transfer-Encoding: chunked", "-d", "{}", *status).stdout == b"411"
    assert curl(url + "/health", made, *status).stdout == b"200"
