/* Refreshes that must not lose anything, and the difference that people read. */
#include "schema/graph_compare.h"
#include "schema/pii_paths.h"
#include "support/schema_case.h"

#include <stdio.h>

static tg_schema_set *build(const char *text, const tg_schema_set *previous, bool allow_removal, tg_faults *faults)
{
    const schema_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    const tg_schema_options options = {.previous = previous, .allow_removal = allow_removal, .is_for_lint = true};
    return tg_build_texts(texts, &options, faults);
}

/* Says whether refreshing OLD by NEW keeps the old graph. */
static bool is_kept(const char *old_text, const char *new_text, const char *path_of_loss)
{
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *old_set = build(old_text, NULL, false, &faults);
    assert_int_equal(faults.num_faults, 0);
    tg_schema_set *new_set = build(new_text, old_set, false, &faults);
    assert_int_equal(tg_schema_set_num_schemas(new_set), 1);
    bool kept = tg_schema_is_kept(new_set, 0);
    assert_int_equal(tg_schema_set_num_kept(new_set), kept);
    assert_ptr_equal(tg_schema_set_at(new_set, 0), kept ? tg_schema_set_at(old_set, 0) : tg_schema_set_at(new_set, 0));
    assert_int_equal(faults.num_faults, kept);
    if (kept && path_of_loss != NULL) {
        assert_string_equal(faults.faults[0].field, path_of_loss);
        assert_true(strstr(faults.faults[0].remedy, "SCHEMA_ALLOW_REMOVAL") != NULL);
    }
    tg_schema_set_unref(old_set); /* what is kept outlives the set that it came from */
    assert_true(tg_schema_num_marks(tg_schema_set_at(new_set, 0)) > 0 || !kept);
    tg_schema_set_unref(new_set);
    tg_faults_done(&faults);
    return kept;
}

static void refresh_that_seals_as_much_is_taken(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"),
         SCHEMAS("A: {properties: {s: {x-pii: true}, t: {x-pii: true}}}")},
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"), SCHEMAS("B: {x-pii: true}")}, /* an ancestor is sealed */
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"), SCHEMAS("A: {additionalProperties: {x-pii: true}}")},
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"), SCHEMAS("A: {patternProperties: {'^s': {x-pii: true}}}")},
        {SCHEMAS("A: {items: {x-pii: true}}"), SCHEMAS("A: {prefixItems: [{x-pii: true}], items: {x-pii: true}}")},
        {SCHEMAS("A: {properties: {s: {x-pii: true}, c: {$ref: '#/components/schemas/A'}}}"),
         SCHEMAS("A: {properties: {s: {x-pii: true}, c: {$ref: '#/components/schemas/B'}}}, B: {$ref: "
                 "'#/components/schemas/A'}")},
        {SCHEMAS("A: {patternProperties: {'^a': {x-pii: true}}}"),
         SCHEMAS("A: {patternProperties: {'^a': {x-pii: true}, 'b$': {x-pii: true}}}")},
        {SCHEMAS("A: {type: string}"), SCHEMAS("A: {type: object}")},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        if (is_kept(cases[i][0], cases[i][1], NULL)) {
            fail_msg("case %zu keeps the old schema", i);
        }
    }
}

