#!/usr/bin/env python3
"""teegate-proxy's SNI router against haproxy, nginx, sniproxy and socat, by turns in one run.

Each carries the same bytes between proxy_peer's client and server on 127.0.0.1: a ClientHello that names
bench.example.org, then bytes that are no TLS, so that what is measured is the relay. One worker or thread each, on the
first CPU; the peer on the others. CPU is user and system time of all of a proxy's processes from /proc (schedstat, stat): of a
stream up and one down, divided by the bytes; of short connections one after another, divided by their number. Medians
of interleaved runs. Memory is the growth of resident memory by idle connections that have passed their ClientHello.
--quick (or TG_BENCH_QUICK): short runs, for a check that it works.
"""

import json
import os
import pathlib
import re
import resource
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
PEER = BUILD / "bench/proxy_peer"
QUICK = "--quick" in sys.argv or bool(os.environ.get("TG_BENCH_QUICK"))
RUNS, STREAM_MIB, NUM_SHORT, NUM_IDLE = (1, 256, 500, 500) if QUICK else (5, 1024, 3000, 9500)
NUM_IDLE_SOCAT = 100 if QUICK else 500  # a process each
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
NUM_IDLE = min(NUM_IDLE, (FILES - 1000) // 2)  # two descriptors a connection
GOALS = {"stream": 0.15, "short": 50.0, "idle": 1.0}
NAME = "bench.example.org"
OURS = "teegate-proxy"
CPUS = sorted(os.sched_getaffinity(0))
PROXY_CPUS, PEER_CPUS = CPUS[:1], CPUS[1:] or CPUS[:1]
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pin(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=NAME).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Proxy:
    def __init__(self, name, port, command, folder, num_idle=NUM_IDLE, env=None):
        self.name, self.port, self.num_idle = name, port, num_idle
        program = name.replace(",", "").split()[0]
        self.title = name if name == OURS else name.replace(program, f"{program} {version(program)}", 1)
        self.figures = {"stream": [], "short": [], "idle": []}
        self.log = open(folder / f"{name.replace(' ', '_').replace(',', '')}.log", "wb")
        self.process = subprocess.Popen(list(map(str, command)), preexec_fn=pin(PROXY_CPUS), env=env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def pids(self):
        found, rest = [], [self.process.pid]
        while rest:
            pid = rest.pop()
            found.append(pid)
            try:
                rest += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                pass
        return found

    def cpu_seconds(self):
        """Of the threads that live, to the nanosecond, and of processes that they have waited for, in ticks."""
        total = 0
        for pid in self.pids():
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    total += int((task / "schedstat").read_text().split()[0]) / 1e9
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(map(int, fields[13:15])) / TICKS
            except OSError:
                continue
        return total

    def resident_kib(self):
        """Proportional: what a proxy's processes share counts once."""
        total = 0
        for pid in self.pids():
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])
        return total

    def wait(self):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{self.name} does not serve:\n{pathlib.Path(self.log.name).read_text()}")

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def peer(what, proxy, number, hello):
    done = subprocess.run([PEER, what, str(proxy.port), str(number)], env={"HELLO": str(hello)}, timeout=300,
                          preexec_fn=pin(PEER_CPUS), stdout=subprocess.DEVNULL)  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{proxy.name}: {what} failed:\n{pathlib.Path(proxy.log.name).read_text()}")


def start_teegate(folder, backend):
    port = free_port()
    config = folder / "proxy-config.json"
    address = f"tcp:127.0.0.1:{backend}"
    config.write_text(json.dumps({"domains": {NAME: {"http": address, "https": address}},
                                  "listen": {"https": f"tcp:127.0.0.1:{port}", "http": [], "internet": []}}))
    env = {"PATH": os.environ["PATH"], "PROXY_CONFIG": str(config), "WORKERS": "1", "PROXY_LOG_LEVEL": "warn"}
    return Proxy(OURS, port, [BUILD / "teegate-proxy"], folder, env=env)


def start_haproxy(folder, backend, is_tuned):
    port = free_port()
    name = "haproxy, splice forced" if is_tuned else "haproxy"
    path = folder / f"haproxy{int(is_tuned)}.cfg"
    path.write_text(f"""
global
    maxconn {NUM_IDLE + 50}
    nbthread 1
    {"tune.pipesize 262144" if is_tuned else ""}
    {"maxpipes 128" if is_tuned else ""}
defaults
    mode tcp
    {"option splice-request" if is_tuned else ""}
    {"option splice-response" if is_tuned else ""}
    timeout connect 10s
    timeout client 600s
    timeout server 600s
frontend front
    bind 127.0.0.1:{port}
    tcp-request inspect-delay 10s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    use_backend enclave if {{ req.ssl_sni -i {NAME} }}
backend enclave
    server one 127.0.0.1:{backend}
""")
    return Proxy(name, port, ["haproxy", "-db", "-f", path], folder)


