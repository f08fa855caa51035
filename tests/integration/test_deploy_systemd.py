"""deploy/systemd: the units are what systemd takes, what the program listens on, and as strict as its own sandbox."""

import configparser
import re
import shutil
import socket
import subprocess

import pytest

from conftest import BUILD, SOURCE

UNITS = SOURCE / "deploy" / "systemd"
SERVICE = UNITS / "teegate-proxy.service"
SOCKETS = sorted(UNITS.glob("*.socket"))
PORTS = {"http": "80", "https": "443", "internet": "vsock::8444"}


def unit(path):
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(path)
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units_are_taken_by_systemd_without_a_word(scratch):
    for path in UNITS.iterdir():
        text = path.read_text().replace("/usr/bin/teegate-proxy", "/bin/true")  # it need not be installed here
        (scratch / path.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", *map(str, sorted(scratch.iterdir()))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "teegate" not in done.stderr and "tg." not in done.stderr, done.stderr


def test_sockets_are_those_of_the_services_and_belong_to_the_unit():
    found = {}
    for path in SOCKETS:
        section = unit(path)["Socket"]
        found[section["FileDescriptorName"]] = section["ListenStream"]
        assert path.name == f"teegate-proxy-{section['FileDescriptorName']}.socket"
        assert section["Service"] == SERVICE.name
        assert unit(path)["Unit"]["PartOf"] == SERVICE.name
    assert found == PORTS


def test_service_speaks_the_protocol_of_the_manager():
    section = unit(SERVICE)["Service"]
    assert section["Type"] == "notify"
    assert section["ExecStart"] == "/usr/bin/teegate-proxy"
    assert section["ExecStartPre"] == "/usr/bin/teegate-proxy --check-config"
    assert "HUP" in section["ExecReload"]


def test_service_sets_variables_that_the_program_has():
    section = unit(SERVICE)["Service"]
    names = {assignment.split("=")[0] for assignment in section["Environment"].split()}
    text = subprocess.run([BUILD / "teegate-proxy", "--help"], capture_output=True, text=True, check=True).stdout
    for name in names:
        assert re.search(rf"^  {name} +\[", text, re.MULTILINE), name
    assert int(section["WatchdogSec"]) >= 10  # each half of it every worker must answer


def test_service_gives_away_what_the_sandbox_gives_away():
    section = unit(SERVICE)["Service"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateDevices", "ProtectKernelModules", "MemoryDenyWriteExecute",
                 "RestrictNamespaces", "DynamicUser"):
        assert section[name] == "yes", name
    assert section["ProtectSystem"] == "strict"
    assert section["CapabilityBoundingSet"] == section["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"


def test_service_families_are_those_of_the_filter():
    families = set(unit(SERVICE)["Service"]["RestrictAddressFamilies"].split())
    code = (SOURCE / "src/proxy/sandbox_filter.c").read_text()
    listed = set(re.search(r"families\[\] = \{([^}]*)\}", code)[1].replace(" ", "").split(","))
    assert families == listed | {"AF_NETLINK"}
    assert socket.AF_VSOCK == 40


def test_service_leaves_the_program_the_calls_of_its_own_confinement():
    calls = set(unit(SERVICE)["Service"]["SystemCallFilter"].split())
    assert {"@system-service", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"} == calls
