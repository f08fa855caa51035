#include "schema/pii_paths.h"
#include "support/schema_case.h"

#include <stdio.h>

static tg_schema_set *build(const char *text)
{
    const schema_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    const tg_schema_options options = {.is_for_lint = true};
    return tg_build_texts(texts, &options, NULL);
}

static const tg_pii_path *find_path(const tg_schema_set *set, const char *path)
{
    const tg_schema *schema = tg_schema_set_at(set, 0);
    for (size_t i = 0; i < tg_schema_num_paths(schema); i++) {
        if (tg_slice_equal(tg_schema_path(schema, i)->path, tg_slice_str(path))) {
            return tg_schema_path(schema, i);
        }
    }
    return NULL;
}

static void list_sealed_members_with_place_and_facts(void **state)
{
    (void)state;
    tg_schema_set *set = build("openapi: 3.1.0\n"
                               "components:\n"
                               "  schemas:\n"
                               "    A:\n"
                               "      properties:\n"
                               "        ssn:\n"
                               "          type: string\n"
                               "          maxLength: 11\n"
                               "          pattern: '^[0-9-]+$'\n"
                               "          x-pii: true\n"
                               "        sex: {$ref: '#/components/schemas/Sex'}\n"
                               "        born: {type: [string, 'null'], format: date, x-pii: true}\n"
                               "        note: {type: string, maxLength: 80}\n"
                               "        fixed: {const: 1, x-pii: true}\n"
                               "    Sex: {type: string, enum: [m, f, x], x-pii: true}\n");
    const tg_pii_path *path = find_path(set, "/ssn");
    assert_non_null(path);
    assert_int_equal(path->kind, TG_PII_PATH_SEALED);
    assert_int_equal(path->types, TG_TYPE_STRING);
    assert_int_equal(path->line, 10);
    assert_int_equal(path->max_length, 11);
    assert_slice(path->pattern, "^[0-9-]+$");
    assert_slice(path->file, "a.yaml");
    assert_slice(path->pointer, "/components/schemas/A/properties/ssn");
    assert_slice(path->name, "ssn");
    path = find_path(set, "/sex");
    assert_non_null(path);
    assert_int_equal(path->num_enum, 3);
    assert_int_equal(path->line, 15);
    assert_slice(path->pointer, "/components/schemas/Sex");
    path = find_path(set, "/born");
    assert_non_null(path);
    assert_slice(path->format, "date");
    assert_int_equal(path->types, TG_TYPE_STRING | TG_TYPE_NULL);
    path = find_path(set, "/note");
    assert_non_null(path);
    assert_int_equal(path->kind, TG_PII_PATH_PLAIN);
    assert_int_equal(path->line, 13);
    assert_int_equal(path->num_enum, 0);
    path = find_path(set, "/fixed");
    assert_non_null(path);
    assert_int_equal(path->num_enum, 1);
    assert_int_equal(path->max_length, UINT64_MAX);
    assert_null(find_path(set, "/"));
    tg_schema_set_unref(set);
}

static void list_cycles_end_in_the_path_above(void **state)
{
    (void)state;
    tg_schema_set *set =
        build(SCHEMAS("A: {properties: {s: {x-pii: true}, kids: {items: {$ref: '#/components/schemas/A'}}}}"));
    const tg_pii_path *path = find_path(set, "/kids/*");
    assert_non_null(path);
    assert_int_equal(path->kind, TG_PII_PATH_AS);
    assert_slice(path->same_as, "");
    assert_null(find_path(set, "/kids/*/s"));
    assert_int_equal(tg_schema_num_paths(tg_schema_set_at(set, 0)), 2);
    assert_false(tg_schema_paths_is_cut(tg_schema_set_at(set, 0)));
    tg_schema_set_unref(set);
}

static void list_shared_parts_are_written_out_each_time(void **state)
{
    (void)state;
    tg_schema_set *set = build(SCHEMAS("A: {properties: {bill: {$ref: '#/components/schemas/B'}, ship: {$ref: "
                                       "'#/components/schemas/B'}}}, B: {properties: {street: {x-pii: true}}}"));
    assert_non_null(find_path(set, "/bill/street"));
    assert_non_null(find_path(set, "/ship/street"));
    tg_schema_set_unref(set);
}

