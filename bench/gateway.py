#!/usr/bin/env python3
"""The gateway against nginx as a reverse proxy to the same backend over mTLS, by turns in one run.

One worker each, on the first CPU; the client (bench/gateway_peer.c) and the backend (nginx that answers every request with
bench/record.json and asks for a certificate) on the others. 16 kept connections over TLS 1.3 with a client certificate. nginx
opens and seals nothing; the gateway does so by each envelope: fields (4 values opened, 4 sealed), jwe and ohttp (a new
envelope a request, the answer sealed). Then secrets: how long from a delivery's first byte to the first request that the
backend sees under the new certificate; and as many swaps in a row, under load, with not one request failed.
TG_BENCH_QUICK: short runs, for a check that it works.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import encrypt
from encrypt import BUILD, CLIENT_CPUS, QUICK, RUN_S, SOURCE, TICKS, Server, by_turns, free_port, pin, row

CONNECTIONS = 16
NUM_DELIVERIES, NUM_SWAPS = (5, 50) if QUICK else (50, 1000)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, **options)


def make_pki(folder):
    """Certificates as users make them, under the names that the rest looks for; and a second identity of the enclave."""
    run(BUILD / "teegate", "pki", "init", folder, "--server", "localhost", "--caller", "bench")
    encrypt.make_certificate(folder)  # the gateway's own
    shutil.copy(folder / "caller.crt", folder / "client.pem")
    shutil.copy(folder / "client.crt", folder / "enclave.crt")
    shutil.copy(folder / "client.key", folder / "enclave.key")
    shutil.copy(folder / "caller.key", folder / "client.key")
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=second",
        "-keyout", folder / "second.key", "-out", folder / "second.csr")
    run("openssl", "x509", "-req", "-in", folder / "second.csr", "-CA", folder / "backend-ca.crt",
        "-CAkey", folder / "backend-ca.key", "-days", "2", "-out", folder / "second.crt")


def start_nginx(folder, name, server, cpus=None):
    port = free_port()
    prefix = folder / name
    prefix.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temp = "".join(f"{kind}_temp_path {prefix}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (prefix / "nginx.conf").write_text(f"""
{user} worker_processes 1; daemon off; pid {prefix}/pid; error_log stderr warn;
events {{ worker_connections 4000; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 10000000; tcp_nodelay on; {temp}
  client_body_buffer_size 64k;
  {server.replace("PORT", str(port))}
}}
""")
    started = Server(name, port, [shutil.which("nginx") or "/usr/sbin/nginx", "-e", "stderr", "-c", prefix / "nginx.conf",
                                  "-p", prefix], folder)
    if cpus:
        os.sched_setaffinity(started.process.pid, cpus)
        for pid in started.pids():
            os.sched_setaffinity(pid, cpus)
    return started


def start_backend(folder):
    record = (SOURCE / "bench/record.json").read_text().replace("\n", " ")
    return start_nginx(folder, "backend", f"""server {{
      listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.3; default_type application/json;
      ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;
      ssl_verify_client on; ssl_client_certificate {folder}/backend-ca.crt;
      location = /serial {{ return 200 '{{"serial":"$ssl_client_serial"}}'; }}
      location / {{ return 200 '{record}'; }}
    }}""", CLIENT_CPUS)


def start_peer(folder, backend):
    return start_nginx(folder, "nginx", f"""
    upstream backend {{ server 127.0.0.1:{backend.port}; keepalive 64; keepalive_requests 10000000; }}
    server {{
      listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.3; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
      ssl_verify_client optional; ssl_client_certificate {folder}/caller-ca.crt;
      location = /ready {{ return 200; }}
      location / {{
        proxy_pass https://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost;
        proxy_ssl_certificate {folder}/enclave.crt; proxy_ssl_certificate_key {folder}/enclave.key;
        proxy_ssl_trusted_certificate {folder}/backend-ca.crt; proxy_ssl_verify on; proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.3;
      }}
    }}""")


def start_gateway(folder, backend):
    def route(path, decrypt, seal, clients=(), upstream=None):
        response = {"encrypt": seal, **({"schema": "record"} if seal == "fields" else {})}
        return {"path": path, "methods": ["POST"], "request": {"decrypt": decrypt}, "response": response,
                "upstream": {"url": f"https://localhost:{backend.port}{upstream or path}"},
                **({"clients": list(clients)} if clients else {})}

    routes = [route("/none", "none", "none"), route("/serial", "none", "none"), route("/jwe", "jwe", "jwe"),
              route("/ohttp", "ohttp", "ohttp"), route("/fields", "fields", "fields", ["bench"])]
    (folder / "routes.json").write_text(json.dumps({"routes": routes}))
    return encrypt.start_enclave(folder, more_env={
        "ROUTES_PATH": str(folder / "routes.json"), "CLIENT_CA_PATH": str(folder / "caller-ca.crt"), "SECRETS_MODE": "open",
        "SECRETS_ADDRESS": f"unix:{folder}/secrets", "SECRETS_DIR": "memory", "REPLAY_ENTRIES": "4194304"})


def bundle_of(folder, name):
    return json.dumps({"MTLS_CLIENT_CERT_JSON": {
        "client_cert": (folder / f"{name}.crt").read_text(), "client_key": (folder / f"{name}.key").read_text(),
        "ca_cert": (folder / "backend-ca.crt").read_text()}}).encode()


def deliver(folder, bundle):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(f"{folder}/secrets")
        sock.sendall(bundle)
        sock.shutdown(socket.SHUT_WR)
        said = json.loads(b"".join(iter(lambda: sock.recv(4096), b"")))
    if said["status"] != "ok":
        sys.exit(f"a delivery was refused: {said}")


def get(server, path):
    return encrypt.ask(server.port, "GET", path, b"").partition(b"\r\n\r\n")[2]


def keys_of(gateway, folder):
    """What gateway_peer takes for each envelope."""
    [jwk] = [key for key in json.loads(get(gateway, "/.well-known/jwks.json"))["keys"] if key["use"] == "enc"]
    point = b"\x04" + b"".join(base64.urlsafe_b64decode(jwk[name] + "=") for name in "xy")
    (folder / "ohttp-keys").write_bytes(get(gateway, "/.well-known/ohttp-gateway"))
    return {"plain": "-", "jwe": f"{jwk['kid']},{point.hex()}", "ohttp": folder / "ohttp-keys"}


class Case:
    """One line of the table: a server, and what it is asked."""

    def __init__(self, name, server, path, envelope, keys, body, folder):
        self.name, self.server, self.folder = name, server, folder
        self.command = [BUILD / "bench/gateway_peer", str(server.port), path, envelope, keys[envelope], body, folder]

    def begin(self, seconds, connections=CONNECTIONS):
        return subprocess.Popen([*self.command, str(connections), str(seconds)], preexec_fn=pin(CLIENT_CPUS), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, peer):
        said, complaint = peer.communicate()
        if peer.returncode != 0:
            sys.exit(f"{self.name}: {complaint}")
        return json.loads(re.search(r"^RESULT (.*)$", said, re.MULTILINE)[1])

    def measure(self):
        before = self.server.cpu_ticks()
        result = self.end(self.begin(RUN_S))
        ticks = self.server.cpu_ticks() - before
        return {"cpu_us": ticks / TICKS * 1e6 / result["requests"], "p99_ms": result["p99_us"] / 1000,
                "per_s": result["requests"] / (result["duration_us"] / 1e6)}


def report_envelopes(cases):
    results = by_turns(cases, Case.measure)
    base = results["nginx"]["cpu_us"][0]
    for name, result in results.items():
        row(f"gateway: {name}", result["cpu_us"], "us CPU a request", 1)
        row(f"gateway: {name}, 16 connections on one core", result["per_s"], "requests/s", 0)
        row(f"gateway: {name}, 99th percentile", result["p99_ms"], "ms")
        if name != "nginx":
            row(f"gateway: {name} / nginx", result["cpu_us"][0] / base, "of the CPU")


def serial_of(path):
    text = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.decode()
    return text.strip().partition("=")[2].upper()


def delivery_ms(folder, gateway, name):
    """From the first byte of a delivery to the end of the first request that shows the new certificate to the backend."""
    bundle, serial = bundle_of(folder, name), serial_of(folder / f"{name}.crt")
    with encrypt.connect(gateway.port) as sock:
        began = time.monotonic()
        deliver(folder, bundle)
        while True:
            sock.sendall(encrypt.compose("POST", "/serial", b"{}"))
            answer = encrypt.read_answer(sock)
            if serial.encode() in answer:
                return (time.monotonic() - began) * 1000
            if b'"serial"' not in answer or time.monotonic() - began > 20:
                sys.exit(f"a delivery does not come into force:\n{answer.decode()}")


def report_deliveries(folder, gateway, plain):
    names = ["second", "enclave"] * NUM_DELIVERIES
    took = [delivery_ms(folder, gateway, name) for name in names[:NUM_DELIVERIES]]
    took.sort()
    row("secrets: from delivery to effect", (statistics.median(took), took[0], took[-1]), "ms", 1)
    bundles = [bundle_of(folder, name) for name in ("second", "enclave")]
    load = plain.begin(3 if QUICK else 30)
    began, num_swaps = time.monotonic(), 0
    while num_swaps < NUM_SWAPS and load.poll() is None:
        deliver(folder, bundles[num_swaps % 2])
        num_swaps += 1
    took_s = time.monotonic() - began
    result = plain.end(load)  # ends the bench where one request failed
    row(f"secrets: swaps under {result['requests'] / result['duration_us'] * 1e6:.0f} requests/s without one failed", num_swaps,
        f"swaps in {took_s:.1f} s", 0)
    if num_swaps < NUM_SWAPS:
        sys.exit(f"only {num_swaps} of {NUM_SWAPS} swaps while the load ran")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tg-bench."))
    servers = []
    try:
        make_pki(folder)
        servers.append(backend := start_backend(folder))
        servers.append(peer := start_peer(folder, backend))
        servers.append(gateway := start_gateway(folder, backend))
        peer.wait()
        gateway.wait()
        deliver(folder, bundle_of(folder, "enclave"))
        sealed = encrypt.ask(gateway.port, "POST", "/encrypt", (SOURCE / "bench/record.json").read_bytes())
        (folder / "sealed.json").write_bytes(sealed.partition(b"\r\n\r\n")[2])
        keys = keys_of(gateway, folder)
        record = SOURCE / "bench/record.json"
        plain = Case("none", gateway, "/none", "plain", keys, record, folder)
        report_envelopes([Case("nginx", peer, "/none", "plain", keys, record, folder), plain,
                          Case("fields", gateway, "/fields", "plain", keys, folder / "sealed.json", folder),
                          Case("jwe", gateway, "/jwe", "jwe", keys, record, folder),
                          Case("ohttp", gateway, "/ohttp", "ohttp", keys, record, folder)])
        report_deliveries(folder, gateway, plain)
    finally:
        for server in servers:
            server.end()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
