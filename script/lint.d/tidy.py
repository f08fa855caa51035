#!/usr/bin/env python3
"""clang-tidy over src/ with .clang-tidy, two files at a time; what was clean and has not changed is not read again.

    script/lint.d/tidy.py [FILE...]
"""

import concurrent.futures
import shutil
import subprocess
import sys

import tree

tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
if tool is None:
    sys.exit("clang-tidy is not installed (script/bootstrap)")
configured = subprocess.run(["cmake", "--preset", "lint"], cwd=tree.ROOT, capture_output=True, text=True, check=False)
if configured.returncode != 0:
    sys.exit("cmake --preset lint fails:\n" + configured.stderr)

findings = tree.Findings()
cache = tree.ROOT / "build" / "lint" / "tidy"
cache.mkdir(parents=True, exist_ok=True)
version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout


def tidy(path):
    mark = cache / tree.closure_hash(path, version, tree.text_of(".clang-tidy"), tree.text_of("cmake/TgFlags.cmake"))
    if mark.exists():
        return []
    done = subprocess.run(
        [tool, "-p", "build/lint", "--quiet", "--warnings-as-errors=*", path], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        mark.touch()
        return []
    lines = [line for line in done.stdout.splitlines() if " error: " in line or " warning: " in line]
    return lines or [f"{path}: clang-tidy fails: {done.stderr[-400:]}"]


sources = sys.argv[1:] or tree.files("*.c", under=("src",))
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for lines in pool.map(tidy, sources):
        for line in lines:
            findings.add(line.replace(str(tree.ROOT) + "/", "").replace(" error:", ""), 0, "tidy")
findings.end()
