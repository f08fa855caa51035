#!/usr/bin/env python3
"""Who includes whom: only what src/layers.txt allows, without circles; the rooms of the list and of src/ are the same.

A room that is announced in layers.txt but not built yet has no folder: that is fine as long as nobody includes it.
"""

import pathlib
import re

import tree

findings = tree.Findings()
allowed = {}
for number, line in enumerate(tree.text_of("src/layers.txt").splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    match = re.fullmatch(r"([a-z]+):\s*((?:[a-z]+\s*)*)", line)
    if match is None:
        findings.add("src/layers.txt", number, "must read `room: room room ...`")
        continue
    room, below = match.group(1), match.group(2).split()
    for other in below:
        if other not in allowed:
            findings.add("src/layers.txt", number, f"{room} may include {other}, which does not stand above it in the list")
    allowed[room] = set(below)

for folder in sorted(p for p in (tree.ROOT / "src").iterdir() if p.is_dir()):
    if folder.name not in allowed:
        findings.add("src/layers.txt", 0, f"the folder src/{folder.name} does not stand in the list")

for path in tree.files("*.c", "*.h", under=("src",)):
    room = pathlib.PurePath(path).parts[1]
    for line, included in tree.room_includes(path):
        other = included.split("/")[0]
        if "/" not in included:
            findings.add(path, line, f'"{included}" must be included as "folder/file.h"')
        elif not (tree.ROOT / "src" / included).exists():
            findings.add(path, line, f"{included} does not exist")
        elif other != room and other not in allowed.get(room, set()):
            findings.add(path, line, f"{room} may not include {other} (src/layers.txt: {room}: {' '.join(sorted(allowed.get(room, [])))})")

below = {p: [f"src/{i}" for _, i in tree.room_includes(p)] for p in tree.files("*.h", under=("src",))}
state = {}


def walk(path, trail):
    if state.get(path) == "open":
        findings.add(path, 0, "headers include each other in a circle: " + " -> ".join(trail[trail.index(path) :] + [path]))
        return
    if path in state or path not in below:
        return
    state[path] = "open"
    for other in below[path]:
        walk(other, trail + [path])
    state[path] = "done"


for header in below:
    walk(header, [])
findings.end()
