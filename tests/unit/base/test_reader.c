#include "support/case.h"

#include "base/reader.h"

static const uint8_t input[] = {1,  2,  3,  4,  5, 6,   7, 8, 9,   10,  11, 12, 13, 14,
                                15, 16, 17, 18, 1, 'a', 0, 2, 'b', 'c', 0,  0,  1,  'd'};

typedef struct record {
    uint8_t u8;
    uint16_t u16;
    uint32_t u24, u32;
    uint64_t u64;
    tg_slice v8, v16, v24;
} record;

static tg_result read_record(tg_slice bytes, record *out)
{
    tg_reader reader = tg_reader_of(bytes);
    out->u8 = tg_reader_u8(&reader);
    out->u16 = tg_reader_u16(&reader);
    out->u24 = tg_reader_u24(&reader);
    out->u32 = tg_reader_u32(&reader);
    out->u64 = tg_reader_u64(&reader);
    out->v8 = tg_reader_vector8(&reader);
    out->v16 = tg_reader_vector16(&reader);
    out->v24 = tg_reader_vector24(&reader);
    return tg_reader_finish(&reader);
}

static void gets_whole_input_are_big_endian(void **state)
{
    (void)state;
    record got;
    assert_ok(read_record(tg_slice_of(input, sizeof input), &got));
    assert_int_equal(got.u8, 1);
    assert_int_equal(got.u16, 0x0203);
    assert_int_equal(got.u24, 0x040506);
    assert_int_equal(got.u32, 0x0708090a);
    assert_true(got.u64 == UINT64_C(0x0b0c0d0e0f101112));
    assert_slice(got.v8, "a");
    assert_slice(got.v16, "bc");
    assert_slice(got.v24, "d");
}

static void gets_every_shorter_input_are_truncated(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof input; len++) {
        record got;
        assert_code(read_record(tg_slice_of(input, len), &got), TG_ERR_TRUNCATED);
        assert_slice(got.v24, "");
    }
}

static void finish_surplus_byte_is_syntax_error(void **state)
{
    (void)state;
    tg_reader reader = tg_reader_of(TG_LIT("\1\2"));
    assert_int_equal(tg_reader_u8(&reader), 1);
    assert_ok(tg_reader_result(&reader));
    assert_code(tg_reader_finish(&reader), TG_ERR_SYNTAX);
    assert_int_equal(tg_reader_u8(&reader), 2);
    assert_ok(tg_reader_finish(&reader));
}

static void fail_first_failure_stands(void **state)
{
    (void)state;
    tg_reader reader = tg_reader_of(TG_LIT("abc"));
    tg_reader_fail(&reader, TG_ERR_RANGE);
    assert_int_equal(tg_reader_u8(&reader), 0);
    assert_slice(tg_reader_bytes(&reader, 0), "");
    tg_reader_fail(&reader, TG_ERR_DENIED);
    assert_code(tg_reader_result(&reader), TG_ERR_RANGE);
    assert_code(tg_reader_finish(&reader), TG_ERR_RANGE);
}

static void bytes_huge_length_is_truncated(void **state)
{
    (void)state;
    tg_reader reader = tg_reader_of(TG_LIT("abc"));
    assert_slice(tg_reader_bytes(&reader, 3), "abc");
    assert_slice(tg_reader_bytes(&reader, 0), "");
    assert_ok(tg_reader_finish(&reader));
    reader = tg_reader_of(TG_LIT("abc"));
    assert_slice(tg_reader_bytes(&reader, SIZE_MAX), "");
    assert_code(tg_reader_result(&reader), TG_ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(gets_whole_input_are_big_endian),     cmocka_unit_test(gets_every_shorter_input_are_truncated),
        cmocka_unit_test(finish_surplus_byte_is_syntax_error), cmocka_unit_test(fail_first_failure_stands),
        cmocka_unit_test(bytes_huge_length_is_truncated),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
