#!/usr/bin/env python3
"""Deliveries of secrets to a running teegate-enclave: from connecting to the answer, by when they are in force.

A client identity (P-256, its chain, its authority) over a unix socket; the files in a folder of /dev/shm, as in an enclave's
image, and of the system's disk. Effect: the answer's version is the one that every worker answers with, and the files are the
delivered ones; both are checked. Beside it the same in memory alone, and with 200 senders at once. TG_BENCH_QUICK: fewer.
"""

import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
QUICK = bool(os.environ.get("TG_BENCH_QUICK"))
NUM_DELIVERIES = 50 if QUICK else 500
NUM_SENDERS = 200


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_bundle(folder, name):
    """An authority and a client certificate of it, as a delivery."""
    ca, ca_key, cert, key, request = (folder / f"{name}.{ending}" for ending in ("ca", "ca-key", "crt", "key", "csr"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    openssl("req", "-x509", *curve, "-days", "2", "-subj", f"/CN={name}", "-keyout", ca_key, "-out", ca)
    openssl("req", *curve, "-subj", "/CN=enclave", "-addext", "subjectAltName=DNS:enclave", "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-days", "2", "-copy_extensions", "copy", "-out", cert)
    parts = {"client_cert": cert.read_text(), "client_key": key.read_text(), "ca_cert": ca.read_text()}
    return json.dumps({"MTLS_CLIENT_CERT_JSON": parts}).encode(), parts


def deliver(path, content):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(path))
        sock.sendall(content)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while more := sock.recv(65536):
            answer += more
    answer = json.loads(answer)
    if answer["status"] != "ok":
        sys.exit(f"refused: {answer}")
    return answer["version"]


class Enclave:
    def __init__(self, folder, certs):
        self.path = folder / "s"
        self.log = open(folder / "log", "w+b")
        settings = {"SECRETS_ADDRESS": f"unix:{self.path}", "SECRETS_DIR": str(certs),
                    "LISTEN_ADDRESS": f"unix:{folder / 'l'}", "SCHEMA_DIR": str(SOURCE / "examples/schemas")}
        self.process = subprocess.Popen([BUILD / "teegate-enclave", "--local-mode"], env={**os.environ, **settings},
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"does not serve:\n{pathlib.Path(self.log.name).read_text()}")
            time.sleep(0.02)

    def answers(self):
        try:
            return deliver(self.path, b"{}") == 0
        except OSError:
            return False

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        self.path.unlink(missing_ok=True)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(what, values):
    figures = f"{percentile(values, 0.5):.2f} to {max(values):.2f}"
    print(f"| secrets, delivery to effect, 99th percentile: {what} | {percentile(values, 0.99):.2f} | ms | {figures} |", flush=True)


def measure(what, certs, bundles, folder):
    enclave = Enclave(folder, certs)
    try:
        took_ms = []
        for number in range(NUM_DELIVERIES):
            content, parts = bundles[number % 2]
            began = time.perf_counter()
            version = deliver(enclave.path, content)
            took_ms.append((time.perf_counter() - began) * 1000)
            if version != number + 1 or (certs != "memory" and (certs / "client.key").read_text() != parts["client_key"]):
                sys.exit("answered, and not in force")
        row(what, took_ms)
        if certs == "memory":
            with concurrent.futures.ThreadPoolExecutor(NUM_SENDERS) as pool:
                began = time.perf_counter()
                list(pool.map(lambda _: deliver(enclave.path, bundles[0][0]), range(NUM_SENDERS)))
                took_ms = (time.perf_counter() - began) * 1000
            print(f"| secrets: {NUM_SENDERS} senders at once, all in force | {took_ms:.0f} | ms |", flush=True)
    finally:
        enclave.end()


def main():
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir="/dev/shm") as shared:
        folder = pathlib.Path(name)
        bundles = [make_bundle(folder, "one"), make_bundle(folder, "two")]
        measure("files in tmpfs", pathlib.Path(shared) / "certs", bundles, folder)
        measure("files on disk", folder / "certs", bundles, folder)
        measure("in memory", "memory", bundles, folder)


if __name__ == "__main__":
    main()
