#!/usr/bin/env python3
"""The table of script/bench: what the parts measured, each goal (bench/goals.txt) beside its figure, won or lost.

    table.py write FOLDER MACHINE [--json]   rows from stdin; writes FOLDER/table.md and table.json, prints one of them
    table.py compare OLD NEW                 two such table.json: what differs by more than 5%
"""

import json
import pathlib
import sys

GOALS = pathlib.Path(__file__).resolve().parent / "goals.txt"
MIN_CHANGE = 0.05


def read_goals():
    lines = [line for line in GOALS.read_text().splitlines() if line and not line.startswith("#")]
    return {name: (how, limit) for name, how, limit in ([part.strip() for part in line.split(" | ")] for line in lines)}


def judge(rows):
    """Adds to each row that has a goal what it is, and whether it was won. A goal that is another row is that row's figure."""
    values = {row["what"]: row["value"] for row in rows}
    for row in rows:
        how, limit = read_goals().get(row["what"], (None, None))
        target = values.get(limit, None) if limit in values else number_of(limit)
        if how and target is not None:
            row["goal"] = f"{how} {target:g}"
            row["won"] = row["value"] <= target if how == "<=" else row["value"] >= target


def number_of(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def cells(row):
    verdict = {True: "won", False: "**lost**", None: ""}[row.get("won")]
    return [row["what"], row["text"], row["unit"], row["spread"], row.get("goal", ""), verdict]


def write(folder, machine, as_json):
    rows = []
    head = [machine, "", "| measured | value | unit | spread | goal | |", "| --- | ---: | --- | --- | --- | --- |"]
    for line in sys.stdin:
        print(line, end="", file=sys.stderr)
        parts = [part.strip() for part in line.strip().strip("|").split("|")]
        value = number_of(parts[1]) if len(parts) >= 3 else None
        if value is not None:
            spread = parts[3] if len(parts) > 3 else ""
            rows.append({"what": parts[0], "value": value, "text": parts[1], "unit": parts[2], "spread": spread})
    judge(rows)
    table = "\n".join(head + ["| " + " | ".join(cells(row)) + " |" for row in rows]) + "\n"
    document = json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n"
    (folder / "table.md").write_text(table)
    (folder / "table.json").write_text(document)
    print(document if as_json else table, end="")


def compare(old, new):
    before, now = ({row["what"]: row for row in json.loads(pathlib.Path(path).read_text())["rows"]} for path in (old, new))
    print("| measured | before | now | unit | change |\n| --- | ---: | ---: | --- | ---: |")
    for what, row in now.items():
        past = before.get(what)
        change = row["value"] / past["value"] - 1 if past and past["value"] else 0
        if past is None or abs(change) > MIN_CHANGE:
            print(f"| {what} | {past['text'] if past else ''} | {row['text']} | {row['unit']} | {f'{change:+.0%}' if past else 'new'} |")
    for what in before.keys() - now.keys():
        print(f"| {what} | {before[what]['text']} | | {before[what]['unit']} | gone |")


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "compare":
        compare(*arguments[1:])
    elif len(arguments) >= 3 and arguments[0] == "write":
        write(pathlib.Path(arguments[1]), arguments[2], "--json" in arguments[3:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
