#include "support/case.h"

#include "sys/clock.h"

static void format_known_times_are_rfc3339(void **state)
{
    (void)state;
    static const struct {
        uint64_t unix_ms;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795231867123, "2026-11-21T03:31:07.123Z"},
        {4102444800001, "2100-01-01T00:00:00.001Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < TG_COUNT(known); i++) {
        char text[25];
        tg_clock_format(known[i].unix_ms, text);
        assert_string_equal(text, known[i].text);
    }
}

static void monotonic_two_readings_do_not_go_back(void **state)
{
    (void)state;
    uint64_t first = tg_clock_monotonic_ns();
    uint64_t second = tg_clock_monotonic_ns();
    assert_true(first > 0 && second >= first);
    assert_true(tg_clock_monotonic_ms() >= second / 1000000);
    assert_true(tg_clock_unix_ms() > UINT64_C(1600000000000)); /* milliseconds, after 2020 */
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(format_known_times_are_rfc3339),
        cmocka_unit_test(monotonic_two_readings_do_not_go_back),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
