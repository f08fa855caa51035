#!/usr/bin/env python3
"""Instructions that callgrind counts in our own functions, for the rewriter, the token and one request.

They repeat exactly on every machine with the same compiler and the same way of the processor (base/cpu.h: portable, avx2),
and so a change of some percent is seen that no clock shows. What libraries do is left out: they pick by the processor.
bench/baseline/counts.json holds what was counted; --check fails where a piece of work takes over 3% more, and names the functions
that grew; --write sets the baseline anew.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import encrypt

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TEEGATE_BUILD", SOURCE / "build/release"))
BASELINE = SOURCE / "bench/baseline/counts.json"
LEVELS = ("portable", "avx2")
MAX_GROWTH = 1.03
REQUESTS = (50, 650)


def compiler():
    return "gcc " + subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


def read_profile(path):
    """What each function of the profiled program itself took, and under what name it was dumped."""
    costs, names, trigger = collections.Counter(), {}, ""
    program = function = None
    is_call = False

    def name_of(text):
        number, _, name = text.partition(" ")
        if name:
            names[number] = name
        return names.get(number, text)

    for line in path.read_text().splitlines():
        if match := re.match(r"desc: Trigger: Client Request: (.*)", line):
            trigger = match[1]
        elif line.startswith("ob="):
            program = name_of("ob" + line[3:])
        elif line.startswith("fn="):
            function = name_of("fn" + line[3:])
        elif line.startswith(("cob=", "cfn=")):
            name_of(line[1:3] + line[4:])
        elif line.startswith("calls="):
            is_call = True
        elif match := re.match(r"[+*-]?\d* ?(\d+)$", line):
            if not is_call and program and program.startswith(str(BUILD)):
                costs[re.sub(r"'\d+$|\.(isra|part|constprop|cold|lto_priv).*", "", function)] += int(match[1])
            is_call = False
    return trigger, costs


def valgrind(folder, level, *command):
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *command], {**os.environ, "TEEGATE_CPU": level}


def count_fields(level):
    with tempfile.TemporaryDirectory(prefix="tg-counts.") as folder:
        command, env = valgrind(folder, level, "--collect-atstart=no", BUILD / "bench/count_fields", SOURCE / "bench/record.json")
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"count_fields ends with {done.returncode}:\n{done.stderr}")
        used, times = done.stdout.split()
        pieces = {}
        for path in sorted(pathlib.Path(folder).glob("out.*")):
            trigger, costs = read_profile(path)
            if trigger:
                pieces[trigger] = {name: round(cost / int(times), 2) for name, cost in costs.items()}
    return used, pieces


def serve(level, num_requests):
    """What the enclave's functions took in all, over so many requests on one connection."""
    body = (SOURCE / "bench/record.json").read_bytes()
    with tempfile.TemporaryDirectory(prefix="tg-counts.") as name:
        folder = pathlib.Path(name)
        encrypt.make_certificate(folder)
        command, env = valgrind(folder, level)
        server = encrypt.start_enclave(folder, command, {"TEEGATE_CPU": env["TEEGATE_CPU"]})
        try:
            server.wait(60)
            with encrypt.connect(server.port) as sock:
                for _ in range(num_requests):
                    sock.sendall(encrypt.compose("POST", "/encrypt", body))
                    if not encrypt.read_answer(sock).startswith(b"HTTP/1.1 200"):
                        sys.exit("a request was refused")
        finally:
            server.end()
        return read_profile(folder / "out")[1]


def count_request(level):
    few, many = (serve(level, number) for number in REQUESTS)
    return {name: round((many[name] - few[name]) / (REQUESTS[1] - REQUESTS[0]), 2) for name in many if many[name] > few[name]}


def count_all():
    counted = {}
    for level in LEVELS:
        used, pieces = count_fields(level)
        if used == level:  # else the machine has not got it
            counted[level] = {**pieces, "one POST /encrypt of a record": count_request(level)}
    return counted


def grown(before, now):
    names = sorted(set(before) | set(now), key=lambda name: before.get(name, 0) - now.get(name, 0))
    return [f"{name} {before.get(name, 0):.0f} -> {now.get(name, 0):.0f}" for name in names[:3] if now.get(name, 0) > before.get(name, 0)]


def compare(baseline, counted):
    if baseline["compiler"] != compiler():
        print(f"counts: the baseline was made with {baseline['compiler']}, this is {compiler()}: nothing to compare", file=sys.stderr)
        return 0
    faults = 0
    for level, pieces in counted.items():
        for piece, now in pieces.items():
            before = baseline["counts"].get(level, {}).get(piece)
            if before is None:
                faults += 1
                print(f"counts: {level}: {piece}: not in the baseline (bench/counts.py --write)")
            elif sum(now.values()) > MAX_GROWTH * sum(before.values()):
                faults += 1
                print(f"counts: {level}: {piece}: {sum(before.values()):.0f} -> {sum(now.values()):.0f} instructions; most in "
                      + ", ".join(grown(before, now)))
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    counted = count_all()
    for level, pieces in counted.items():
        for piece, functions in pieces.items():
            print(f"| instructions of ours, {level}: {piece} | {sum(functions.values()):.0f} | |", flush=True)
    if options.write:
        kept = {level: {piece: dict(sorted(functions.items())) for piece, functions in pieces.items()} for level, pieces in counted.items()}
        BASELINE.parent.mkdir(exist_ok=True)
        BASELINE.write_text(json.dumps({"compiler": compiler(), "counts": kept}, indent=1) + "\n")
    if options.check and compare(json.loads(BASELINE.read_text()), counted):
        sys.exit(1)


if __name__ == "__main__":
    main()
