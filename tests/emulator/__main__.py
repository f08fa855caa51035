"""The emulator as a program, for demonstrations and benchmarks.

    python3 -m emulator STATE.json      (from tests/)

STATE.json: {"listen": "tcp:127.0.0.1:0" | "unix:PATH", "tls": [CERTIFICATE, KEY], "root": PEM, "region", "account",
"users": {NAME: {"access_key", "secret", "policies"}}, "keys": {ALIAS: {"id", "policy"}}, "secrets": {NAME: TEXT},
"buckets": {NAME: FOLDER}, "latency": SECONDS}. What was made is printed as one line of JSON, when it listens. A line of
JSON on its input changes it: {"fail": {...}}, {"policy": {"key", "policy"}}, {"secret": {"name", "value"}}, {"calls": true}.
"""

import json
import pathlib
import sys

from cryptography import x509

from .server import ALLOW_ALL, Emulator


def build(state):
    root = state.get("root")
    kind, _, place = state.get("listen", "tcp:127.0.0.1:0").partition(":")
    host, _, port = place.rpartition(":") if kind == "tcp" else ("", "", "0")
    emulator = Emulator(
        region=state.get("region", "eu-west-1"), account=state.get("account", "111122223333"), host=host, port=int(port),
        unix=place if kind == "unix" else None, tls=state.get("tls"),
        root=x509.load_pem_x509_certificate(pathlib.Path(root).read_bytes()) if root else None)
    emulator.latency = state.get("latency", 0.0)
    return emulator


def fill(emulator, state):
    made = {"url": emulator.url if emulator.port else None, "port": emulator.port, "keys": {}, "secrets": {}, "users": {}}
    for name, user in state.get("users", {}).items():
        access_key = emulator.add_user(name, user.get("policies", [ALLOW_ALL]), user.get("access_key"))
        if "secret" in user:
            emulator.principals[access_key]["secret"] = user["secret"]
        made["users"][name] = emulator.environment(access_key)
    for alias, key in state.get("keys", {}).items():
        made["keys"][alias] = emulator.kms.create_key(key.get("policy"), key.get("id"), f"alias/{alias}")
    for name, value in state.get("secrets", {}).items():
        made["secrets"][name] = emulator.secrets.create(name, value)
    for name, folder in state.get("buckets", {}).items():
        emulator.s3.create_bucket(name)
        for path in sorted(pathlib.Path(folder).rglob("*")) if folder else []:
            if path.is_file():
                emulator.s3.put(name, path.relative_to(folder).as_posix(), path.read_bytes())
    return made


def obey(emulator, order):
    if "fail" in order:
        emulator.fail(**order["fail"])
    if "policy" in order:
        emulator.kms.keys[order["policy"]["key"]]["policy"] = order["policy"]["policy"]
    if "secret" in order:
        arn = next(arn for arn, each in emulator.secrets.secrets.items() if each["name"] == order["secret"]["name"])
        emulator.secrets.put(arn, order["secret"]["value"])
    if "object" in order:
        emulator.s3.put(order["object"]["bucket"], order["object"]["key"], order["object"]["text"])
    if "calls" in order:
        return [{"service": each["service"], "operation": each["operation"], "outcome": each["outcome"]}
                for each in emulator.calls]
    return "ok"


def main():
    state = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    with build(state) as emulator:
        print(json.dumps(fill(emulator, state)), flush=True)
        for line in sys.stdin:
            print(json.dumps(obey(emulator, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
