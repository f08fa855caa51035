#!/usr/bin/env python3
"""Requests of teegate-enclave against nginx's `return 200` to the same ones, by turns in one run.

One worker each, on the first CPU; wrk on the others. The request: POST of bench/record.json (37 values, 4 of
them PII) over TLS 1.3 (P-256 certificate, the same suite with both), keep-alive, 16 connections. CPU is what /proc/PID/stat says of all of a
server's processes over a run, divided by the requests that wrk counted; of several runs the median, beside it the lowest and highest. The same with 100
connections; handshakes, full and resumed, by CPU each; the first answer after a start; and what a connection costs that has
sent one request and rests. TG_BENCH_QUICK: short runs, for a check that it works.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
QUICK = bool(os.environ.get("TG_BENCH_QUICK"))
RUNS, RUN_S, NUM_IDLE, NUM_HANDSHAKES, NUM_STARTS = (2, 1, 100, 200, 2) if QUICK else (7, 3, 2000, 2500, 7)
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS, CLIENT_CPUS = CPUS[:1], CPUS[1:] or CPUS[:1]
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pin(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


class Server:
    def __init__(self, name, port, command, folder, env=None):
        self.name, self.port = name, port
        self.log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen(command, preexec_fn=pin(SERVER_CPUS), env=env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def pids(self):
        own = self.process.pid
        children = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def cpu_ticks(self):
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total

    def resident_kib(self):
        total = 0
        for pid in self.pids():
            total += int(re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
        return total

    def wait(self, patience_s=15):
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if ask(self.port, "GET", "/ready", b"").startswith(b"HTTP/1.1 200"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit(f"{self.name} does not serve:\n{pathlib.Path(self.log.name).read_text()}")

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


CONTEXT = client_context()


def connect(port, session=None):
    return CONTEXT.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), session=session)


def compose(method, path, body):
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nX-Schema-Name: record\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def read_answer(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("the server ended the connection")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    while len(rest) < int(length[1] if length else 0):
        rest += sock.recv(65536)
    return head + b"\r\n\r\n" + rest


def ask(port, method, path, body):
    with connect(port) as sock:
        sock.sendall(compose(method, path, body))
        return read_answer(sock)


def suite_of(port):
    with connect(port) as sock:
        return sock.cipher()[:2]


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


def start_enclave(folder, before=(), more_env=None):
    port = free_port()
    (folder / "schemas").mkdir()
    shutil.copy(SOURCE / "bench/record.yaml", folder / "schemas")
    (folder / "dek").write_bytes(b"\xaa" * 32)
    env = {"PATH": os.environ["PATH"], "LISTEN_ADDRESS": f"tcp:127.0.0.1:{port}", "WORKERS": "1", "LOG_LEVEL": "warn",
           "SCHEMA_DIR": str(folder / "schemas"), "DEK_FILE": str(folder / "dek"),
           "TLS_CERT_PATH": str(folder / "cert.pem"), "TLS_KEY_PATH": str(folder / "key.pem"), "IDLE_TIMEOUT_SECS": "600",
           **(more_env or {})}
    return Server("teegate-enclave", port, [*before, BUILD / "teegate-enclave", "--local-mode"], folder, env)


def start_nginx(folder):
    port = free_port()
    prefix = folder / "nginx"
    prefix.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temp = "".join(f"{kind}_temp_path {prefix}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (prefix / "nginx.conf").write_text(f"""
{user} worker_processes 1; daemon off; pid {prefix}/pid; error_log stderr warn;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 100000; tcp_nodelay on; {temp}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 200; }}
  }}
}}
""")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    return Server("nginx", port, [nginx, "-e", "stderr", "-c", prefix / "nginx.conf", "-p", prefix], folder)


def write_script(folder):
    (folder / "post.lua").write_text(f"""
