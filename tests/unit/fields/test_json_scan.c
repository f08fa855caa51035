#include "support/case.h"

#include "fields/json_scan.h"

#include <stdlib.h>

/* Scans a string's inside in steps of `step` bytes from an exact copy, so that a read past the end is seen. */
static tg_scan scan_string(tg_slice text, size_t step, size_t *out_at, bool *out_has_escapes)
{
    uint8_t *exact = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(exact);
    memcpy(exact, text.ptr, text.len);
    tg_slice copy = tg_slice_of(exact, text.len);
    size_t at = 0;
    bool has_escapes = false;
    tg_scan scan;
    tg_json_index index;
    tg_json_index_init(&index, copy);
    do {
        size_t limit = at + step < text.len ? at + step : text.len;
        scan = tg_json_scan_string(&index, limit, &at, &has_escapes);
    } while (scan == TG_SCAN_MORE);
    free(exact);
    *out_at = at;
    *out_has_escapes = has_escapes;
    return scan;
}

static void assert_string(tg_slice text, tg_scan expected, size_t expected_at, bool has_escapes)
{
    for (size_t step = 1; step <= text.len + 1; step++) {
        size_t at;
        bool escapes;
        assert_int_equal(scan_string(text, step, &at, &escapes), expected);
        if (expected != TG_SCAN_ENDS) {
            assert_int_equal(at, expected_at);
            assert_int_equal(escapes, has_escapes);
        }
    }
}

static void scan_string_plain_text_ends_at_its_quote(void **state)
{
    (void)state;
    assert_string(TG_LIT("\""), TG_SCAN_DONE, 1, false);
    assert_string(TG_LIT("abc\"x"), TG_SCAN_DONE, 4, false);
    assert_string(TG_LIT("0123456789abcdef0123456789abcdef~\x7f\" "), TG_SCAN_DONE, 35, false);
    assert_string(TG_LIT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""), TG_SCAN_DONE, 16, false);
}

static void scan_string_every_position_of_the_quote_is_found(void **state)
{
    (void)state;
    uint8_t text[40];
    for (size_t quote = 0; quote < sizeof text; quote++) {
        memset(text, 'a', sizeof text);
        text[quote] = '"';
        assert_string(tg_slice_of(text, sizeof text), TG_SCAN_DONE, quote + 1, false);
        text[quote] = 0x1f;
        assert_string(tg_slice_of(text, sizeof text), TG_SCAN_BAD, quote, false);
        text[quote] = 0x80;
        assert_string(tg_slice_of(text, sizeof text), TG_SCAN_BAD, quote, false);
    }
}

static void scan_string_every_byte_is_classed(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[12] = {'a', 'a', 'a', (uint8_t)c, 'a', 'a', 'a', 'a', 'a', 'a', '"', 'a'};
        if (c == '"') {
            assert_string(tg_slice_of(text, sizeof text), TG_SCAN_DONE, 4, false);
        } else if (c == '\\') {
            assert_string(tg_slice_of(text, sizeof text), TG_SCAN_BAD, 4, true);
        } else if (c < 0x20 || c >= 0x80) {
            assert_string(tg_slice_of(text, sizeof text), TG_SCAN_BAD, 3, false);
        } else {
            assert_string(tg_slice_of(text, sizeof text), TG_SCAN_DONE, 11, false);
        }
    }
}

static void scan_string_escapes_are_checked(void **state)
{
    (void)state;
    assert_string(TG_LIT("\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD800\""), TG_SCAN_DONE, 29, true);
    assert_string(TG_LIT("\\a\""), TG_SCAN_BAD, 1, true);
    assert_string(TG_LIT("\\u00g0\""), TG_SCAN_BAD, 4, true);
    assert_string(TG_LIT("\\u\""), TG_SCAN_BAD, 2, true);
    assert_string(TG_LIT("\\\0\""), TG_SCAN_BAD, 1, true);
}

static void scan_string_end_of_text_is_told(void **state)
{
    (void)state;
    static const char whole[] = "ab\\u00e9c\\n\xe2\x82\xac";
    for (size_t len = 0; len < sizeof whole; len++) {
        size_t at;
        bool escapes;
        tg_scan scan = scan_string(tg_slice_of(whole, len), len + 1, &at, &escapes);
        bool is_in_character = len == sizeof whole - 2 || len == sizeof whole - 3;
        assert_int_equal(scan, is_in_character ? TG_SCAN_BAD : TG_SCAN_ENDS);
    }
}

