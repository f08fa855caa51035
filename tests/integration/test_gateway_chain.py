"""Client, host proxy, enclave, backend: each of the last three restarted in turn under load. SIGTERM loses nothing whose
head was read; SIGKILL never yields a short 200, nor a sealed answer that is not whole."""

import collections
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from conftest import Program, _take_port, clean_environment, patience, wait_for_listener
from enclave_cases import Closed, Connection, client_context, compose, write_case
from envelope_peer import Envelope
from gateway_cases import Gateway
from proxy_cases import write_config

TEE = "tee-k.example.org"
NUM_CLIENTS, ENOUGH = 4, 8
PADDING = 60000


class Chain:
    def __init__(self, folder):
        self.folder = folder
        self.gateway = Gateway(folder)
        self.notes = folder / "notes"
        self.notes.touch()
        self.front, self.enclave_port, self.backend_port = _take_port(), _take_port(), _take_port()
        self.context = client_context()
        self.outcomes = {}  # number: what became of it
        self.counts = collections.Counter()
        self.changed = threading.Condition()
        self.is_over = False
        self.next_number = 0
        self.faults = []
        self.running = {}
        self.keys = None
        self._write()

    def _write(self):
        write_case(self.folder)
        mtls = self.folder / "mtls"
        mtls.mkdir()
        authority = self.gateway.authority
        pem = authority.issue("backend.pem", ["DNS:localhost"], "localhost", is_server=True)
        for name in ("server.crt", "server.key"):
            shutil.copy(pem, mtls / name)
        shutil.copy(authority.path, mtls / "ca.crt")
        upstream = {"url": f"https://localhost:{self.backend_port}/process"}
        sealed = {"request": {"decrypt": "jwe"}, "response": {"encrypt": "jwe"}}
        routes = [{"path": "/jwe", "upstream": upstream, **sealed}, {"path": "/plain", "upstream": upstream}]
        (self.folder / "routes.json").write_text(json.dumps({"routes": routes}))

    def start_backend(self):
        environment = {"MTLS_DIR": self.folder / "mtls", "PORT": self.backend_port, "NOTES": self.notes}
        command = [sys.executable, str(pathlib.Path(__file__).with_name("chain_backend.py"))]
        process = subprocess.Popen(
            command, env=clean_environment(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout.readline().startswith("processing service on")
        self.running["backend"] = process

    def start_enclave(self):
        environment = {
            "LISTEN_ADDRESS": f"tcp:127.0.0.1:{self.enclave_port}",
            "SCHEMA_DIR": self.folder / "schemas",
            "DEK_FILE": self.folder / "dek",
            "ROUTES_PATH": self.folder / "routes.json",
            "SECRETS_ADDRESS": f"unix:{self.gateway.secrets_path}",
            "SECRETS_DIR": "memory",
            "EGRESS_ADDRESS": "off",
            "DRAIN_TIMEOUT_SECS": 30,
            "REPLAY_AHEAD_SECS": 0,
        }
        program = Program("teegate-enclave", env=environment, cwd=self.folder)
        self.running["enclave"] = program.process
        program.wait_event("listening", component="enclave")
        self.gateway.deliver(self.gateway.bundle())

    def start_proxy(self):
        config = {
            "domains": {TEE: {"cid": 16, "https": f"tcp:127.0.0.1:{self.enclave_port}", "egress": []}},
            "listen": {
                "http": [], "https": [f"tcp:127.0.0.1:{self.front}"], "kms": [], "internet": [f"unix:{self.folder}/egress?cid=16"],
            },
        }
        path = write_config(self.folder, config)
        program = Program("teegate-proxy", env={"PROXY_CONFIG": path, "WORKERS": 2}, cwd=self.folder)
        self.running["proxy"] = program.process
        program.wait_event("started")
        wait_for_listener(("127.0.0.1", self.front))

    def start(self):
        self.start_backend()
        self.start_enclave()
        self.start_proxy()
        with self.connect() as connection:
            self.keys = connection.ask(compose("GET", "/.well-known/jwks.json", host=TEE)).json
        self.clients = [threading.Thread(target=self._load, args=(index,), daemon=True) for index in range(NUM_CLIENTS)]
        for client in self.clients:
            client.start()

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.front), timeout=patience(60))
        try:
            return Connection(self.context.wrap_socket(raw, server_hostname=TEE, suppress_ragged_eofs=False))
        except Exception:
            raw.close()
            raise

    def _load(self, index):
        while not self.is_over:
            with self.changed:
                number = self.next_number
                self.next_number += 1
            is_sealed = (number + index) % 2 == 0
            try:
                outcome = self._ask(number, is_sealed)
            except Exception as fault:  # what nobody expects is the test's to say
                outcome = "fault"
                self.faults.append((number, repr(fault)))
            with self.changed:
                self.outcomes[number] = outcome
                self.counts[outcome] += 1
                self.counts["sealed" if is_sealed else "plain", outcome] += 1
                self.changed.notify_all()
            if outcome != "answered":
                time.sleep(0.02)  # so that a member that is away is not all that is asked

    def _ask(self, number, is_sealed):
        """`answered`: a whole 200 with what was asked for; `refused`: a whole error; `broken`: cut off, and seen to be."""
        body = json.dumps({"number": number}).encode()
        envelope = Envelope(self.keys, body, "/jwe") if is_sealed else None
        headers = [("Content-Type", "application/jose" if is_sealed else "application/json"), ("Connection", "close")]
        try:
            with self.connect() as connection:
                answer = connection.ask(compose("POST", "/jwe" if is_sealed else "/plain", envelope.text if is_sealed else body,
                                                headers, host=TEE))
        except (OSError, ssl.SSLError):
            return "unreached"
        except Closed as closed:
            return "unanswered" if closed.is_before_answer else "broken"
        status, content = answer.status, answer.body
        if is_sealed and answer.header("Content-Type") == "application/jose":
            status, content = envelope.open(answer.body)
            assert status == answer.status
        elif is_sealed:
            assert status >= 400, answer
        if status != 200:
            assert status in (502, 503, 504), answer
            json.loads(content)
            return "refused"
        document = json.loads(content)
        assert document == {"number": number, "padding": "x" * PADDING}
        return "answered"

    def wait_answers(self, what):
        """Until so many more of each kind were answered: envelopes from the second of the enclave's start are not."""
        deadline = time.monotonic() + patience(60)
        with self.changed:
            before = {kind: self.counts[kind, "answered"] for kind in ("sealed", "plain")}
            while any(self.counts[kind, "answered"] < count + ENOUGH for kind, count in before.items()):
                assert self.changed.wait(deadline - time.monotonic()) and not self.faults, (what, self.counts, self.faults)

    def restart(self, member, number):
        process = self.running[member]
        process.send_signal(number)
        status = process.wait(patience(60))
        getattr(self, f"start_{member}")()
        return status

    def stop_load(self):
        self.is_over = True
        for client in self.clients:
            client.join(patience(60))
            assert not client.is_alive()

    def end(self):
        self.is_over = True
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait(patience(20))


