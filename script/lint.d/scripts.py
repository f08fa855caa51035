#!/usr/bin/env python3
"""shellcheck over the shell scripts (sourced files, `a && b || c` and quoted dollars are let pass), pyflakes over the Python."""

import shutil
import subprocess

import tree

findings = tree.Findings()
shell, python = [], tree.files("*.py")
for path in tree.files("*", under=("script", ".ci", "tests", "bench", "deploy")):
    if path.startswith("tests/vectors/") or path.endswith(".py"):
        continue
    with open(tree.ROOT / path, "rb") as file:
        first = file.readline(64)
    if first.startswith((b"#!/bin/bash", b"#!/bin/sh", b"#!/usr/bin/env bash")):
        shell.append(path)
    elif first.startswith(b"#!") and b"python3" in first:
        python.append(path)

for tool, paths in ((["shellcheck", "--format=gcc", "--exclude=SC1091,SC2015,SC2016"], shell), (["pyflakes3"], python)):
    if shutil.which(tool[0]) is None:
        findings.add("script", 0, f"{tool[0]} is not installed (script/bootstrap)")
    elif paths:
        done = subprocess.run([*tool, *paths], cwd=tree.ROOT, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines() + done.stderr.splitlines():
            findings.add(line, 0, tool[0])
findings.end()
