#!/usr/bin/env python3
"""Metric families are named teegate_*, counters in _total, units in their name, and explained in one sentence."""

import re

import tree

findings = tree.Findings()
seen = {}
for path in tree.files("*.c", under=("src",)):
    text = tree.code_of(tree.text_of(path), keep_strings=True)
    for match in re.finditer(r"\btg_metric_family\s+\w+(?:\[\w*\])?\s*=\s*\{", text):
        body = text[match.end() - 1 : tree.end_of_braces(text, match.end() - 1)]
        for family in re.finditer(r'\.name\s*=\s*"([^"]*)"((?:(?!\.name\s*=).)*)', body, re.DOTALL):
            name, rest = family.groups()
            line = tree.line_at(text, match.end() - 1 + family.start())
            kind = re.search(r"TG_METRIC_(COUNTER|GAUGE|HISTOGRAM)", body if body.count(".name") == 1 else rest)
            unit = re.search(r"TG_METRIC_IN_(\w+)", body if body.count(".name") == 1 else rest)
            kind, unit = kind.group(1) if kind else "COUNTER", unit.group(1) if unit else "COUNT"
            if not re.fullmatch(r"teegate(_[a-z0-9]+)+", name):
                findings.add(path, line, f"{name}: a metric is named teegate_ and lower-case words")
            if (kind == "COUNTER") != name.endswith("_total"):
                findings.add(path, line, f"{name}: counters, and only they, end in _total")
            stem = name.removesuffix("_total")
            if unit == "NANOSECONDS" and not stem.endswith("_seconds"):
                findings.add(path, line, f"{name}: times end in _seconds")
            if unit == "BYTES" and not stem.endswith("_bytes"):
                findings.add(path, line, f"{name}: sizes end in _bytes")
            if not re.search(r'\.help\s*=\s*(?:"[^"]*"\s*)*"[^"]*\."', body):
                findings.add(path, line, f"{name}: .help is one sentence with its full stop")
            if seen.setdefault(name, path) != path:
                findings.add(path, line, f"{name} is also a family of {seen[name]}")
findings.end()