def start_nginx(folder, backend, buffer_kib):
    port = free_port()
    prefix = folder / f"nginx{buffer_kib}"
    prefix.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    (prefix / "nginx.conf").write_text(f"""
{user} load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes 1; daemon off; pid {prefix}/pid; error_log stderr crit;
events {{ worker_connections {FILES}; }}
stream {{
  map $ssl_preread_server_name $enclave {{ {NAME} 127.0.0.1:{backend}; }}
  server {{
    listen 127.0.0.1:{port}; ssl_preread on; proxy_pass $enclave; proxy_buffer_size {buffer_kib}k; tcp_nodelay on;
  }}
}}
""")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    return Proxy(f"nginx stream, {buffer_kib} KiB", port, [nginx, "-e", "stderr", "-c", prefix / "nginx.conf", "-p", prefix],
                 folder)


def start_sniproxy(folder, backend):
    port = free_port()
    path = folder / "sniproxy.conf"
    path.write_text(f"""
listen 127.0.0.1 {port} {{
    proto tls
    table enclaves
}}
table enclaves {{
    {NAME.replace(".", chr(92) + chr(92) + ".")} 127.0.0.1:{backend}
}}
""")
    return Proxy("sniproxy", port, [shutil.which("sniproxy") or "/usr/sbin/sniproxy", "-f", "-n", str(FILES), "-c", path], folder)


def start_socat(folder, backend):
    port = free_port()
    return Proxy("socat", port, ["socat", "-t", "60", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=1024,nodelay",
                                 f"TCP:127.0.0.1:{backend},nodelay"], folder, NUM_IDLE_SOCAT)  # fmt: skip


def measure_stream(proxy, hello):
    before = proxy.cpu_seconds()
    peer("upload", proxy, STREAM_MIB, hello)
    peer("download", proxy, STREAM_MIB, hello)
    time.sleep(0.1)
    proxy.figures["stream"].append((proxy.cpu_seconds() - before) / (2 * STREAM_MIB * 1048576 / 1e9))


def measure_short(proxy, hello):
    before = proxy.cpu_seconds()
    peer("connect", proxy, NUM_SHORT, hello)
    time.sleep(0.1)
    proxy.figures["short"].append((proxy.cpu_seconds() - before) * 1e6 / NUM_SHORT)


def measure_idle(proxy, hello):
    before = proxy.resident_kib()
    holder = subprocess.Popen([PEER, "idle", str(proxy.port), str(proxy.num_idle)], env={"HELLO": str(hello)}, text=True,
                              preexec_fn=pin(PEER_CPUS), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if not holder.stdout.readline().startswith("ready"):
            sys.exit(f"{proxy.name}: idle connections were refused")
        time.sleep(1)
        proxy.figures["idle"].append((proxy.resident_kib() - before) / proxy.num_idle)
    finally:
        holder.stdin.close()
        holder.wait(60)


def print_rows(proxies):
    for figure, what, unit, digits in (("stream", "long streams", "CPU s/GB", 3), ("short", "new connection", "us CPU", 1),
                                       ("idle", "idle connection", "KiB resident", 2)):
        ours = next((statistics.median(p.figures[figure]) for p in proxies if p.name == OURS), None)
        for proxy in proxies:
            value = statistics.median(proxy.figures[figure])
            count = f", {proxy.num_idle} of them" if figure == "idle" else ""
            if proxy.name == OURS:
                verdict = "too short a run to say" if QUICK else "won" if value <= GOALS[figure] else "lost"
                note = f"; goal at most {GOALS[figure]:g}: {verdict}"
            elif ours is not None:
                note = f"; {OURS} {'won' if ours <= value else 'lost'}, {ours / max(value, 1e-9):.2f} of this"
            print(f"| proxy, {what}{count}: {proxy.title} | {value:.{digits}f} | {unit}{note} |")


def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout.partition("-")[0].partition("+")[0] or "of unknown version"


def main():
    with tempfile.TemporaryDirectory(prefix="tg-bench.") as name:
        folder = pathlib.Path(name)
        hello = folder / "hello"
        hello.write_bytes(client_hello())
        backend = free_port()
        server = subprocess.Popen([PEER, "serve", str(backend)], preexec_fn=pin(PEER_CPUS), stdout=subprocess.PIPE)
        server.stdout.readline()
        proxies = []
        try:
            if (BUILD / "teegate-proxy").exists():
                proxies.append(start_teegate(folder, backend))
            proxies += [start_haproxy(folder, backend, False), start_haproxy(folder, backend, True),
                        start_nginx(folder, backend, 16), start_nginx(folder, backend, 64),
                        start_sniproxy(folder, backend), start_socat(folder, backend)]  # fmt: skip
            for proxy in proxies:
                proxy.wait()
                peer("connect", proxy, 50, hello)
            for _ in range(RUNS):
                for measure in (measure_stream, measure_short):
                    for proxy in proxies:
                        measure(proxy, hello)
            for proxy in proxies:
                measure_idle(proxy, hello)
        finally:
            for proxy in proxies:
                proxy.end()
            server.terminate()
            server.wait()
    print_rows(proxies)


if __name__ == "__main__":
    main()
