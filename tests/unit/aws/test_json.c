#include "aws/json.h"

#include "support/case.h"

static void parse_objects_gives_their_members(void **state)
{
    (void)state;
    json_t *root;
    tg_slice text;
    tg_buf buf;
    tg_buf_init(&buf, 64);
    assert_ok(tg_aws_json_parse(TG_LIT("{\"a\":\"x\",\"b\":\"aGk=\",\"c\":1,\"d\":\"aGk\",\"e\":null}"), &root));
    assert_true(tg_aws_json_text(root, "a", &text));
    assert_slice(text, "x");
    assert_false(tg_aws_json_text(root, "c", &text));
    assert_false(tg_aws_json_text(root, "z", &text));
    assert_ok(tg_aws_json_bytes(root, "b", &buf));
    assert_slice(tg_buf_slice(&buf), "hi");
    assert_code(tg_aws_json_bytes(root, "c", &buf), TG_ERR_SYNTAX);
    assert_code(tg_aws_json_bytes(root, "d", &buf), TG_ERR_SYNTAX);
    assert_code(tg_aws_json_bytes(root, "e", &buf), TG_ERR_NOT_FOUND);
    assert_code(tg_aws_json_bytes(root, "z", &buf), TG_ERR_NOT_FOUND);
    json_decref(root);
    tg_buf_done(&buf);
}

static void parse_other_texts_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "1", "{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{'a':1}"};
    json_t *root = NULL;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_code(tg_aws_json_parse(tg_slice_str(texts[i]), &root), TG_ERR_SYNTAX);
    }
    assert_code(tg_aws_json_parse(TG_LIT("{\"a\":\"\\u0000\"}"), &root), TG_ERR_SYNTAX);
    assert_code(tg_aws_json_parse((tg_slice){NULL, 0}, &root), TG_ERR_SYNTAX);
    assert_null(root);
}

static void append_members_puts_commas_between(void **state)
{
    (void)state;
    tg_buf buf, small;
    tg_buf_init(&buf, 64);
    tg_buf_init(&small, 3);
    assert_ok(tg_buf_append_byte(&buf, '{'));
    assert_ok(tg_aws_json_append_bytes(&buf, "A", TG_LIT("hi")));
    assert_ok(tg_aws_json_append_text(&buf, "B", TG_LIT("\"")));
    assert_slice(tg_buf_slice(&buf), "{\"A\":\"aGk=\",\"B\":\"\\\"\"");
    assert_code(tg_aws_json_append_text(&small, "ABC", TG_LIT("")), TG_ERR_LIMIT);
    tg_buf_done(&buf);
    tg_buf_done(&small);
}

static void wipe_frees_what_was_made_before_and_after(void **state)
{
    (void)state;
    json_t *before = json_string("before");
    tg_aws_json_wipe();
    json_t *after = json_string("after");
    assert_string_equal(json_string_value(after), "after");
    json_decref(before);
    json_decref(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_objects_gives_their_members),
        cmocka_unit_test(parse_other_texts_is_refused),
        cmocka_unit_test(append_members_puts_commas_between),
        cmocka_unit_test(wipe_frees_what_was_made_before_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
