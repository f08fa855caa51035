#include "support/case.h"

#include "base/text.h"

static void ascii_every_byte_ignores_the_locale(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t c = (uint8_t)i;
        bool is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z';
        assert_int_equal(tg_ascii_is_alpha(c), is_upper || is_lower);
        assert_int_equal(tg_ascii_lower(c), is_upper ? c + 32 : c);
        assert_int_equal(tg_ascii_upper(c), is_lower ? c - 32 : c);
        const char *digits = "0123456789abcdefABCDEF";
        const char *at = c != 0 ? strchr(digits, c) : NULL;
        int value = at == NULL ? -1 : at - digits > 15 ? (int)(at - digits) - 6 : (int)(at - digits);
        assert_int_equal(tg_ascii_hex_value(c), value);
    }
}

static void equal_nocase_folds_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(tg_text_equal_nocase(TG_LIT("Content-TYPE"), TG_LIT("content-type")));
    assert_false(tg_text_equal_nocase(TG_LIT("a"), TG_LIT("ab")));
    assert_false(tg_text_equal_nocase(TG_LIT("[a"), TG_LIT("{a")));
    assert_false(tg_text_equal_nocase(TG_LIT("\xc3\x84"), TG_LIT("\xc3\xa4")));
    assert_true(tg_text_equal_nocase(TG_LIT("a\0B"), TG_LIT("A\0b")));
    assert_true(tg_text_equal_nocase(tg_slice_of(NULL, 0), TG_LIT("")));
}

static void utf8_every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t bytes[4];
        size_t len = tg_utf8_encode(code, bytes);
        if (code >= 0xd800 && code <= 0xdfff) {
            assert_int_equal(len, 0);
            continue;
        }
        size_t expected = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        if (len != expected || !tg_utf8_is_valid(tg_slice_of(bytes, len)) ||
            tg_utf8_valid_prefix(tg_slice_of(bytes, len - 1)) != 0) {
            fail_msg("U+%04X", code);
        }
    }
    uint8_t bytes[4];
    assert_int_equal(tg_utf8_encode(0x110000, bytes), 0);
    assert_int_equal(tg_utf8_encode(UINT32_MAX, bytes), 0);
}

static void utf8_ill_formed_is_refused_where_it_begins(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x9f\xbf",
        "\xe1\x80",
        "\xe1\x80\x41",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf1\x80\x80",
        "\xf1\x80\x80\x41",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
    };
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        tg_buf buf;
        tg_buf_init(&buf, 100);
        assert_ok(tg_buf_append_str(&buf, "ab\xc3\xa9"));
        assert_ok(tg_buf_append_str(&buf, bad[i]));
        assert_false(tg_utf8_is_valid(tg_buf_slice(&buf)));
        assert_int_equal(tg_utf8_valid_prefix(tg_buf_slice(&buf)), 4);
        tg_buf_done(&buf);
    }
    assert_true(tg_utf8_is_valid(TG_LIT("a\0b")));
    assert_true(tg_utf8_is_valid(tg_slice_of(NULL, 0)));
}

static void append_printable_foreign_bytes_are_shown(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 1000);
    assert_ok(tg_text_append_printable(&buf, TG_LIT("a\\\"\0\r\n\x1b\x7f\xc3\xa9~ "), 64));
    assert_slice(tg_buf_slice(&buf), "a\\\\\"\\x00\\x0d\\x0a\\x1b\\x7f\\xc3\\xa9~ ");
    tg_buf_done(&buf);
}

static void append_printable_at_limit_and_over_is_marked(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 1000);
    assert_ok(tg_text_append_printable(&buf, TG_LIT("abc"), 3));
    assert_ok(tg_buf_append_byte(&buf, ' '));
    assert_ok(tg_text_append_printable(&buf, TG_LIT("abcd"), 3));
    assert_slice(tg_buf_slice(&buf), "abc abc...");
    tg_buf_done(&buf);
}

static void json_string_each_kind_of_byte_is_fit(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 1000);
    assert_ok(tg_json_append_string(&buf, TG_LIT("a\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80")));
    assert_slice(tg_buf_slice(&buf), "\"a\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80\"");
    tg_buf_clear(&buf);
    assert_ok(tg_json_append_string(&buf, TG_LIT("x\xffy\xe1\x80")));
    assert_slice(tg_buf_slice(&buf), "\"x\xef\xbf\xbdy\xef\xbf\xbd\xef\xbf\xbd\"");
    tg_buf_clear(&buf);
    assert_ok(tg_json_append_string(&buf, tg_slice_of(NULL, 0)));
    assert_slice(tg_buf_slice(&buf), "\"\"");
    tg_buf_done(&buf);
}

static void json_string_every_smaller_buffer_is_refused(void **state)
{
    (void)state;
    for (size_t max = 0; max < 13; max++) {
        tg_buf buf;
        tg_buf_init(&buf, max);
        assert_code(tg_json_append_string(&buf, TG_LIT("a\xff\nb\x01")), TG_ERR_LIMIT);
        assert_code(tg_text_append_printable(&buf, TG_LIT("\\\n0123456789"), 12), TG_ERR_LIMIT);
        tg_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(ascii_every_byte_ignores_the_locale),
        cmocka_unit_test(equal_nocase_folds_ascii_letters_only),
        cmocka_unit_test(utf8_every_code_point_comes_back),
        cmocka_unit_test(utf8_ill_formed_is_refused_where_it_begins),
        cmocka_unit_test(append_printable_foreign_bytes_are_shown),
        cmocka_unit_test(append_printable_at_limit_and_over_is_marked),
        cmocka_unit_test(json_string_each_kind_of_byte_is_fit),
        cmocka_unit_test(json_string_every_smaller_buffer_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
