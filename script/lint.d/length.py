#!/usr/bin/env python3
"""No source file is over 600 lines: what grows past it holds two ideas."""

import tree

MAX_LINES = 600

findings = tree.Findings()
for path in tree.files("*.c", "*.h", "*.py", "*.sh", under=("src", "fuzz", "bench", "script", "tests")):
    num_lines = tree.text_of(path).count("\n")
    if num_lines > MAX_LINES:
        findings.add(path, 0, f"{num_lines} lines; at most {MAX_LINES}")
findings.end()
