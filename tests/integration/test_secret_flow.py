"""No branch and no address depends on a key or a value: valgrind is told that they are undefined, and finds neither.

What valgrind does not know (AVX-512, VAES) it hides from the program, which then takes the way of level avx2.
"""

import shutil
import subprocess

import pytest

from conftest import BUILD, SOURCE, is_sanitized

pytestmark = pytest.mark.skipif(is_sanitized() or not shutil.which("valgrind"), reason="needs valgrind, and no sanitizer")
PROGRAM = BUILD / "tests" / "secret_flow"


def memcheck(*arguments):
    command = ["valgrind", "-q", "--error-exitcode=9", f"--suppressions={SOURCE}/tests/support/secret_flow.supp"]
    return subprocess.run([*command, PROGRAM, *arguments], capture_output=True, text=True, timeout=300)


def has_aes():
    with open("/proc/cpuinfo") as file:
        flags = file.read().split()
    return {"aes", "pclmulqdq", "avx2"} <= set(flags)


def test_a_program_that_leaks_is_found_out():
    done = memcheck("leak")
    assert done.returncode == 9
    assert "Conditional jump or move depends on uninitialised" in done.stderr
    assert "Use of uninitialised value" in done.stderr


@pytest.mark.skipif(not has_aes(), reason="libgcrypt is used on this machine, and answers for itself")
def test_sealing_and_opening_decide_by_nothing_secret():
    done = memcheck()
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "AES-NI\n")
