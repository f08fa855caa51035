"""teegate-proxy gives up what it does not need once it listens, and still does all that it is for."""

import json
import os
import pathlib
import shutil
import signal
import socket

import pytest

from conftest import is_sanitized, wait_for_listener
from proxy_cases import Server, ask, echo, http_named, start_proxy, write_config


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def forwarding(listen, connect, **more):
    return {"forwards": [{"listen": listen, "connect": connect}], **more}


def test_sandbox_is_entered_and_told(start, scratch):
    server = Server(echo)
    proxy = start_proxy(start, scratch, forwarding(f"unix:{scratch}/in", server.address), scratch / "in")
    told = proxy.wait_event("sandbox")
    assert told["capabilities"] is False and told["no_new_privileges"] is True
    status = status_of(proxy.pid)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    if not is_sanitized():
        assert status["Seccomp"] == "2" and told["seccomp"] is True
    for task in pathlib.Path(f"/proc/{proxy.pid}/task").iterdir():
        assert int(status_of(task.name)["CapEff"], 16) == 0
    assert ask(scratch / "in", b"hello") == b"hello"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_user_that_is_named_and_goes_on_serving(start, scratch, free_port):
    os.chmod(scratch, 0o755)
    server = Server(echo)
    port = free_port()
    proxy = start_proxy(
        start, scratch, forwarding(f"tcp:127.0.0.1:{port}", server.address), ("127.0.0.1", port), PROXY_USER="nobody"
    )
    assert status_of(proxy.pid)["Uid"].split() == ["65534"] * 4
    other = free_port()
    write_config(scratch, forwarding(f"tcp:127.0.0.1:{other}", server.address))
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded")
    assert ask(("127.0.0.1", other), b"hello") == b"hello"


def test_unknown_user_is_a_fault(run, scratch):
    path = write_config(scratch, forwarding(f"unix:{scratch}/in", "unix:/nowhere"))
    done = run("teegate-proxy", env={"PROXY_CONFIG": path, "PROXY_USER": "no-such-user", "WORKERS": 1})
    assert done.returncode == 2 and b"there is no such user" in done.stderr


def test_confined_names_resolve_and_every_kind_of_address_is_dialled(start, scratch, free_port):
    tcp, unix = Server(echo), Server(echo, scratch / "behind")
    names = free_port()
    config = {
        "forwards": [
            {"listen": f"tcp:127.0.0.1:{names}", "connect": f"tcp:localhost:{tcp.port}"},
            {"listen": f"unix:{scratch}/in", "connect": unix.address},
        ]
    }
    start_proxy(start, scratch, config, ("127.0.0.1", names), scratch / "in")
    assert ask(("127.0.0.1", names), b"by name") == b"by name"
    assert ask(scratch / "in", b"by path") == b"by path"


def test_confined_reload_reads_the_file_its_allowlists_and_moves_sockets(start, scratch, free_port):
    lists = scratch / "lists"
    lists.mkdir()
    server = Server(echo)
    (lists / "allow.yaml").write_text(f"allowlist:\n- {{address: 127.0.0.1, port: {server.port}}}\n", encoding="ascii")
    config = forwarding(f"unix:{scratch}/one", server.address, egress={"allowlist": str(lists / "allow.yaml")})
    config["forwards"][0]["allowlist"] = str(lists / "allow.yaml")
    proxy = start_proxy(start, scratch, config, scratch / "one")
    os.replace(shutil.copy(lists / "allow.yaml", lists / "next"), lists / "allow.yaml")  # as editors write
    config["forwards"][0]["listen"] = f"unix:{scratch}/two"
    temporary = scratch / "proxy.json.new"
    temporary.write_text(json.dumps(config), encoding="utf-8")
    os.replace(temporary, scratch / "proxy.json")
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded")
    assert ask(scratch / "two", b"moved") == b"moved"
    assert not (scratch / "one").exists()
    proxy.stop()
    assert not (scratch / "two").exists()


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's build does not confine its files")
def test_confined_reload_cannot_reach_other_folders_and_says_so(start, scratch):
    server = Server(echo)
    (scratch / "a").mkdir()
    (scratch / "b").mkdir()
    proxy = start_proxy(start, scratch, forwarding(f"unix:{scratch}/a/in", server.address), scratch / "a" / "in")
    if proxy.events("sandbox")[0]["landlock_abi"] == 0:
        pytest.skip("the kernel has no Landlock")
    write_config(scratch, forwarding(f"unix:{scratch}/b/in", server.address))
    proxy.send(signal.SIGHUP)
    assert "needs a restart" in proxy.wait_event("reload failed")["remedy"]
    assert ask(scratch / "a" / "in", b"still") == b"still"


