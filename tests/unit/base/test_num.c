#include "support/case.h"

#include "base/num.h"

static void parse_u64_at_maximum_and_one_over_is_bounded(void **state)
{
    (void)state;
    uint64_t value = 5;
    assert_ok(tg_num_parse_u64(TG_LIT("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_code(tg_num_parse_u64(TG_LIT("18446744073709551616"), UINT64_MAX, &value), TG_ERR_RANGE);
    assert_code(tg_num_parse_u64(TG_LIT("99999999999999999999999999"), UINT64_MAX, &value), TG_ERR_RANGE);
    assert_ok(tg_num_parse_u64(TG_LIT("65535"), 65535, &value));
    assert_code(tg_num_parse_u64(TG_LIT("65536"), 65535, &value), TG_ERR_RANGE);
    assert_int_equal(value, 65535);
    assert_ok(tg_num_parse_u64(TG_LIT("0000000000000000000000000007"), 7, &value));
    assert_int_equal(value, 7);
}

static void parse_u64_other_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "1_000", "a", "99999999999999999999x"};
    uint64_t value = 9;
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_num_parse_u64(tg_slice_str(bad[i]), UINT64_MAX, &value), TG_ERR_SYNTAX);
    }
    assert_code(tg_num_parse_u64(TG_LIT("1\0"), UINT64_MAX, &value), TG_ERR_SYNTAX);
    assert_code(tg_num_parse_u64(tg_slice_of(NULL, 0), UINT64_MAX, &value), TG_ERR_SYNTAX);
    assert_int_equal(value, 9);
}

static void parse_hex_u64_either_case_is_taken(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_ok(tg_num_parse_hex_u64(TG_LIT("fFfFfFfFfFfFfFfF"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_code(tg_num_parse_hex_u64(TG_LIT("10000000000000000"), UINT64_MAX, &value), TG_ERR_RANGE);
    assert_code(tg_num_parse_hex_u64(TG_LIT("0x10"), UINT64_MAX, &value), TG_ERR_SYNTAX);
    assert_code(tg_num_parse_hex_u64(TG_LIT(""), UINT64_MAX, &value), TG_ERR_SYNTAX);
    assert_code(tg_num_parse_hex_u64(TG_LIT("g"), UINT64_MAX, &value), TG_ERR_SYNTAX);
}

static void size_arithmetic_overflow_is_refused(void **state)
{
    (void)state;
    size_t out = 0;
    assert_true(tg_size_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(tg_size_add(SIZE_MAX, 1, &out));
    assert_true(tg_size_mul(SIZE_MAX / 2, 2, &out));
    assert_false(tg_size_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_int_equal(tg_size_min(3, 2), 2);
    assert_int_equal(tg_size_max(3, 2), 3);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_u64_at_maximum_and_one_over_is_bounded),
        cmocka_unit_test(parse_u64_other_spellings_are_refused),
        cmocka_unit_test(parse_hex_u64_either_case_is_taken),
        cmocka_unit_test(size_arithmetic_overflow_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
