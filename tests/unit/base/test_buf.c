#include "support/case.h"

#include "base/buf.h"

static bool is_all_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

static void append_at_maximum_and_one_over_is_limited(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 4);
    assert_ok(tg_buf_append(&buf, TG_LIT("abcd")));
    assert_code(tg_buf_append_byte(&buf, 'e'), TG_ERR_LIMIT);
    assert_slice(tg_buf_slice(&buf), "abcd");
    assert_int_equal(tg_buf_space(&buf), 0);
    tg_buf_consume(&buf, 1);
    assert_ok(tg_buf_append_byte(&buf, 'e'));
    assert_slice(tg_buf_slice(&buf), "bcde");
    tg_buf_done(&buf);
}

static void append_nothing_to_empty_allocates_nothing(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 0);
    assert_ok(tg_buf_append(&buf, tg_slice_of(NULL, 0)));
    assert_null(buf.ptr);
    assert_null(tg_buf_slice(&buf).ptr);
    assert_code(tg_buf_append_byte(&buf, 0), TG_ERR_LIMIT);
    tg_buf_clear(&buf);
    tg_buf_done(&buf);
}

static void append_every_byte_grows_and_keeps_order(void **state)
{
    (void)state;
    for (int is_wiped = 0; is_wiped < 2; is_wiped++) {
        tg_buf buf;
        if (is_wiped) {
            tg_buf_init_wiped(&buf, 5000);
        } else {
            tg_buf_init(&buf, 5000);
        }
        size_t num_dropped = 0;
        for (size_t i = 0; i < 5000; i++) {
            assert_ok(tg_buf_append_byte(&buf, (uint8_t)i));
            if (i % 7 == 0) {
                tg_buf_consume(&buf, 1);
                num_dropped++;
            }
        }
        assert_int_equal(tg_buf_len(&buf), 5000 - num_dropped);
        for (size_t i = 0; i < tg_buf_len(&buf); i++) {
            assert_int_equal(tg_buf_slice(&buf).ptr[i], (uint8_t)(num_dropped + i));
        }
        assert_true(buf.cap <= 5000);
        tg_buf_done(&buf);
    }
}

static void reserve_after_consume_moves_to_front(void **state)
{
    (void)state;
    tg_buf buf;
    uint8_t *at;
    tg_buf_init_wiped(&buf, 256);
    assert_ok(tg_buf_reserve(&buf, 256, &at));
    memset(at, 'x', 256);
    tg_buf_commit(&buf, 256);
    tg_buf_consume(&buf, 200);
    assert_ok(tg_buf_reserve(&buf, 100, &at));
    assert_int_equal(buf.start, 0);
    assert_int_equal(tg_buf_len(&buf), 56);
    assert_true(is_all_zero(buf.ptr + 56, 200));
    assert_code(tg_buf_reserve(&buf, 201, &at), TG_ERR_LIMIT);
    assert_code(tg_buf_reserve(&buf, SIZE_MAX, &at), TG_ERR_LIMIT);
    tg_buf_done(&buf);
}

static void widen_later_appends_do_not_move(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init_wiped(&buf, 2000);
    assert_ok(tg_buf_append(&buf, TG_LIT("0123456789")));
    tg_buf_consume(&buf, 4);
    assert_ok(tg_buf_widen(&buf, 1500));
    assert_slice(tg_buf_slice(&buf), "456789");
    assert_true(buf.cap >= 1500);
    assert_int_equal(buf.dirty, 6); /* what nobody wrote to is not wiped, and so not touched */
    const uint8_t *where = buf.ptr;
    for (size_t i = 6; i < 1500; i++) {
        assert_ok(tg_buf_append_byte(&buf, 'x'));
    }
    assert_ok(tg_buf_widen(&buf, 1500));
    assert_ok(tg_buf_widen(&buf, 0));
    assert_ptr_equal(buf.ptr, where);
    assert_int_equal(tg_buf_len(&buf), 1500);
    tg_buf_done(&buf);
}

