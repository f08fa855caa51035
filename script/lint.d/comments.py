#!/usr/bin/env python3
"""Each public function is explained in its header: by the comment above it, or above the lines it stands among.

Exempt is what says all of itself: a getter (one const pointer in, no result code out), _init, _done, _free, _unref, and what is
defined inline.
"""

import re

import tree

OBVIOUS = re.compile(r".*_(init|done|free|unref|ref)$")

findings = tree.Findings()
allowed = tree.exceptions("comments")
for path in tree.files("*.h", under=("src",)):
    text = tree.text_of(path)
    lines = text.splitlines()
    comments = " ".join(re.findall(r"/\*.*?\*/|//[^\n]*", text, re.DOTALL))
    if not text.startswith("/*"):
        findings.add(path, 1, "does not begin by saying what the file is for")
    for declaration in tree.declarations_of(text):
        name = declaration.name
        parameters = [p for p in declaration.parameters.split(",") if p.strip() not in ("", "void")]
        is_getter = (
            len(parameters) <= 1
            and declaration.returns not in ("tg_result", "void")
            and all(p.strip().startswith("const ") or "*" not in p for p in parameters)
        )
        at = declaration.line - 2
        while at >= 0 and lines[at].strip() and not lines[at].rstrip().endswith("*/"):
            at -= 1
        has_comment = at >= 0 and lines[at].rstrip().endswith("*/")
        if not (has_comment or is_getter or declaration.is_inline or OBVIOUS.match(name) or re.search(r"\b" + name + r"\b", comments) or (path, name) in allowed):
            findings.add(path, declaration.line, f"{name} is not explained")
findings.end()
