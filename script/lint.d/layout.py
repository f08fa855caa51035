#!/usr/bin/env python3
"""clang-format 14 decides the layout (.clang-format); `clang-format -i FILE` mends it."""

import shutil
import subprocess
import sys

import tree

tool = shutil.which("clang-format-14") or shutil.which("clang-format")
if tool is None:
    sys.exit("clang-format is not installed (script/bootstrap)")
sources = tree.files("*.c", "*.h", under=("src", "fuzz", "bench", "tests"))
done = subprocess.run(
    [tool, "--dry-run", "-Werror", "--ferror-limit=1", *sources], cwd=tree.ROOT, capture_output=True, text=True, check=False
)
print("\n".join(line for line in done.stderr.splitlines() if "error:" in line), end="\n" if done.returncode else "")
sys.exit(1 if done.returncode else 0)
