#!/usr/bin/env python3
"""What the documents name exists, and ARCHITECTURE.md names every folder of src/. `src/ROOM/x.c` is a pattern, not a name."""

import re

import tree

PATH = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:c|h|py|txt|cmake|md|json|yaml|sh)|(?:src|tests|script|fuzz|bench|deploy|docs|examples)/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")

findings = tree.Findings()
allowed = tree.exceptions("documents")
for path in tree.files("*.md"):
    if path.startswith(("tests/vectors/", "fuzz/corpus/")):
        continue
    text = tree.text_of(path)
    folder = (tree.ROOT / path).parent
    is_outline = path == "ARCHITECTURE.md"
    for pattern in (PATH, LINK):
        for match in pattern.finditer(text):
            named = match.group(1)
            if re.search(r"(^|/)[A-Z]+/", named):
                continue
            bases = (folder,) if pattern is LINK else (tree.ROOT, tree.ROOT / "src", folder)
            must_exist = pattern is LINK or is_outline or named.startswith(("src/", "script/", "cmake/"))
            if must_exist and (path, named) not in allowed and not any((base / named).exists() for base in bases):
                findings.add(path, tree.line_at(text, match.start()), f"names {named}, which does not exist")
    if is_outline:
        for room in sorted(p.name for p in (tree.ROOT / "src").iterdir() if p.is_dir()):
            if not re.search(r"\b" + room + r"/", text):
                findings.add(path, 0, f"does not name the folder src/{room}/")
findings.end()
