"""The service manager is told when the proxy serves, reloads and ends (sd_notify)."""

import json
import os
import signal
import socket


def test_notify_socket_is_told_ready_reloading_and_stopping(start, scratch, free_port):
    path = os.path.join(scratch, "notify")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(path)
    told.settimeout(20)
    config = os.path.join(scratch, "proxy.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump(
            {
                "domains": {"a.example.org": {"cid": 16, "https": "tcp:127.0.0.1:1"}},
                "listen": {
                    "http": [f"tcp:127.0.0.1:{free_port()}"],
                    "https": [f"tcp:127.0.0.1:{free_port()}"],
                    "internet": [f"unix:{scratch}/egress"],
                },
            },
            file,
        )
    proxy = start("teegate-proxy", env={"PROXY_CONFIG": config, "NOTIFY_SOCKET": path})
    assert b"READY=1" in told.recv(1024)
    os.kill(proxy.pid, signal.SIGHUP)
    assert b"RELOADING=1" in told.recv(1024)
    assert b"READY=1" in told.recv(1024)
    os.kill(proxy.pid, signal.SIGTERM)
    assert b"STOPPING=1" in told.recv(1024)
    assert proxy.wait(20) == 0
    told.close()
