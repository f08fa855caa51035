"""What every integration test uses: the programs of one build (TEEGATE_BUILD), started, watched and ended by pid.

Fixtures
    start(program, *args, env=, ...)   a running Program, ended after the test; its log must be free of sanitizer reports
    run(program, *args, input=, ...)   a program run to its end: returncode, stdout, stderr (bytes)
    free_port()                        a TCP port of 127.0.0.1 that nobody else of this test run is given
    scratch                            a short temporary folder (a unix socket's path must stay under 108 bytes)
"""

import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build" / "dev"))
SANITIZER_REPORT = re.compile(
    r"(ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:|stack smashing detected).*"
)


def is_sanitized():
    """Whether the programs run several times slower than they will."""
    return BUILD.name in ("asan", "tsan")


def patience(seconds):
    """A timeout for this build's programs."""
    return seconds * (5 if is_sanitized() else 1)


def program_path(name):
    path = BUILD / name
    if not path.exists():
        pytest.fail(f"{path} is not built (script/test builds it; TEEGATE_BUILD names the folder)")
    return path


def clean_environment(extra):
    """The environment without what would set teegate: only what the test gives counts."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "TEEGATE_CPU", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update({name: str(value) for name, value in (extra or {}).items()})
    return environment


def assert_no_sanitizer_report(text):
    found = SANITIZER_REPORT.search(text)
    if found:
        raise AssertionError("sanitizer report:\n" + text[max(0, found.start() - 200) : found.start() + 6000])


# Becomes the program, with the descriptors from 3 on.
HAND_OVER = """
import os, sys
for at, fd in enumerate(sys.argv[1].split(",")):
    os.dup2(int(fd), 3 + at)
    os.close(int(fd))
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(at + 1), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Program:
    """A running program. Its stderr is its log: JSON lines, kept as they came and as events.

    sockets: [(name, listening socket)], which it finds as a service manager hands them over (sd_listen_fds(3)).
    prefix: a command that becomes the program (env, prlimit, sh -c 'exec "$0" "$@" ...').
    """

    def __init__(self, name, *args, env=None, cwd=None, stdin=None, sockets=(), prefix=()):
        self.name = name
        command = [*map(str, prefix), str(program_path(name)), *map(str, args)]
        kept = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 100) for _, sock in sockets]
        if sockets:
            names = ":".join(label for label, _ in sockets)
            command = [sys.executable, "-c", HAND_OVER, ",".join(map(str, kept)), names, *command]
        self.process = subprocess.Popen(
            command,
            env=clean_environment(env),
            cwd=cwd,
            pass_fds=kept,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for descriptor in kept:
            os.close(descriptor)
        self.pid = self.process.pid
        self._changed = threading.Condition()
        self._log = []
        self._output = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stderr, self._log), (self.process.stdout, self._output))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self._changed:
                lines.append(line.decode("utf-8", "replace"))
                self._changed.notify_all()
        with self._changed:
            lines.append("")
            self._changed.notify_all()

    @property
    def log(self):
        """Everything written to stderr so far."""
        with self._changed:
            return "".join(self._log)

    @property
    def output(self):
        """Everything written to stdout so far."""
        with self._changed:
            return "".join(self._output)

    def events(self, name=None):
        """The log's JSON objects, all or those of one event name."""
        found = []
        for line in self.log.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and (name is None or event.get("event") == name):
                found.append(event)
        return found

    def wait_until(self, condition, timeout=20, what="the condition"):
        """Calls condition() after every new line until it gives something true, which is returned."""
        deadline = time.monotonic() + patience(timeout)
        while True:
            value = condition()
            if value:
                return value
            with self._changed:
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not any(r.is_alive() for r in self._readers)):
                    break
                self._changed.wait(min(left, 0.2))
        value = condition()
        if value:
            return value
        state = self.process.poll()
        raise AssertionError(
            f"{self.name}: waited for {what}; "
            + (f"it ended with {state}" if state is not None else "it still runs")
            + f"; its log:\n{self.log[-6000:]}"
        )

    def wait_event(self, name, timeout=20, count=1, **fields):
        """The count-th event of that name whose fields are as given."""

        def matching():
            found = [e for e in self.events(name) if all(e.get(k) == v for k, v in fields.items())]
            return found[count - 1] if len(found) >= count else None

        return self.wait_until(matching, timeout, f"the event {name} {fields or ''}")

    def wait_text(self, pattern, timeout=20):
        """The first match of a regular expression in the log or on stdout."""
        compiled = re.compile(pattern)
        return self.wait_until(
            lambda: compiled.search(self.log) or compiled.search(self.output), timeout, f"the text {pattern}"
        )

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20):
        """Waits for the end and returns the exit status (negative: the signal)."""
        status = self.process.wait(patience(timeout))
        for reader in self._readers:
            reader.join(patience(5))
        return status

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Asks it to end, waits, and returns the exit status. A program that has ended already is fine."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"{self.name} did not end on signal {number}; its log:\n{self.log[-6000:]}") from None

    def resident_bytes(self):
        fields = pathlib.Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def num_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture
def start():
    programs = []

    def start_program(name, *args, **options):
        program = Program(name, *args, **options)
        programs.append(program)
        return program

    yield start_program
    faults = []
    for program in reversed(programs):
        was_running = program.process.poll() is None
        try:
            status = program.stop()
            if was_running and status != 0:
                faults.append(f"{program.name} ended with {status} on SIGTERM; its log:\n{program.log[-3000:]}")
            assert_no_sanitizer_report(program.log)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def run():
    def run_program(name, *args, input=b"", env=None, timeout=30, cwd=None):
        done = subprocess.run(
            [str(program_path(name)), *map(str, args)],
            input=input,
            env=clean_environment(env),
            cwd=cwd,
            capture_output=True,
            timeout=patience(timeout),
            check=False,
        )
        assert_no_sanitizer_report(done.stderr.decode("utf-8", "replace"))
        return done

    return run_program


_next_port = 0


def _take_port():
    global _next_port
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    first, span = 20000 + (worker % 8) * 1500, 1500  # below the kernel's own range (32768 and up)
    if _next_port == 0:
        _next_port = os.getpid() % span
    for _ in range(span):
        _next_port = (_next_port + 1) % span
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first + _next_port))
                return first + _next_port
            except OSError:
                continue
    raise RuntimeError("no free port")


@pytest.fixture
def free_port():
    return _take_port


@pytest.fixture
def scratch():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tg."))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def wait_for_listener(address, timeout=20):
    """Waits until a TCP (host, port) or unix (path) address accepts."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        family = socket.AF_UNIX if isinstance(address, (str, os.PathLike)) else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(address if family == socket.AF_INET else str(address))
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError(f"nobody listens at {address}") from None
        time.sleep(0.02)


def pytest_collection_modifyitems(config, items):
    """Tests of the production build run only where that build is asked for."""
    if BUILD.name != "production":
        skip = pytest.mark.skip(reason="needs TEEGATE_BUILD=build/production")
        for item in items:
            if item.get_closest_marker("production"):
                item.add_marker(skip)
