"""The scripts say what they cannot do, and a failing stage makes script/test fail."""

import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def run_script(*command, root=SOURCE):
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command,said", [
    (("script/test", "nothing"), "no stage nothing"),
    (("script/lint", "nothing"), "no check nothing"),
    (("script/check", "nothing"), "no nothing"),
    (("script/demo", "nothing"), "no nothing"),
    (("script/bootstrap", "--for", "nothing"), "not nothing"),
    (("script/bootstrap", "nothing"), "unknown argument nothing"),
])
def test_script_unknown_name_is_refused(command, said):
    status, output = run_script(*command)
    assert status != 0
    assert said in output


@pytest.mark.parametrize("script", ["test", "lint", "check", "bootstrap", "fuzz", "bench", "demo"])
def test_script_help_names_itself(script):
    status, output = run_script(f"script/{script}", "--help")
    assert status == 0
    assert f"script/{script}" in output
    assert "#!" not in output and "pipefail" not in output


def test_every_package_has_a_use_and_a_reason():
    lines = [l.split(None, 2) for l in (SOURCE / "script/packages.txt").read_text().splitlines() if l and l[0] != "#"]
    assert len(lines) > 20
    for package, uses, reason in lines:
        assert set(uses.split(",")) <= {"build", "test", "bench", "demo", "vm"}, package
        assert reason
    assert len({line[0] for line in lines}) == len(lines)


@pytest.fixture
def small_repository(tmp_path):
    """A copy of script/ beside a lint check that passes or fails as a file says."""
    shutil.copytree(SOURCE / "script", tmp_path / "script")
    for check in (tmp_path / "script/lint.d").glob("*.py"):
        check.unlink()
    check = tmp_path / "script/lint.d/only.py"
    check.write_text("#!/usr/bin/env python3\nimport pathlib, sys\nprint('x.c:1: wrong')\nsys.exit(pathlib.Path('fails').exists())\n")
    check.chmod(0o755)
    return tmp_path


def test_stage_passing_and_failing_decides_the_exit_status(small_repository):
    status, output = run_script("script/test", "lint", root=small_repository)
    assert status == 0
    assert "lint passed in" in output and "all 1 checks passed" in output
    (small_repository / "fails").touch()
    status, output = run_script("script/test", "lint", root=small_repository)
    assert status == 1
    assert "test: FAILED" in output and "x.c:1: wrong" in output
    assert "x.c:1: wrong" in (small_repository / "build/log/lint.log").read_text()