static void scan_string_bad_utf8_is_refused(void **state)
{
    (void)state;
    assert_string(TG_LIT("a\xc0\xaf\""), TG_SCAN_BAD, 1, false);         /* overlong */
    assert_string(TG_LIT("a\xe0\x80\xaf\""), TG_SCAN_BAD, 1, false);     /* overlong */
    assert_string(TG_LIT("a\xed\xa0\x80\""), TG_SCAN_BAD, 1, false);     /* surrogate */
    assert_string(TG_LIT("a\xf4\x90\x80\x80\""), TG_SCAN_BAD, 1, false); /* above U+10FFFF */
    assert_string(TG_LIT("a\xc3\""), TG_SCAN_BAD, 1, false);
    assert_string(TG_LIT("a\xff\""), TG_SCAN_BAD, 1, false);
}

static void assert_number(tg_slice text, tg_scan expected, size_t expected_at)
{
    for (size_t step = 1; step <= text.len + 1; step++) {
        size_t at = 0;
        uint8_t number = 0;
        tg_scan scan;
        do {
            size_t limit = at + step < text.len ? at + step : text.len;
            scan = tg_json_scan_number(text, limit, &at, &number);
        } while (scan == TG_SCAN_MORE);
        assert_int_equal(scan, expected);
        assert_int_equal(at, expected_at);
    }
}

static void scan_number_grammar_is_kept(void **state)
{
    (void)state;
    assert_number(TG_LIT("0"), TG_SCAN_DONE, 1);
    assert_number(TG_LIT("-0,"), TG_SCAN_DONE, 2);
    assert_number(TG_LIT("01"), TG_SCAN_DONE, 1);
    assert_number(TG_LIT("120.050e+17]"), TG_SCAN_DONE, 11);
    assert_number(TG_LIT("-9E-0 "), TG_SCAN_DONE, 5);
    assert_number(TG_LIT("1.e"), TG_SCAN_BAD, 2);
    assert_number(TG_LIT("-a"), TG_SCAN_BAD, 1);
    assert_number(TG_LIT("+1"), TG_SCAN_BAD, 0);
    assert_number(TG_LIT(".5"), TG_SCAN_BAD, 0);
    assert_number(TG_LIT("1e+]"), TG_SCAN_BAD, 3);
    assert_number(TG_LIT("1\0"), TG_SCAN_DONE, 1);
    assert_number(TG_LIT("-"), TG_SCAN_ENDS, 1);
    assert_number(TG_LIT("1."), TG_SCAN_ENDS, 2);
    assert_number(TG_LIT("1e"), TG_SCAN_ENDS, 2);
    assert_number(TG_LIT("1e-"), TG_SCAN_ENDS, 3);
    assert_number(TG_LIT("1.5e3"), TG_SCAN_DONE, 5);
}

static void skip_space_other_bytes_stop_it(void **state)
{
    (void)state;
    tg_json_index index;
    tg_json_index_init(&index, TG_LIT(" \t\r\n\vx"));
    assert_int_equal(tg_json_skip_space(&index, 0, 6), 4);
    tg_json_index_init(&index, TG_LIT("    "));
    assert_int_equal(tg_json_skip_space(&index, 1, 3), 3);
    assert_int_equal(tg_json_skip_space(&index, 3, 2), 3);
}

static void plain_prefix_stops_at_what_needs_an_escape(void **state)
{
    (void)state;
    assert_int_equal(tg_json_plain_prefix(TG_LIT("")), 0);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("abc \xc3\xa9 def ghi jkl mno")), 22);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("abc\"")), 3);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("abc\\")), 3);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("abc\n")), 3);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("abc\xc3")), 3);
    assert_int_equal(tg_json_plain_prefix(TG_LIT("a\0b")), 1);
}

static void assert_unescaped(tg_slice inside, tg_slice expected)
{
    uint8_t *out = malloc(inside.len > 0 ? inside.len : 1);
    size_t len;
    assert_non_null(out);
    assert_ok(tg_json_unescape(inside, TG_LONE_REFUSED, out, &len));
    tg_assert_slice(tg_slice_of(out, len), expected, __FILE__, __LINE__);
    free(out);
}

