#include "schema/document.h"
#include "support/case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static tg_doc parse(const char *file, tg_slice bytes)
{
    tg_doc doc;
    tg_detail detail = {0};
    if (!tg_is_ok(tg_doc_parse(&doc, tg_slice_str(file), bytes, &detail))) {
        fail_msg("%s:%u: %s", detail.file, detail.line, detail.reason);
    }
    return doc;
}

static void check_refused(const char *file, tg_slice bytes, tg_code code, unsigned line, const char *reason)
{
    tg_doc doc;
    tg_detail detail = {0};
    tg_result result = tg_doc_parse(&doc, tg_slice_str(file), bytes, &detail);
    if (result.code != code || detail.line != line || strstr(detail.reason, reason) == NULL) {
        fail_msg("%s, line %u: %s", tg_code_name(result.code), detail.line, detail.reason);
    }
    assert_string_equal(detail.file, file);
    assert_int_equal(doc.num_items, 0);
    tg_doc_done(&doc);
}

static bool is_equal(const tg_doc *a, tg_doc_node x, const tg_doc *b, tg_doc_node y)
{
    tg_doc_kind kind = tg_doc_kind_of(a, x);
    if (kind != tg_doc_kind_of(b, y) || tg_doc_count(a, x) != tg_doc_count(b, y) ||
        a->items[x].is_true != b->items[y].is_true || !tg_slice_equal(tg_doc_text(a, x), tg_doc_text(b, y))) {
        return false;
    }
    if (kind == TG_DOC_NUMBER && fabs(a->items[x].number - b->items[y].number) > 0) {
        return false;
    }
    for (size_t i = 0; i < tg_doc_count(a, x); i++) {
        tg_slice key;
        tg_doc_node child = kind == TG_DOC_MAP ? tg_doc_member_at(a, x, i, &key) : tg_doc_element(a, x, i);
        tg_doc_node other = kind == TG_DOC_MAP ? tg_doc_get(b, y, key) : tg_doc_element(b, y, i);
        if (other == TG_DOC_NONE || !is_equal(a, child, b, other)) {
            return false;
        }
    }
    return true;
}

static void check_same(const char *yaml_text, const char *json_text)
{
    tg_doc yaml = parse("a.yaml", tg_slice_str(yaml_text));
    tg_doc json = parse("a.json", tg_slice_str(json_text));
    assert_true(yaml.has_lines);
    assert_false(json.has_lines);
    if (!is_equal(&yaml, yaml.root, &json, json.root)) {
        fail_msg("not the same tree: %s", yaml_text);
    }
    tg_doc_done(&yaml);
    tg_doc_done(&json);
}

static void parse_both_notations_give_the_same_tree(void **state)
{
    (void)state;
    check_same("a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\": 1, \"b\": [\"x\", \"y\", \"z\"]}");
    check_same("200: ok\ntrue: x\n~: y\n", "{\"200\": \"ok\", \"true\": \"x\", \"~\": \"y\"}");
    check_same("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\": \"one\\ntwo\\n\", \"b\": \"one two\"}");
    check_same("- yes\n- 0o17\n- 1.5e3\n- .5\n- ~\n- False\n- '1'\n- !!str 1\n- ! 2\n- !!int 0x1F\n",
               "[\"yes\", 15, 1500.0, 0.5, null, false, \"1\", \"1\", \"2\", 31]");
    check_same("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
               "{\"a\": {\"b\": 1}, \"c\": {\"b\": 1}, \"d\": [{\"b\": 1}, {\"b\": 1}]}");
    check_same("\xef\xbb\xbf%YAML 1.2\n---\na: \"\\u00e4\\x41\\0\"\n", "{\"a\": \"\xc3\xa4"
                                                                       "A\\u0000\"}");
    check_same("a: 18446744073709551616\n", "\xef\xbb\xbf{\"a\": 18446744073709551616}");
    check_same("!!map {a: !!seq [!!null '', !!bool 'true', !!float '1']}", "{\"a\": [null, true, 1]}");
}