static void refresh_that_seals_less_keeps_the_old_schema(void **state)
{
    (void)state;
    const struct {
        const char *old_text;
        const char *new_text;
        const char *path;
    } cases[] = {
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"), SCHEMAS("A: {properties: {s: {}}}"), "/s"},
        {SCHEMAS("A: {x-pii: true}"), SCHEMAS("A: {properties: {s: {x-pii: true}}}"), ""},
        {SCHEMAS("A: {additionalProperties: {x-pii: true}}"),
         SCHEMAS("A: {properties: {id: {}}, additionalProperties: {x-pii: true}}"), "/id"},
        {SCHEMAS("A: {additionalProperties: {x-pii: true}}"), SCHEMAS("A: {properties: {s: {x-pii: true}}}"), "/*"},
        {SCHEMAS("A: {items: {x-pii: true}}"), SCHEMAS("A: {prefixItems: [{x-pii: true}]}"), "/*"},
        {SCHEMAS("A: {items: {x-pii: true}}"), SCHEMAS("A: {prefixItems: [{}], items: {x-pii: true}}"), "/0"},
        {SCHEMAS("A: {patternProperties: {'^a': {x-pii: true}}}"),
         SCHEMAS("A: {patternProperties: {'^ab': {x-pii: true}}}"), "/{^a}"},
        {SCHEMAS("A: {properties: {'a/b': {items: {properties: {'~': {x-pii: true}}}}}}"), SCHEMAS("A: {}"),
         "/a~1b/*/~0"},
        {SCHEMAS("A: {properties: {s: {x-pii: true}, c: {$ref: '#/components/schemas/A'}}}"),
         SCHEMAS("A: {properties: {s: {x-pii: true}, c: {properties: {s: {x-pii: true}}}}}"), "/c/c/s"},
        {SCHEMAS("A: {type: string, x-pii: true}, B: {type: object}"), SCHEMAS("B: {type: object}"), ""},
        {SCHEMAS("A: {properties: {s: {x-pii: true}}}"), /* {"payload": {"s": ...}} is no wrapper any more */
         SCHEMAS("A: {properties: {s: {x-pii: true}, payload: {}}}"), "/payload/s"},
        {"x-teegate-root: [A]\n" SCHEMAS("A: {x-pii: true}, B: {x-pii: true}"),
         "x-teegate-root: [A]\n" SCHEMAS("A: {x-pii: true}, B: {}"), ""}, /* only by name#B */
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        if (!is_kept(cases[i].old_text, cases[i].new_text, cases[i].path)) {
            fail_msg("case %zu takes the new schema", i);
        }
    }
}

static void refresh_broken_or_missing_file_keeps_the_old_schema(void **state)
{
    (void)state;
    const schema_text two[] = {
        {"a.yaml", SCHEMAS("A: {x-pii: true}")}, {"b.yaml", SCHEMAS("B: {x-pii: true}")}, {NULL, NULL}};
    const schema_text broken[] = {{"b.yaml", "openapi: ["}, {"c.yaml", SCHEMAS("C: {x-pii: true}")}, {NULL, NULL}};
    tg_faults faults;
    tg_faults_init(&faults);
    tg_schema_set *first = tg_build_texts(two, NULL, &faults);
    const tg_schema_options keeping = {.previous = first};
    tg_schema_set *second = tg_build_texts(broken, &keeping, &faults);
    assert_int_equal(tg_schema_set_num_schemas(second), 3);
    assert_int_equal(tg_schema_set_num_kept(second), 2);
    assert_int_equal(tg_schema_set_num_refused(second), 1);
    assert_int_equal(faults.num_faults, 3); /* b is refused; a and b stay */
    assert_slice(tg_schema_name(tg_schema_set_at(second, 0)), "a");
    assert_true(tg_schema_is_kept(second, 0) && tg_schema_is_kept(second, 1) && !tg_schema_is_kept(second, 2));
    assert_true((tg_flags_at(second, "b", "") & TG_PII_SEALED) != 0);
    const tg_schema_options removing = {.previous = second, .allow_removal = true};
    tg_schema_set *third = tg_build_texts(broken, &removing, &faults);
    assert_int_equal(tg_schema_set_num_schemas(third), 1);
    assert_slice(tg_schema_name(tg_schema_set_at(third, 0)), "c");
    tg_schema_set_unref(first);
    tg_schema_set_unref(second);
    tg_schema_set_unref(third);
    tg_faults_done(&faults);
}

static void refresh_with_costly_pattern_proves_nothing_and_keeps(void **state)
{
    (void)state;
    assert_true(is_kept(SCHEMAS("A: {properties: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab: {x-pii: true}}}"),
                        SCHEMAS("A: {patternProperties: {'^(a|aa)+$': {x-pii: true}}}"), NULL));
}

