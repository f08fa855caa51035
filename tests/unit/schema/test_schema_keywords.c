/* What each keyword seals. The positions are those of JSON Schema 2020-12 and OpenAPI 3.0, written out by hand. */
#include "support/schema_case.h"

#define REF(name) "{$ref: \"#/components/schemas/" name "\"}"

static void build_properties_seal_their_members_alone(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(SCHEMAS("A: {type: object, properties: {ssn: {x-pii: true}, b: {properties: {"
                                               "c: {x-pii: true}}}, d: {x-pii: false}}}"));
    assert_sealed(set, "/ssn");
    assert_sealed(set, "/b/c");
    assert_open(set, "");
    assert_open(set, "/b");
    assert_open(set, "/d");
    assert_open(set, "/x");
    assert_open(set, "/c");
    assert_int_equal(tg_flags_at(set, "a", "/x"), 0);
    assert_true((tg_flags_at(set, "a", "") & TG_PII_IN_OBJECT) != 0);
    assert_true((tg_flags_at(set, "a", "") & TG_PII_IN_ARRAY) == 0);
    tg_schema_set_unref(set);
}

static void build_items_seal_each_element(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {list: {items: {x-pii: true}}, pair: {prefixItems: [{}, {x-pii: true}], items: "
                "{properties: {z: {x-pii: true}}}}, old: {items: [{x-pii: true}], additionalItems: {properties: {y: "
                "{x-pii: true}}}}, some: {contains: {x-pii: true}}}}"));
    assert_sealed(set, "/list/[0]");
    assert_sealed(set, "/list/[99]");
    assert_open(set, "/pair/[0]");
    assert_sealed(set, "/pair/[1]");
    assert_open(set, "/pair/[2]");
    assert_sealed(set, "/pair/[2]/z");
    assert_open(set, "/pair/[0]/z");
    assert_sealed(set, "/old/[0]");
    assert_open(set, "/old/[1]");
    assert_sealed(set, "/old/[1]/y");
    assert_sealed(set, "/some/[5]");
    assert_true((tg_flags_at(set, "a", "/list") & TG_PII_IN_ARRAY) != 0);
    tg_schema_set_unref(set);
}

static void build_additional_properties_seal_what_is_not_listed(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {id: {}}, patternProperties: {'^o_': {}}, additionalProperties: {x-pii: true}}"));
    assert_open(set, "/id");
    assert_open(set, "/o_x");
    assert_sealed(set, "/name");
    assert_sealed(set, "/");
    tg_schema_set_unref(set);
}