static void parse_merge_keys_add_what_is_missing(void **state)
{
    (void)state;
    check_same("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "{\"a\": {\"x\": 1, \"y\": 2}, \"b\": {\"x\": 1, \"y\": 3}}");
    check_same("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}\nd: {<<: {q: 1}}\n",
               "{\"a\": {\"x\": 1}, \"b\": {\"x\": 2, \"z\": 3}, \"c\": {\"x\": 1, \"z\": 3}, \"d\": {\"q\": 1}}");
    check_same("a: {'<<': 1}\n", "{\"a\": {\"<<\": 1}}");
    check_refused("a.yaml", TG_LIT("a: 1\nb: {<<: 2}\n"), TG_ERR_SYNTAX, 2, "no map");
    check_refused("a.yaml", TG_LIT("b: {<<: [2]}\n"), TG_ERR_SYNTAX, 1, "no map");
    check_refused("a.yaml", TG_LIT("b:\n  <<: {}\n  <<: {}\n"), TG_ERR_SYNTAX, 3, "`<<` stands twice");
}

static void parse_merge_into_large_map_finds_each_key(void **state)
{
    (void)state;
    char text[1024] = "a: &a {k3: old, new: 1}\nb:\n  <<: *a\n";
    for (int i = 0; i < 20; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "  k%d: %d\n", i, i);
    }
    tg_doc doc = parse("a.yaml", tg_slice_str(text));
    tg_doc_node map = tg_doc_get(&doc, doc.root, TG_LIT("b"));
    assert_int_equal(tg_doc_count(&doc, map), 21);
    assert_true(tg_doc_is(&doc, tg_doc_get(&doc, map, TG_LIT("k3")), TG_DOC_NUMBER));
    assert_true(tg_doc_is(&doc, tg_doc_get(&doc, map, TG_LIT("new")), TG_DOC_NUMBER));
    assert_int_equal(tg_doc_get(&doc, map, TG_LIT("k20")), TG_DOC_NONE);
    tg_doc_done(&doc);
}

static void parse_yaml_that_begins_with_brace_is_tried_as_json(void **state)
{
    (void)state;
    tg_doc doc = parse("a.yaml", TG_LIT(" {\"a\": \"\\ud83d\\ude00\"}"));
    assert_slice(tg_doc_text(&doc, tg_doc_get(&doc, doc.root, TG_LIT("a"))), "\xf0\x9f\x98\x80");
    assert_false(doc.has_lines);
    tg_doc_done(&doc);
    doc = parse("a.yml", TG_LIT("{a: b}"));
    assert_slice(tg_doc_text(&doc, tg_doc_get(&doc, doc.root, TG_LIT("a"))), "b");
    assert_true(doc.has_lines);
    tg_doc_done(&doc);
}

static void parse_faults_tell_their_line(void **state)
{
    (void)state;
    check_refused("a.yaml", TG_LIT(""), TG_ERR_SYNTAX, 0, "empty");
    check_refused("a.yaml", TG_LIT("# nothing\n"), TG_ERR_SYNTAX, 0, "empty");
    check_refused("a.json", TG_LIT(" \n"), TG_ERR_SYNTAX, 0, "empty");
    check_refused("a.yaml", TG_LIT("a: 1\nb: 2\na: 3\n"), TG_ERR_SYNTAX, 3, "stands twice");
    check_refused("a.json", TG_LIT("{\"a\": 1,\n\"\\u0061\": 2}"), TG_ERR_SYNTAX, 2, "duplicate");
    check_refused("a.yaml", TG_LIT("a: b\nc: [\n"), TG_ERR_SYNTAX, 3, "not YAML");
    check_refused("a.json", TG_LIT("{\"a\": 1\n,}"), TG_ERR_SYNTAX, 2, "not JSON");
    check_refused("a.yaml", TG_LIT("a: 1\nb: \xff\n"), TG_ERR_SYNTAX, 2, "not YAML");
    check_refused("a.yaml", TG_LIT("a: 1\n\0b: 2\n"), TG_ERR_SYNTAX, 2, "not YAML");
    check_refused("a.json", TG_LIT("{\"a\": \"\xc0\xaf\"}"), TG_ERR_SYNTAX, 1, "not JSON");
    check_refused("a.json", TG_LIT("{\"a\": \"\\ud800\"}"), TG_ERR_SYNTAX, 1, "not JSON");
    check_refused("a.yaml", TG_LIT("a: 1\n---\nb: 2\n"), TG_ERR_UNSUPPORTED, 2, "second document");
    check_refused("a.yaml", TG_LIT("a:\n  !x b\n"), TG_ERR_UNSUPPORTED, 2, "!x");
    check_refused("a.yaml", TG_LIT("a: !!int b\n"), TG_ERR_UNSUPPORTED, 1, "int");
    check_refused("a.yaml", TG_LIT("a: !!set {b}\n"), TG_ERR_UNSUPPORTED, 1, "set");
    check_refused("a.yaml", TG_LIT("? [a]\n: b\n"), TG_ERR_UNSUPPORTED, 1, "a key that is");
    check_refused("a.yaml", TG_LIT("a: &a b\n*a : c\n"), TG_ERR_UNSUPPORTED, 2, "a key that is");
    check_refused("a.yaml", TG_LIT("a: *b\n"), TG_ERR_SYNTAX, 1, "an anchor that is not there");
    check_refused("a.yaml", TG_LIT("a: &a\n  b: *a\n"), TG_ERR_SYNTAX, 2, "within what it stands for");
}

