"""teegate-proxy between programs that others wrote: nginx, websockets, an ACME client and its authority."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess

import pytest

from certificates import Authority
from conftest import patience, wait_for_listener
from proxy_cases import connect, read_all, start_proxy

SHORT = {"hello_ms": 300, "keep_ms": 300, "connect_ms": 2000}


class Peer:
    """A program that others wrote, ended after the test."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options
        )

    def stop(self):
        self.process.terminate()
        try:
            return self.process.communicate(timeout=patience(20))[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[0].decode("utf-8", "replace")


@pytest.fixture
def peer():
    peers = []

    def start_peer(*command, **options):
        if shutil.which(command[0]) is None:
            pytest.skip(f"needs {command[0]} (script/bootstrap installs it)")
        peers.append(Peer(command, **options))
        return peers[-1]

    yield start_peer
    for started in peers:
        started.stop()


# --- nginx as the enclaves' backend ---

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_timeout 1s;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        listen 127.0.0.1:{announced} proxy_protocol;
        set_real_ip_from 127.0.0.1;
        server_name a.example.test;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        location / {{ root {folder}/www; }}
        location /who {{ return 200 "$proxy_protocol_addr $host\\n"; }}
        location /gone {{ return 444; }}
    }}
}}
"""


class Nginx:
    def __init__(self, start, peer, scratch, free_port):
        authority = Authority(scratch)
        certificate = authority.issue("nginx.pem", names=["DNS:a.example.test"], is_server=True)
        self.ports = {name: free_port() for name in ("http", "https", "announced")}
        (scratch / "www").mkdir()
        self.content = bytes(range(256)) * 8192
        (scratch / "www" / "big").write_bytes(self.content)
        (scratch / "www" / "empty").write_bytes(b"")
        config = scratch / "nginx.conf"
        config.write_text(NGINX.format(folder=scratch, certificate=certificate, **self.ports), encoding="ascii")
        peer("nginx", "-e", scratch / "error.log", "-p", scratch, "-c", config)
        for port in self.ports.values():
            wait_for_listener(("127.0.0.1", port))
        self.ca = authority.path
        self.at = {name: free_port() for name in self.ports}
        address = {name: f"tcp:127.0.0.1:{port}" for name, port in self.ports.items()}
        self.proxy = start_proxy(
            start,
            scratch,
            {
                "domains": {
                    "a.example.test": {"cid": 16, "http": address["http"], "https": address["https"]},
                    "b.example.test": {"cid": 17, "http": address["announced"], "https": address["https"]},
                },
                "listen": {
                    "http": [
                        f"tcp:127.0.0.1:{self.at['http']}",
                        {"address": f"tcp:127.0.0.1:{self.at['announced']}", "send_proxy": True},
                    ],
                    "https": f"tcp:127.0.0.1:{self.at['https']}",
                    "kms": [],
                    "internet": [],
                },
            },
            *(("127.0.0.1", port) for port in self.at.values()),
        )

    def get(self, url, *more):
        """(status, body) by curl, which resolves every name of ours to the proxy."""
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        port = self.at["announced" if host.startswith("b.") else scheme]
        command = ["curl", "-s", "-m", str(patience(30)), "--cacert", str(self.ca), "-w", "%{http_code}", *more]
        command += ["--resolve", f"{host}:{port}:127.0.0.1", f"{scheme}://{host}:{port}/{path}"]
        done = subprocess.run(command, capture_output=True, check=False)
        return int(done.stdout[-3:]), done.stdout[:-3]


def test_nginx_answers_curl_through_both_routers(start, peer, scratch, free_port):
    nginx = Nginx(start, peer, scratch, free_port)
    for scheme in ("http", "https"):
        assert nginx.get(f"{scheme}://a.example.test/big") == (200, nginx.content)
        assert nginx.get(f"{scheme}://a.example.test/big", "-r", "10-19") == (206, nginx.content[10:20])
        assert nginx.get(f"{scheme}://a.example.test/empty") == (200, b"")
        assert nginx.get(f"{scheme}://a.example.test/nothing")[0] == 404
    assert nginx.get("http://b.example.test/who") == (200, b"127.0.0.1 b.example.test\n")  # by its PROXY header
    assert nginx.get("http://a.example.test/gone") == (502, b"Service unavailable\n")


def test_nginx_that_ends_idle_connections_is_not_noticed_by_a_client_that_keeps_its_own(start, peer, scratch, free_port):
    nginx = Nginx(start, peer, scratch, free_port)
    request = b"GET /who HTTP/1.1\r\nHost: a.example.test\r\n\r\n"
    with connect(("127.0.0.1", nginx.at["http"])) as sock:
        file = sock.makefile("rb")
        for pause in (0, 0.97, 1.0, 1.03, 1.5):  # around nginx's keepalive_timeout
            asyncio.run(asyncio.sleep(pause))
            sock.sendall(request)
            assert file.readline().startswith(b"HTTP/1.1 200")
            while file.readline() != b"\r\n":
                pass
            assert file.readline() == b" a.example.test\n"


def test_nginx_answers_many_curls_at_once(start, peer, scratch, free_port):
    nginx = Nginx(start, peer, scratch, free_port)
    host, port = "a.example.test", nginx.at["https"]
    targets = [item for i in range(40) for item in (f"https://{host}:{port}/big", "-o", str(scratch / f"got{i}"))]
    command = ["curl", "-s", "-Z", "--parallel-max", "20", "-m", str(patience(60)), "--cacert", str(nginx.ca)]
    subprocess.run([*command, "--resolve", f"{host}:{port}:127.0.0.1", *targets], check=True)
    for i in range(40):
        assert (scratch / f"got{i}").read_bytes() == nginx.content


# --- a WebSocket ---


def test_websocket_outlives_every_timeout_that_is_not_its_own(start, scratch, free_port):
    websockets = pytest.importorskip("websockets")
    authority = Authority(scratch)
    certificate = authority.issue("ws.pem", names=["DNS:ws.example.test"], is_server=True)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    client_tls = ssl.create_default_context(cafile=str(authority.path))
    ports = {name: free_port() for name in ("plain", "tls", "http", "https")}

    async def echo(websocket, *_):
        async for message in websocket:
            await websocket.send(message)

    async def talk(uri, **options):
        async with websockets.connect(uri, ping_interval=None, max_size=None, **options) as websocket:
            await websocket.send("first")
            assert await websocket.recv() == "first"
            await asyncio.sleep(1.5)  # five times what a request or a kept connection may take
            big = bytes(range(256)) * 8000
            await websocket.send(big)
            assert await websocket.recv() == big
            await (await websocket.ping())

    async def both():
        async with websockets.serve(echo, "127.0.0.1", ports["plain"], max_size=None, ping_interval=None), websockets.serve(
            echo, "127.0.0.1", ports["tls"], ssl=server_tls, max_size=None, ping_interval=None
        ):
            host = "ws.example.test"
            plain = talk(f"ws://{host}/", sock=connect(("127.0.0.1", ports["http"])))
            tls = talk(f"wss://{host}/", sock=connect(("127.0.0.1", ports["https"])), ssl=client_tls, server_hostname=host)
            await asyncio.wait_for(asyncio.gather(plain, tls), patience(60))

    start_proxy(
        start,
        scratch,
        {
            "domains": {
                "ws.example.test": {
                    "cid": 16,
                    "http": f"tcp:127.0.0.1:{ports['plain']}",
                    "https": f"tcp:127.0.0.1:{ports['tls']}",
                }
            },
            "listen": {
                "http": f"tcp:127.0.0.1:{ports['http']}",
                "https": f"tcp:127.0.0.1:{ports['https']}",
                "kms": [],
                "internet": [],
            },
            "timeouts": SHORT,
        },
        ("127.0.0.1", ports["http"]),
        ("127.0.0.1", ports["https"]),
    )
    asyncio.run(both())


# --- ACME ---


def test_acme_challenge_reaches_the_enclave_through_the_host_router(start, peer, scratch, free_port):
    """The enclave's client answers HTTP-01 behind the router; the authority asks on the public port, by name."""
    ports = {name: free_port() for name in ("dns", "manage", "directory", "acme_manage", "public", "enclave", "tls")}
    authority = Authority(scratch)
    certificate = authority.issue("pebble.pem", names=["IP:127.0.0.1"], is_server=True)
    config = {
        "pebble": {
            "listenAddress": f"127.0.0.1:{ports['directory']}",
            "managementListenAddress": f"127.0.0.1:{ports['acme_manage']}",
            "certificate": str(certificate),
            "privateKey": str(certificate),
            "httpPort": ports["public"],
            "tlsPort": ports["tls"],
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
    }
    (scratch / "pebble.json").write_text(json.dumps(config), encoding="ascii")
    if shutil.which("lego") is None:
        pytest.skip("needs lego (script/bootstrap installs it)")
    none = ("-http01", "", "-https01", "", "-tlsalpn01", "")
    peer(
        "pebble-challtestsrv", "-dns01", f"127.0.0.1:{ports['dns']}", "-management", f"127.0.0.1:{ports['manage']}",
        "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", *none,
    )  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    pebble = peer(
        "pebble", "-config", scratch / "pebble.json", "-dnsserver", f"127.0.0.1:{ports['dns']}", env=environment
    )
    wait_for_listener(("127.0.0.1", ports["manage"]))
    wait_for_listener(("127.0.0.1", ports["directory"]))
    name = "tee-k.example.test"
    proxy = start_proxy(
        start,
        scratch,
        {
            "domains": {name: {"cid": 16, "http": f"tcp:127.0.0.1:{ports['enclave']}", "https": "unix:/nowhere"}},
            "listen": {"http": f"tcp:127.0.0.1:{ports['public']}", "https": [], "kms": [], "internet": []},
        },
        ("127.0.0.1", ports["public"]),
    )
    done = subprocess.run(
        ["lego", "--server", f"https://127.0.0.1:{ports['directory']}/dir", "--accept-tos", "--email", "a@example.test",
         "--path", str(scratch / "lego"), "--domains", name, "--http", "--http.port", f"127.0.0.1:{ports['enclave']}", "run"],
        env={"PATH": "/usr/bin:/bin", "LEGO_CA_CERTIFICATES": str(authority.path), "HOME": str(scratch)},
        capture_output=True,
        timeout=patience(120),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode() + pebble.stop()
    issued = (scratch / "lego" / "certificates" / f"{name}.crt").read_text(encoding="ascii")
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=issued, capture_output=True, text=True)
    assert f"DNS:{name}" in text.stdout
    assert "200" in {str(event["status"]) for event in proxy.events("request") if event["name"] == name}


# --- haproxy in front, as a balancer that speaks PROXY v2 ---

HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend balancer
    bind 127.0.0.1:{front}
    default_backend proxies
backend proxies
    server one 127.0.0.1:{behind} send-proxy-v2
"""


def test_haproxy_in_front_names_the_client_by_proxy_v2(start, peer, scratch, free_port):
    front, behind, enclave = free_port(), free_port(), socket.create_server(("127.0.0.1", 0))
    (scratch / "haproxy.cfg").write_text(HAPROXY.format(front=front, behind=behind), encoding="ascii")
    address = f"tcp:127.0.0.1:{enclave.getsockname()[1]}"
    proxy = start_proxy(
        start,
        scratch,
        {
            "domains": {"a.x": {"cid": 16, "http": address, "https": address}},
            "listen": {
                "http": {"address": f"tcp:127.0.0.1:{behind}", "accept_proxy": True},
                "https": [],
                "kms": [],
                "internet": [],
            },
        },
    )
    peer("haproxy", "-f", scratch / "haproxy.cfg")
    wait_for_listener(("127.0.0.1", front))
    with connect(("127.0.0.1", front)) as sock:
        mine = sock.getsockname()[1]
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a.x\r\nConnection: close\r\n\r\n")
        enclave.settimeout(patience(20))
        inner, _ = enclave.accept()
        with inner:
            assert inner.recv(1000).startswith(b"GET / HTTP/1.1\r\n")
            inner.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 204")
    assert proxy.wait_event("request")["peer"] == f"tcp:127.0.0.1:{mine}"
    enclave.close()
