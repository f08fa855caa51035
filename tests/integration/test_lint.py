"""Each check of script/lint.d finds what it is for: a violation is planted into a copy of the repository."""

import contextlib
import json
import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", "build", "node_modules", "__pycache__", "vectors", "corpus")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("lint") / "copy"
    shutil.copytree(SOURCE, root, ignore=LEFT_OUT)
    return root


@contextlib.contextmanager
def planted(root, path, text, append):
    file = root / path
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((before or "") + text if append else text, encoding="utf-8")
    yield
    if before is None:
        file.unlink()
        with contextlib.suppress(OSError):
            file.parent.rmdir()  # only where the violation made it
    else:
        file.write_text(before, encoding="utf-8")


def lint(root, *command):
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def guarded(name, body):
    return f"/* Planted. */\n#ifndef TG_BASE_{name}_H\n#define TG_BASE_{name}_H\n{body}\n#endif\n"


UNIT_TEST = """#include "support/case.h"
static void thing_in_a_state_does_nothing(void **state)
{
    (void)state;
}
static void thing_forgotten_case_fails(void **state)
{
    (void)state;
    fail();
}
static void short_name(void **state)
{
    (void)state;
    assert_true(1);
}
int main(void)
{
    const struct CMUnitTest cases[] = {cmocka_unit_test(thing_in_a_state_does_nothing), cmocka_unit_test(short_name)};
    return cmocka_run_group_tests(cases, NULL, NULL);
}
"""
FAMILY = 'static tg_metric_family %s = {.name = "%s", .help = "%s", .kind = %s, .unit = %s};\n'
OPEN_POINT = "TO" + "DO"
SOMEBODYS = "/ho" + "me/somebody/project"

# check, file, what is planted, whether it is added at the end, what must be said
CASES = [
    ("layers", "src/base/planted.c", '#include "sys/log.h"\n', False, "planted.c:1: base may not include sys"),
    ("layers", "src/base/planted.c", '#include "slice.h"\n', False, 'planted.c:1: "slice.h" must be included as'),
    ("layers", "src/base/planted.c", '#include "base/nothing.h"\n', False, "planted.c:1: base/nothing.h does not exist"),
    ("layers", "src/base/slice.h", '#include "base/num.h"\n', True, "include each other in a circle"),
    ("layers", "src/attic/planted.c", "", False, "the folder src/attic does not stand in the list"),
    ("layers", "src/layers.txt", "attic: cellar\ncellar:\n", True, "attic may include cellar, which does not stand above"),
    ("functions", "src/base/planted.c", "int x(char *s)\n{\n    return atoi(s);\n}\n", False, "planted.c:3: atoi is not used"),
    ("functions", "src/base/planted.c", "void x(char *s) { (void)strtok (s, s); }\n", False, "strtok is not used here: tg_slice_split"),
    ("headers", "src/base/planted.h", guarded("PLANTED", "tg_slice planted(void);"), False, "planted.h: does not compile alone"),
    ("headers", "src/base/planted.h", guarded("PLANTED_", ""), False, "planted.h:1: begins with the guard TG_BASE_PLANTED_H"),
    ("headers", "src/sys/planted.h", guarded("PLANTED", "enum { TG_OK };").replace("_BASE_", "_SYS_"), False, "its headers do not compile together"),
    ("length", "src/base/planted.c", "\n" * 601, False, "planted.c: 601 lines; at most 600"),
    ("foreign", "src/base/slice.h", "TG_FOREIGN int planted(int x);\n", True, "planted is marked TG_FOREIGN"),
    ("foreign", "fuzz/fuzz_planted.c", "int x;\n", False, "fuzz_planted.c: calls no function that is marked"),
    ("foreign", "fuzz/fuzz_planted.c", "int x;\n", False, "fuzz/corpus/planted holds 0 inputs"),
    ("foreign", "fuzz/fuzz_planted.c", "int x;\n", False, "fuzz_planted.c:1: names no room"),
    ("layout", "src/base/planted.c", "int  x ;\n", False, "planted.c:1:"),
    ("words", "src/base/planted.c", f"/* {OPEN_POINT}: later */\n", False, f"planted.c:1: {OPEN_POINT} is left behind"),
    ("words", "docs/planted.md", f"see {SOMEBODYS}\n", False, "is a path of somebody's machine"),
    ("words", "tests/node/package-lock.json", '{"resolved": "x"}\n', False, "names a package host"),
    ("cases", "tests/unit/base/test_planted.c", UNIT_TEST, False, "thing_in_a_state_does_nothing asserts nothing"),
    ("cases", "tests/unit/base/test_planted.c", UNIT_TEST, False, "thing_forgotten_case_fails is never run"),
    ("cases", "tests/unit/base/test_planted.c", UNIT_TEST, False, "short_name is not named"),
    ("cases", "tests/integration/test_planted.py", "def test_x(run):\n    run('teegate')\n", False, "test_x asserts nothing"),
    ("results", "src/base/slice.h", "tg_result planted(int x);\n", True, "planted returns tg_result without TG_MUST_USE"),
    ("comments", "src/base/slice.h", "\nvoid planted(int *x, int y);\n", True, "planted is not explained"),
    ("comments", "src/base/planted.h", "#ifndef A\n#define A\n#endif\n", False, "planted.h:1: does not begin by saying"),
    ("documents", "ARCHITECTURE.md", "\nIt begins in `base/nowhere.c`.\n", True, "names base/nowhere.c, which does not exist"),
    ("documents", "ARCHITECTURE.md", "Nothing.\n", False, "does not name the folder src/base/"),
    ("documents", "docs/planted.md", "[x](nowhere.md)\n", False, "planted.md:1: names nowhere.md"),
    ("scripts", "script/planted", "#!/bin/bash\necho $1\n", False, "script/planted:2:"),
    ("scripts", "tests/planted.py", "import os\n", False, "'os' imported but unused"),
    ("metrics", "src/sys/planted.c", FAMILY % ("a", "gate_x_total", "X.", "TG_METRIC_COUNTER", "TG_METRIC_PLAIN"), False, "gate_x_total: a metric is named"),
    ("metrics", "src/sys/planted.c", FAMILY % ("a", "teegate_x", "X.", "TG_METRIC_COUNTER", "TG_METRIC_PLAIN"), False, "teegate_x: counters, and only they"),
    ("metrics", "src/sys/planted.c", FAMILY % ("a", "teegate_x", "X.", "TG_METRIC_GAUGE", "TG_METRIC_IN_BYTES"), False, "teegate_x: sizes end in _bytes"),
    ("metrics", "src/sys/planted.c", FAMILY % ("a", "teegate_x", "X.", "TG_METRIC_GAUGE", "TG_METRIC_IN_NANOSECONDS"), False, "teegate_x: times end in _seconds"),
    ("metrics", "src/sys/planted.c", FAMILY % ("a", "teegate_x", "no stop", "TG_METRIC_GAUGE", "TG_METRIC_PLAIN"), False, "teegate_x: .help is one sentence"),
]


