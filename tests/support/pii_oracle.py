"""An evaluation of OpenAPI schemas that is slow and plain: which positions of one document are PII.

It is what the compiled graphs are compared with, so it shares nothing with them: it walks one document from its root
and keeps, for each position, the list of schemas that may speak of it. Read from JSON Schema 2020-12 and OpenAPI 3.0.3
and 3.1.0, and from the rules of this project:

- a position is sealed when a schema that may apply there says `x-pii: true`; alternatives all count
- what lies below a sealed position is not looked at
- a mismatch is an object (or array) where PII lies below and no schema that speaks of the position allows that type
"""

import re
from urllib.parse import unquote

ALL_TYPES = frozenset(["null", "boolean", "integer", "fraction", "string", "object", "array"])
ANY = ("", True)
NOTHING = ("", False)


class Refused(Exception):
    pass


def pointer_of(steps):
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


class Oracle:
    """files: {"dir/name.yaml": parsed document}. A schema is (file, pointer as a tuple), or ANY, or NOTHING."""

    def __init__(self, files):
        self.files = files
        self.types_memo = {}
        self.live_memo = {}
        self.entry = None
        self.pools = {file: self._reachable_files(file) for file in files}

    # ---- documents and references

    def value(self, schema):
        if schema in (ANY, NOTHING):
            return schema[1]
        node = self.files[schema[0]]
        for step in schema[1]:
            node = node[int(step)] if isinstance(node, list) else node[step]
        return node

    def has(self, schema):
        try:
            self.value(schema)
            return True
        except (KeyError, IndexError, ValueError, TypeError):
            return False

    def child(self, schema, *steps):
        """A schema below another; booleans and null lose their place."""
        below = (schema[0], schema[1] + tuple(str(step) for step in steps))
        value = self.value(below)
        if value is True or value is None:
            return ANY
        if value is False:
            return NOTHING
        return below

    def base(self, schema):
        """The nearest `$id` above: its address, and where it stands."""
        file, path = schema
        address, place = "/" + file, (file, ())
        for depth in range(len(path) + 1):
            node = self.value((file, path[:depth]))
            if isinstance(node, dict) and isinstance(node.get("$id"), str) and self.version(file) != "3.0":
                address, place = join(address, node["$id"].split("#")[0]), (file, path[:depth])
        return address, place

    def version(self, file):
        return str(self.files[file].get("openapi", "none"))[:3]

    def everything(self, file):
        """All maps of a document with their places."""
        stack = [((), self.files[file])]
        while stack:
            path, node = stack.pop()
            if isinstance(node, dict):
                yield (file, path), node
                stack += [(path + (key,), below) for key, below in node.items()]
            elif isinstance(node, list):
                stack += [(path + (str(i),), below) for i, below in enumerate(node)]

    def resolve(self, schema, reference):
        address, _, fragment = reference.partition("#")
        base, place = self.base(schema)
        if address:
            wanted = join(base, address)
            found = [(file, ()) for file in self.files if "/" + file == wanted]
            for file in self.files:
                for where, node in self.everything(file):
                    if "$id" in node and isinstance(node["$id"], str) and self.base(where)[0] == wanted:
                        if self.base(where)[1] == where:
                            found.append(where)
            if not found:
                raise Refused(f"{reference} leads to no file")
            place = found[0]
        fragment = unquote(fragment)
        if fragment == "":
            return self.child(place) if place[1] else place
        if fragment.startswith("/"):
            steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in fragment[1:].split("/"))
            target = (place[0], place[1] + steps)
            if not self.has(target):
                raise Refused(f"{reference} leads to nothing")
            return self.child(target)
        for where, node in self.everything(place[0]):
            if fragment in (node.get("$anchor"), node.get("$dynamicAnchor")) and self.base(where)[1] == place:
                return where
        raise Refused(f"{reference} names no anchor")

    def _reachable_files(self, start):
        """A file and those that it refers to, directly or not."""
        seen, todo = set(), [start]
        while todo:
            file = todo.pop()
            if file in seen:
                continue
            seen.add(file)
            for where, node in self.everything(file):
                reference = node.get("$ref")
                if isinstance(reference, str):
                    todo.append(self.resolve(where, reference)[0] or file)
        return seen

    # ---- one schema

    def keywords(self, schema):
        value = self.value(schema)
        if not isinstance(value, dict):
            return {}
        kept = {key: below for key, below in value.items() if below is not None}
        if "$ref" in kept and self.version(schema[0]) == "3.0":
            return {key: kept[key] for key in ("$ref", "x-pii") if key in kept}
        return kept

    def in_place(self, schema):
        """[(kind, schema)] of those that speak of the same value."""
        keys = self.keywords(schema)
        found = []
        if "$ref" in keys:
            found.append(("all", self.resolve(schema, keys["$ref"])))
        for keyword, kind in (("allOf", "all"), ("oneOf", "one"), ("anyOf", "any")):
            found += [(kind, self.child(schema, keyword, i)) for i in range(len(keys.get(keyword, ())))]
        found += [("maybe", self.child(schema, key)) for key in ("if", "then", "else") if key in keys]
        for keyword in ("dependentSchemas", "dependencies"):
            for name, below in keys.get(keyword, {}).items():
                if not isinstance(below, list):
                    found.append(("maybe", self.child(schema, keyword, name)))
        if "$dynamicRef" in keys:
            found += self._dynamic(schema, keys["$dynamicRef"])
        if "discriminator" in keys:
            found += [("maybe", subtype) for subtype in self._subtypes(schema, keys["discriminator"])]
        return found

    def _dynamic(self, schema, reference):
        target = self.resolve(schema, reference)
        name = reference.partition("#")[2]
        if not name or self.keywords(target).get("$dynamicAnchor") != name:
            return [("all", target)]
        found = [("dynamic", target)]
        for file in self.pools[self.entry]:
            for where, node in self.everything(file):
                if node.get("$dynamicAnchor") == name:
                    found.append(("dynamic", where))
        return found

    def components(self, file):
        return self.files[file].get("components", {}).get("schemas", {}) or {}

    def _subtypes(self, schema, discriminator):
        found = []
        for value in (discriminator.get("mapping") or {}).values():
            if value in self.components(schema[0]):
                found.append(self.child((schema[0], ()), "components", "schemas", value))
            else:
                found.append(self.resolve(schema, value))
        bases, grows = [schema], True
        while grows:
            grows = False
            for file in self.pools[self.entry]:
                for name, component in self.components(file).items():
                    where = (file, ("components", "schemas", name))
                    if not isinstance(component, dict) or where in bases:
                        continue
                    for i, part in enumerate(component.get("allOf") or ()):
                        if isinstance(part, dict) and "$ref" in part:
                            holder = (file, where[1] + ("allOf", str(i)))
                            if self.resolve(holder, part["$ref"]) in bases:
                                bases.append(where)
                                grows = True
                                break
        return found + bases[1:]

    def closure(self, schemas, kinds=("all", "one", "any", "dynamic", "maybe")):
        seen, todo = [], list(schemas)
        while todo:
            schema = todo.pop(0)
            if schema not in seen:
                seen.append(schema)
                todo += [below for kind, below in self.in_place(schema) if kind in kinds]
        return seen

    def is_blank(self, schema):
        if schema == ANY:
            return True
        keys = self.keywords(schema)
        if schema == NOTHING or keys.get("x-pii") or self.in_place(schema) or self.own_types(schema) != ALL_TYPES:
            return False
        says = [key for key in ("properties", "patternProperties", "prefixItems") if keys.get(key)]
        says += [key for key in ("items", "contains") if key in keys]
        for keyword in ("additionalProperties", "unevaluatedProperties", "unevaluatedItems"):
            if isinstance(keys.get(keyword), dict):
                says.append(keyword)
        return not says

    # ---- types

    def own_types(self, schema):
        if schema == NOTHING:
            return frozenset()
        named = self.keywords(schema).get("type", [])
        named = named if isinstance(named, list) else [named]
        types = set()
        for name in named:
            if name == "number":
                types |= {"integer", "fraction"}
            elif name in ALL_TYPES - {"fraction"}:
                types.add(name)
            else:
                return ALL_TYPES
        return frozenset(types) or ALL_TYPES

    def types(self, schema):
        """The greatest fixpoint over all schemas that are linked to this one."""
        if schema in self.types_memo:
            return self.types_memo[schema]
        group = self.closure([schema])
        links = {one: self.in_place(one) for one in group}
        types = {one: ALL_TYPES for one in group}
        changed = True
        while changed:
            changed = False
            for one in group:
                now = self.own_types(one)
                for kind in ("one", "any", "dynamic"):
                    union = [types[below] for k, below in links[one] if k == kind]
                    if union:
                        now &= frozenset().union(*union)
                for kind, below in links[one]:
                    if kind == "all":
                        now &= types[below]
                if now != types[one]:
                    types[one], changed = now, True
        self.types_memo[schema] = types[schema]
        return types[schema]

    # ---- members and elements

    def is_marked(self, schema):
        return self.keywords(schema).get("x-pii") is True

    def is_sealed(self, schemas):
        return any(self.is_marked(schema) for schema in self.closure(schemas))

    def below(self, schema):
        """Every schema that a schema gives to something below it."""
        keys = self.keywords(schema)
        found = [self.child(schema, key, name) for key in ("properties", "patternProperties") for name in keys.get(key, {})]
        for keyword in ("additionalProperties", "unevaluatedProperties", "contains", "unevaluatedItems", "additionalItems"):
            if keyword in keys and (keyword != "additionalItems" or isinstance(keys.get("items"), list)):
                found.append(self.child(schema, keyword))
        for keyword in ("prefixItems", "items"):
            if isinstance(keys.get(keyword), list):
                found += [self.child(schema, keyword, i) for i in range(len(keys[keyword]))]
            elif keyword in keys:
                found.append(self.child(schema, keyword))
        return found

    def reached(self, schemas):
        seen, todo = set(), list(schemas)
        while todo:
            schema = todo.pop()
            if schema not in seen:
                seen.add(schema)
                todo += [below for _, below in self.in_place(schema)] + self.below(schema)
        return seen

    def is_live(self, schema):
        if schema not in self.live_memo:
            self.live_memo[schema] = any(self.is_marked(one) for one in self.reached([schema]))
        return self.live_memo[schema]

    def speaks(self, schema, keyword):
        """The schema of additionalProperties and its like, None where it says nothing."""
        keys = self.keywords(schema)
        if keyword not in keys or isinstance(keys[keyword], bool):
            return None
        below = self.child(schema, keyword)
        return None if self.is_blank(below) else below

    def lists_name(self, schema, name):
        keys = self.keywords(schema)
        return name in keys.get("properties", {}) or any(
            re.search(pattern, name) for pattern in keys.get("patternProperties", {})
        )

    def member(self, schemas, name):
        found = []
        for schema in self.closure(schemas):
            keys = self.keywords(schema)
            if name in keys.get("properties", {}):
                found.append(self.child(schema, "properties", name))
            for pattern in keys.get("patternProperties", {}):
                if re.search(pattern, name):
                    found.append(self.child(schema, "patternProperties", pattern))
            other = self.speaks(schema, "additionalProperties")
            if other and not self.lists_name(schema, name):
                found.append(other)
            other = self.speaks(schema, "unevaluatedProperties")
            if other and not self._is_evaluated(schema, name):
                found.append(other)
        return found

    def _is_evaluated(self, schema, name):
        for one in self.closure([schema], kinds=("all",)):
            keys = self.keywords(one)
            if self.lists_name(one, name) or "additionalProperties" in keys:
                return True
            if one != schema and "unevaluatedProperties" in keys:
                return True
        return False

    def _array(self, schema):
        """(list of prefix schemas, schema of the rest or None)"""
        keys = self.keywords(schema)
        prefix, rest = "prefixItems", "items"
        if isinstance(keys.get("items"), list):
            prefix, rest = "items", "additionalItems"
        listed = [self.child(schema, prefix, i) for i in range(len(keys.get(prefix, ())))]
        return listed, self.child(schema, rest) if rest in keys else None

    def element(self, schemas, index):
        found = []
        for schema in self.closure(schemas):
            listed, rest = self._array(schema)
            keys = self.keywords(schema)
            if index < len(listed):
                found.append(listed[index])
            elif rest:
                found.append(rest)
            if "contains" in keys:
                found.append(self.child(schema, "contains"))
            other = self.speaks(schema, "unevaluatedItems")
            if other:
                certain = self.closure([schema], kinds=("all",))
                arrays = [self._array(one) for one in certain]
                closed = any(rest for _, rest in arrays)
                closed = closed or any(
                    one != schema and "unevaluatedItems" in self.keywords(one) for one in certain
                )
                if not closed and index >= max(len(listed) for listed, _ in arrays):
                    found.append(other)
        return found

    # ---- roots

    def bodies(self, file):
        found = []
        seen = set()

        def deref(place):
            for _ in range(64):
                value = self.value(place)
                if not isinstance(value, dict) or "$ref" not in value:
                    return place
                place = self.resolve(place, value["$ref"])
            raise Refused("endless")

        def content(place):
            place = deref(place)
            for media_type, entry in (self.value(place).get("content") or {}).items():
                kind = media_type.split(";")[0].strip().lower()
                if kind in ("application/json", "*/*", "application/*") or kind.endswith("+json"):
                    if isinstance(entry, dict) and "schema" in entry:
                        found.append(self.child(place, "content", media_type, "schema"))

        def path_item(place):
            if place in seen:
                return
            seen.add(place)
            item = self.value(place)
            for method in ("get", "put", "post", "delete", "options", "head", "patch", "trace"):
                operation = item.get(method)
                if not isinstance(operation, dict):
                    continue
                at = (place[0], place[1] + (method,))
                if "requestBody" in operation:
                    content((at[0], at[1] + ("requestBody",)))
                for status in operation.get("responses") or {}:
                    content((at[0], at[1] + ("responses", status)))
                for name in operation.get("callbacks") or {}:
                    callback = deref((at[0], at[1] + ("callbacks", name)))
                    for expression in self.value(callback):
                        path_item((callback[0], callback[1] + (expression,)))
            if "$ref" in item:
                path_item(deref(place))

        for section in ("paths", "webhooks"):
            for name in self.files[file].get(section) or {}:
                path_item((file, (section, name)))
        if not found:
            found = [self.child((file, ()), "components", "schemas", name) for name in self.components(file)]
        return found

    def roots(self, file, component=None):
        if file != self.entry:
            self.entry = file
            self.types_memo.clear()
            self.live_memo.clear()
        if component is not None:
            return [self.child((file, ()), "components", "schemas", component)]
        narrowed = self.files[file].get("x-teegate-root")
        if narrowed:
            return [self.child((file, ()), "components", "schemas", name) for name in narrowed]
        return self.bodies(file)

    def unreached_marks(self, file):
        """Places of `x-pii: true` in a file that neither its root nor its bodies reach."""
        reached = self.reached(self.roots(file)) | self.reached(self.bodies(file))
        return [where for where, node in self.everything(file) if node.get("x-pii") is True and where not in reached]

    # ---- a document

    def positions(self, file, document, component=None):
        """(sealed pointers, mismatched pointers, whether the root defines `payload`)"""
        roots = self.roots(file, component)
        sealed, mismatched = [], []

        def visit(schemas, value, steps):
            if self.is_sealed(schemas):
                sealed.append(pointer_of(steps))
                return
            if not any(self.is_live(schema) for schema in schemas):
                return
            kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None
            if kind and not any(kind in self.types(schema) for schema in schemas):
                mismatched.append(pointer_of(steps))
                return
            if kind == "object":
                for name, below in value.items():
                    visit(self.member(schemas, name), below, steps + [name])
            elif kind == "array":
                for index, below in enumerate(value):
                    visit(self.element(schemas, index), below, steps + [str(index)])

        # Roots join unrelated documents: one that marks itself and is neither object nor array is no reason to seal
        # every object of the others.
        scalars = [root for root in roots if self.is_sealed([root]) and not self.types(root) & {"object", "array"}]
        others = [root for root in roots if root not in scalars]
        if scalars and others and isinstance(document, (dict, list)):
            visit(others, document, [])
        else:
            visit(roots, document, [])
        defines_payload = any(self.lists_name(schema, "payload") for schema in self.closure(roots))
        return sealed, mismatched, defines_payload


def join(base, reference):
    """RFC 3986 resolution, for paths without scheme and for whole addresses."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", reference):
        return reference
    origin = re.match(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]*)?", base).group(0)
    path = base[len(origin):]
    full = reference if reference.startswith("/") else path.rsplit("/", 1)[0] + "/" + reference
    kept = []
    for part in full.split("/")[1:]:
        if part == "..":
            if not kept:
                raise Refused("above the top")
            kept.pop()
        elif part != ".":
            kept.append(part)
    return origin + "/" + "/".join(kept)
