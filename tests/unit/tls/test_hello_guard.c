#include "tls/hello_guard.h"

#include "base/buf.h"
#include "support/case.h"

enum { MAX_BYTES = 1000 };

static tg_buf bytes;

static int set_up(void **state)
{
    (void)state;
    tg_buf_init(&bytes, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_buf_done(&bytes);
    return 0;
}

static void record(uint8_t type, const uint8_t *fragment, size_t len)
{
    const uint8_t header[] = {type, 3, 1, (uint8_t)(len >> 8), (uint8_t)len};
    assert_ok(tg_buf_append(&bytes, tg_slice_of(header, sizeof header)));
    assert_ok(tg_buf_append(&bytes, tg_slice_of(fragment, len)));
}

/* A message of `len` bytes in records of at most `step`. */
static void message(uint8_t type, size_t len, size_t step)
{
    static uint8_t whole[4 + 65536];
    whole[0] = type;
    whole[1] = (uint8_t)(len >> 16);
    whole[2] = (uint8_t)(len >> 8);
    whole[3] = (uint8_t)len;
    for (size_t start = 0; start < len + 4; start += step) {
        record(22, whole + start, len + 4 - start < step ? len + 4 - start : step);
    }
}

/* The answer must not depend on how the bytes come. */
static tg_code take(void)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 100, 65536};
    tg_code code = TG_OK;
    for (size_t i = 0; i < TG_COUNT(steps); i++) {
        tg_tls_hello_guard guard = {0};
        tg_code this_code = TG_OK;
        for (tg_slice rest = tg_buf_slice(&bytes); rest.len > 0; rest = tg_slice_from(rest, steps[i])) {
            tg_result result = tg_tls_hello_guard_take(&guard, tg_slice_first(rest, steps[i]), MAX_BYTES);
            if (!tg_is_ok(result)) {
                this_code = result.code;
                break;
            }
        }
        assert_true(i == 0 || this_code == code);
        code = this_code;
    }
    return code;
}

static void take_longest_hello_is_ok(void **state)
{
    (void)state;
    message(1, MAX_BYTES, 16384);
    assert_int_equal(take(), TG_OK);
}

static void take_hello_one_too_long_is_limit(void **state)
{
    (void)state;
    message(1, MAX_BYTES + 1, 16384);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_long_hello_in_crumbs_is_limit(void **state)
{
    (void)state;
    message(1, MAX_BYTES + 1, 1);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_header_alone_decides(void **state)
{
    (void)state;
    static const uint8_t header[] = {1, 1, 0, 0};
    record(22, header, sizeof header);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_second_hello_too_long_is_limit(void **state)
{
    (void)state;
    message(1, 300, 100);
    record(20, (const uint8_t *)"\x01", 1);
    message(1, MAX_BYTES + 1, 16384);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_second_hello_in_the_firsts_record_is_seen(void **state)
{
    (void)state;
    static const uint8_t both[] = {1, 0, 0, 2, 'a', 'b', 1, 1, 0, 0};
    record(22, both, sizeof both);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_after_the_hellos_nothing_is_followed(void **state)
{
    (void)state;
    message(1, 10, 100);
    message(1, 10, 100);
    message(1, MAX_BYTES + 1, 16384);
    assert_int_equal(take(), TG_OK);
}

static void take_other_messages_are_not_followed(void **state)
{
    (void)state;
    message(1, 10, 100);
    message(11, MAX_BYTES + 1, 16384); /* a certificate, which has a bound of its own */
    message(1, MAX_BYTES + 1, 16384);
    assert_int_equal(take(), TG_OK);
}

static void take_encrypted_records_are_not_followed(void **state)
{
    (void)state;
    static const uint8_t noise[] = {1, 255, 255, 255};
    message(1, 10, 100);
    record(23, noise, sizeof noise);
    record(22, noise, sizeof noise);
    assert_int_equal(take(), TG_OK);
}

static void take_empty_records_and_hellos_are_passed_over(void **state)
{
    (void)state;
    record(22, (const uint8_t *)"", 0);
    message(1, 0, 100);
    record(22, (const uint8_t *)"", 0);
    message(1, MAX_BYTES + 1, 100);
    assert_int_equal(take(), TG_ERR_LIMIT);
}

static void take_what_is_no_tls_is_let_through(void **state)
{
    (void)state;
    assert_int_equal(take(), TG_OK); /* nothing at all */
    assert_ok(tg_buf_append(&bytes, TG_LIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01\x40\x00\x01\xff\xff\xff")));
    assert_int_equal(take(), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(take_longest_hello_is_ok, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_hello_one_too_long_is_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_long_hello_in_crumbs_is_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_header_alone_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_second_hello_too_long_is_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_second_hello_in_the_firsts_record_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_after_the_hellos_nothing_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_other_messages_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_encrypted_records_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_empty_records_and_hellos_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_what_is_no_tls_is_let_through, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
