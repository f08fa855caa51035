#include "http/date.h"

#include "support/case.h"

static void date_format_known_times_are_imf_fixdates(void **state)
{
    (void)state;
    static const struct {
        uint64_t unix_s;
        const char *text;
    } times[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {UINT64_MAX / 2, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < TG_COUNT(times); i++) {
        char out[TG_HTTP_DATE_LEN];
        tg_http_date_format(times[i].unix_s, out);
        tg_assert_slice(tg_slice_of(out, sizeof out), tg_slice_str(times[i].text), __FILE__, __LINE__);
    }
}

static void date_parse_imf_fixdate_gives_seconds(void **state)
{
    (void)state;
    uint64_t unix_s;
    assert_ok(tg_http_date_parse(TG_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), &unix_s));
    assert_int_equal(unix_s, 784111777);
    assert_ok(tg_http_date_parse(TG_LIT("Thu, 01 Jan 1970 00:00:00 GMT"), &unix_s));
    assert_int_equal(unix_s, 0);
    assert_ok(tg_http_date_parse(TG_LIT("Thu, 29 Feb 2024 23:59:59 GMT"), &unix_s));
    assert_int_equal(unix_s, 1709251199);
}

static void date_parse_other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 GMTx",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 19x4 08:49:37 GMT",
    };
    uint64_t unix_s = 7;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_code(tg_http_date_parse(tg_slice_str(texts[i]), &unix_s), TG_ERR_SYNTAX);
    }
    assert_int_equal(unix_s, 7);
}

static void date_parse_what_format_wrote_comes_back(void **state)
{
    (void)state;
    for (uint64_t unix_s = 0; unix_s < 253402300800; unix_s += 86400 * 61 + 3599) {
        char text[TG_HTTP_DATE_LEN];
        uint64_t again;
        tg_http_date_format(unix_s, text);
        assert_ok(tg_http_date_parse(tg_slice_of(text, sizeof text), &again));
        assert_int_equal(again, unix_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(date_format_known_times_are_imf_fixdates),
        cmocka_unit_test(date_parse_imf_fixdate_gives_seconds),
        cmocka_unit_test(date_parse_other_forms_are_refused),
        cmocka_unit_test(date_parse_what_format_wrote_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
