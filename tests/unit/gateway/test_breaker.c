#include "support/case.h"

#include "gateway/breaker.h"

enum { NOW = 100000, MIDDLE = 32768 };

static void fail_times(tg_breaker *breaker, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_false(tg_breaker_admit(breaker));
        assert_false(tg_breaker_report(breaker, false, TG_BREAKER_FAILED, NOW, MIDDLE));
    }
}

static void open_it(tg_breaker *breaker)
{
    fail_times(breaker, TG_BREAKER_FAILURES - 1);
    assert_true(tg_breaker_report(breaker, false, TG_BREAKER_FAILED, NOW, MIDDLE));
    assert_int_equal(breaker->state, TG_BREAKER_OPEN);
}

static void report_failures_in_a_row_open_it(void **state)
{
    tg_breaker breaker = {0};
    (void)state;
    fail_times(&breaker, TG_BREAKER_FAILURES - 1);
    assert_false(tg_breaker_report(&breaker, false, TG_BREAKER_ANSWERED, NOW, 0)); /* the row is broken */
    assert_false(tg_breaker_report(&breaker, false, TG_BREAKER_UNKNOWN, NOW, 0));
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW), 0);
    open_it(&breaker);
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW), TG_BREAKER_FIRST_MS);
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW + TG_BREAKER_FIRST_MS - 1), 1);
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW + TG_BREAKER_FIRST_MS), 0);
}

static void report_calls_from_before_the_opening_change_nothing(void **state)
{
    tg_breaker breaker = {0};
    (void)state;
    open_it(&breaker);
    uint64_t until_ms = breaker.until_ms;
    assert_false(tg_breaker_report(&breaker, false, TG_BREAKER_FAILED, NOW + 1, 0));
    assert_false(tg_breaker_report(&breaker, false, TG_BREAKER_ANSWERED, NOW + 1, 0));
    assert_int_equal(breaker.state, TG_BREAKER_OPEN);
    assert_int_equal(breaker.until_ms, until_ms);
}

static void admit_half_open_one_probe_at_a_time(void **state)
{
    tg_breaker breaker = {0};
    (void)state;
    open_it(&breaker);
    assert_true(tg_breaker_admit(&breaker));
    assert_int_equal(breaker.state, TG_BREAKER_HALF_OPEN);
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW + 5000), 1);
    assert_false(tg_breaker_report(&breaker, true, TG_BREAKER_UNKNOWN, NOW + 5000, 0)); /* given up: another may */
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW + 5000), 0);
    assert_true(tg_breaker_admit(&breaker));
    assert_true(tg_breaker_report(&breaker, true, TG_BREAKER_ANSWERED, NOW + 5000, 0));
    assert_int_equal(breaker.state, TG_BREAKER_CLOSED);
    assert_int_equal(tg_breaker_wait_ms(&breaker, NOW + 5000), 0);
}

static void report_probes_that_fail_wait_twice_as_long_up_to_the_longest(void **state)
{
    tg_breaker breaker = {0};
    (void)state;
    open_it(&breaker);
    for (uint64_t wait_ms = 2UL * TG_BREAKER_FIRST_MS; wait_ms < 40UL * TG_BREAKER_FIRST_MS; wait_ms *= 2) {
        uint64_t bounded_ms = wait_ms < TG_BREAKER_LONGEST_MS ? wait_ms : TG_BREAKER_LONGEST_MS;
        assert_true(tg_breaker_admit(&breaker));
        assert_false(tg_breaker_report(&breaker, true, TG_BREAKER_FAILED, NOW, MIDDLE)); /* was open, is open */
        assert_int_equal(tg_breaker_wait_ms(&breaker, NOW), bounded_ms);
    }
}

static void report_jitter_is_a_quarter_each_way(void **state)
{
    tg_breaker least = {0}, most = {0};
    (void)state;
    fail_times(&least, TG_BREAKER_FAILURES - 1);
    fail_times(&most, TG_BREAKER_FAILURES - 1);
    assert_true(tg_breaker_report(&least, false, TG_BREAKER_FAILED, NOW, 0));
    assert_true(tg_breaker_report(&most, false, TG_BREAKER_FAILED, NOW, UINT16_MAX));
    assert_int_equal(tg_breaker_wait_ms(&least, NOW), 750);
    assert_int_equal(tg_breaker_wait_ms(&most, NOW), 1249);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_failures_in_a_row_open_it),
        cmocka_unit_test(report_calls_from_before_the_opening_change_nothing),
        cmocka_unit_test(admit_half_open_one_probe_at_a_time),
        cmocka_unit_test(report_probes_that_fail_wait_twice_as_long_up_to_the_longest),
        cmocka_unit_test(report_jitter_is_a_quarter_each_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
