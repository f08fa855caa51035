"""What is shipped is hardened, holds nothing made for development, and needs few libraries (production build)."""

import pathlib
import re
import subprocess

import pytest

from conftest import BUILD, SOURCE

pytestmark = pytest.mark.production

PROGRAMS = sorted(p.stem.replace("_", "-") for p in (SOURCE / "src/programs").glob("*.c"))
# What an image must hold beside the program. A library more is a decision, taken here.
COMMON = {"libc.so.6", "libuv.so.1", "libjansson.so.4"}
LIBRARIES = {
    "teegate-enclave": COMMON | {"libssl.so.3", "libcrypto.so.3", "libgcrypt.so.20", "libyaml-0.so.2", "libpcre2-8.so.0"},
    # libyaml: allowlists in AWS vsock-proxy's form; OpenSSL: the KMS proxy's own calls of AWS
    "teegate-proxy": COMMON | {"libssl.so.3", "libcrypto.so.3", "libyaml-0.so.2"},
    "teegate": COMMON | {"libssl.so.3", "libcrypto.so.3", "libgcrypt.so.20", "libyaml-0.so.2", "libpcre2-8.so.0"},
}
# The host's program must not be able to open what passes through it.
NEVER_IN_PROXY = re.compile(r"^(tg_(siv|token|fields?|rewrite|key_ring|hpke|jwe|jws|ohttp|schema|envelope|secrets)_|tg_tls_(accept|context_new_server|tickets_(new|rotate|install))|gcry_)")


def output(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture(params=PROGRAMS)
def program(request):
    path = BUILD / request.param
    assert path.exists(), f"{path} is not built"
    return path


def symbols(path):
    return {line.split()[-1] for line in output("nm", path).splitlines() if line.strip()}


def test_program_is_position_independent_and_bound_at_start(program):
    assert "DYN (Position-Independent Executable file)" in output("readelf", "-hW", program)
    dynamic = output("readelf", "-dW", program)
    assert re.search(r"\(FLAGS\)\s+BIND_NOW", dynamic)
    assert re.search(r"\(FLAGS_1\)\s+Flags:.*\bNOW\b.*\bPIE\b", dynamic)
    assert "(TEXTREL)" not in dynamic
    assert "(RPATH)" not in dynamic and "(RUNPATH)" not in dynamic


def test_segments_are_never_writable_and_executable(program):
    headers = output("readelf", "-lW", program)
    assert "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+RW\s", headers)
    assert not re.search(r"\bRWE\b", headers)


def test_code_is_fortified_and_watches_its_stack(program):
    names = {name.split("@")[0] for name in symbols(program)}
    assert "__stack_chk_fail" in names
    assert names & {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk", "__read_chk", "__recv_chk"}


def test_functions_begin_with_branch_targets(program):
    """-fcf-protection. The note that switches it on for the process is missing: Debian 12's crt files carry none."""
    if "X86-64" not in output("readelf", "-hW", program):
        pytest.skip("x86-64 only")
    code = output("objdump", "-d", "--no-show-raw-insn", program)
    begins = re.findall(r"<((?:tg_\w+)|main)>:\n\s+[0-9a-f]+:\s+(\w+)", code)
    assert begins
    unmarked = [name for name, first in begins if first != "endbr64" and "." not in name]
    assert len(unmarked) <= len(begins) // 20, unmarked  # gcc leaves it out where it inlines or clones


def test_libraries_are_the_listed_ones(program):
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.*?)\]", output("readelf", "-dW", program)))
    assert needed <= LIBRARIES[program.name], needed - LIBRARIES[program.name]


def test_development_code_is_left_out(program):
    """Nothing that a src/*/*_dev.c file defines is in the program."""
    defined = set()
    for source in SOURCE.glob("src/*/*_dev.c"):
        defined |= set(re.findall(r"^(?:\w[\w *]*?)\b(tg_\w+)\([^;]*$", source.read_text(encoding="utf-8"), re.MULTILINE))
    left = symbols(program) & defined
    assert not left
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    assert re.search(r"^TG_DEVELOPMENT:\w+=OFF$", cache, re.MULTILINE)


def test_proxy_cannot_open_what_it_carries():
    path = BUILD / "teegate-proxy"
    if "teegate-proxy" not in PROGRAMS:
        pytest.skip("there is no proxy")
    found = sorted(name for name in symbols(path) if NEVER_IN_PROXY.match(name))
    assert not found


def test_every_program_has_its_list_of_libraries():
    assert set(PROGRAMS) <= set(LIBRARIES)
    assert pathlib.Path(BUILD).name == "production"
