#!/usr/bin/env python3
"""Every header of src/ compiles alone, all compile together (no name twice), and each has the guard TG_ROOM_FILE_H."""

import concurrent.futures
import pathlib
import re
import subprocess

import tree

COMPILE = "gcc -fsyntax-only -x c -std=gnu17 -Wall -Wextra -Werror -Wno-unused-function -D_GNU_SOURCE -DTG_DEVELOPMENT=1".split()

findings = tree.Findings()
cache = tree.ROOT / "build" / "lint" / "headers"
cache.mkdir(parents=True, exist_ok=True)


def compiles(*paths):
    mark = cache / tree.closure_hash(paths[0], *COMPILE, *(tree.closure_hash(path) for path in paths[1:]))
    if mark.exists():
        return None
    source = "".join(f'#include "{pathlib.PurePath(path).relative_to("src").as_posix()}"\n' for path in paths)
    done = subprocess.run([*COMPILE, "-I", str(tree.ROOT / "src"), "-"], input=source, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        mark.touch()
        return None
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    return (errors or done.stderr.splitlines() or ["fails"])[0]


headers = tree.files("*.h", under=("src",))
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for path, fault in zip(headers, pool.map(compiles, headers)):
        if fault:
            findings.add(path, 0, f"does not compile alone: {fault}")
if not findings.lines and (fault := compiles(*headers)):
    findings.add("src", 0, f"its headers do not compile together: {fault}")
for path in headers:
    guard = "TG_" + re.sub(r"\W", "_", pathlib.PurePath(path).relative_to("src").as_posix()).upper()
    code = tree.code_of(tree.text_of(path)).split()
    if code[:4] != ["#ifndef", guard, "#define", guard]:
        findings.add(path, 1, f"begins with the guard {guard}")
findings.end()
