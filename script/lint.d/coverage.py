#!/usr/bin/env python3
"""Unit tests run 85% of the lines of every src/*.c (preset cov), or tests/coverage-exceptions.txt says why not.

    script/lint.d/coverage.py [--json FILE]     FILE: a report of `gcovr --json`, instead of building and running
"""

import json
import subprocess
import sys

import tree

MIN_PERCENT = 85

findings = tree.Findings()
reasons = {}
for number, line in enumerate(tree.text_of("tests/coverage-exceptions.txt").splitlines(), 1):
    if line.strip() and not line.startswith("#"):
        path, _, reason = line.partition(":")
        reasons[path.strip()] = number
        if not reason.strip() or not (tree.ROOT / path.strip()).exists():
            findings.add("tests/coverage-exceptions.txt", number, "must read `file: reason`, and the file must exist")


def command(*words):
    done = subprocess.run(words, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print((done.stdout + done.stderr)[-6000:])
        sys.exit(f"coverage: {' '.join(words[:3])} fails")


if len(sys.argv) == 3 and sys.argv[1] == "--json":
    report_path = sys.argv[2]
else:
    command("cmake", "--preset", "cov")
    command("find", "build/cov", "-name", "*.gcda", "-delete")
    command("cmake", "--build", "--preset", "cov", "-j", "2")
    command("ctest", "--preset", "cov", "-L", "unit", "-j", "2")
    report_path = tree.ROOT / "build" / "cov" / "coverage.json"
    # Lines that only a failing allocation or library reaches may be marked: `/* LCOV_EXCL_LINE: reason */`.
    command("gcovr", "--json", str(report_path), "--root", ".", "--filter", "src/", "--object-directory", "build/cov",
            "--gcov-ignore-parse-errors", "--exclude-unreachable-branches", "build/cov")
with open(report_path, encoding="utf-8") as file:
    report = json.load(file)

lines = {}
for one in report["files"]:
    name = one.get("file", one.get("file_path"))
    for line in one["lines"]:
        if not line.get("gcovr/noncode"):
            counts = lines.setdefault(name, {})
            counts[line["line_number"]] = counts.get(line["line_number"], 0) + line["count"]
total = covered = 0
for path in tree.files("*.c", under=("src",)):
    counts = lines.get(path, {})
    num_run = sum(1 for count in counts.values() if count > 0)
    total, covered = total + len(counts), covered + num_run
    is_enough = num_run * 100 >= len(counts) * MIN_PERCENT and (counts or path not in lines)
    if path.startswith("src/programs/"):
        continue  # wiring only: integration tests run it
    if (not counts or not is_enough) and path not in reasons:
        percent = num_run * 100 // len(counts) if counts else 0
        missing = [str(n) for n, count in sorted(counts.items()) if count == 0]
        findings.add(path, 0, f"unit tests run {percent}% of its {len(counts)} lines, at least {MIN_PERCENT}%; not run: {' '.join(missing[:40])}")
    if counts and is_enough and path in reasons:
        findings.add("tests/coverage-exceptions.txt", reasons[path], f"{path} is covered: the exception can go")
if total:
    print(f"lint: coverage: {covered * 100 / total:.1f}% of {total} lines")
findings.end()
