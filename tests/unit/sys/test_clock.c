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

enum { HOUR_MS = 3600 * 1000, GRAIN_MS = 2 }; /* two clocks do not begin their milliseconds together */

static void vouch_nothing_leaves_the_host_alone(void **state)
{
    (void)state;
    tg_clock_vouch(0);
    tg_clock_vouch(UINT64_C(253402300800000)); /* the year 10000 */
    tg_clock_vouch(UINT64_MAX);
    uint64_t host_ms = tg_clock_host_unix_ms();
    assert_in_range(tg_clock_unix_ms(), host_ms, host_ms + 60000);
    tg_clock_standing standing = tg_clock_stand();
    assert_int_equal(standing.floor_unix_ms, 0);
    assert_int_equal(standing.behind_ms, 0);
    assert_int_equal(standing.num_set_back, 0);
}

static void vouch_time_that_the_host_has_changes_nothing(void **state)
{
    (void)state;
    tg_clock_vouch(tg_clock_host_unix_ms() - HOUR_MS);
    uint64_t host_ms = tg_clock_host_unix_ms();
    assert_in_range(tg_clock_unix_ms(), host_ms, host_ms + 60000);
    assert_true(tg_clock_stand().floor_unix_ms > 0);
    assert_int_equal(tg_clock_stand().behind_ms, 0);
    tg_clock_vouch(tg_clock_host_unix_ms() + TG_CLOCK_TOLERANCE_MS / 2); /* clocks are never quite the same */
    assert_int_equal(tg_clock_stand().num_set_back, 0);
}

static void vouch_later_time_is_a_floor_that_goes_on(void **state)
{
    (void)state;
    tg_clock_vouch(tg_clock_host_unix_ms() + HOUR_MS);
    uint64_t first = tg_clock_unix_ms();
    assert_in_range(first - tg_clock_host_unix_ms(), HOUR_MS - 60000, HOUR_MS + GRAIN_MS);
    uint64_t until_ms = tg_clock_monotonic_ms() + 20;
    while (tg_clock_monotonic_ms() < until_ms) {
    }
    assert_true(tg_clock_unix_ms() >= first + 18);
    tg_clock_vouch(first - HOUR_MS); /* an older document does not take it back */
    assert_true(tg_clock_unix_ms() >= first);
    for (int i = 0; i < 3; i++) {
        tg_clock_standing standing = tg_clock_stand();
        assert_in_range(standing.behind_ms, HOUR_MS - 60000, HOUR_MS + GRAIN_MS);
        assert_int_equal(standing.num_set_back, 1);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(format_known_times_are_rfc3339),
        cmocka_unit_test(monotonic_two_readings_do_not_go_back),
        cmocka_unit_test(vouch_nothing_leaves_the_host_alone),
        cmocka_unit_test(vouch_time_that_the_host_has_changes_nothing),
        cmocka_unit_test(vouch_later_time_is_a_floor_that_goes_on),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