@pytest.fixture(name="chain")
def fixture_chain():
    with tempfile.TemporaryDirectory() as name:  # short, for the sockets' paths
        chain = Chain(pathlib.Path(name))
        try:
            yield chain
        finally:
            chain.end()


MEMBERS = pytest.mark.parametrize("member", ["proxy", "enclave", "backend"])


@MEMBERS
def test_restart_in_order_loses_nothing_that_was_read(chain, member):
    chain.start()
    chain.wait_answers("before")
    assert chain.restart(member, signal.SIGTERM) == 0
    chain.wait_answers("behind")
    chain.stop_load()
    assert chain.faults == []
    assert chain.counts["broken"] == 0, chain.counts
    read = [int(line) for line in chain.notes.read_text().split()]
    assert len(read) == len(set(read))  # and nothing was asked twice
    lost = [number for number in read if chain.outcomes[number] != "answered"]
    assert lost == [], (member, [(number, chain.outcomes[number]) for number in lost], chain.counts)


@MEMBERS
def test_sudden_end_gives_no_answer_that_is_not_whole(chain, member):
    chain.start()
    chain.wait_answers("before")
    assert chain.restart(member, signal.SIGKILL) == -signal.SIGKILL
    chain.wait_answers("behind")
    chain.stop_load()
    assert chain.faults == []
    read = [int(line) for line in chain.notes.read_text().split()]
    assert len(read) == len(set(read))
    assert {number for number, outcome in chain.outcomes.items() if outcome == "answered"} <= set(read)
