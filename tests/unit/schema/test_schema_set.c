/* Sets of files: roots, references between files, names, digests, what happens to the others when one is refused. */
#include "support/schema_case.h"

#include <stdio.h>
#include <stdlib.h>

static void find_name_and_component_are_told_apart(void **state)
{
    (void)state;
    const schema_text texts[] = {{"bank/pay.yaml", SCHEMAS("A: {x-pii: true}, B: {}, 'C#D': {x-pii: true}")},
                                 {"z.json", "{\"openapi\": \"3.0.0\"}"},
                                 {"README.md", "not read"},
                                 {NULL, NULL}};
    tg_schema_set *set = tg_build_texts(texts, NULL, NULL);
    tg_pii_root root;
    const tg_schema *schema = NULL;
    assert_int_equal(tg_schema_set_num_schemas(set), 2);
    assert_ok(tg_schema_set_find(set, TG_LIT("bank/pay"), &root, &schema));
    assert_slice(tg_schema_name(schema), "bank/pay");
    assert_slice(tg_schema_file_name(schema), "bank/pay.yaml");
    assert_int_equal(tg_schema_num_marks(schema), 2);
    assert_ptr_equal(root.graph, tg_schema_graph(schema));
    assert_int_equal(root.state, tg_schema_root(schema).state);
    assert_ok(tg_schema_set_find(set, TG_LIT("bank/pay#A"), &root, NULL));
    assert_int_equal(tg_pii_flags(root.graph, root.state), TG_PII_SEALED);
    assert_ok(tg_schema_set_find(set, TG_LIT("bank/pay#B"), &root, NULL));
    assert_int_equal(root.state, TG_PII_NOWHERE);
    assert_ok(tg_schema_set_find(set, TG_LIT("bank/pay#C#D"), &root, NULL));
    const char *const unknown[] = {"", "bank", "bank/pay.yaml", "bank/pay#", "bank/pay#X", "#A", "README", "Bank/pay"};
    for (size_t i = 0; i < TG_COUNT(unknown); i++) {
        assert_code(tg_schema_set_find(set, tg_slice_str(unknown[i]), &root, NULL), TG_ERR_NOT_FOUND);
    }
    assert_code(tg_schema_set_find(set, TG_LIT("bank/pay\0"), &root, NULL), TG_ERR_NOT_FOUND);
    tg_schema_set_unref(set);
}

static void build_root_is_every_json_body(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        "openapi: 3.1.0\n"
        "paths:\n"
        "  /a:\n"
        "    x-note: {get: {}}\n"
        "    post:\n"
        "      requestBody: {$ref: '#/components/requestBodies/R'}\n"
        "      responses:\n"
        "        '200': {content: {'application/vnd.x+json; v=1': {schema: {properties: {b: {x-pii: true}}}}}}\n"
        "        default: {$ref: '#/components/responses/S'}\n"
        "        x-note: text\n"
        "      callbacks:\n"
        "        done: {'{$request.body#/url}': {put: {requestBody: {content: {'*/*': {schema: {properties: {d: "
        "{x-pii: true}}}}}}}}}\n"
        "        again: {$ref: '#/components/callbacks/C'}\n"
        "  /b: {$ref: '#/components/pathItems/P'}\n"
        "  /c: {get: {responses: {'200': {content: {text/plain: {schema: {properties: {x: {}}}}}}}}}\n"
        "webhooks:\n"
        "  w: {post: {requestBody: {content: {'application/*': {schema: {properties: {g: {x-pii: true}}}}}}}}\n"
        "components:\n"
        "  requestBodies: {R: {content: {APPLICATION/JSON: {schema: {properties: {a: {x-pii: true}}}}}}}\n"
        "  responses: {S: {content: {application/problem+json: {schema: {properties: {c: {x-pii: true}}}}}}}\n"
        "  callbacks: {C: {e: {$ref: '#/paths/~1a'}, f: {get: {requestBody: {content: {application/json: {schema: "
        "{properties: {e: {x-pii: true}}}}}}}}}}\n"
        "  pathItems: {P: {patch: {requestBody: {content: {application/json: {schema: {properties: {f: "
        "{x-pii: true}}}}}}}}}\n"
        "  schemas: {Unused: {properties: {z: {type: string}}}}\n");
    const char *const paths[] = {"/a", "/b", "/c", "/d", "/e", "/f", "/g"};
    for (size_t i = 0; i < TG_COUNT(paths); i++) {
        assert_sealed(set, paths[i]);
    }
    tg_schema_set_unref(set);
}