static void build_pattern_properties_seal_listed_names_too(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {p_id: {}, q: {}}, patternProperties: {'^p_': {x-pii: true}, '1$': {properties: {z: "
                "{x-pii: true}}}}}"));
    assert_sealed(set, "/p_id");
    assert_sealed(set, "/p_new");
    assert_open(set, "/q");
    assert_open(set, "/new");
    assert_sealed(set, "/x1/z");
    assert_sealed(set, "/p_1");
    assert_open(set, "/x2/z");
    tg_schema_set_unref(set);
}

static void build_alternatives_all_count(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {allOf: [{properties: {a: {x-pii: true}}}], oneOf: [{properties: {b: {x-pii: true}}}, {type: "
                "array}], anyOf: [{properties: {c: {x-pii: true}}}], if: {properties: {d: {x-pii: true}}}, then: "
                "{properties: {e: {x-pii: true}}}, else: {properties: {f: {x-pii: true}}}, dependentSchemas: {x: "
                "{properties: {g: {x-pii: true}}}}, dependencies: {y: {properties: {h: {x-pii: true}}}, z: [y]}, "
                "not: {properties: {i: {}}}}"));
    const char *const paths[] = {"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"};
    for (size_t i = 0; i < TG_COUNT(paths); i++) {
        assert_sealed(set, paths[i]);
    }
    assert_open(set, "/i");
    tg_schema_set_unref(set);
}

static void build_shield_belongs_to_its_own_schema(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {allOf: [{properties: {a: {}}}, {properties: {b: {}}, additionalProperties: {x-pii: true}}]}"));
    assert_sealed(set, "/a"); /* not listed by the schema that has additionalProperties */
    assert_open(set, "/b");
    assert_sealed(set, "/c");
    tg_schema_set_unref(set);
}

static void build_unevaluated_leaves_alone_what_all_of_lists(void **state)
{
    (void)state;
    tg_schema_set *set =
        tg_build_text(SCHEMAS("B: {properties: {b: {}}, patternProperties: {'^q': {}}}, A: {allOf: [" REF(
            "B") "], anyOf: "
                 "[{properties: {c: {}}}], properties: {a: {}}, unevaluatedProperties: {x-pii: true}}"));
    assert_open(set, "/a");
    assert_open(set, "/b");
    assert_open(set, "/q1");
    assert_sealed(set, "/c"); /* anyOf may not hold: in doubt it is PII */
    assert_sealed(set, "/d");
    tg_schema_set_unref(set);
    set = tg_build_text(SCHEMAS("A: {allOf: [{additionalProperties: {}}], unevaluatedProperties: {x-pii: true}, "
                                "properties: {z: {x-pii: true}}}"));
    assert_open(set, "/d");
    assert_sealed(set, "/z");
    tg_schema_set_unref(set);
}

static void build_unevaluated_items_begin_behind_the_prefix(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {a: {allOf: [{prefixItems: [{}, {}]}], prefixItems: [{}], unevaluatedItems: {x-pii: "
                "true}}, b: "
                "{allOf: [{items: {}}], unevaluatedItems: {properties: {x: {x-pii: true}}}}, c: {unevaluatedItems: "
                "{x-pii: true}}}}"));
    assert_open(set, "/a/[0]");
    assert_open(set, "/a/[1]");
    assert_sealed(set, "/a/[2]");
    assert_open(set, "/b/[0]/x");
    assert_sealed(set, "/c/[0]");
    tg_schema_set_unref(set);
}

static void build_cycles_end_in_finite_graphs(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {properties: {ssn: {x-pii: true}, child: " REF("A") ", all: {items: " REF("A") "}}}"));
    assert_sealed(set, "/child/child/all/[3]/child/ssn");
    assert_open(set, "/child/child/name");
    assert_int_equal(tg_schema_graph(tg_schema_set_at(set, 0))->num_nodes, 4);
    tg_schema_set_unref(set);
}

static void build_discriminator_adds_mapped_and_derived_schemas(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        "openapi: 3.0.3\n"
        "paths: {/x: {post: {requestBody: {content: {application/json: {schema: " REF(
            "Pet") "}}}}}}\n"
                   "components: {schemas: {Pet: {discriminator: {propertyName: kind, mapping: {f: Fish, b: "
                   "'#/components/schemas/"
                   "Bird'}}}, Fish: {properties: {a: {x-pii: true}}}, Bird: {properties: {b: {x-pii: true}}}, Cat: "
                   "{allOf: [" REF("Pet") ", {properties: {c: {x-pii: true}}}]}, Lion: {allOf: [" REF(
                       "Cat") ", {properties: {d: "
                              "{x-pii: true}}}]}}}\n");
    assert_sealed(set, "/a");
    assert_sealed(set, "/b");
    assert_sealed(set, "/c");
    assert_sealed(set, "/d");
    assert_true((tg_flags_at(set, "a#Cat", "/a") & TG_PII_SEALED) != 0); /* a Cat is a Pet, which may be a Fish */
    assert_true((tg_flags_at(set, "a#Bird", "/a") & TG_PII_SEALED) == 0);
    tg_schema_set_unref(set);
}

static void build_dynamic_ref_means_every_anchor_of_its_name(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(SCHEMAS(
        "Tree: {$id: tree, $dynamicAnchor: node, properties: {kids: {items: {$dynamicRef: '#node'}}}}, A: {$id: "
        "strict, $dynamicAnchor: node, $ref: tree, properties: {ssn: {x-pii: true}}}"));
    assert_sealed(set, "/kids/[0]/ssn");
    assert_true((tg_flags_at(set, "a#A", "/kids/[0]/kids/[0]/ssn") & TG_PII_SEALED) != 0);
    tg_schema_set_unref(set);
    set = tg_build_text(SCHEMAS("A: {$anchor: node, properties: {ssn: {x-pii: true}, k: {$dynamicRef: '#node'}}}"));
    assert_sealed(set, "/k/k/ssn");
    tg_schema_set_unref(set);
}

static void build_siblings_of_ref_count_in_3_1_only(void **state)
{
    (void)state;
    const char *schemas_31 = SCHEMAS("A: {properties: {a: {$ref: '#/components/schemas/B', properties: {s: "
                                     "{x-pii: true}}}, b: {$ref: '#/components/schemas/B', x-pii: true}}}, B: {}");
    tg_schema_set *set = tg_build_text(schemas_31);
    assert_sealed(set, "/a/s");
    assert_sealed(set, "/b");
    tg_schema_set_unref(set);
    set =
        tg_build_text(SCHEMAS_30("A: {properties: {a: {$ref: '#/components/schemas/B', properties: {s: {}}}, b: "
                                 "{$ref: '#/components/schemas/B', x-pii: true}}}, B: {type: string, nullable: true}"));
    assert_sealed(set, "/b");
    tg_schema_set_unref(set);
    assert_refused(SCHEMAS_30("A: {$ref: '#/components/schemas/B', properties: {s: {x-pii: true}}}, B: {}"), 2,
                   "/components/schemas/A/properties/s/x-pii", "no JSON body reaches");
}

static void build_types_decide_mismatches(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {type: object, properties: {o: {type: object, properties: {s: {x-pii: true}}}, l: {type: [array, "
                "'null'], items: {x-pii: true}}, e: {oneOf: [{type: object, properties: {s: {x-pii: true}}}, {type: "
                "array}]}, n: {type: string, properties: {s: {x-pii: true}}}, u: {properties: {s: {x-pii: true}}}, r: "
                "{allOf: [{$ref: '#/components/schemas/A'}, {type: [object, array]}]}, p: {type: array}}}"));
    assert_int_equal(tg_flags_at(set, "a", ""), TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    assert_int_equal(tg_flags_at(set, "a", "/o"), TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    assert_int_equal(tg_flags_at(set, "a", "/l"), TG_PII_IN_ARRAY | TG_PII_NO_OBJECT);
    assert_int_equal(tg_flags_at(set, "a", "/e"), TG_PII_IN_OBJECT);
    assert_int_equal(tg_flags_at(set, "a", "/n"), TG_PII_IN_OBJECT | TG_PII_NO_OBJECT | TG_PII_NO_ARRAY);
    assert_int_equal(tg_flags_at(set, "a", "/u"), TG_PII_IN_OBJECT);
    assert_int_equal(tg_flags_at(set, "a", "/r"), TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    assert_int_equal(tg_flags_at(set, "a", "/p"), 0);
    tg_schema_set_unref(set);
}

static void build_alternative_without_pii_still_allows_its_type(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {type: object, properties: {data: {type: object, properties: {s: {x-pii: true}}}}}, B: {type: "
                "object, properties: {data: {type: array, items: {type: string}}}}, C: {type: object, properties: "
                "{code: {type: string}}}"));
    assert_int_equal(tg_flags_at(set, "a", "/data"), TG_PII_IN_OBJECT);
    assert_int_equal(tg_flags_at(set, "a#A", "/data"), TG_PII_IN_OBJECT | TG_PII_NO_ARRAY);
    assert_int_equal(tg_flags_at(set, "a#B", "/data"), 0);
    tg_schema_set_unref(set);
}

static void build_eight_patterns_are_taken_and_nine_refused(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(
        SCHEMAS("A: {patternProperties: {a: {x-pii: true}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}}}"));
    assert_sealed(set, "/bca");
    assert_open(set, "/bcd");
    tg_schema_set_unref(set);
    assert_refused(SCHEMAS("A: {patternProperties: {a: {x-pii: true}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, h: {}, "
                           "i: {}}}"),
                   2, "/components/schemas/A/patternProperties/i", "more than 8 patterns");
}

static void build_aliases_and_merges_carry_marks(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text("openapi: 3.1.0\n"
                                       "x-parts:\n"
                                       "  person: &person {type: object, properties: {ssn: {x-pii: true}}}\n"
                                       "components:\n"
                                       "  schemas:\n"
                                       "    A: {properties: {owner: *person, other: {<<: *person, type: [object]}}}\n");
    assert_sealed(set, "/owner/ssn");
    assert_sealed(set, "/other/ssn");
    tg_schema_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(build_properties_seal_their_members_alone),
        cmocka_unit_test(build_items_seal_each_element),
        cmocka_unit_test(build_additional_properties_seal_what_is_not_listed),
        cmocka_unit_test(build_pattern_properties_seal_listed_names_too),
        cmocka_unit_test(build_alternatives_all_count),
        cmocka_unit_test(build_shield_belongs_to_its_own_schema),
        cmocka_unit_test(build_unevaluated_leaves_alone_what_all_of_lists),
        cmocka_unit_test(build_unevaluated_items_begin_behind_the_prefix),
        cmocka_unit_test(build_cycles_end_in_finite_graphs),
        cmocka_unit_test(build_discriminator_adds_mapped_and_derived_schemas),
        cmocka_unit_test(build_dynamic_ref_means_every_anchor_of_its_name),
        cmocka_unit_test(build_siblings_of_ref_count_in_3_1_only),
        cmocka_unit_test(build_types_decide_mismatches),
        cmocka_unit_test(build_alternative_without_pii_still_allows_its_type),
        cmocka_unit_test(build_eight_patterns_are_taken_and_nine_refused),
        cmocka_unit_test(build_aliases_and_merges_carry_marks),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
