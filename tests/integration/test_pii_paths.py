"""Random schemas and documents: the compiled graphs seal what an independent evaluation of the schemas seals."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest
import yaml

from conftest import clean_environment, patience, program_path

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "support"))

import large_spec  # noqa: E402
import pii_oracle  # noqa: E402

NAMES = ["a", "b", "c", "p_x", "x1", "payload", "a/b", "~", "", "ä"]
PATTERNS = ["^p_", "1$", "^[a-c]$", "a|b", "ä"]
SEED = int(os.environ.get("TEEGATE_TEST_SEED", "20261121"))
NUM_SCHEMAS = int(os.environ.get("TEEGATE_TEST_SCHEMAS", "800"))
NUM_DOCUMENTS = 25


def positions(directory, requests):
    """What the program under test says, and what it told of faults."""
    text = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [program_path("tests/pii_positions"), directory],
        input=text.encode(),
        capture_output=True,
        timeout=patience(300),
        env=clean_environment({}),
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.decode().splitlines()], done.stderr.decode()


class Generator:
    """Random OpenAPI documents that use every keyword which is followed."""

    def __init__(self, rng):
        self.rng = rng

    def some(self, low, high):
        return range(self.rng.randint(low, high))

    def ref(self):
        choice = self.rng.random()
        if self.refs and choice < 0.85:
            return self.rng.choice(self.refs)
        return self.rng.choice(self.refs) if self.refs else None

    def schema(self, depth):
        rng = self.rng
        if rng.random() < 0.05:
            return rng.choice([True, False, {}])
        if rng.random() < (0.35 if depth > 0 else 0.6) and self.refs:
            found = {"$ref": rng.choice(self.refs)}
            if rng.random() < 0.05:
                found["x-pii"] = True
            if self.is_31 and rng.random() < 0.2:
                found["properties"] = {rng.choice(NAMES): self.schema(0)}
            return found
        found = {}
        if rng.random() < 0.12:
            found["x-pii"] = rng.random() < 0.9
        if rng.random() < 0.6:
            types = ["object", "array", "string", "number", "integer", "boolean"]
            found["type"] = rng.choice(types[:3] + types)
            if self.is_31 and rng.random() < 0.3:
                found["type"] = rng.sample(types + ["null"], 2)
        if depth == 0:
            return found
        for _ in self.some(1, 3):
            self.keyword(found, depth - 1)
        return found

    def keyword(self, found, depth):
        rng = self.rng
        keywords = ["properties"] * 6 + ["items"] * 3 + ["allOf", "oneOf", "anyOf"] * 2
        keywords += ["additionalProperties", "patternProperties", "discriminator", "not"]
        if self.is_31:
            keywords += ["prefixItems", "contains", "unevaluatedProperties", "unevaluatedItems", "if"]
            keywords += ["dependentSchemas", "$dynamicRef", "dependencies", "list items"]
        keyword = rng.choice(keywords)
        if keyword == "properties":
            found[keyword] = {rng.choice(NAMES): self.schema(depth) for _ in self.some(1, 3)}
        elif keyword == "patternProperties":
            found[keyword] = {rng.choice(PATTERNS): self.schema(depth) for _ in self.some(1, 2)}
        elif keyword in ("allOf", "oneOf", "anyOf"):
            found[keyword] = [self.schema(depth) for _ in self.some(1, 3)]
        elif keyword == "prefixItems" and not isinstance(found.get("items"), list):
            found[keyword] = [self.schema(depth) for _ in self.some(1, 3)]
        elif keyword == "list items" and "prefixItems" not in found:
            found["items"] = [self.schema(depth) for _ in self.some(1, 3)]
            found["additionalItems"] = self.schema(depth)
        elif keyword == "if":
            for name in ("if", "then", "else"):
                if rng.random() < 0.7:
                    found[name] = self.schema(depth)
        elif keyword in ("dependentSchemas", "dependencies"):
            found[keyword] = {rng.choice(NAMES): self.schema(depth)}
            if keyword == "dependencies" and rng.random() < 0.3:
                found[keyword]["listed"] = ["a"]
        elif keyword == "$dynamicRef" and self.has_dynamic:
            found[keyword] = "#node"
        elif keyword == "discriminator" and self.names:
            found[keyword] = {"propertyName": "kind"}
            if rng.random() < 0.7:
                name = rng.choice(self.names)
                found[keyword]["mapping"] = {"k": rng.choice([name, "#/components/schemas/" + name])}
        elif keyword == "not":
            found[keyword] = {"type": "string"}
        elif keyword not in ("prefixItems", "list items", "$dynamicRef", "discriminator"):
            found[keyword] = self.schema(depth)

    def components(self, prefix):
        """Names and what refers to them, before the schemas are made."""
        return [f"{prefix}{i}" for i in self.some(1, 5)]

    def document(self, names, refs, is_31):
        self.names, self.refs, self.is_31 = names, refs, is_31
        self.has_dynamic = is_31 and self.rng.random() < 0.3
        schemas = {name: self.schema(3) for name in names}
        if self.has_dynamic:
            name = self.rng.choice(names)
            if not isinstance(schemas[name], dict) or "$ref" in schemas[name]:
                schemas[name] = {"properties": {"a": self.schema(1)}}
            schemas[name]["$dynamicAnchor"] = "node"
        for name in names:
            if isinstance(schemas[name], dict) and is_31 and self.rng.random() < 0.1:
                schemas[name]["$anchor"] = "to" + name
        document = {"openapi": "3.1.0" if is_31 else "3.0.3", "info": {"title": "t", "version": "1"}}
        document["components"] = {"schemas": schemas}
        if self.rng.random() < 0.5:
            document["paths"] = {"/x": {self.rng.choice(["get", "post", "patch"]): self.operation()}}
        elif is_31 and self.rng.random() < 0.3:
            document["webhooks"] = {"w": {"post": self.operation()}}
        if self.rng.random() < 0.15:
            document["x-teegate-root"] = [self.rng.choice(names)]
        return document

    def content(self):
        kinds = ["application/json", "application/vnd.x+json", "*/*", "application/json; charset=utf-8", "text/plain"]
        return {"content": {self.rng.choice(kinds): {"schema": self.schema(2)}}}

    def operation(self):
        found = {"requestBody": self.content()}
        if self.rng.random() < 0.5:
            found["responses"] = {"200": self.content(), "default": self.content()}
        if self.rng.random() < 0.2:
            found["callbacks"] = {"done": {"{$request.body#/url}": {"post": {"requestBody": self.content()}}}}
        return found

    def value(self, depth):
        rng = self.rng
        kind = rng.random()
        if depth == 0 or kind < 0.15:
            return rng.choice(["text", 1, 2.5, True, None, ""])
        if kind < 0.75:
            return {rng.choice(NAMES): self.value(depth - 1) for _ in self.some(1, 4)}
        return [self.value(depth - 1) for _ in self.some(0, 4)]


def drop_unreached(oracle, files, file):
    """A file with a mark that no root reaches is refused: most tests want one that is not."""
    for where in oracle.unreached_marks(file):
        node = oracle.value(where)
        del node["x-pii"]


def has_endless_ref(files):
    oracle = pii_oracle.Oracle(files)
    for file in files:
        for where, node in oracle.everything(file):
            seen = set()
            while isinstance(node, dict) and isinstance(node.get("$ref"), str) and where not in seen:
                seen.add(where)
                where = oracle.resolve(where, node["$ref"])
                node = oracle.value(where)
            if where in seen:
                return True
    return False


def write_case(directory, generator, number):
    """One schema, sometimes in two files. Returns (schema name, its file, all files)."""
    rng = generator.rng
    is_31 = rng.random() < 0.7
    names = generator.components("S")
    refs = [f"#/components/schemas/{name}" for name in names]
    main = f"c{number}/main.{rng.choice(['yaml', 'json'])}"
    files = {}
    if rng.random() < 0.4:
        other = f"c{number}/parts/other.{rng.choice(['yml', 'json'])}"
        others = generator.components("T")
        files[other] = generator.document(others, [f"#/components/schemas/{name}" for name in others], is_31)
        files[other].pop("x-teegate-root", None)
        if is_31 and rng.random() < 0.4:
            files[other] = {"$defs": files[other]["components"]["schemas"]}
            fix_refs(files[other])
            refs += [f"parts/other.{other.rsplit('.', 1)[1]}#/$defs/{name}" for name in others]
        else:
            refs += [f"./parts/../parts/other.{other.rsplit('.', 1)[1]}#/components/schemas/{name}" for name in others]
    files[main] = generator.document(names, refs, is_31)
    return main, files


def fix_refs(node):
    """A part's own references lead into $defs; it has no components for a discriminator."""
    if isinstance(node, dict):
        node.pop("discriminator", None)
        for key, below in node.items():
            if key == "$ref" and isinstance(below, str):
                node[key] = below.replace("#/components/schemas/", "#/$defs/")
            else:
                fix_refs(below)
    elif isinstance(node, list):
        for below in node:
            fix_refs(below)


