#!/usr/bin/env python3
"""Writes a large OpenAPI document with long cycles of `$ref`, as the biggest published ones have them.

    large_spec.py yaml|json [NUM_GROUPS] > FILE

Each group is a cycle of 70 schemas with nested objects, lists, alternatives and prose; every seventh holds PII. Each
group has two operations. 70 groups are some 13 MB of JSON, or more than 100,000 lines of YAML.
"""

import json
import sys

CYCLE = 70
PROSE = "What this member means to those who fill it in, at the length that such explanations have. " * 4


def schema(group, number):
    following = f"#/components/schemas/G{group}S{(number + 1) % CYCLE}"
    leaping = f"#/components/schemas/G{group}S{(number * 7 + 3) % CYCLE}"
    properties = {
        "id": {"type": "integer", "description": PROSE},
        "label": {"type": "string", "description": PROSE, "maxLength": 80},
        "following": {"$ref": following},
        "leaping": {"oneOf": [{"$ref": leaping}, {"type": "string"}]},
        "many": {"type": "array", "items": {"allOf": [{"$ref": following}, {"description": PROSE}]}},
        "details": {
            "type": "object",
            "description": PROSE,
            "properties": {
                "created": {"type": "string", "format": "date-time"},
                f"field{number}": {"type": ["string", "null"], "enum": ["a", "b", "c"], "description": PROSE},
                "owner": {"type": "object", "properties": {"name": {"type": "string"}, "of": {"$ref": leaping}}},
            },
        },
    }
    if number % 7 == 0:
        properties["taxNumber"] = {"type": "string", "x-pii": True, "description": PROSE}
        properties["details"]["properties"]["owner"]["properties"]["name"] = {"type": "string", "x-pii": True}
    return {"type": "object", "description": PROSE, "properties": properties}


def document(num_groups):
    schemas, paths = {}, {}
    for group in range(num_groups):
        for number in range(CYCLE):
            schemas[f"G{group}S{number}"] = schema(group, number)
        body = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/G{group}S0"}}}}
        answer = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/G{group}S{CYCLE // 2}"}}}}
        operation = {"summary": PROSE, "requestBody": body, "responses": {"200": {"description": PROSE, **answer}}}
        paths[f"/group{group}"] = {"post": operation, "put": operation}
    info = {"title": "large", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def write_yaml(value, out, indent):
    """Block notation for all that holds something, JSON's for the rest."""
    for key, below in value.items() if isinstance(value, dict) else ((None, one) for one in value):
        start = " " * indent + ("- " if key is None else json.dumps(key) + ":")
        if isinstance(below, (dict, list)) and below:
            out.write(start.rstrip() + "\n")
            write_yaml(below, out, indent + 2)
        else:
            out.write(start + " " + json.dumps(below) + "\n")


def main():
    made = document(int(sys.argv[2]) if len(sys.argv) > 2 else 70)
    if sys.argv[1] == "json":
        json.dump(made, sys.stdout, indent=1)
    else:
        write_yaml(made, sys.stdout, 0)


if __name__ == "__main__":
    main()