static void diff_lists_removed_added_and_retyped(void **state)
{
    (void)state;
    tg_schema_set *old_set = build(
        SCHEMAS("A: {properties: {s: {type: string, x-pii: true}, gone: {x-pii: true}, l: {items: {properties: {x: "
                "{x-pii: true}}}}, c: {$ref: '#/components/schemas/A'}}}"),
        NULL, false, NULL);
    tg_schema_set *new_set =
        build(SCHEMAS("A: {properties: {s: {type: [string, 'null'], x-pii: true}, l: {items: {x-pii: true}}, c: {$ref: "
                      "'#/components/schemas/A'}, m: {additionalProperties: {x-pii: true}}}}"),
              NULL, false, NULL);
    tg_pii_changes changes;
    assert_ok(tg_schema_diff(tg_schema_set_at(old_set, 0), tg_schema_set_at(new_set, 0), &changes));
    assert_false(changes.is_cut);
    assert_int_equal(changes.num_changes, 4);
    assert_int_equal(changes.changes[0].kind, TG_PII_REMOVED);
    assert_string_equal(changes.changes[0].path, "/gone");
    assert_int_equal(changes.changes[3].kind, TG_PII_RETYPED);
    assert_string_equal(changes.changes[3].path, "/s");
    assert_int_equal(changes.changes[3].old_types, TG_TYPE_STRING);
    assert_int_equal(changes.changes[3].new_types, TG_TYPE_STRING | TG_TYPE_NULL);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(changes.changes[i].kind, TG_PII_ADDED);
        assert_true(strcmp(changes.changes[i].path, "/l/*") == 0 || strcmp(changes.changes[i].path, "/m/*") == 0);
    }
    tg_pii_changes_done(&changes);
    assert_ok(tg_schema_diff(tg_schema_set_at(old_set, 0), tg_schema_set_at(old_set, 0), &changes));
    assert_int_equal(changes.num_changes, 0);
    tg_pii_changes_done(&changes);
    tg_schema_set_unref(old_set);
    tg_schema_set_unref(new_set);
}

static void diff_more_changes_than_are_kept_is_cut(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    assert_ok(tg_buf_append_str(&text, "openapi: 3.1.0\ncomponents: {schemas: {A: {properties: {x: {x-pii: true},\n"));
    for (unsigned i = 0; i <= TG_MAX_PII_CHANGES; i++) {
        assert_ok(tg_buf_printf(&text, "k%u: {x-pii: true},\n", i));
    }
    assert_ok(tg_buf_append(&text, TG_LIT("}}}}\n\0")));
    tg_schema_set *old_set = build((const char *)tg_buf_slice(&text).ptr, NULL, false, NULL);
    tg_schema_set *new_set = build(SCHEMAS("A: {properties: {x: {x-pii: true}}}"), NULL, false, NULL);
    tg_pii_changes changes;
    assert_ok(tg_schema_diff(tg_schema_set_at(old_set, 0), tg_schema_set_at(new_set, 0), &changes));
    assert_true(changes.is_cut);
    assert_int_equal(changes.num_changes, TG_MAX_PII_CHANGES);
    tg_pii_changes_done(&changes);
    tg_schema_set_unref(old_set);
    tg_schema_set_unref(new_set);
    tg_buf_done(&text);
}

static void append_type_names_are_joined(void **state)
{
    (void)state;
    const struct {
        uint32_t types;
        const char *text;
    } cases[] = {
        {TG_TYPE_ANY, "any"},
        {0, "none"},
        {TG_TYPE_STRING, "string"},
        {TG_TYPE_STRING | TG_TYPE_NULL, "string or null"},
        {TG_TYPE_INTEGER, "integer"},
        {TG_TYPE_NUMBER, "number"},
        {TG_TYPE_NUMBER | TG_TYPE_BOOLEAN | TG_TYPE_OBJECT | TG_TYPE_ARRAY, "number or boolean or object or array"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_buf buf;
        tg_buf_init(&buf, 100);
        assert_ok(tg_type_append(cases[i].types, &buf));
        tg_assert_slice(tg_buf_slice(&buf), tg_slice_str(cases[i].text), __FILE__, __LINE__);
        tg_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refresh_that_seals_as_much_is_taken),
        cmocka_unit_test(refresh_that_seals_less_keeps_the_old_schema),
        cmocka_unit_test(refresh_broken_or_missing_file_keeps_the_old_schema),
        cmocka_unit_test(refresh_with_costly_pattern_proves_nothing_and_keeps),
        cmocka_unit_test(diff_lists_removed_added_and_retyped),
        cmocka_unit_test(diff_more_changes_than_are_kept_is_cut),
        cmocka_unit_test(append_type_names_are_joined),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
