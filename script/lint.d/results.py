#!/usr/bin/env python3
"""A function of a header that returns tg_result carries TG_MUST_USE: no failure is dropped unseen."""

import re

import tree

findings = tree.Findings()
for path in tree.files("*.h", under=("src",)):
    for declaration in tree.declarations_of(tree.text_of(path)):
        if declaration.returns == "tg_result" and not re.search(r"\bTG_MUST_USE\b", declaration.head):
            findings.add(path, declaration.line, f"{declaration.name} returns tg_result without TG_MUST_USE")
findings.end()
