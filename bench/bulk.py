#!/usr/bin/env python3
"""NDJSON through the tool: lines of 200 bytes with one PII value of 20, by CPU time of the process, the start taken off.

The median of several runs over the same file; teegate reads a file and writes to /dev/null. TG_BENCH_QUICK: a short file.
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
QUICK = bool(os.environ.get("TG_BENCH_QUICK"))
RUNS, NUM_LINES = (3, 20_000) if QUICK else (7, 500_000)
SCHEMA = """openapi: 3.1.0
info: {title: rows, version: "1"}
paths: {}
components: {schemas: {Row: {type: object, properties: {id: {type: integer}, name: {type: string, x-pii: true}}}}}
"""


def cpu_s(command, folder, path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(path, "rb") as file:
        subprocess.run([BUILD / "teegate", command, "--ndjson", "-s", folder / "rows.yaml", "-k", folder / "dek"], stdin=file,
                       stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    with tempfile.TemporaryDirectory(prefix="tg-bench.") as name:
        folder = pathlib.Path(name)
        (folder / "rows.yaml").write_text(SCHEMA)
        (folder / "dek").write_bytes(b"\xaa" * 32)
        (folder / "none").write_bytes(b"")
        line = json.dumps({"id": 12345, "name": "n" * 20, "rest": ""})
        line = line[:-2] + "r" * (199 - len(line)) + line[-2:] + "\n"
        (folder / "rows").write_text(line * NUM_LINES)
        size = len(line) * NUM_LINES
        start = statistics.median(cpu_s("encrypt", folder, folder / "none") for _ in range(RUNS))
        speeds = [size / (cpu_s("encrypt", folder, folder / "rows") - start) / 1e9 for _ in range(RUNS)]
        spread = f"{min(speeds):.2f} to {max(speeds):.2f}"
        print(f"| NDJSON of {len(line)} bytes a line, 1 PII value of 20: encrypt | {statistics.median(speeds):.2f} | GB/s | {spread} |")


if __name__ == "__main__":
    main()