static void list_every_kind_of_step_is_shown(void **state)
{
    (void)state;
    tg_schema_set *set = build(SCHEMAS(
        "A: {properties: {'a/~b': {x-pii: true}, m: {additionalProperties: {x-pii: true}}, p: {patternProperties: "
        "{'^x': {x-pii: true}}}, t: {prefixItems: [{x-pii: true}], contains: {properties: {z: {x-pii: true}}}}}}"));
    const char *const paths[] = {"/a~1~0b", "/m/*", "/p/{^x}", "/t/0", "/t/*/z"};
    for (size_t i = 0; i < TG_COUNT(paths); i++) {
        const tg_pii_path *path = find_path(set, paths[i]);
        if (path == NULL || path->kind != TG_PII_PATH_SEALED) {
            fail_msg("%s is not listed", paths[i]);
        }
    }
    tg_schema_set_unref(set);
    set = build(SCHEMAS("A: {x-pii: true}"));
    assert_int_equal(tg_schema_num_paths(tg_schema_set_at(set, 0)), 1);
    assert_slice(tg_schema_path(tg_schema_set_at(set, 0), 0)->path, "");
    tg_schema_set_unref(set);
}

/* Twenty schemas of which each holds the next one twice unfold to a million paths; 50 as a set of cycles. */
static void list_parts_that_multiply_are_referred_to(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    assert_ok(tg_buf_append_str(&text, "x-teegate-root: [S0]\nopenapi: 3.1.0\ncomponents:\n  schemas:\n"));
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(
            tg_buf_printf(&text,
                          "    S%u: {properties: {s%u: {x-pii: true}, a: {$ref: '#/components/schemas/S%u'}, b: {$ref: "
                          "'#/components/schemas/S%u'}}}\n",
                          i, i, i + 1, i + 1));
    }
    assert_ok(tg_buf_append(&text, TG_LIT("    S20: {properties: {last: {x-pii: true}}}\n\0")));
    tg_schema_set *set = build((const char *)tg_buf_slice(&text).ptr);
    const tg_schema *schema = tg_schema_set_at(set, 0);
    assert_in_range(tg_schema_num_paths(schema), 5000, 50000);
    assert_false(tg_schema_paths_is_cut(schema));
    bool has_last = false;
    size_t num_as = 0;
    for (size_t i = 0; i < tg_schema_num_paths(schema); i++) {
        has_last = has_last || tg_slice_equal(tg_schema_path(schema, i)->name, TG_LIT("last"));
        num_as += tg_schema_path(schema, i)->kind == TG_PII_PATH_AS;
    }
    assert_true(has_last);
    assert_true(num_as > 0);
    tg_schema_set_unref(set);
    tg_buf_done(&text);
}

static void list_longer_than_its_bound_is_cut(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 8 << 20);
    assert_ok(tg_buf_append_str(&text, "openapi: 3.1.0\ncomponents: {schemas: {A: {properties: {s: {x-pii: true},\n"));
    for (unsigned i = 0; i < TG_MAX_PII_PATHS; i++) {
        assert_ok(tg_buf_printf(&text, "k%u: {},\n", i));
    }
    assert_ok(tg_buf_append(&text, TG_LIT("}}}}\n\0")));
    tg_schema_set *set = build((const char *)tg_buf_slice(&text).ptr);
    assert_int_equal(tg_schema_num_paths(tg_schema_set_at(set, 0)), TG_MAX_PII_PATHS);
    assert_true(tg_schema_paths_is_cut(tg_schema_set_at(set, 0)));
    tg_schema_set_unref(set);
    tg_buf_done(&text);
}

static void list_set_not_made_for_lint_has_none(void **state)
{
    (void)state;
    tg_schema_set *set = tg_build_text(SCHEMAS("A: {x-pii: true}"));
    assert_int_equal(tg_schema_num_paths(tg_schema_set_at(set, 0)), 0);
    assert_false(tg_schema_paths_is_cut(tg_schema_set_at(set, 0)));
    tg_schema_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(list_sealed_members_with_place_and_facts),
        cmocka_unit_test(list_cycles_end_in_the_path_above),
        cmocka_unit_test(list_shared_parts_are_written_out_each_time),
        cmocka_unit_test(list_every_kind_of_step_is_shown),
        cmocka_unit_test(list_parts_that_multiply_are_referred_to),
        cmocka_unit_test(list_longer_than_its_bound_is_cut),
        cmocka_unit_test(list_set_not_made_for_lint_has_none),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
