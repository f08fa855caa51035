#include "support/case.h"

#include "base/civil_time.h"

static void tg_civil_time_unix_s_known_times_are_counted(void **state)
{
    static const struct {
        tg_civil_time time;
        uint64_t unix_s;
    } cases[] = {{{1970, 1, 1, 0, 0, 0}, 0},          {{1970, 1, 1, 23, 59, 60}, 86400},
                 {{2000, 2, 29, 0, 0, 0}, 951782400}, {{2000, 3, 1, 0, 0, 0}, 951868800},
                 {{2100, 3, 1, 0, 0, 0}, 4107542400}, {{9999, 12, 31, 23, 59, 59}, 253402300799}};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        uint64_t unix_s;
        assert_ok(tg_civil_time_unix_s(&cases[i].time, &unix_s));
        assert_int_equal(unix_s, cases[i].unix_s);
    }
}

static void tg_civil_time_unix_s_outside_the_calendar_is_refused(void **state)
{
    static const tg_civil_time bad[] = {{1969, 12, 31, 23, 59, 59}, {10000, 1, 1, 0, 0, 0}, {2026, 0, 1, 0, 0, 0},
                                        {2026, 13, 1, 0, 0, 0},     {2026, 1, 0, 0, 0, 0},  {2026, 1, 32, 0, 0, 0},
                                        {2026, 2, 29, 0, 0, 0},     {2100, 2, 29, 0, 0, 0}, {2026, 1, 1, 24, 0, 0},
                                        {2026, 1, 1, 0, 60, 0},     {2026, 1, 1, 0, 0, 61}};
    uint64_t unix_s = 7;
    (void)state;
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_civil_time_unix_s(&bad[i], &unix_s), TG_ERR_RANGE);
    }
    assert_int_equal(unix_s, 7);
}

static void tg_civil_time_scan_reads_the_form_and_nothing_else(void **state)
{
    static const char form[] = "yyyy-nn-ddThh:mm:ss*";
    static const char *const bad[] = {"",
                                      "2026-11-21T08:09:1",
                                      "2026-11-21T08:09:10..",
                                      "2026-1x-21T08:09:10.",
                                      "2026 11-21T08:09:10.",
                                      "+026-11-21T08:09:10."};
    tg_civil_time time;
    (void)state;
    assert_ok(tg_civil_time_scan(TG_LIT("2026-11-21T08:09:10\0"), form, &time));
    assert_int_equal(time.year, 2026);
    assert_int_equal(time.month, 11);
    assert_int_equal(time.day, 21);
    assert_int_equal(time.hour, 8);
    assert_int_equal(time.minute, 9);
    assert_int_equal(time.second, 10);
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_civil_time_scan(tg_slice_str(bad[i]), form, &time), TG_ERR_SYNTAX);
    }
    assert_int_equal(time.year, 2026);
    assert_ok(tg_civil_time_scan(TG_LIT("12"), "hh", &time));
    assert_int_equal(time.hour, 12);
    assert_int_equal(time.year, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_civil_time_unix_s_known_times_are_counted),
        cmocka_unit_test(tg_civil_time_unix_s_outside_the_calendar_is_refused),
        cmocka_unit_test(tg_civil_time_scan_reads_the_form_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