static void reserve_in_front_half_takes_new_block(void **state)
{
    (void)state;
    tg_buf buf;
    uint8_t *at;
    tg_buf_init(&buf, 1024);
    assert_ok(tg_buf_append(&buf, TG_LIT("0123456789")));
    tg_buf_consume(&buf, 4);
    assert_ok(tg_buf_reserve(&buf, 250, &at));
    assert_slice(tg_buf_slice(&buf), "456789");
    assert_true(buf.cap >= 256);
    tg_buf_done(&buf);
}

static void commit_more_than_reserved_stays_inside(void **state)
{
    (void)state;
    tg_buf buf;
    uint8_t *at;
    tg_buf_init(&buf, 1000);
    assert_ok(tg_buf_reserve(&buf, 10, &at));
    memset(at, 0, 10);
    tg_buf_commit(&buf, SIZE_MAX);
    assert_int_equal(tg_buf_len(&buf), buf.cap);
    tg_buf_done(&buf);
}

static void wiped_clear_zeroes_reserved_bytes_too(void **state)
{
    (void)state;
    tg_buf buf;
    uint8_t *at;
    tg_buf_init_wiped(&buf, 1000);
    assert_ok(tg_buf_append(&buf, TG_LIT("secret")));
    assert_ok(tg_buf_reserve(&buf, 20, &at));
    memset(at, 's', 20); /* written, and then not committed */
    tg_buf_clear(&buf);
    assert_true(is_all_zero(buf.ptr, 26));
    assert_int_equal(tg_buf_len(&buf), 0);
    tg_buf_done(&buf);
}

static void wiped_consume_and_truncate_zero_what_they_drop(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init_wiped(&buf, 1000);
    assert_ok(tg_buf_append(&buf, TG_LIT("abcdef")));
    tg_buf_consume(&buf, 2);
    tg_buf_truncate(&buf, 3);
    assert_slice(tg_buf_slice(&buf), "cde");
    assert_memory_equal(buf.ptr, "\0\0cde\0", 6);
    tg_buf_truncate(&buf, 99);
    assert_slice(tg_buf_slice(&buf), "cde");
    tg_buf_consume(&buf, 99);
    assert_int_equal(buf.start, 0);
    assert_true(is_all_zero(buf.ptr, 6));
    tg_buf_done(&buf);
}

static void append_u64_extremes_are_written_whole(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 64);
    assert_ok(tg_buf_append_u64(&buf, 0));
    assert_ok(tg_buf_append_byte(&buf, ' '));
    assert_ok(tg_buf_append_u64(&buf, UINT64_MAX));
    assert_slice(tg_buf_slice(&buf), "0 18446744073709551615");
    tg_buf_done(&buf);
}

static void printf_filling_exactly_fits_and_one_over_is_limited(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 5);
    assert_code(tg_buf_printf(&buf, "%s", "123456"), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&buf), 0);
    assert_ok(tg_buf_printf(&buf, "%d%s", 12, "345"));
    assert_slice(tg_buf_slice(&buf), "12345");
    tg_buf_clear(&buf);
    assert_ok(tg_buf_printf(&buf, "%s", "1234"));
    assert_slice(tg_buf_slice(&buf), "1234");
    tg_buf_done(&buf);
}

static void release_then_append_starts_anew(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init_wiped(&buf, 100);
    assert_ok(tg_buf_append_str(&buf, "abc"));
    tg_buf_release(&buf);
    assert_null(buf.ptr);
    assert_ok(tg_buf_append_str(&buf, "d"));
    assert_slice(tg_buf_slice(&buf), "d");
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(append_at_maximum_and_one_over_is_limited),
        cmocka_unit_test(append_nothing_to_empty_allocates_nothing),
        cmocka_unit_test(append_every_byte_grows_and_keeps_order),
        cmocka_unit_test(reserve_after_consume_moves_to_front),
        cmocka_unit_test(widen_later_appends_do_not_move),
        cmocka_unit_test(reserve_in_front_half_takes_new_block),
        cmocka_unit_test(commit_more_than_reserved_stays_inside),
        cmocka_unit_test(wiped_clear_zeroes_reserved_bytes_too),
        cmocka_unit_test(wiped_consume_and_truncate_zero_what_they_drop),
        cmocka_unit_test(append_u64_extremes_are_written_whole),
        cmocka_unit_test(printf_filling_exactly_fits_and_one_over_is_limited),
        cmocka_unit_test(release_then_append_starts_anew),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