static void unescape_every_escape_gives_its_character(void **state)
{
    (void)state;
    assert_unescaped(TG_LIT(""), TG_LIT(""));
    assert_unescaped(TG_LIT("plain"), TG_LIT("plain"));
    assert_unescaped(TG_LIT("\\\"\\\\\\/\\b\\f\\n\\r\\t"), TG_LIT("\"\\/\b\f\n\r\t"));
    assert_unescaped(TG_LIT("s\\u0073n"), TG_LIT("ssn"));
    assert_unescaped(TG_LIT("\\u0000"), TG_LIT("\0"));
    assert_unescaped(TG_LIT("\\u00E9\\u00e9\\u20AC"), TG_LIT("\xc3\xa9\xc3\xa9\xe2\x82\xac"));
    assert_unescaped(TG_LIT("a\\ud83d\\ude00b"), TG_LIT("a\xf0\x9f\x98\x80"
                                                        "b"));
    assert_unescaped(TG_LIT("\\uDBFF\\uDFFF"), TG_LIT("\xf4\x8f\xbf\xbf"));
    assert_unescaped(TG_LIT("\\ud7ff\\ue000"), TG_LIT("\xed\x9f\xbf\xee\x80\x80"));
    assert_unescaped(TG_LIT("\\\\u0041"), TG_LIT("\\u0041"));
}

static void unescape_lone_surrogate_is_refused_or_replaced(void **state)
{
    (void)state;
    static const tg_slice texts[] = {{(const uint8_t *)"\\ud800", 6},        {(const uint8_t *)"\\udfff", 6},
                                     {(const uint8_t *)"\\ud800x", 7},       {(const uint8_t *)"\\ude00\\ud83d", 12},
                                     {(const uint8_t *)"\\ud800\\n", 8},     {(const uint8_t *)"\\ud83d\\ud83d", 12},
                                     {(const uint8_t *)"\\ud83d\\u004d", 12}};
    static const char *const replaced[] = {"\xef\xbf\xbd",   "\xef\xbf\xbd",
                                           "\xef\xbf\xbdx",  "\xef\xbf\xbd\xef\xbf\xbd",
                                           "\xef\xbf\xbd\n", "\xef\xbf\xbd\xef\xbf\xbd",
                                           "\xef\xbf\xbdM"};
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        uint8_t out[16];
        size_t len;
        assert_code(tg_json_unescape(texts[i], TG_LONE_REFUSED, out, &len), TG_ERR_SYNTAX);
        assert_ok(tg_json_unescape(texts[i], TG_LONE_REPLACED, out, &len));
        tg_assert_slice(tg_slice_of(out, len), tg_slice_str(replaced[i]), __FILE__, __LINE__);
    }
}

static void unescape_low_half_behind_the_end_is_not_read(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t len;
    assert_code(tg_json_unescape(tg_slice_of("\\ud83d\\ude00", 6), TG_LONE_REFUSED, out, &len), TG_ERR_SYNTAX);
    assert_ok(tg_json_unescape(tg_slice_of("\\ud83d\\ude00", 12), TG_LONE_REFUSED, out, &len));
    assert_int_equal(len, 4);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(scan_string_plain_text_ends_at_its_quote),
        cmocka_unit_test(scan_string_every_position_of_the_quote_is_found),
        cmocka_unit_test(scan_string_every_byte_is_classed),
        cmocka_unit_test(scan_string_escapes_are_checked),
        cmocka_unit_test(scan_string_end_of_text_is_told),
        cmocka_unit_test(scan_string_bad_utf8_is_refused),
        cmocka_unit_test(scan_number_grammar_is_kept),
        cmocka_unit_test(skip_space_other_bytes_stop_it),
        cmocka_unit_test(plain_prefix_stops_at_what_needs_an_escape),
        cmocka_unit_test(unescape_every_escape_gives_its_character),
        cmocka_unit_test(unescape_lone_surrogate_is_refused_or_replaced),
        cmocka_unit_test(unescape_low_half_behind_the_end_is_not_read),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
