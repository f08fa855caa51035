/* Everything that refuses a file, with the place that is told. */
#include "support/schema_case.h"

#include <stdio.h>

#define BODY(schema)                                                                                                   \
    "openapi: 3.1.0\npaths: {/x: {post: {requestBody: {content: {application/json: {schema: " schema "}}}}}}\n"

static void build_mark_that_is_no_boolean_is_refused(void **state)
{
    (void)state;
    const char *const values[] = {"'true'", "yes", "1", "{}", "[]", "~", "truee"};
    for (size_t i = 0; i < TG_COUNT(values); i++) {
        char text[256];
        snprintf(text, sizeof text, SCHEMAS("A: {properties: {s: {x-pii: %s}}}"), values[i]);
        assert_refused(text, 2, "/components/schemas/A/properties/s/x-pii", "neither true nor false");
    }
}

static void build_misspelt_mark_is_refused(void **state)
{
    (void)state;
    const char *const keys[] = {"x_pii", "X-PII", "xPii", "X-Pii", "x-pii ", "x--pii", "xpii", "x.pii"};
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        char text[256];
        snprintf(text, sizeof text, SCHEMAS("A: {properties: {s: {'%s': true}}}"), keys[i]);
        assert_refused(text, 2, NULL, "misspelt");
        snprintf(text, sizeof text, SCHEMAS("A: {properties: {s: {type: string}, '%s': true}}"), keys[i]);
        assert_refused(text, 2, NULL, "stands among names");
    }
    tg_schema_set_unref(tg_build_text(SCHEMAS("A: {properties: {x_pii: {type: string}, 'x-piix': {}}}")));
    tg_schema_set_unref(tg_build_text(SCHEMAS("A: {example: {x-pii: 'x', x_pii: 1}, enum: [{x-pii: 2}]}")));
}

static void build_mark_below_another_keyword_of_that_name_counts(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {example: {x-pii: true}, default: {x-pii: true}, properties: {properties: "
                "{properties: {x-pii: true}}}}}"));
    assert_sealed(set, "/example");
    assert_sealed(set, "/default");
    assert_sealed(set, "/properties/properties");
    tg_schema_set_unref(set);
}

static void build_mark_that_no_root_reaches_is_refused(void **state)
{
    (void)state;
    assert_refused(SCHEMAS("A: {not: {x-pii: true}}"), 2, "/components/schemas/A/not/x-pii", "no JSON body");
    assert_refused(SCHEMAS("A: {propertyNames: {x-pii: true}}"), 2, NULL, "no JSON body");
    assert_refused(BODY("{type: string}") "components:\n  schemas:\n    B:\n      properties:\n        s:\n"
                                          "          type: string\n          x-pii: true\n",
                   9, "/components/schemas/B/properties/s/x-pii", "no JSON body");
    assert_refused(BODY("{type: string}") "x-extra: {x-pii: true}\n", 3, "/x-extra/x-pii", "no JSON body");
    assert_refused("openapi: 3.1.0\npaths: {/x: {post: {parameters: [{schema: {x-pii: true}}], requestBody: {content: "
                   "{application/json: {schema: {}}}}}}}\n",
                   2, "/paths/~1x/post/parameters/0/schema/x-pii", "no JSON body");
    assert_refused("openapi: 3.1.0\npaths: {/x: {post: {requestBody: {content: {application/json: {schema: {}}, "
                   "multipart/form-data: {schema: {x-pii: true}}}}}}}\n",
                   2, NULL, "no JSON body");
    assert_refused("openapi: 3.1.0\nx-pii: true\n", 2, "/x-pii", "no JSON body");
}

static void build_reference_that_leads_nowhere_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *reference;
        const char *reason;
    } cases[] = {{"#/components/schemas/B", "leads to nothing"},
                 {"#/components/schemas/A/", "leads to nothing"},
                 {"#/components/schemas/~2", "leads to nothing"},
                 {"#/components/schemas/A~", "leads to nothing"},
                 {"#%zz", "leads to nothing"},
                 {"#anchor", "leads to nothing"},
                 {"b.yaml", "not in the set"},
                 {"sub/../a.yaml#/x", "leads to nothing"},
                 {"../a.yaml", "climbs out of the set"},
                 {"http://example.org/a.yaml", "leads outside the set"},
                 {"//example.org/a.yaml", "leads outside the set"},
                 {"file:///a.yaml", "leads outside the set"},
                 {"urn:x:y", "leads outside the set"},
                 {"a.yaml?x", "not in the set"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, SCHEMAS("A: {properties: {s: {$ref: '%s'}}}"), cases[i].reference);
        assert_refused(text, 2, "/components/schemas/A/properties/s", cases[i].reason);
    }
    assert_refused(SCHEMAS("A: {$ref: 1}"), 2, "/components/schemas/A/$ref", "no text");
    assert_refused(SCHEMAS("A: {$dynamicRef: '#x'}"), 2, "/components/schemas/A", "leads to nothing");
    assert_refused(SCHEMAS("A: {$recursiveRef: '#'}"), 2, NULL, "$recursiveRef");
    assert_refused(SCHEMAS("A: {discriminator: {mapping: {a: Missing}}}"), 2, "/components/schemas/A",
                   "not in the set");
    assert_refused(SCHEMAS("A: {discriminator: {mapping: {a: 1}}}"), 2, NULL, "no text");
    assert_refused("openapi: 3.1.0\npaths: {/x: {get: {parameters: [{$ref: '#/no'}]}}}\n", 2,
                   "/paths/~1x/get/parameters/0", "leads to nothing");
}

