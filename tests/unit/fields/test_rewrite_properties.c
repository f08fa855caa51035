/* What holds for every document, checked on random ones against the trees that jansson makes of them. */
#include "support/case.h"

#include "support/random_json.h"
#include "support/rewriting.h"
#include "support/tiny_graph.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUM_DOCUMENTS = 1500, MAX_DOCUMENT = 1 << 20 };

static const char *const graphs[] = {
    "~{ssn:!,a:~{ssn:!,b:~[!]},list:~[!],*:~{c:!}}",
    "~[~{a:!,d:~{*:!}}]",
    "~{a:!,^s:!,^l:~[.,!|~{ssn:!}],*:.}",
    "!",
    ".",
    "~{b:~{b:~{b:!}},list:~[~[!]],d:!}",
};

static const tg_rewrite_setting encrypting = {TG_REWRITE_ENCRYPT, false, true, 10000, 1 << 26, 1 << 24};
static const tg_rewrite_setting decrypting = {TG_REWRITE_DECRYPT, false, true, 10000, 1 << 26, 1 << 24};

static json_t *load(tg_slice text)
{
    json_error_t error;
    json_t *tree = json_loadb((const char *)text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (tree == NULL) {
        fail_msg("jansson refuses at %d: %s: %.*s", error.position, error.text, (int)text.len, (const char *)text.ptr);
    }
    return tree;
}

/* A token must stand in place of `original`, and that of exactly this string. Other kinds are sealed as their text,
 * which the tree does not keep: decrypting checks them. */
static void check_sealed(json_t *original, json_t *sealed)
{
    assert_true(json_is_string(sealed));
    if (!json_is_string(original)) {
        assert_memory_equal(json_string_value(sealed), "v1.", 3);
        return;
    }
    tg_slice plaintext = tg_slice_of(json_string_value(original), json_string_length(original));
    char *expected = tg_test_token(TG_TOKEN_STRING, plaintext, 0xaa);
    assert_string_equal(json_string_value(sealed), expected);
    free(expected);
}

static void check_tree(const tg_pii_graph *graph, tg_pii_state state, json_t *original, json_t *sealed)
{
    if ((tg_pii_flags(graph, state) & TG_PII_SEALED) != 0 && !json_is_null(original)) {
        check_sealed(original, sealed);
        return;
    }
    assert_int_equal(json_typeof(original), json_typeof(sealed));
    if (json_is_object(original)) {
        const char *name;
        json_t *value;
        assert_int_equal(json_object_size(original), json_object_size(sealed));
        json_object_foreach(original, name, value)
        {
            tg_pii_state next;
            tg_slice key = tg_slice_str(name);
            assert_ok(tg_pii_member_next(graph, state, key, tg_pii_hash(key), &next));
            check_tree(graph, next, value, json_object_get(sealed, name));
        }
    } else if (json_is_array(original)) {
        assert_int_equal(json_array_size(original), json_array_size(sealed));
        for (size_t i = 0; i < json_array_size(original); i++) {
            check_tree(graph, tg_pii_element_next(graph, state, i), json_array_get(original, i),
                       json_array_get(sealed, i));
        }
    } else {
        assert_true(json_equal(original, sealed));
    }
}

static void check_budgets(tg_pii_root root, tg_slice body, const tg_rewrite_setting *how, tg_slice expected,
                          tg_dice *dice)
{
    for (size_t i = 0; i < 4; i++) {
        tg_rewriting cut;
        size_t budget = i == 0 ? 1 : 1 + tg_dice_roll(dice, (uint32_t)body.len + 1500);
        assert_ok(tg_test_rewrite(root, body, how, budget, &cut));
        assert_true(tg_slice_equal(tg_buf_slice(&cut.out), expected));
        tg_buf_done(&cut.out);
    }
}

static void check_document(tg_pii_root root, tg_slice body, bool has_escapes, tg_dice *dice)
{
    tg_rewriting sealed, opened, again;
    assert_ok(tg_test_rewrite(root, body, &encrypting, 0x10000, &sealed));
    tg_slice sealed_text = tg_buf_slice(&sealed.out);
    json_t *original_tree = load(body), *sealed_tree = load(sealed_text);
    check_tree(root.graph, root.state, original_tree, sealed_tree);

    assert_ok(tg_test_rewrite(root, sealed_text, &decrypting, 0x10000, &opened));
    tg_slice opened_text = tg_buf_slice(&opened.out);
    if (!has_escapes) {
        assert_true(tg_slice_equal(opened_text, body));
    }
    json_t *opened_tree = load(opened_text);
    assert_true(json_equal(opened_tree, original_tree));

    /* Deterministic, and bytes outside PII are the same in both directions. */
    assert_ok(tg_test_rewrite(root, opened_text, &encrypting, 0x10000, &again));
    assert_true(tg_slice_equal(tg_buf_slice(&again.out), sealed_text));

    check_budgets(root, body, &encrypting, sealed_text, dice);
    check_budgets(root, sealed_text, &decrypting, opened_text, dice);
    json_decref(original_tree);
    json_decref(sealed_tree);
    json_decref(opened_tree);
    tg_buf_done(&sealed.out);
    tg_buf_done(&opened.out);
    tg_buf_done(&again.out);
}

static size_t check_documents(bool has_escapes, uint64_t seed)
{
    tg_dice dice = {seed};
    size_t num_bytes = 0;
    tg_random_json how = {.has_escapes = has_escapes, .max_depth = 6};
    for (size_t i = 0; i < NUM_DOCUMENTS; i++) {
        tg_buf body;
        tg_buf_init(&body, MAX_DOCUMENT);
        tg_random_json_append(&body, &dice, &how);
        tg_pii_root root = tg_tiny_root(graphs[i % TG_COUNT(graphs)], true);
        check_document(root, tg_buf_slice(&body), has_escapes, &dice);
        num_bytes += tg_buf_len(&body);
        tg_buf_done(&body);
    }
    return num_bytes;
}

static void rewrite_random_escapeless_documents_come_back_byte_for_byte(void **state)
{
    (void)state;
    assert_true(check_documents(false, 0x243f6a8885a308d3) > 100000);
}

static void rewrite_random_documents_come_back_equal(void **state)
{
    (void)state;
    assert_true(check_documents(true, 0x13198a2e03707344) > 100000);
}

static void rewrite_bytes_outside_pii_are_kept(void **state)
{
    (void)state;
    static const char body[] = "{\r\n \"a\\u0062\" :[ 1.0e0 , \"\\ud800\" ],\"ssn\":\"hello\" ,\"ssn\" : \"\" } \n";
    static const char expected[] = "{\r\n \"a\\u0062\" :[ 1.0e0 , \"\\ud800\" ],\"ssn\":\"v1.tugTagQOcSZuNg4j."
                                   "ZEaG7tl5SRS6CpKlUf1elap2LBwy\" ,\"ssn\" : \"v1.YyEK7iZXYmNPo9uM."
                                   "F7OUSZ5NEz2_ue3QS6Sgvw\" } \n";
    tg_rewriting got;
    assert_ok(tg_test_rewrite(tg_tiny_root("{ssn:!}", true), tg_slice_str(body), &encrypting, 1, &got));
    tg_assert_slice(tg_buf_slice(&got.out), tg_slice_str(expected), __FILE__, __LINE__);
    tg_buf_done(&got.out);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(rewrite_random_escapeless_documents_come_back_byte_for_byte),
        cmocka_unit_test(rewrite_random_documents_come_back_equal),
        cmocka_unit_test(rewrite_bytes_outside_pii_are_kept),
    };
    return cmocka_run_group_tests(cases, tg_test_keys_set_up, tg_test_keys_tear_down);
}
