#include "support/case.h"

static void split_separators_gives_each_part(void **state)
{
    (void)state;
    tg_slice rest = TG_LIT("a,,b");
    assert_slice(tg_slice_split(&rest, ','), "a");
    assert_slice(tg_slice_split(&rest, ','), "");
    assert_slice(tg_slice_split(&rest, ','), "b");
    assert_null(rest.ptr);
}

static void split_trailing_separator_gives_empty_last_part(void **state)
{
    (void)state;
    tg_slice rest = TG_LIT("a,");
    assert_slice(tg_slice_split(&rest, ','), "a");
    assert_non_null(rest.ptr);
    assert_slice(tg_slice_split(&rest, ','), "");
    assert_null(rest.ptr);
}

static void trim_inner_blanks_are_kept(void **state)
{
    (void)state;
    assert_slice(tg_slice_trim(TG_LIT(" \ta b\t "), " \t"), "a b");
    assert_slice(tg_slice_trim(TG_LIT("  "), " "), "");
    assert_slice(tg_slice_trim(tg_slice_of(NULL, 0), " "), "");
}

static void compare_prefix_comes_first(void **state)
{
    (void)state;
    assert_true(tg_slice_compare(TG_LIT("a"), TG_LIT("ab")) < 0);
    assert_true(tg_slice_compare(TG_LIT("b"), TG_LIT("ab")) > 0);
    assert_int_equal(tg_slice_compare(TG_LIT("a\0b"), TG_LIT("a\0b")), 0);
}

static void find_missing_byte_gives_length(void **state)
{
    (void)state;
    assert_int_equal(tg_slice_find(TG_LIT("abc"), 'c'), 2);
    assert_int_equal(tg_slice_find(TG_LIT("abc"), 'd'), 3);
    assert_int_equal(tg_slice_find(tg_slice_of(NULL, 0), 'd'), 0);
}

static void from_past_end_gives_empty(void **state)
{
    (void)state;
    assert_slice(tg_slice_from(TG_LIT("abc"), 9), "");
    assert_slice(tg_slice_first(TG_LIT("abc"), 9), "abc");
    assert_true(tg_slice_starts(TG_LIT("abc"), TG_LIT("ab")));
    assert_false(tg_slice_starts(TG_LIT("a"), TG_LIT("ab")));
    assert_true(tg_slice_ends(TG_LIT("abc"), TG_LIT("bc")));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(split_separators_gives_each_part),
        cmocka_unit_test(split_trailing_separator_gives_empty_last_part),
        cmocka_unit_test(trim_inner_blanks_are_kept),
        cmocka_unit_test(compare_prefix_comes_first),
        cmocka_unit_test(find_missing_byte_gives_length),
        cmocka_unit_test(from_past_end_gives_empty),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
