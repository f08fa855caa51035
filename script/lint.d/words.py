#!/usr/bin/env python3
"""Nothing is left behind: no open points, no path of the machine it was written on, no download address in a lock file."""

import re

import tree

MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
# Where somebody's checkout lies; tests make temporary folders of their own.
MACHINE = re.compile(r"(?<![\w.~-])/(?:home|root|work|Users|mnt)/[a-z]\w*|/tmp/[\w.-]+/(?:src|build|script)\b|/tmp/w[t]\b")
TEXT = ("*.c", "*.h", "*.py", "*.sh", "*.md", "*.txt", "*.json", "*.cmake", "*.yml", "*.yaml", "*.ini", "*.mjs", "*.js", "*.cfg")
NOT_OURS = ("fuzz/corpus/", "tests/vectors/")

findings = tree.Findings()
allowed = tree.exceptions("words")
paths = set(tree.files(*TEXT)) | set(tree.files("*", under=("script", ".ci", "deploy")))
for path in sorted(paths):
    if path.startswith(NOT_OURS):
        continue
    is_lock = path.endswith("package-lock.json")
    for number, line in enumerate(tree.text_of(path).splitlines(), 1):
        for pattern, what in ((MARKS, "is left behind"), (MACHINE, "is a path of somebody's machine")):
            for match in pattern.finditer(line):
                if (path, match.group(0)) not in allowed:
                    findings.add(path, number, f"{match.group(0)} {what}")
        if is_lock and '"resolved"' in line:
            findings.add(path, number, "names a package host: omit-lockfile-registry-resolved=true in .npmrc leaves it out")
findings.end()
