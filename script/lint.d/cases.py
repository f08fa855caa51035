#!/usr/bin/env python3
"""Every test asserts something, is listed, and is named function_situation_expected."""

import ast
import re

import tree

findings = tree.Findings()
allowed = tree.exceptions("cases")
ASSERTS = re.compile(r"\b(assert_\w+|tg_assert_\w+|fail|fail_msg|_fail|expect_\w+)\s*\(")

for path in tree.files("test_*.c", under=("tests/unit",)):
    functions = tree.functions_of(tree.text_of(path))
    bodies = {name: body for name, _, body, _ in functions}
    asserting = {name for name, body in bodies.items() if ASSERTS.search(body)}
    grown = True
    while grown:
        more = {n for n, b in bodies.items() if n not in asserting and set(re.findall(r"\b(\w+)\s*\(", b)) & asserting}
        asserting |= more
        grown = bool(more)
    listed = set(re.findall(r"cmocka_unit_test\w*\(\s*(\w+)", tree.code_of(tree.text_of(path))))
    for name, head, _, line in functions:
        if not re.search(r"\bstatic\s+void\s+" + name + r"\s*\(\s*void\s*\*\*\s*\w+\s*\)", head):
            continue
        if name not in listed:
            findings.add(path, line, f"{name} is never run: it is missing from the list of main")
        if name not in asserting:
            findings.add(path, line, f"{name} asserts nothing")
        if name.count("_") < 2 and (path, name) not in allowed:
            findings.add(path, line, f"{name} is not named function_situation_expected")


def asserts(node, known):
    for part in ast.walk(node):
        if isinstance(part, (ast.Assert, ast.Raise)):
            return True
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            if name in known or re.match(r"(assert|check|expect|raises|fail|wait_)", name):
                return True
    return False


def is_fixture(node):
    """What a fixture checks for itself (that a program ended in order) is no assertion of the test that uses it."""
    return any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)


def python_functions(path):
    nodes = (n for n in ast.walk(ast.parse(tree.text_of(path))) if isinstance(n, ast.FunctionDef))
    return {n.name: n for n in nodes if not is_fixture(n)}


shared = {}
for path in tree.files("*.py", under=("tests/integration", "tests/support")):  # what tests import
    if not path.rsplit("/", 1)[-1].startswith("test_"):
        found = python_functions(path).items()  # a fixture's own checks are not the test's
        shared.update({n: f for n, f in found if not any("fixture" in ast.unparse(d) for d in f.decorator_list)})
for path in tree.files("test_*.py", under=("tests",)):
    functions = {**shared, **python_functions(path)}
    known = set()
    while True:
        more = {n for n, node in functions.items() if n not in known and asserts(node, known)}
        if not more:
            break
        known |= more
    for name, node in python_functions(path).items():
        if name.startswith("test_") and name not in known:
            findings.add(path, node.lineno, f"{name} asserts nothing")
findings.end()