static void parse_every_prefix_is_taken_or_refused(void **state)
{
    (void)state;
    tg_slice texts[] = {TG_LIT("a: &x {b: [1, 'c', \"d\\u00e4\"]}\ne: |\n  f\n<<: *x\n"),
                        TG_LIT("{\"a\": [1, -2.5e3, \"\\u00e4\", true, null], \"b\": {}}")};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        for (size_t len = 0; len <= texts[i].len; len++) {
            uint8_t *exact = malloc(len + 1);
            assert_non_null(exact);
            memcpy(exact, texts[i].ptr, len);
            tg_doc doc;
            tg_detail detail = {0};
            tg_result result =
                tg_doc_parse(&doc, i == 0 ? TG_LIT("a.yaml") : TG_LIT("a.json"), tg_slice_of(exact, len), &detail);
            assert_true(tg_is_ok(result) || detail.reason[0] != 0);
            assert_true(len < texts[i].len || tg_is_ok(result));
            tg_doc_done(&doc);
            free(exact);
        }
    }
}

static tg_slice nested(char open, char close, size_t depth)
{
    uint8_t *text = malloc(2 * depth);
    assert_non_null(text);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    return tg_slice_of(text, 2 * depth);
}

static void parse_deepest_nesting_is_taken_and_one_more_refused(void **state)
{
    (void)state;
    const char *const files[] = {"a.yaml", "a.json"};
    for (size_t i = 0; i < TG_COUNT(files); i++) {
        tg_slice text = nested('[', ']', TG_MAX_DOC_DEPTH);
        tg_doc doc = parse(files[i], text);
        tg_doc_done(&doc);
        free((void *)(uintptr_t)text.ptr);
        text = nested('[', ']', TG_MAX_DOC_DEPTH + 1);
        check_refused(files[i], text, TG_ERR_LIMIT, i == 0 ? 1 : 0, "deeper than 512");
        free((void *)(uintptr_t)text.ptr);
        text = nested('[', ']', 100000);
        check_refused(files[i], text, TG_ERR_LIMIT, i == 0 ? 1 : 0, "deeper than 512");
        free((void *)(uintptr_t)text.ptr);
    }
}

static void parse_alias_below_its_depth_counts_its_height(void **state)
{
    (void)state;
    char text[4096] = "a: &a ";
    memset(text + strlen(text), '[', 300);
    memset(text + 306, ']', 300);
    strcpy(text + 606, "\nb: ");
    memset(text + 610, '[', 300);
    strcpy(text + 910, "*a");
    memset(text + 912, ']', 300);
    text[1212] = 0;
    check_refused("a.yaml", tg_slice_str(text), TG_ERR_LIMIT, 2, "deeper than 512");
}

static void parse_alias_bomb_is_refused_by_its_weight(void **state)
{
    (void)state;
    char text[1024] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    check_refused("a.yaml", tg_slice_str(text), TG_ERR_LIMIT, 7, "4000000 values");
}

static void parse_merge_bomb_is_refused_by_its_members(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    assert_ok(tg_buf_append_str(&text, "a: &a {"));
    for (unsigned i = 0; i < 5000; i++) {
        assert_ok(tg_buf_printf(&text, "k%u: 1,", i));
    }
    assert_ok(tg_buf_append_str(&text, "}\n"));
    for (unsigned i = 0; i < 900; i++) {
        assert_ok(tg_buf_printf(&text, "m%u: {<<: *a}\n", i));
    }
    tg_doc doc;
    tg_detail detail = {0};
    assert_code(tg_doc_parse(&doc, TG_LIT("a.yaml"), tg_buf_slice(&text), &detail), TG_ERR_LIMIT);
    tg_doc_done(&doc);
    tg_buf_done(&text);
}

static void parse_too_many_anchors_or_directives_are_refused(void **state)
{
    (void)state;
    tg_buf text;
    tg_buf_init(&text, 4 << 20);
    for (unsigned i = 0; i <= TG_MAX_DOC_ANCHORS; i++) {
        assert_ok(tg_buf_printf(&text, "- &a%u x\n", i));
    }
    check_refused("a.yaml", tg_buf_slice(&text), TG_ERR_LIMIT, TG_MAX_DOC_ANCHORS + 1, "anchors");
    tg_buf_clear(&text);
    for (unsigned i = 0; i <= TG_MAX_DOC_DIRECTIVES; i++) {
        assert_ok(tg_buf_printf(&text, "%%TAG !a%u! x\n", i));
    }
    check_refused("a.yaml", tg_buf_slice(&text), TG_ERR_LIMIT, TG_MAX_DOC_DIRECTIVES + 1, "percent sign");
    tg_buf_done(&text);
}

