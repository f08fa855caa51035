#include "support/case.h"

#include "io/hvsock.h"

static tg_code answer(tg_slice bytes, size_t *out_len)
{
    return tg_hvsock_parse_answer(bytes, out_len).code;
}

static void format_request_largest_port_fits(void **state)
{
    (void)state;
    char out[TG_HVSOCK_REQUEST_BYTES];
    assert_int_equal(tg_hvsock_format_request(UINT32_MAX, out), 19);
    assert_string_equal(out, "CONNECT 4294967295\n");
}

static void parse_answer_line_is_measured_and_the_rest_left(void **state)
{
    (void)state;
    size_t len = 0;
    assert_int_equal(answer(TG_LIT("OK 1073741824\n"), &len), TG_OK);
    assert_int_equal(len, 14);
    assert_int_equal(answer(TG_LIT("OK\nguest\n"), &len), TG_OK);
    assert_int_equal(len, 3);
    assert_int_equal(answer(TG_LIT("OK 5\nOK 6\n"), &len), TG_OK);
    assert_int_equal(len, 5);
}

static void parse_answer_every_prefix_is_again(void **state)
{
    (void)state;
    static const char whole[] = "OK 1073741824\n";
    size_t len = 77;
    for (size_t i = 0; i + 1 < sizeof whole - 1; i++) {
        assert_int_equal(answer(tg_slice_of(whole, i), &len), TG_ERR_AGAIN);
        assert_int_equal(len, 77);
    }
}

static void parse_answer_what_is_no_ok_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"KO 1\n",  "o",       "\n",     "ok 1\n",   "OKAY\n",         "OK \n",
                                        "OK 1 \n", "OK -1\n", "OK x\n", "OK 1\r\n", "OK 4294967296\n"};
    size_t len = 77;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_int_equal(answer(tg_slice_str(texts[i]), &len), TG_ERR_SYNTAX);
    }
    assert_int_equal(answer(TG_LIT("OK\0\n"), &len), TG_ERR_SYNTAX);
    assert_int_equal(len, 77);
}

static void parse_answer_at_the_limit_and_one_over(void **state)
{
    (void)state;
    size_t len = 0;
    uint8_t text[40] = "OK ";
    memset(text + 3, '0', sizeof text - 3);
    text[31] = '\n';
    assert_int_equal(answer(tg_slice_of(text, 32), &len), TG_OK);
    assert_int_equal(len, 32);
    assert_int_equal(answer(tg_slice_of(text, 31), &len), TG_ERR_AGAIN);
    text[31] = '0';
    text[32] = '\n';
    assert_int_equal(answer(tg_slice_of(text, 33), &len), TG_ERR_LIMIT);
    assert_int_equal(answer(tg_slice_of(text, 32), &len), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(format_request_largest_port_fits),
        cmocka_unit_test(parse_answer_line_is_measured_and_the_rest_left),
        cmocka_unit_test(parse_answer_every_prefix_is_again),
        cmocka_unit_test(parse_answer_what_is_no_ok_is_refused),
        cmocka_unit_test(parse_answer_at_the_limit_and_one_over),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