def write_files(directory, files):
    for name, document in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".json"):
            path.write_text(json.dumps(document, ensure_ascii=False))
        else:
            path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


@pytest.mark.parametrize("part", range(4))
def test_random_schemas_agree(scratch, part):
    generator = Generator(random.Random(SEED + part))
    rng = generator.rng
    cases, requests, expected = [], [], []
    num_sealed = num_refused = 0
    for number in range(NUM_SCHEMAS // 4):
        main, files = write_case(scratch, generator, number)
        if has_endless_ref(files):
            continue
        oracle = pii_oracle.Oracle(files)
        keeps_unreached = rng.random() < 0.3
        for file in files:
            if not keeps_unreached and "openapi" in files[file]:
                drop_unreached(oracle, files, file)
        oracle = pii_oracle.Oracle(files)
        refused = any("openapi" in files[file] and oracle.unreached_marks(file) for file in oracle.pools[main])
        write_files(scratch, files)
        name = main.rsplit(".", 1)[0]
        cases.append((name, files))
        for _ in range(NUM_DOCUMENTS):
            document = generator.value(5)
            component = rng.choice([None, None, rng.choice(list(files[main]["components"]["schemas"]))])
            requests.append({"schema": name + (f"#{component}" if component else ""), "document": document})
            if refused:
                expected.append({"error": "not_found"})
                num_refused += 1
                continue
            sealed, mismatched, payload = oracle.positions(main, document, component)
            expected.append({"sealed": sealed, "mismatched": mismatched, "payload": payload})
            num_sealed += len(sealed)
    answers, told = positions(scratch, requests)
    assert len(answers) == len(expected)
    for request, answer, wanted in zip(requests, answers, expected):
        if answer != wanted:
            files = next(files for name, files in cases if name == request["schema"].split("#")[0])
            text = "\n".join(f"{file}: {json.dumps(document, ensure_ascii=False)}" for file, document in files.items())
            about = "\n".join(line for line in told.splitlines() if line.startswith(request["schema"].split("/")[0]))
            pytest.fail(f"{json.dumps(request)}\n answers {answer}\n expected {wanted}\n{text}\n{about}")
    assert num_sealed > 500 and num_refused > 0, "the random schemas test nothing"


class Guided:
    """Documents that follow a schema most of the time, so that deep positions are met."""

    def __init__(self, rng, oracle, file):
        self.rng, self.oracle = rng, oracle
        self.roots = oracle.roots(file)

    def value(self, schemas, depth):
        rng = self.rng
        closure = self.oracle.closure(schemas)
        names = [name for schema in closure for name in self.oracle.keywords(schema).get("properties", {})]
        has_items = any("items" in self.oracle.keywords(schema) for schema in closure)
        if depth == 0 or rng.random() < 0.05:
            return rng.choice(["text", 1, None, {}, []])
        if has_items and (not names or rng.random() < 0.3):
            return [self.value(self.oracle.element(schemas, i), depth - 1) for i in range(rng.randint(1, 2))]
        if names:
            picked = rng.sample(names, min(len(names), rng.randint(1, 6))) + rng.choices(NAMES, k=1)
            return {name: self.value(self.oracle.member(schemas, name), depth - 1) for name in picked}
        return "text"


class CoreLoader(yaml.SafeLoader):
    """YAML without the types that are not of its core schema."""


CoreLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(("timestamp", "merge", "value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def property_schemas(oracle, file):
    """Schemas below `properties` that the document's root reaches."""
    reached = oracle.reached(oracle.roots(file))
    placed = sorted(one for one in reached if one not in (pii_oracle.ANY, pii_oracle.NOTHING))
    return [one for one in placed if len(one[1]) > 1 and one[1][-2] == "properties"]


@pytest.mark.parametrize("path", sorted((SOURCE / "tests" / "vectors" / "openapi").glob("oas-*")), ids=lambda p: p.name)
def test_published_schemas_with_marks_agree(scratch, path):
    rng = random.Random(SEED + len(path.name))
    document = yaml.load(path.read_text(), CoreLoader)
    document = json.loads(json.dumps(document))  # keys as text
    requests, expected = [], []
    for number in range(8):
        marked = json.loads(json.dumps(document))
        oracle = pii_oracle.Oracle({"spec.json": marked})
        candidates = property_schemas(oracle, "spec.json")
        for where in rng.sample(candidates, min(len(candidates), rng.randint(1, 12))):
            oracle.value(where)["x-pii"] = True
        # The same document in both notations: two schemas that must answer alike.
        (scratch / f"j{number}.json").write_text(json.dumps(marked))
        (scratch / f"y{number}.yaml").write_text(yaml.safe_dump(marked, allow_unicode=True))
        oracle = pii_oracle.Oracle({"spec.json": marked})
        guided = Guided(rng, oracle, "spec.json")
        for _ in range(40):
            body = guided.value(guided.roots, 6)
            sealed, mismatched, payload = oracle.positions("spec.json", body)
            for name in (f"j{number}", f"y{number}"):
                requests.append({"schema": name, "document": body})
                expected.append({"sealed": sealed, "mismatched": mismatched, "payload": payload})
    answers, told = positions(scratch, requests)
    for request, answer, wanted in zip(requests, answers, expected):
        assert answer == wanted, f"{json.dumps(request)}\n{told}"
    assert any(wanted["sealed"] for wanted in expected), "the documents meet no PII"


@pytest.mark.parametrize("notation", ["yaml", "json"])
def test_large_cyclic_schema_is_compiled_in_seconds(scratch, notation):
    made = subprocess.run(
        [sys.executable, SOURCE / "tests" / "support" / "large_spec.py", notation],
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    assert made.count(b"\n") > 100_000 and len(made) > 13_000_000
    (scratch / f"large.{notation}").write_bytes(made)
    # All groups are alike, so that one of them says what the root, which joins them, seals.
    oracle = pii_oracle.Oracle({"one.json": large_spec.document(1)})
    guided = Guided(random.Random(SEED), oracle, "one.json")
    documents = [guided.value(guided.roots, 9) for _ in range(20)]
    started = time.monotonic()
    answers, told = positions(scratch, [{"schema": "large", "document": document} for document in documents])
    assert time.monotonic() - started < patience(10)
    assert told == ""
    for document, answer in zip(documents, answers):
        assert answer["sealed"] == oracle.positions("one.json", document)[0]
    assert sum(len(answer["sealed"]) for answer in answers) > 20