static void build_root_extension_narrows(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text("x-teegate-root: [A, C]\n" SCHEMAS(
        "A: {properties: {a: {x-pii: true}}}, B: {properties: {b: {x-pii: true}}}, C: "
        "{properties: {c: {x-pii: true}}}"));
    assert_sealed(set, "/a");
    assert_open(set, "/b");
    assert_sealed(set, "/c");
    assert_true((tg_flags_at(set, "a#B", "/b") & TG_PII_SEALED) != 0);
    assert_int_equal(tg_schema_num_marks(tg_schema_set_at(set, 0)), 2);
    tg_schema_set_unref(set);
    set = tg_build_text("x-teegate-root: B\n" SCHEMAS("A: {x-pii: true}, B: {properties: {b: {x-pii: true}}}"));
    assert_open(set, "");
    assert_sealed(set, "/b");
    tg_schema_set_unref(set);
}

static void build_root_tells_whether_it_defines_payload(void **state)
{
    (void)state;
    tg_schema_set *set =
        tg_build_text(SCHEMAS("A: {allOf: [{properties: {payload: {}}}]}, B: {properties: {a: "
                              "{properties: {payload: {}}}}}, C: {patternProperties: {'^pay': {}}}, D: "
                              "{additionalProperties: {x-pii: true}}"));
    const struct {
        const char *name;
        bool defines;
    } cases[] = {{"a", true}, {"a#A", true}, {"a#B", false}, {"a#C", true}, {"a#D", false}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_pii_root root;
        assert_ok(tg_schema_set_find(set, tg_slice_str(cases[i].name), &root, NULL));
        assert_int_equal(root.defines_payload, cases[i].defines);
    }
    tg_schema_set_unref(set);
}

