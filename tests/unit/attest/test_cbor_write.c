#include "attest/cbor_write.h"
#include "support/case.h"

static void put_head_each_width_is_shortest(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *bytes;
        size_t len;
    } cases[] = {{0, "\x00", 1},
                 {23, "\x17", 1},
                 {24, "\x18\x18", 2},
                 {255, "\x18\xff", 2},
                 {256, "\x19\x01\x00", 3},
                 {65535, "\x19\xff\xff", 3},
                 {65536, "\x1a\x00\x01\x00\x00", 5},
                 {UINT32_MAX, "\x1a\xff\xff\xff\xff", 5},
                 {UINT64_C(1) << 32, "\x1b\x00\x00\x00\x01\x00\x00\x00\x00", 9},
                 {UINT64_MAX, "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_buf buf;
        tg_buf_init(&buf, 16);
        assert_ok(tg_cbor_put_head(&buf, TG_CBOR_UNSIGNED, cases[i].value));
        tg_assert_slice(tg_buf_slice(&buf), tg_slice_of(cases[i].bytes, cases[i].len), __FILE__, __LINE__);
        tg_cbor cbor = tg_cbor_of(tg_buf_slice(&buf));
        assert_true(tg_cbor_unsigned(&cbor) == cases[i].value);
        assert_ok(tg_cbor_finish(&cbor));
        tg_buf_done(&buf);
    }
}

static void put_values_each_kind_reads_back(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 1024);
    assert_ok(tg_cbor_put_head(&buf, TG_CBOR_ARRAY, 4));
    assert_ok(tg_cbor_put_bytes(&buf, TG_LIT("a\0b")));
    assert_ok(tg_cbor_put_text(&buf, "\xc3\xa9"));
    assert_ok(tg_cbor_put_bytes_or_null(&buf, (tg_slice){NULL, 0}));
    assert_ok(tg_cbor_put_bytes_or_null(&buf, TG_LIT("")));
    tg_cbor cbor = tg_cbor_of(tg_buf_slice(&buf));
    assert_int_equal(tg_cbor_array(&cbor), 4);
    assert_slice(tg_cbor_bytes(&cbor), "a\0b");
    assert_slice(tg_cbor_text(&cbor), "\xc3\xa9");
    assert_null(tg_cbor_bytes_or_null(&cbor).ptr);
    assert_non_null(tg_cbor_bytes_or_null(&cbor).ptr);
    assert_ok(tg_cbor_finish(&cbor));
    tg_buf_done(&buf);
}

static void put_bytes_past_maximum_is_limit(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 4);
    assert_code(tg_cbor_put_bytes(&buf, TG_LIT("abcd")), TG_ERR_LIMIT);
    assert_code(tg_cbor_put_head(&buf, TG_CBOR_UNSIGNED, UINT64_MAX), TG_ERR_LIMIT);
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_head_each_width_is_shortest),
        cmocka_unit_test(put_values_each_kind_reads_back),
        cmocka_unit_test(put_bytes_past_maximum_is_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