def test_admin_status_tells_the_sandbox_and_descriptors_are_counted(start, scratch, free_port):
    admin = free_port()
    config = {"forwards": [{"listen": f"unix:{scratch}/in", "connect": "unix:/nowhere"}], "admin": f"tcp:127.0.0.1:{admin}"}
    proxy = start_proxy(start, scratch, config, ("127.0.0.1", admin))
    answer = ask(("127.0.0.1", admin), b"GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    sandbox = json.loads(answer.partition(b"\r\n\r\n")[2])["sandbox"]
    assert sandbox["capabilities"] is False and sandbox["seccomp"] is (not is_sanitized())
    metrics = ask(("127.0.0.1", admin), b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
    for name in ("teegate_process_open_descriptors", "teegate_process_resident_memory_bytes"):
        assert int(metrics.split(f"\n{name} ", 1)[1].split("\n", 1)[0]) > 0, name
    assert proxy.process.poll() is None


def test_admin_moves_with_a_reload_and_its_faults_refuse_it(start, scratch, free_port):
    first, second, taken = free_port(), free_port(), Server(echo)
    base = {"forwards": [{"listen": f"unix:{scratch}/in", "connect": "unix:/nowhere"}]}
    proxy = start_proxy(start, scratch, {**base, "admin": f"tcp:127.0.0.1:{first}"}, ("127.0.0.1", first))
    live = b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    write_config(scratch, {**base, "admin": f"tcp:127.0.0.1:{second}"})
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded")
    wait_for_listener(("127.0.0.1", second))
    assert b" 200 " in ask(("127.0.0.1", second), live)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", first)) != 0
    write_config(scratch, {**base, "admin": taken.address})
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reload failed")
    assert b" 200 " in ask(("127.0.0.1", second), live)
    write_config(scratch, base)  # and away
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded", count=2)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", second)) != 0


def listening(port=0, host="127.0.0.1"):
    return socket.create_server((host, port), backlog=64, family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def test_activated_sockets_stand_for_listeners_of_their_name_and_address(start, scratch, free_port):
    http, enclave = listening(), Server(http_named("k"))
    internet = socket.socket(socket.AF_UNIX)
    internet.bind(str(scratch / "egress"))
    internet.listen(16)
    port = http.getsockname()[1]
    config = {
        "domains": {"k.x": {"cid": 16, "http": enclave.address, "https": enclave.address, "egress": ["127.0.0.1:1"]}},
        "listen": {
            "http": f"tcp:127.0.0.1:{port}",
            "https": f"tcp:127.0.0.1:{free_port()}",
            "kms": [],
            "internet": f"unix:{scratch}/egress?cid=16",
        },
    }
    proxy = start_proxy(start, scratch, config, sockets=[("http", http), ("internet", internet)])
    told = {event["service"]: event["activated"] for event in proxy.events("listening")}
    assert told["http"] is True and told["internet"] is True and told["https"] is False
    request = b"GET / HTTP/1.1\r\nHost: k.x\r\nConnection: close\r\n\r\n"
    assert b"\r\n\r\nk GET" in ask(("127.0.0.1", port), request)
    assert b"\r\n\r\nk GET" in ask(scratch / "egress", b"k.x:80\n" + request)
    proxy.send(signal.SIGHUP)  # they are kept by a reload
    proxy.wait_event("reloaded")
    assert b"\r\n\r\nk GET" in ask(("127.0.0.1", port), request)
    # and given back when a reload leaves them out: taken again by the next
    write_config(scratch, {**config, "listen": {**config["listen"], "http": []}})
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded", count=2)
    write_config(scratch, config)
    proxy.send(signal.SIGHUP)
    proxy.wait_event("reloaded", count=3)
    assert b"\r\n\r\nk GET" in ask(("127.0.0.1", port), request)
    proxy.stop()
    assert (scratch / "egress").exists()  # the file is the service manager's


def test_activated_wildcard_of_ipv6_stands_for_that_of_ipv4(start, scratch):
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    port, server = both.getsockname()[1], Server(echo)
    config = forwarding(f"tcp:0.0.0.0:{port}", server.address)
    start_proxy(start, scratch, config, ("127.0.0.1", port), sockets=[("forward", both)])
    assert ask(("127.0.0.1", port), b"hello") == b"hello"


@pytest.mark.parametrize("name, words", [("web", "there is no such service"), ("http", "no listener of the configuration does")])
def test_activated_socket_that_nothing_serves_is_a_fault(start, scratch, name, words):
    path = write_config(scratch, forwarding(f"unix:{scratch}/in", "unix:/nowhere"))
    proxy = start("teegate-proxy", env={"PROXY_CONFIG": path, "WORKERS": 1}, sockets=[(name, listening())])
    assert proxy.wait() == 2
    assert words in proxy.log


def test_activation_of_another_process_is_left_alone_and_a_broken_one_is_a_fault(start, run, scratch):
    path = write_config(scratch, forwarding(f"unix:{scratch}/in", "unix:/nowhere"))
    start("teegate-proxy", env={"PROXY_CONFIG": path, "LISTEN_PID": 1, "LISTEN_FDS": 7}).wait_event("started")
    done = run("teegate-proxy", env={"PROXY_CONFIG": path, "LISTEN_PID": "-1", "LISTEN_FDS": 1})
    assert done.returncode == 2 and b"LISTEN_PID" in done.stderr


def test_watchdog_is_fed_while_the_workers_turn(start, scratch):
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(scratch / "notify"))
    told.settimeout(60)
    start_proxy(
        start,
        scratch,
        forwarding(f"unix:{scratch}/in", "unix:/nowhere"),
        NOTIFY_SOCKET=scratch / "notify",
        WATCHDOG_USEC=200000,
    )
    num_fed = 0
    while num_fed < 4:
        num_fed += told.recv(1024) == b"WATCHDOG=1\n"
