#include "support/case.h"

#include "base/cpu.h"

#include <stdlib.h>

static void level_of_each_name_reads_back(void **state)
{
    (void)state;
    for (int i = TG_CPU_PORTABLE; i <= TG_CPU_AVX512; i++) {
        tg_cpu_level level = TG_CPU_PORTABLE;
        assert_true(tg_cpu_level_of(tg_slice_str(tg_cpu_level_name((tg_cpu_level)i)), &level));
        assert_int_equal(level, i);
    }
}

static void level_of_other_text_is_refused(void **state)
{
    (void)state;
    tg_cpu_level level = TG_CPU_AVX2;
    assert_false(tg_cpu_level_of(TG_LIT(""), &level));
    assert_false(tg_cpu_level_of(TG_LIT("AVX2"), &level));
    assert_false(tg_cpu_level_of(TG_LIT("avx5"), &level));
    assert_false(tg_cpu_level_of(TG_LIT("avx2\0"), &level));
    assert_int_equal(level, TG_CPU_AVX2);
}

static void limit_lower_and_higher_stays_within_the_machine(void **state)
{
    (void)state;
    tg_cpu_limit(TG_CPU_AVX512);
    tg_cpu_level highest = tg_cpu_get_level();
    bool has_sha = tg_cpu_has_sha();
    for (int i = TG_CPU_PORTABLE; i <= TG_CPU_AVX512; i++) {
        tg_cpu_limit((tg_cpu_level)i);
        tg_cpu_level level = tg_cpu_get_level();
        assert_int_equal(level, i < (int)highest ? i : (int)highest);
        assert_int_equal(tg_cpu_has_sha(), has_sha && level > TG_CPU_PORTABLE);
    }
}

/* Runs before the others: what the environment says holds from the first question on. */
static void level_at_start_is_at_most_what_the_environment_says(void **state)
{
    (void)state;
    const char *name = getenv("TEEGATE_CPU");
    tg_cpu_level limit = TG_CPU_AVX512;
    if (name != NULL) {
        assert_true(tg_cpu_level_of(tg_slice_str(name), &limit));
    }
    assert_true(tg_cpu_get_level() <= limit);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(level_at_start_is_at_most_what_the_environment_says),
        cmocka_unit_test(level_of_each_name_reads_back),
        cmocka_unit_test(level_of_other_text_is_refused),
        cmocka_unit_test(limit_lower_and_higher_stays_within_the_machine),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