static void parse_too_many_json_values_are_refused_before_they_are_made(void **state)
{
    (void)state;
    size_t len = (size_t)TG_MAX_DOC_NODES * 2 + 1;
    uint8_t *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = i == 0 ? '[' : i % 2 == 1 ? '1' : ',';
    }
    check_refused("a.json", tg_slice_of(text, len), TG_ERR_LIMIT, 0, "too many values");
    free(text);
}

static void parse_oversized_document_is_refused(void **state)
{
    (void)state;
    uint8_t byte = 'a';
    check_refused("a.yaml", tg_slice_of(&byte, TG_MAX_DOC_BYTES + 1), TG_ERR_LIMIT, 0, "larger than 64 MiB");
}

static void append_pointer_escapes_and_counts(void **state)
{
    (void)state;
    tg_doc doc = parse("a.yaml", TG_LIT("a/b:\n  - x\n  - m~n: 1\n"));
    tg_doc_node list = tg_doc_get(&doc, doc.root, TG_LIT("a/b"));
    tg_doc_node leaf = tg_doc_get(&doc, tg_doc_element(&doc, list, 1), TG_LIT("m~n"));
    tg_buf buf;
    tg_buf_init(&buf, 100);
    assert_ok(tg_doc_append_pointer(&doc, leaf, &buf));
    assert_slice(tg_buf_slice(&buf), "/a~1b/1/m~0n");
    tg_detail detail = {0};
    tg_doc_set_place(&doc, leaf, &detail);
    assert_int_equal(detail.line, 3);
    assert_string_equal(detail.field, "/a~1b/1/m~0n");
    tg_buf_clear(&buf);
    assert_ok(tg_doc_append_pointer(&doc, doc.root, &buf));
    assert_int_equal(tg_buf_len(&buf), 0);
    tg_buf_done(&buf);
    tg_doc_done(&doc);
}

static void line_of_member_is_its_keys(void **state)
{
    (void)state;
    tg_doc doc = parse("a.yaml", TG_LIT("a:\n\n  b: 1\n"));
    assert_int_equal(doc.items[tg_doc_get(&doc, doc.root, TG_LIT("a"))].line, 1);
    tg_doc_done(&doc);
}

static void parse_published_examples_are_taken(void **state)
{
    (void)state;
    const char *const names[] = {"oas-3.0-json-circular.json",       "oas-3.0-json-discriminators.json",
                                 "oas-3.0-json-schema-types.json",   "oas-3.1-json-schema-types.json",
                                 "oas-3.0-yaml-petstore.yaml",       "oas-3.1-yaml-petstore.yaml",
                                 "oas-3.0-json-schema-circular.json"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "openapi/%s", names[i]);
        tg_slice text = tg_read_vector(path);
        tg_doc doc = parse(names[i], text);
        assert_true(tg_doc_get(&doc, doc.root, TG_LIT("openapi")) != TG_DOC_NONE);
        tg_doc_done(&doc);
        free((void *)(uintptr_t)text.ptr);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_both_notations_give_the_same_tree),
        cmocka_unit_test(parse_merge_keys_add_what_is_missing),
        cmocka_unit_test(parse_merge_into_large_map_finds_each_key),
        cmocka_unit_test(parse_yaml_that_begins_with_brace_is_tried_as_json),
        cmocka_unit_test(parse_faults_tell_their_line),
        cmocka_unit_test(parse_every_prefix_is_taken_or_refused),
        cmocka_unit_test(parse_deepest_nesting_is_taken_and_one_more_refused),
        cmocka_unit_test(parse_alias_below_its_depth_counts_its_height),
        cmocka_unit_test(parse_alias_bomb_is_refused_by_its_weight),
        cmocka_unit_test(parse_merge_bomb_is_refused_by_its_members),
        cmocka_unit_test(parse_too_many_anchors_or_directives_are_refused),
        cmocka_unit_test(parse_too_many_json_values_are_refused_before_they_are_made),
        cmocka_unit_test(parse_oversized_document_is_refused),
        cmocka_unit_test(append_pointer_escapes_and_counts),
        cmocka_unit_test(line_of_member_is_its_keys),
        cmocka_unit_test(parse_published_examples_are_taken),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
