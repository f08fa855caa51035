#!/usr/bin/env python3
"""Each function that parses foreign bytes (TG_FOREIGN) is called by a fuzz target; each target calls one and has a corpus."""

import pathlib
import re

import tree

MIN_SEEDS = 3

findings = tree.Findings()
foreign = {}
for path in tree.files("*.h", under=("src",)):
    for declaration in tree.declarations_of(tree.text_of(path)):
        if re.search(r"\bTG_FOREIGN\b", declaration.head):
            foreign[declaration.name] = (path, declaration.line)

called = set()
for path in tree.files("fuzz_*.c", under=("fuzz",)):
    code = tree.code_of(tree.text_of(path))
    calls = {name for name in foreign if re.search(r"\b" + name + r"\s*\(", code)}
    called |= calls
    if not calls:
        findings.add(path, 0, "calls no function that is marked TG_FOREIGN")
    corpus = tree.ROOT / "fuzz" / "corpus" / pathlib.PurePath(path).stem.removeprefix("fuzz_")
    num_seeds = len([p for p in corpus.iterdir() if not p.name.startswith(".")]) if corpus.is_dir() else 0
    if num_seeds < MIN_SEEDS:
        findings.add(path, 0, f"{corpus.relative_to(tree.ROOT)} holds {num_seeds} inputs; at least {MIN_SEEDS}")
    if not re.search(r"^/[/*] room: [a-z]", tree.text_of(path), re.MULTILINE):
        findings.add(path, 1, "names no room in a line `// room: ROOM`")
for name in sorted(set(foreign) - called):
    findings.add(*foreign[name], f"{name} is marked TG_FOREIGN, and no fuzz/fuzz_*.c calls it")
findings.end()