@pytest.mark.parametrize("check,path,text,append,said", CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_check_planted_violation_is_found(copy, check, path, text, append, said):
    with planted(copy, path, text, append):
        status, output = lint(copy, "script/lint", check)
    assert said in output
    assert status == 1
    assert f"lint: {check}: FAILED" in output
    _, output = lint(copy, "script/lint", check)
    assert said not in output


def test_every_check_has_a_planted_violation():
    checks = {p.stem for p in (SOURCE / "script/lint.d").glob("*.py")} - {"tree"}
    assert checks == {case[0] for case in CASES} | {"tidy", "coverage"}


def test_tidy_null_dereference_is_found(copy):
    text = "int planted(int x);\nint planted(int x)\n{\n    int *p = 0;\n    return x > 3 ? *p : 0;\n}\n"
    with planted(copy, "src/base/planted.c", text, False):
        status, output = lint(copy, "script/lint.d/tidy.py", "src/base/planted.c")
    assert status == 1
    assert "src/base/planted.c:5" in output and "NullDereference" in output


@pytest.mark.parametrize("num_run,reason,said", [
    (84, None, "src/base/num.c: unit tests run 84%"),
    (85, None, None),
    (10, "no reason needed", None),
    (85, "too old", "the exception can go"),
    (10, "", "must read `file: reason`"),
])
def test_coverage_threshold_and_exceptions(copy, tmp_path, num_run, reason, said):
    lines = [{"line_number": n, "count": 1 if n <= num_run else 0} for n in range(1, 101)]
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"files": [{"file": "src/base/num.c", "lines": lines}]}), encoding="utf-8")
    exception = "" if reason is None else f"src/base/num.c: {reason}\n"
    with planted(copy, "tests/coverage-exceptions.txt", exception, True):
        _, output = lint(copy, "script/lint.d/coverage.py", "--json", str(report))
    of_file = [line for line in output.splitlines() if "num.c" in line or "must read" in line]
    assert (said is None and of_file == []) or said in "\n".join(of_file)


def test_exceptions_without_reason_are_refused(copy):
    with planted(copy, "script/lint.d/exceptions.txt", "functions: src/base/num.c: atoi:\n", True):
        status, output = lint(copy, "script/lint", "functions")
    assert status == 1
    assert "must read `check: file: what: reason`" in output


def test_lint_unknown_check_is_refused(copy):
    status, output = lint(copy, "script/lint", "nothing")
    assert status == 2
    assert "no check nothing" in output
