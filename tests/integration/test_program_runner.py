"""conftest's Program itself, with Python standing in for a program: what it waits for, and what makes a test fail."""

import json
import signal
import sys

import pytest

from conftest import Program, assert_no_sanitizer_report, clean_environment

SPEAKER = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for number in (1, 2):
    print(json.dumps({"event": "listening", "number": number}), file=sys.stderr, flush=True)
print("on stdout", flush=True)
time.sleep(60)
"""


@pytest.fixture
def speaker():
    program = Program(sys.executable, "-c", SPEAKER)
    yield program
    program.stop(signal.SIGKILL)


def test_wait_event_count_and_fields_choose(speaker):
    assert speaker.wait_event("listening")["number"] == 1
    assert speaker.wait_event("listening", count=2)["number"] == 2
    assert speaker.wait_event("listening", number=2)["number"] == 2
    assert speaker.wait_text("on (std)out").group(1) == "std"
    assert speaker.stop() == 0
    assert len(speaker.events("listening")) == 2


def test_wait_event_that_never_comes_shows_the_log(speaker):
    speaker.wait_event("listening", count=2)
    with pytest.raises(AssertionError, match='(?s)waited for the event ready.*still runs.*"number": 2'):
        speaker.wait_event("ready", timeout=0.3)


def test_wait_event_after_the_end_does_not_wait():
    program = Program(sys.executable, "-c", "import sys; print('gone', file=sys.stderr); sys.exit(3)")
    with pytest.raises(AssertionError, match="(?s)it ended with 3.*gone"):
        program.wait_event("listening", timeout=60)


@pytest.mark.parametrize("report", [
    "==1==ERROR: AddressSanitizer: heap-use-after-free",
    "==1==ERROR: LeakSanitizer: detected memory leaks",
    "a.c:3:4: runtime error: signed integer overflow",
    "WARNING: ThreadSanitizer: data race (pid=1)",
])
def test_sanitizer_report_is_seen(report):
    with pytest.raises(AssertionError, match="sanitizer report"):
        assert_no_sanitizer_report(f"{json.dumps({'event': 'x'})}\n{report}\n")
    assert_no_sanitizer_report(json.dumps({"event": "x"}))


def test_environment_of_programs_holds_only_what_the_test_gives(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "debug")
    environment = clean_environment({"WORKERS": 2})
    assert environment["WORKERS"] == "2"
    assert "LOG_LEVEL" not in environment


def test_ports_are_free_and_differ(free_port):
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert all(20000 <= port < 32768 for port in ports)
