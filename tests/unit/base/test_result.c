#include "support/case.h"

#include <stdlib.h>

static void code_name_each_code_has_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < TG_NUM_CODES; a++) {
        assert_non_null(tg_code_name((tg_code)a));
        assert_string_not_equal(tg_code_name((tg_code)a), "unknown");
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(tg_code_name((tg_code)a), tg_code_name((tg_code)b));
        }
    }
    assert_string_equal(tg_code_name(TG_NUM_CODES), "unknown");
}

static tg_result count_then_fail(int *num_calls)
{
    ++*num_calls;
    TG_TRY(tg_ok());
    ++*num_calls;
    TG_TRY(tg_fail_os(7));
    ++*num_calls;
    return tg_ok();
}

static void try_failure_returns_it_at_once(void **state)
{
    (void)state;
    int num_calls = 0;
    tg_result result = count_then_fail(&num_calls);
    assert_code(result, TG_ERR_SYSTEM);
    assert_int_equal(result.os_error, 7);
    assert_int_equal(num_calls, 2);
}

static void take_pointer_leaves_null(void **state)
{
    (void)state;
    int *owned = malloc(sizeof *owned);
    int *taken = TG_TAKE(owned);
    assert_null(owned);
    assert_non_null(taken);
    free(taken);
}

static int num_cleaned;
static void count_cleanup(const int *value)
{
    num_cleaned += *value;
}

static void cleanup_scope_end_calls_it(void **state)
{
    (void)state;
    {
        int weight TG_CLEANUP(count_cleanup) = 3;
        assert_int_equal(num_cleaned, 0);
        assert_int_equal(weight, 3);
    }
    assert_int_equal(num_cleaned, 3);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(code_name_each_code_has_its_own),
        cmocka_unit_test(try_failure_returns_it_at_once),
        cmocka_unit_test(take_pointer_leaves_null),
        cmocka_unit_test(cleanup_scope_end_calls_it),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