static void build_root_that_is_a_scalar_seals_scalars_alone(void **state)
{
    (void)state;
    tg_schema_set *set =
        tg_build_text(SCHEMAS("Ssn: {type: string, x-pii: true}, A: {type: object, properties: {s: {$ref: "
                              "'#/components/schemas/Ssn'}, n: {}}}"));
    assert_int_equal(tg_flags_at(set, "a", ""), TG_PII_SEALED_SCALAR | TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    assert_sealed(set, "/s");
    assert_open(set, "/n");
    assert_int_equal(tg_flags_at(set, "a#Ssn", ""), TG_PII_SEALED);
    assert_int_equal(tg_flags_at(set, "a#A", ""), TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    tg_schema_set_unref(set);
    set = tg_build_text(SCHEMAS("Ssn: {type: string, x-pii: true}, A: {type: object}"));
    assert_int_equal(tg_flags_at(set, "a", ""), TG_PII_SEALED_SCALAR);
    tg_schema_set_unref(set);
    set = tg_build_text(SCHEMAS("Ssn: {type: string, x-pii: true}, Any: {x-pii: true}, A: {type: object}"));
    assert_int_equal(tg_flags_at(set, "a", ""), TG_PII_SEALED);
    tg_schema_set_unref(set);
    set = tg_build_text(SCHEMAS("Ssn: {type: string, x-pii: true}, Pin: {type: integer, x-pii: true}"));
    assert_int_equal(tg_flags_at(set, "a", ""), TG_PII_SEALED); /* nothing else speaks for an object */
    tg_schema_set_unref(set);
}

static void build_references_between_files_are_followed(void **state)
{
    (void)state;
    const schema_text texts[] = {
        {"bank/a.yaml",
         SCHEMAS("A: {properties: {p: {$ref: '../common/person.yaml'}, q: {$ref: 'b.yml#/components/"
                 "schemas/B%7E1%20x'}, r: {$ref: 'https://example.org/types#iban'}, s: {$ref: "
                 "'/common/person.yaml#/properties/ssn'}, t: {$ref: '../common/with%20blank.json#/a~1b/0'}}"
                 "}")},
        {"bank/b.yml", SCHEMAS("'B~1 x': {properties: {deep: {$ref: '#/components/schemas/C'}}}, C: {x-pii: true}, "
                               "'B/ x': {properties: {deep: {$ref: '#/components/schemas/C'}}}")},
        {"common/person.yaml", "properties: {ssn: {x-pii: true}, mother: {$ref: '#'}, e: {$ref: 'person.yaml#top'}}\n"
                               "$anchor: top\n"},
        {"common/types.json", "{\"$defs\": {\"T\": {\"$id\": \"https://example.org/types\", \"$defs\": {\"I\": "
                              "{\"$anchor\": \"iban\", \"x-pii\": true}}}}}"},
        {"common/withblank.json", "{\"a/b\": [{\"x-pii\": true}]}"},
        {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = tg_build_texts(texts, NULL, &faults);
    assert_int_equal(tg_schema_set_num_schemas(set), 1); /* a.yaml refers to a file that is not there */
    assert_true(strstr(faults.faults[0].reason, "with%20blank.json") != NULL);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);

    const schema_text right[] = {
        {"bank/a.yaml",
         SCHEMAS("A: {properties: {p: {$ref: '../common/person.yaml'}, q: {$ref: 'b.yml#/components/"
                 "schemas/B~1%20x'}, r: {$ref: 'https://example.org/types#iban'}, s: {$ref: "
                 "'/common/person.yaml#/properties/ssn'}, t: {$ref: '../common/with%62lank.json#/a~1b/0'}}"
                 "}")},
        texts[1],
        texts[2],
        texts[3],
        texts[4],
        {NULL, NULL}};
    tg_faults_init(&faults);
    set = tg_build_texts(right, NULL, &faults);
    assert_int_equal(faults.num_faults, 0);
    const char *const paths[] = {"/p/mother/e/ssn", "/q/deep", "/r", "/s", "/t"};
    for (size_t i = 0; i < TG_COUNT(paths); i++) {
        assert_true((tg_flags_at(set, "bank/a", paths[i]) & TG_PII_SEALED) != 0);
    }
    tg_pii_root root;
    assert_code(tg_schema_set_find(set, TG_LIT("common/person"), &root, NULL), TG_ERR_NOT_FOUND);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

static void build_refused_file_takes_along_who_refers_to_it(void **state)
{
    (void)state;
    const schema_text texts[] = {{"a.yaml", SCHEMAS("A: {$ref: 'b.yaml#/components/schemas/B'}")},
                                 {"b.yaml", SCHEMAS("B: {$ref: 'c.yaml#/components/schemas/C'}")},
                                 {"c.yaml", SCHEMAS("C: {}, D: {not: {x-pii: true}}")},
                                 {"d.yaml", SCHEMAS("D: {x-pii: true}")},
                                 {"e.yaml", "openapi: [\n"},
                                 {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = tg_build_texts(texts, NULL, &faults);
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    assert_slice(tg_schema_name(tg_schema_set_at(set, 0)), "d");
    assert_int_equal(tg_schema_set_num_refused(set), 4);
    assert_int_equal(faults.num_faults, 4);
    size_t num_told = 0;
    for (size_t i = 0; i < 4; i++) {
        num_told += strstr(faults.faults[i].reason, "leads to a file that is refused") != NULL;
    }
    assert_int_equal(num_told, 2);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

static void build_mark_of_a_part_that_nothing_reaches_is_told(void **state)
{
    (void)state;
    const schema_text texts[] = {{"a.yaml", SCHEMAS("A: {$ref: 'p.yaml#/$defs/x'}")},
                                 {"p.yaml", "$defs:\n  x: {x-pii: true}\n  y: {x-pii: true}\n"},
                                 {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = tg_build_texts(texts, NULL, &faults);
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    assert_int_equal(tg_schema_set_num_refused(set), 0);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].file, "p.yaml");
    assert_int_equal(faults.faults[0].line, 3);
    tg_schema_set_unref(set);
    tg_faults_done(&faults);
}

static void build_names_that_cannot_be_sent_are_refused(void **state)
{
    (void)state;
    char long_name[TG_MAX_SCHEMA_NAME_BYTES + 2];
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name + TG_MAX_SCHEMA_NAME_BYTES - 4, ".yaml", 6);
    const char *const names[] = {"../a.yaml", "/a.yaml",   "a//b.yaml", "a/.yaml",   "a b.yaml",
                                 "a#b.yaml",  "\x01.yaml", "\xff.yaml", "a\\b.yaml", long_name};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        const schema_text texts[] = {{names[i], SCHEMAS("A: {}")}, {NULL, NULL}};
        tg_schema_set *set = tg_build_texts(texts, NULL, NULL);
        assert_int_equal(tg_schema_set_num_schemas(set), 0);
        assert_int_equal(tg_schema_set_num_refused(set), 1);
        tg_schema_set_unref(set);
    }
    memcpy(long_name + TG_MAX_SCHEMA_NAME_BYTES - 5, ".yaml", 6);
    const schema_text texts[] = {{long_name, SCHEMAS("A: {}")}, {NULL, NULL}};
    tg_schema_set *set = tg_build_texts(texts, NULL, NULL);
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    tg_schema_set_unref(set);
}

static void build_one_name_with_two_endings_is_refused(void **state)
{
    (void)state;
    const schema_text texts[] = {{"a.yaml", SCHEMAS("A: {}")},
                                 {"a.json", "{\"openapi\": \"3.1.0\"}"},
                                 {"b.yml", SCHEMAS("A: {}")},
                                 {NULL, NULL}};
    tg_schema_set *set = tg_build_texts(texts, NULL, NULL);
    assert_int_equal(tg_schema_set_num_schemas(set), 1);
    assert_int_equal(tg_schema_set_num_refused(set), 2);
    tg_schema_set_unref(set);
}

static void build_too_many_files_or_bytes_are_refused_whole(void **state)
{
    (void)state;
    tg_schema_file *files = calloc(TG_MAX_SCHEMA_FILES + 1, sizeof *files);
    assert_non_null(files);
    for (size_t i = 0; i <= TG_MAX_SCHEMA_FILES; i++) {
        files[i].name = TG_LIT("a.yaml");
    }
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *set = NULL;
    assert_code(tg_schema_set_build(files, TG_MAX_SCHEMA_FILES + 1, NULL, &faults, &set), TG_ERR_LIMIT);
    assert_null(set);
    uint8_t byte = 0;
    files[0].bytes = tg_slice_of(&byte, TG_MAX_SCHEMA_SET_BYTES);
    files[1].bytes = tg_slice_of(&byte, 1);
    assert_code(tg_schema_set_build(files, 2, NULL, &faults, &set), TG_ERR_LIMIT);
    assert_int_equal(faults.num_faults, 2);
    tg_faults_done(&faults);
    free(files);
}

/* Not SHA-256, but as good for what is checked here: each byte and its place count. */
static tg_result digest(tg_slice bytes, uint8_t out_digest[TG_SCHEMA_DIGEST_BYTES])
{
    memset(out_digest, 0, TG_SCHEMA_DIGEST_BYTES);
    uint32_t sum = 1;
    for (size_t i = 0; i < bytes.len; i++) {
        sum = (sum ^ bytes.ptr[i]) * 16777619u;
        out_digest[i % TG_SCHEMA_DIGEST_BYTES] ^= (uint8_t)(sum >> 24);
    }
    return tg_ok();
}

static tg_result no_digest(tg_slice bytes, uint8_t out_digest[TG_SCHEMA_DIGEST_BYTES])
{
    (void)bytes;
    (void)out_digest;
    return tg_fail(TG_ERR_LIBRARY);
}

static void digest_depends_on_bytes_and_names_not_on_order(void **state)
{
    (void)state;
    const tg_schema_options options = {.sha256 = digest};
    const schema_text a = {"a.yaml", SCHEMAS("A: {$ref: 'p.yaml'}")};
    const schema_text b = {"b.yaml", SCHEMAS("B: {}")};
    const schema_text part = {"p.yaml", "x: 1\n"};
    const schema_text changed = {"p.yaml", "x: 2\n"};
    const schema_text none = {NULL, NULL};
    const schema_text first[] = {a, b, part, none};
    const schema_text second[] = {part, b, a, none};
    const schema_text third[] = {changed, b, a, none};
    tg_schema_set *sets[] = {tg_build_texts(first, &options, NULL), tg_build_texts(second, &options, NULL),
                             tg_build_texts(third, &options, NULL)};
    assert_memory_equal(tg_schema_set_digest(sets[0]), tg_schema_set_digest(sets[1]), TG_SCHEMA_DIGEST_BYTES);
    assert_memory_not_equal(tg_schema_set_digest(sets[0]), tg_schema_set_digest(sets[2]), TG_SCHEMA_DIGEST_BYTES);
    /* a depends on the part, b does not */
    assert_memory_not_equal(tg_schema_digest(tg_schema_set_at(sets[0], 0)),
                            tg_schema_digest(tg_schema_set_at(sets[2], 0)), TG_SCHEMA_DIGEST_BYTES);
    assert_memory_equal(tg_schema_digest(tg_schema_set_at(sets[0], 1)), tg_schema_digest(tg_schema_set_at(sets[2], 1)),
                        TG_SCHEMA_DIGEST_BYTES);
    for (size_t i = 0; i < TG_COUNT(sets); i++) {
        tg_schema_set_unref(sets[i]);
    }
    const tg_schema_options failing = {.sha256 = no_digest};
    tg_schema_file file = {TG_LIT("a.yaml"), TG_LIT("openapi: 3.1.0\n")};
    tg_schema_set *set = NULL;
    tg_faults faults;
    tg_faults_init(&faults);
    assert_code(tg_schema_set_build(&file, 1, &failing, &faults, &set), TG_ERR_LIBRARY);
    tg_faults_done(&faults);
}

static void ref_set_lives_until_last_unref(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(SCHEMAS("A: {properties: {s: {x-pii: true}}}"));
    tg_schema_set *other = tg_schema_set_ref(set);
    tg_schema_set_unref(set);
    assert_sealed(other, "/s");
    tg_schema_set_unref(other);
    tg_schema_set_unref(NULL);
}

static void build_published_examples_are_compiled(void **state)
{
    (void)state;
    const char *const names[] = {"oas-3.0-json-circular.json",        "oas-3.0-json-discriminators.json",
                                 "oas-3.0-json-schema-circular.json", "oas-3.0-json-schema-types.json",
                                 "oas-3.0-yaml-petstore.yaml",        "oas-3.1-json-schema-types.json",
                                 "oas-3.1-yaml-petstore.yaml"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "openapi/%s", names[i]);
        tg_schema_file file = {tg_slice_str(names[i]), tg_read_vector(path)};
        tg_faults faults;
        tg_faults_init(&faults);
        tg_schema_set *set = NULL;
        assert_ok(tg_schema_set_build(&file, 1, NULL, &faults, &set));
        assert_int_equal(faults.num_faults, 0);
        assert_int_equal(tg_schema_set_num_schemas(set), 1);
        assert_int_equal(tg_schema_root(tg_schema_set_at(set, 0)).state, TG_PII_NOWHERE);
        tg_schema_set_unref(set);
        tg_faults_done(&faults);
        free((void *)(uintptr_t)file.bytes.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(find_name_and_component_are_told_apart),
        cmocka_unit_test(build_root_is_every_json_body),
        cmocka_unit_test(build_root_extension_narrows),
        cmocka_unit_test(build_root_tells_whether_it_defines_payload),
        cmocka_unit_test(build_root_that_is_a_scalar_seals_scalars_alone),
        cmocka_unit_test(build_references_between_files_are_followed),
        cmocka_unit_test(build_refused_file_takes_along_who_refers_to_it),
        cmocka_unit_test(build_mark_of_a_part_that_nothing_reaches_is_told),
        cmocka_unit_test(build_names_that_cannot_be_sent_are_refused),
        cmocka_unit_test(build_one_name_with_two_endings_is_refused),
        cmocka_unit_test(build_too_many_files_or_bytes_are_refused_whole),
        cmocka_unit_test(digest_depends_on_bytes_and_names_not_on_order),
        cmocka_unit_test(ref_set_lives_until_last_unref),
        cmocka_unit_test(build_published_examples_are_compiled),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
