"""Envelope keys follow the data keys: rotated under load, twice over, without a request that fails."""

import pathlib
import sys
import tempfile
import threading

import pytest
from cryptography import x509

from conftest import SOURCE
from enclave_cases import DEK
from gateway_cases import Gateway, route
from gateway_clients import PATHS, Client, Peers, wait_until_fresh
from test_enclave_keys import NEW_DEK, Cloud

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from emulator import Emulator  # noqa: E402

KINDS = ("jwe", "ohttp")
LAST_DEK = b"\xcc" * 32


@pytest.fixture(name="peers")
def fixture_peers():
    peers = Peers()
    yield peers
    peers.end()


@pytest.fixture(name="cloud")
def fixture_cloud():
    root = x509.load_pem_x509_certificate((SOURCE / "tests/vectors/nitro/simulator-root.pem").read_bytes())
    with Emulator(root=root) as aws:
        yield Cloud(aws)


def kid_of(client):
    client.fetch_keys()
    return next(key["kid"] for key in client.jwks["keys"] if key["use"] == "enc")


class Load:
    """A thread that seals to the keys that it began with, sends and reads, until it is ended."""

    def __init__(self, peers, enclave, kind):
        self.kind = kind
        self.client = Client(peers, enclave)
        self.num_answered, self.faults = 0, []
        self.is_ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.is_ended.is_set():
            try:
                self._ask()
            except Exception as why:  # whatever a client meets is a fault
                self.faults.append(why)

    def _ask(self):
        sealed = self.client.seal(self.kind, b'{"a": 1}')
        answer = self.client.send(sealed)
        inside = self.client.open(sealed, answer)  # its signer is among the keys that the client began with
        if inside.status != 200:
            raise ValueError(inside)
        self.num_answered += 1

    def end(self):
        self.is_ended.set()
        self.thread.join()


def test_keys_rotated_under_load_fail_no_request(peers, cloud):
    with tempfile.TemporaryDirectory() as name:
        gateway = Gateway(pathlib.Path(name))
        backend = gateway.backend()
        routes = [route(PATHS[kind], backend, request={"decrypt": kind}, response={"encrypt": kind}) for kind in KINDS]
        settings = cloud.settings(DEK_ROTATION_INTERVAL_SECS=1, WORKERS=2, REPLAY_AHEAD_SECS=0)
        with gateway.serving(routes, **settings) as enclave:
            gateway.deliver(gateway.bundle())
            wait_until_fresh()
            loads = [Load(peers, enclave, kind) for kind in KINDS]
            watcher = Client(peers, enclave)
            try:
                # The second ring no longer has the first key: the enclave itself keeps what it has opened with.
                for ring in ([("k2", NEW_DEK, "current"), ("k1", DEK, "retired")],
                             [("k3", LAST_DEK, "current"), ("k2", NEW_DEK, "retired")]):
                    first, before = kid_of(watcher), [load.num_answered for load in loads]
                    cloud.put(cloud.ring(*ring))
                    gateway.deliver(gateway.bundle())  # new mTLS pools, too
                    enclave.program.wait_until(lambda first=first: kid_of(watcher) != first, what="another key")
                    enclave.program.wait_until(
                        lambda before=before: all(load.num_answered > num + 5 for load, num in zip(loads, before)),
                        what="answers after the change")
            finally:
                for load in loads:
                    load.end()
            assert [load.faults for load in loads] == [[], []]
            # Who has new keys is answered as well as who still has the first.
            for kind in KINDS:
                assert watcher.call(kind, b"{}").status == 200
        backend.end()
