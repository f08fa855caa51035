#include "hello/return_port.h"

#include "hello/proxy_header.h"
#include "support/case.h"

#define TOKEN "0123456789abcdef"

static void append_then_read_gives_the_same_port(void **state)
{
    (void)state;
    tg_return_port port = {.port = 0x01020304}, got;
    memcpy(port.token, TOKEN, sizeof port.token);
    tg_buf buf;
    tg_buf_init(&buf, 64);
    assert_ok(tg_return_port_append(&buf, &port));
    assert_slice(tg_buf_slice(&buf), "\xe7\0\x15\x01\x01\x02\x03\x04" TOKEN);
    assert_ok(tg_return_port_read(tg_slice_from(tg_buf_slice(&buf), 3), &got));
    assert_int_equal(got.port, port.port);
    assert_memory_equal(got.token, port.token, sizeof got.token);
    tg_buf_done(&buf);
}

static void append_without_room_gives_limit(void **state)
{
    (void)state;
    tg_return_port port = {.port = 1};
    tg_buf buf;
    tg_buf_init(&buf, TG_RETURN_PORT_BYTES + 2);
    assert_code(tg_return_port_append(&buf, &port), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&buf), 0);
    tg_buf_done(&buf);
}

static void read_other_lengths_are_refused(void **state)
{
    (void)state;
    tg_return_port got = {.port = 7};
    tg_slice value = TG_LIT("\x01\0\0\0\x01" TOKEN "x");
    for (size_t len = 0; len <= value.len; len++) {
        tg_result read = tg_return_port_read(tg_slice_first(value, len), &got);
        assert_code(read, len == TG_RETURN_PORT_BYTES ? TG_OK : TG_ERR_SYNTAX);
    }
}

static void read_impossible_ports_and_versions_are_refused(void **state)
{
    (void)state;
    tg_return_port got = {.port = 7};
    assert_code(tg_return_port_read(TG_LIT("\x01\0\0\0\0" TOKEN), &got), TG_ERR_SYNTAX);
    assert_code(tg_return_port_read(TG_LIT("\x01\xff\xff\xff\xff" TOKEN), &got), TG_ERR_SYNTAX);
    assert_code(tg_return_port_read(TG_LIT("\x02\0\0\0\x01" TOKEN), &got), TG_ERR_UNSUPPORTED);
    assert_int_equal(got.port, 7);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(append_then_read_gives_the_same_port),
        cmocka_unit_test(append_without_room_gives_limit),
        cmocka_unit_test(read_other_lengths_are_refused),
        cmocka_unit_test(read_impossible_ports_and_versions_are_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
