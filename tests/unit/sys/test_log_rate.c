#include "support/case.h"

#include "sys/log_rate.h"

static void take_at_the_limit_is_granted_and_one_over_counted(void **state)
{
    (void)state;
    tg_log_rate rate = {0};
    uint64_t num_unlogged = 99;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tg_log_rate_take(&rate, 3, 5000 + i, &num_unlogged));
        assert_int_equal(num_unlogged, 0);
    }
    assert_false(tg_log_rate_take(&rate, 3, 5500, &num_unlogged));
    assert_false(tg_log_rate_take(&rate, 3, 5999, &num_unlogged));
    assert_true(tg_log_rate_take(&rate, 3, 6000, &num_unlogged));
    assert_int_equal(num_unlogged, 2);
    assert_true(tg_log_rate_take(&rate, 3, 6001, &num_unlogged));
    assert_int_equal(num_unlogged, 0); /* told once */
}

static void take_with_a_limit_of_nothing_is_never_granted(void **state)
{
    (void)state;
    tg_log_rate rate = {0};
    uint64_t num_unlogged = 99;
    assert_false(tg_log_rate_take(&rate, 0, 0, &num_unlogged));
    assert_false(tg_log_rate_take(&rate, 0, 10000, &num_unlogged));
    assert_int_equal(num_unlogged, 99);
    assert_int_equal(rate.num_unlogged, 2);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(take_at_the_limit_is_granted_and_one_over_counted),
        cmocka_unit_test(take_with_a_limit_of_nothing_is_never_granted),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