static void build_reference_chain_without_end_is_refused(void **state)
{
    (void)state;
    assert_refused(SCHEMAS("A: {$ref: '#/components/schemas/A'}"), 2, NULL, "leads back to itself");
    assert_refused(SCHEMAS("A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}"), 2, NULL,
                   "leads back to itself");
    assert_refused("openapi: 3.1.0\npaths: {/x: {post: {requestBody: {$ref: '#/components/requestBodies/R'}}}}\n"
                   "components: {requestBodies: {R: {$ref: '#/components/requestBodies/R'}}}\n",
                   3, NULL, "does not end");
    tg_schema_set_unref(tg_build_text(SCHEMAS("A: {allOf: [{$ref: '#/components/schemas/A'}]}"))); /* no chain */
}

static void build_document_of_another_kind_is_refused(void **state)
{
    (void)state;
    assert_refused("", 0, "", "empty");
    assert_refused("- 1\n", 1, "", "no map");
    assert_refused("text\n", 1, "", "no map");
    assert_refused("a: 1\n", 0, "", "no OpenAPI document");
    assert_refused("swagger: '2.0'\n", 1, "", "Swagger 2.0");
    assert_refused("openapi: 3.2.0\n", 1, "/openapi", "neither 3.0.x nor 3.1.x");
    assert_refused("openapi: 3.1\n", 1, "/openapi", "neither 3.0.x nor 3.1.x");
    assert_refused("info: x\nopenapi: '4.0.0'\n", 2, "/openapi", "neither 3.0.x nor 3.1.x");
    assert_refused("\x7f"
                   "ELF\x02\x01",
                   1, "", "not YAML");
}

static void build_malformed_schema_is_refused(void **state)
{
    (void)state;
    const char *const schemas[] = {"text",
                                   "1",
                                   "[]",
                                   "{properties: []}",
                                   "{properties: {a: text}}",
                                   "{patternProperties: 1}",
                                   "{allOf: {}}",
                                   "{anyOf: [1]}",
                                   "{items: text}",
                                   "{prefixItems: {}}",
                                   "{prefixItems: [], items: []}",
                                   "{additionalProperties: text}",
                                   "{dependentSchemas: []}",
                                   "{if: 1}"};
    for (size_t i = 0; i < TG_COUNT(schemas); i++) {
        char text[256];
        snprintf(text, sizeof text, SCHEMAS("A: %s"), schemas[i]);
        assert_refused(text, 2, NULL, "");
    }
    assert_refused(SCHEMAS("A: {patternProperties: {'(': {}}}"), 2, "/components/schemas/A/patternProperties/(",
                   "cannot be compiled");
    assert_refused(SCHEMAS("A: {properties: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab: {}}, patternProperties: "
                           "{'^(a|aa)+$': {x-pii: true}}}"),
                   2, NULL, "too many steps");
    tg_schema_set_unref(tg_build_text(SCHEMAS("A: , B: {properties: , allOf: , items: ~, type: ~}, C: {type: any}")));
}

static void build_address_or_anchor_twice_is_refused(void **state)
{
    (void)state;
    assert_refused(SCHEMAS("A: {$id: 'urn:x'}, B: {$id: 'urn:x'}"), 2, "/components/schemas/B/$id", "is taken");
    assert_refused(SCHEMAS("A: {$anchor: x}, B: {$anchor: x}"), 2, "/components/schemas/B/$anchor", "stands twice");
    assert_refused(SCHEMAS("A: {$id: '../up'}"), 2, NULL, "climbs out");
    tg_schema_set_unref(tg_build_text(SCHEMAS("A: {$id: 'urn:a', $anchor: x}, B: {$id: 'urn:b', $anchor: x}")));
}

static void build_root_that_is_no_component_is_refused(void **state)
{
    (void)state;
    assert_refused("x-teegate-root: [B]\n" SCHEMAS("A: {}"), 1, "/x-teegate-root/0", "names no schema");
    assert_refused("x-teegate-root: []\n" SCHEMAS("A: {}"), 1, "/x-teegate-root", "names no schema");
    assert_refused("x-teegate-root: 1\n" SCHEMAS("A: {}"), 1, "/x-teegate-root", "names no schema");
}

static void build_schemas_that_explode_are_refused(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 1 << 16);
    assert_ok(tg_buf_append_str(&text,
                                "openapi: 3.1.0\ncomponents:\n  schemas:\n    A: {properties: {a: {anyOf: [{$ref: "
                                "'#/components/schemas/A'}, {$ref: '#/components/schemas/B1'}]}, b: {$ref: "
                                "'#/components/schemas/A'}}}\n"));
    for (unsigned i = 1; i < 30; i++) {
        assert_ok(tg_buf_printf(&text, "    B%u: {properties: {a: &r%u {$ref: '#/components/schemas/B%u'}, b: *r%u}}\n",
                                i, i, i + 1, i));
    }
    assert_ok(tg_buf_append(&text, TG_LIT("    B30: {x-pii: true}\n\0")));
    assert_refused((const char *)tg_buf_slice(&text).ptr, 0, "", "more than can be compiled");
    tg_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(build_mark_that_is_no_boolean_is_refused),
        cmocka_unit_test(build_misspelt_mark_is_refused),
        cmocka_unit_test(build_mark_below_another_keyword_of_that_name_counts),
        cmocka_unit_test(build_mark_that_no_root_reaches_is_refused),
        cmocka_unit_test(build_reference_that_leads_nowhere_is_refused),
        cmocka_unit_test(build_reference_chain_without_end_is_refused),
        cmocka_unit_test(build_document_of_another_kind_is_refused),
        cmocka_unit_test(build_malformed_schema_is_refused),
        cmocka_unit_test(build_address_or_anchor_twice_is_refused),
        cmocka_unit_test(build_root_that_is_no_component_is_refused),
        cmocka_unit_test(build_schemas_that_explode_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
