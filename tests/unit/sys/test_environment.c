#include "support/case.h"

#include "sys/environment.h"

static void get_exact_name_gives_first_value(void **state)
{
    (void)state;
    const char *const environment[] = {"NAMES=wrong", "NAME", "NAME=a=b", "NAME=second", "EMPTY=", NULL};
    assert_string_equal(tg_environment_get(environment, "NAME"), "a=b");
    assert_string_equal(tg_environment_get(environment, "EMPTY"), "");
    assert_null(tg_environment_get(environment, "NAM"));
    assert_null(tg_environment_get(environment, "OTHER"));
}

static void get_no_environment_gives_nothing(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    assert_null(tg_environment_get(NULL, "NAME"));
    assert_null(tg_environment_get(none, "NAME"));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(get_exact_name_gives_first_value),
        cmocka_unit_test(get_no_environment_gives_nothing),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
