"""A machine under software emulation: made from a tree of files, watched on its console, judged by its markers.

The guest says on its console, one line each and nothing else counts:

    TEST <name> ok
    TEST <name> FAIL <reason>
    DONE <exit status of the guest's script>

A run without DONE has failed, whatever stood before it.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE_ROOT, "deploy", "rootfs"))

import archive  # noqa: E402

QEMU = "qemu-system-x86_64"
BUSYBOX = "/bin/busybox"
PYTHON = "/usr/bin/python3"
# Of a machine without KVM's clock and with an emulated timer, the timer's check is the slowest part of its start.
KERNEL_LINE = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check random.trust_cpu=on"

TEST_LINE = re.compile(r"TEST (\S+) (ok|FAIL)(?: (.*))?$")
DONE_LINE = re.compile(r"^DONE (\d+)$")  # of this machine, not of one inside it


class MachineError(Exception):
    """The machine could not be run at all."""


@dataclass
class Outcome:
    seconds: float = 0.0
    status: int = None  # the guest script's, None where the machine never said DONE
    tests: list = field(default_factory=list)  # (name, reason or None where it passed)
    ended_itself: bool = False  # after DONE the machine ended, without being killed
    why: str = ""  # what ended the run, where it was not the guest

    @property
    def failures(self):
        return [(name, reason) for name, reason in self.tests if reason is not None]


def need_tools():
    missing = [package for tool, package in ((QEMU, "qemu-system-x86"), (BUSYBOX, "busybox-static"))
               if shutil.which(tool) is None]
    if missing:
        raise MachineError(f"missing: apt-get install --no-install-recommends {' '.join(missing)}")


def base_tree(kernel, modules, script):
    """What every guest holds: busybox, modules in their order, guest/init, and SCRIPT as what init runs."""
    tree = archive.Tree()
    for folder in ("/proc", "/sys", "/run", "/tmp", "/etc", "/usr/bin", "/lib/modules"):
        tree.add_folder(folder)
    tree.add_device("/dev/console", "c", 5, 1, 0o600)
    tree.add_file("/bin/busybox", BUSYBOX, 0o755)
    tree.add_link("/bin/sh", "busybox")
    add_modules(tree, kernel, modules)
    tree.add_file("/init", os.path.join(HERE, "guest", "init"), 0o755)
    tree.add_file("/vm/script", script, 0o755)
    return tree


def add_modules(tree, kernel, modules):
    for number, name in enumerate(modules):
        tree.add_file(f"/lib/modules/{number:02}-{name}.ko", kernel.module(name))


def add_programs(tree, names, build):
    """Copies programs to /usr/bin: those of the BUILD folder by name, others by path."""
    for name in names:
        path = name if name.startswith("/") else os.path.join(build, name)
        guest = f"/usr/bin/{os.path.basename(name)}"
        if not os.path.exists(path):
            raise MachineError(f"{path} is missing: build it, or install the package that has it")
        if guest not in tree.entries:
            tree.add_program(guest, path)


def add_python(tree, modules):
    """Copies Python, and of its library what importing these modules loads."""
    code = f"import sys, {', '.join(modules)}\nfor m in list(sys.modules.values()): print(getattr(m, '__file__', None) or '')"
    said = subprocess.run([PYTHON, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    tree.add_program(PYTHON, PYTHON)
    for path in filter(None, said.stdout.splitlines()):
        if path not in tree.entries:
            (tree.add_program if path.endswith(".so") else tree.add_file)(path, path)


def add_needs(tree, script, build):
    """Copies what the head of a script asks for: lines `# programs: NAME...`, `# python: MODULE...` and
    `# files: PATH:GUEST...`."""
    with open(script, encoding="utf-8") as file:
        text = file.read()
    for line in re.findall(r"^# python: (.*)$", text, re.MULTILINE):
        add_python(tree, line.split())
    for line in re.findall(r"^# programs: (.*)$", text, re.MULTILINE):
        add_programs(tree, line.split(), build)
    for line in re.findall(r"^# files: (.*)$", text, re.MULTILINE):
        for word in line.split():
            source, _, guest = word.partition(":")
            tree.add_file(guest, os.path.join(SOURCE_ROOT, source))


def run(kernel, initramfs, *, console, timeout, cpus=2, memory_mb=1024, kernel_args="", qemu_args=(), on_line=None):
    """Boots and waits for DONE, the machine's end, or the timeout. The whole console is left in the file CONSOLE.

    on_line is called with each line as it comes.
    """
    command = [
        "nice", "-n", "10", QEMU, "-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", str(cpus), "-m", str(memory_mb),
        "-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{console}",
        "-kernel", kernel.image, "-initrd", initramfs, "-append", f"{KERNEL_LINE} {kernel_args}".strip(), *qemu_args,
    ]  # fmt: skip
    outcome = Outcome()
    open(console, "wb").close()
    start = time.monotonic()
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with open(console, "rb") as file:
            _watch(qemu, file, outcome, start + timeout, on_line or (lambda line: None))
        if not outcome.why and outcome.status is not None:
            try:  # it said DONE and is powering off
                qemu.wait(timeout=10)
                outcome.ended_itself = True
            except subprocess.TimeoutExpired:
                pass
    finally:
        if qemu.poll() is None:
            qemu.kill()
        said = qemu.communicate()[0].decode(errors="replace").strip()
    outcome.seconds = time.monotonic() - start
    if outcome.status is None and not outcome.why:
        outcome.why = f"the machine ended without DONE{': ' + said if said else ''}"
    return outcome


def _watch(qemu, file, outcome, deadline, on_line):
    pending = b""
    while True:
        ended = qemu.poll() is not None  # asked before the read, so that nothing written before the end is missed
        chunk = file.read()
        *lines, pending = (pending + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\r")
            on_line(line)
            if _take(line, outcome):
                return
        if ended and not chunk:
            return
        if time.monotonic() > deadline:
            outcome.why = "timeout"
            return
        if not chunk:
            time.sleep(0.05)


def _take(line, outcome):
    """Reads a marker; true at the last one."""
    match = TEST_LINE.search(line)
    if match:
        name, verdict, reason = match.groups()
        outcome.tests.append((name, None if verdict == "ok" else reason or "no reason given"))
    match = DONE_LINE.search(line)
    if match:
        outcome.status = int(match.group(1))
    return match is not None
