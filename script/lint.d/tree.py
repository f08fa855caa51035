"""What the checks share: the files of the repository, C read without its comments, and findings."""

import functools
import hashlib
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", "build", "node_modules", "__pycache__", ".pytest_cache"}


def files(*patterns, under=("",)):
    """Repository paths (as text, sorted) whose name matches one of the glob patterns, below the given folders."""
    found = set()
    for start in under:
        for folder, folders, names in os.walk(ROOT / start):
            folders[:] = [f for f in folders if f not in LEFT_OUT]
            for name in names:
                path = pathlib.Path(folder, name)
                if any(path.match(p) for p in patterns) and not path.is_symlink():
                    found.add(path.relative_to(ROOT).as_posix())
    return sorted(found)


@functools.lru_cache(maxsize=None)
def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


def code_of(text, keep_strings=False):
    """C with comments blanked (and the inside of strings too, unless kept): offsets and lines stay as they are."""

    def blank(match):
        token = match.group(0)
        if token[0] == "/" or not keep_strings:
            edge = "" if token[0] == "/" else token[0]
            inside = token[len(edge) : len(token) - len(edge)]
            return edge + re.sub(r"[^\n]", " ", inside) + edge
        return token

    return _TOKENS.sub(blank, text)


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def end_of_braces(code, start):
    """The offset behind the brace that closes the one at `start`."""
    depth = 0
    for at in range(start, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


def functions_of(text):
    """The functions that a C file defines: (name, head, body, line)."""
    code = code_of(text)
    found = []
    for match in re.finditer(r"^(?![#\s}])([^;{}=]*?\b(\w+)\s*\([^;{}]*\))\s*\{", code, re.MULTILINE):
        start = match.end() - 1
        found.append((match.group(2), match.group(1), code[start : end_of_braces(code, start)], line_at(code, match.start())))
    return found


class Declaration:
    def __init__(self, name, head, line, is_inline):
        self.name, self.head, self.line, self.is_inline = name, head, line, is_inline
        before = head[: re.search(r"\b" + name + r"\s*\(", head).start()]
        self.returns = re.sub(r"\b(TG_\w+|static|inline|extern|__extension__|_Noreturn)\b|__attribute__\s*\(\(.*?\)\)", "", before)
        self.returns = " ".join(self.returns.split())
        inside = head[head.index("(", len(before)) + 1 :]
        self.parameters = inside[: inside.rfind(")")]


def declarations_of(text):
    """The functions that a header declares or defines inline."""
    code = code_of(text)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    found, start, at, depth = [], 0, 0, 0
    while at < len(code):
        c = code[at]
        if c == "{" and depth == 0:
            head = code[start:at]
            end = end_of_braces(code, at)
            if "(" in head and not re.match(r"\s*(typedef|struct|enum|union)\b[^()]*$", head):
                found.append((head, start, True))
                start = end
            at = end
            continue
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == ";" and depth == 0:
            found.append((code[start:at], start, False))
            start = at + 1
        at += 1
    result = []
    for head, start, is_inline in found:
        bare = re.sub(r"__attribute__\s*\(\(.*\)\)", lambda m: " " * len(m.group(0)), head, flags=re.DOTALL)
        if re.match(r"\s*(typedef|_Static_assert)\b", bare) or "=" in bare.split("(")[0]:
            continue
        match = re.search(r"\b([a-z]\w*)\s*\(", bare)
        if match is None or "*" in bare[match.end() : match.end() + 1]:
            continue
        line = line_at(code, start + len(head) - len(head.lstrip()))
        result.append(Declaration(match.group(1), bare.strip(), line, is_inline))
    return result


def room_includes(path):
    """The `#include "room/file.h"` of a C file: (line, included)."""
    pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
    text = text_of(path)
    return [(line_at(text, m.start()), m.group(1)) for m in pattern.finditer(code_of(text, keep_strings=True))]


def closure_hash(path, *more):
    """A hash over a C file and all of src/ that it includes, for caches."""
    seen, todo = set(), [path]
    while todo:
        one = todo.pop()
        if one in seen or not (ROOT / one).exists():
            continue
        seen.add(one)
        todo += ["src/" + included for _, included in room_includes(one)]
        todo += ["tests/" + included for _, included in room_includes(one)]
    state = hashlib.sha256()
    for one in sorted(seen):
        state.update(one.encode() + b"\0" + text_of(one).encode() + b"\0")
    for one in more:
        state.update(str(one).encode() + b"\0")
    return state.hexdigest()


def exceptions(check):
    """What script/lint.d/exceptions.txt lets pass: pairs (file, what)."""
    allowed = set()
    for number, line in enumerate(text_of("script/lint.d/exceptions.txt").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [p.strip() for p in line.split(":", 3)]
        if len(parts) != 4 or not parts[3]:
            sys.exit(f"script/lint.d/exceptions.txt:{number}: must read `check: file: what: reason`")
        if parts[0] == check:
            allowed.add((parts[1], parts[2]))
    return allowed


class Findings:
    """Collects findings and ends the check: exit status 1 where there are any."""

    def __init__(self):
        self.lines = []

    def add(self, path, line, what):
        self.lines.append((path, line, f"{path}:{line}: {what}" if line else f"{path}: {what}"))

    def end(self):
        for _, _, text in sorted(set(self.lines)):
            print(text)
        sys.exit(1 if self.lines else 0)