wrk.method = "POST"
wrk.path = "/encrypt"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Schema-Name"] = "record"
local file = io.open("{SOURCE}/bench/record.json", "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT {{\\"requests\\":%d,\\"duration_us\\":%d,\\"bad\\":%d,\\"p99_us\\":%d}}\\n", summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
""")
    (folder / "get.lua").write_text((folder / "post.lua").read_text().split("local file")[0]
                                    .replace('"POST"', '"GET"').replace("/encrypt", "/live")
                                    + "done" + (folder / "post.lua").read_text().split("\ndone", 1)[1])


def load(server, script, connections):
    before = server.cpu_ticks()
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{RUN_S}s", "-s", script, f"https://127.0.0.1:{server.port}"],
                          preexec_fn=pin(CLIENT_CPUS), capture_output=True, text=True, check=True)
    ticks = server.cpu_ticks() - before
    result = json.loads(re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)[1])
    if result["bad"] > 0:
        sys.exit(f"{server.name}: {result['bad']} requests failed\n{done.stdout}")
    return {"cpu_us": ticks / TICKS * 1e6 / result["requests"],
            "per_s": result["requests"] / (result["duration_us"] / 1e6), "p99_us": result["p99_us"]}


def by_turns(servers, measure, runs=RUNS):
    """What `measure` gives for each server, in turns: for each figure the median, the lowest and the highest."""
    results = {server.name: [] for server in servers}
    for server in servers:
        measure(server)  # warm
    for turn in range(runs):
        for server in servers if turn % 2 == 0 else servers[::-1]:
            results[server.name].append(measure(server))
    return {name: {key: summary([run[key] for run in found]) for key in found[0]} for name, found in results.items()}


def summary(values):
    return statistics.median(values), min(values), max(values)


def handshakes(server, is_resumed):
    """CPU of a connection that is made, asks once (so that it gets its ticket) and ends."""
    session = None
    if is_resumed:
        with connect(server.port) as sock:
            sock.sendall(compose("GET", "/live", b""))
            read_answer(sock)
            session = sock.session
    before = server.cpu_ticks()
    for _ in range(NUM_HANDSHAKES):
        with connect(server.port, session) as sock:
            sock.sendall(compose("GET", "/live", b""))
            read_answer(sock)
            if sock.session_reused != is_resumed:
                sys.exit(f"{server.name}: a handshake was {'not ' if is_resumed else ''}resumed")
    return {"cpu_us": (server.cpu_ticks() - before) / TICKS * 1e6 / NUM_HANDSHAKES}


def first_answer_ms(start):
    """From the start of the process to the end of its first answer."""
    with tempfile.TemporaryDirectory(prefix="tg-bench.") as name:
        folder = pathlib.Path(name)
        make_certificate(folder)
        began = time.monotonic()
        server = start(folder)
        while True:
            try:
                ask(server.port, "GET", "/live", b"")
                break
            except OSError:
                time.sleep(0.0005)
        took = time.monotonic() - began
        server.end()
    return took * 1000


def idle_kib(server, path, method, body):
    """Resident KiB of one more connection that has sent a request and rests."""
    def open_one():
        sock = connect(server.port)
        sock.sendall(compose(method, path, body))
        read_answer(sock)
        return sock

    held = [open_one() for _ in range(NUM_IDLE // 4)]
    time.sleep(0.5)
    before = server.resident_kib()
    held += [open_one() for _ in range(NUM_IDLE)]
    time.sleep(0.5)
    after = server.resident_kib()
    for sock in held:
        sock.close()
    return (after - before) / NUM_IDLE


def row(what, figure, unit, digits=2):
    value, *others = figure if isinstance(figure, tuple) else (figure,)
    spread = " to ".join(f"{other:.{digits}f}" for other in others)
    print(f"| {what} | {value:.{digits}f} | {unit} | {spread} |", flush=True)


def report_ratio(what, results):
    row(f"{what}: teegate-enclave / nginx", results["teegate-enclave"]["cpu_us"][0] / results["nginx"]["cpu_us"][0], "of the CPU")


def report_load(what, servers, script):
    results = by_turns(servers, lambda server: load(server, script, 16))
    for name, result in results.items():
        row(f"{what}: {name if name != 'nginx' else 'nginx, return 200'}", result["cpu_us"], "us CPU a request", 1)
    report_ratio(what, results)
    for name, result in results.items():
        row(f"{what}: {name}, 16 connections on one core", result["per_s"], "requests/s", 0)
    for connections in (16, 100):
        if connections != 16:
            results = by_turns(servers, lambda server: load(server, script, 100))
        for name, result in results.items():
            p99 = tuple(value / 1000 for value in result["p99_us"])
            row(f"{what}: {name}, 99th percentile, {connections} connections", p99, "ms")


def report_handshakes(what, servers, is_resumed):
    results = by_turns(servers, lambda server: handshakes(server, is_resumed), 2 if QUICK else 5)
    for name, result in results.items():
        row(f"{what}: {name}", result["cpu_us"], "us CPU, with one GET", 0)
    report_ratio(what, results)


def main():
    body = (SOURCE / "bench/record.json").read_bytes()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tg-bench."))
    servers = []
    try:
        make_certificate(folder)
        write_script(folder)
        for start in (start_enclave, start_nginx):
            servers.append(start(folder))
        for server in servers:
            server.wait()
        suites = {suite_of(server.port) for server in servers}
        if len(suites) != 1:
            sys.exit(f"not the same suite: {suites}")
        sealed = ask(servers[0].port, "POST", "/encrypt", body)
        if sealed.count(b'"v1.') != 4:
            sys.exit(f"the enclave's answer holds other than 4 tokens:\n{sealed.decode()}")
        report_load(f"POST of {len(body)} bytes, 4 values sealed", servers, folder / "post.lua")
        report_load("GET without a body", servers, folder / "get.lua")
        report_handshakes("full handshake", servers, False)
        report_handshakes("resumed handshake", servers, True)
        for server in servers:
            row(f"idle TLS 1.3 connection after one POST: {server.name}", idle_kib(server, "/encrypt", "POST", body), "KiB resident", 1)
    finally:
        for server in servers:
            server.end()
        shutil.rmtree(folder)
    for name, start in (("teegate-enclave", start_enclave), ("nginx", start_nginx)):
        row(f"first answer after the start: {name}", summary([first_answer_ms(start) for _ in range(NUM_STARTS)]), "ms", 1)


if __name__ == "__main__":
    main()
