/* How streams end: in order, half, cut off, broken. */
#include "unit/tls/serving.h"

static void read_close_notify_is_eof_and_writing_goes_on(void **state)
{
    (void)state;
    far_says("last");
    assert_int_equal(SSL_shutdown(at.far.ssl), 0);
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "last");
    assert_int_equal(at.end, TG_ERR_EOF);
    size_t len = 0;
    uint8_t byte;
    assert_code(tg_stream_read(at.stream, &byte, 1, &len), TG_ERR_EOF);
    at.wire.is_at_end = true;
    assert_code(tg_stream_read(at.stream, &byte, 1, &len), TG_ERR_EOF);
    we_say(TG_LIT("answer"));
    assert_slice(tg_buf_slice(&at.far_got), "answer");
    assert_string_equal(tg_stream_fault(at.stream), "");
}

static void watch_after_eof_tells_until_unwatched(void **state)
{
    (void)state;
    conversation_talk();
    SSL_shutdown(at.far.ssl);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_EOF);
    at.is_passive = true;
    at.num_calls = 0;
    tg_stream_watch(at.stream, TG_STREAM_READ);
    test_turn(at.loop);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 2);
}

static void shutdown_sends_close_notify_and_reading_goes_on(void **state)
{
    (void)state;
    we_say(TG_LIT("last"));
    assert_ok(tg_stream_shutdown(at.stream));
    assert_true(at.wire.is_shut);
    conversation_talk();
    assert_slice(tg_buf_slice(&at.far_got), "last");
    assert_int_equal(at.far_error, SSL_ERROR_ZERO_RETURN);
    assert_ok(tg_stream_shutdown(at.stream));
    far_says("still here");
    assert_slice(tg_buf_slice(&at.got), "still here");
    size_t len = 0;
    assert_code(tg_stream_write(at.stream, TG_LIT("x"), &len), TG_ERR_CLOSED);
    SSL_shutdown(at.far.ssl);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_EOF);
    assert_string_equal(tg_stream_fault(at.stream), "");
}

/* A request that cannot be answered any more. */
static void shutdown_key_update_behind_it_does_not_end_reading(void **state)
{
    (void)state;
    conversation_talk();
    assert_ok(tg_stream_shutdown(at.stream));
    conversation_talk();
    assert_int_equal(SSL_key_update(at.far.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    far_says("behind");
    assert_int_equal(at.end, TG_OK);
    assert_slice(tg_buf_slice(&at.got), "behind");
}

static void shutdown_without_room_is_again_then_done(void **state)
{
    (void)state;
    conversation_talk();
    at.wire.window = 0;
    assert_code(tg_stream_shutdown(at.stream), TG_ERR_AGAIN);
    assert_false(at.wire.is_shut);
    tg_stream_watch(at.stream, TG_STREAM_WRITE);
    assert_int_equal(at.wire.watched, TG_STREAM_WRITE);
    at.wire.window = SIZE_MAX;
    assert_ok(tg_stream_shutdown(at.stream));
    assert_true(at.wire.is_shut);
    conversation_talk();
    assert_int_equal(at.far_error, SSL_ERROR_ZERO_RETURN);
}

static void shutdown_before_handshake_waits_for_it(void **state)
{
    (void)state;
    assert_code(tg_stream_shutdown(at.stream), TG_ERR_AGAIN);
    conversation_talk();
    assert_ok(tg_stream_shutdown(at.stream));
    conversation_talk();
    assert_int_equal(at.far_error, SSL_ERROR_ZERO_RETURN);
}

static void shutdown_inside_a_record_is_no_orderly_end(void **state)
{
    (void)state;
    size_t len = 0;
    conversation_talk();
    at.wire.window = 10;
    assert_code(tg_stream_write(at.stream, TG_LIT("a record that is cut"), &len), TG_ERR_AGAIN);
    at.wire.window = SIZE_MAX;
    assert_code(tg_stream_shutdown(at.stream), TG_ERR_CLOSED);
}

static void close_alone_looks_cut_off_to_the_peer(void **state)
{
    (void)state;
    we_say(TG_LIT("part of an answer"));
    tg_stream_close(TG_TAKE(at.stream));
    assert_true(at.wire.is_closed);
    assert_int_equal(tg_buf_len(&at.wire.out), 0);
}

static void close_inside_the_callback_is_safe(void **state)
{
    (void)state;
    conversation_talk();
    at.closes = true;
    far_says("x");
    assert_null(at.stream);
    assert_true(at.wire.is_closed);
}

static void close_inside_a_tick_is_safe(void **state)
{
    (void)state;
    conversation_talk();
    at.is_passive = true;
    SSL_write(at.far.ssl, "one", 3);
    SSL_write(at.far.ssl, "two", 3);
    assert_true(test_carry(&at.wire, &at.far));
    conversation_read();
    at.closes = true;
    conversation_watch();
    test_turn(at.loop);
    assert_null(at.stream);
}

static void close_with_a_tick_due_calls_nobody(void **state)
{
    (void)state;
    conversation_talk();
    SSL_write(at.far.ssl, "one", 3);
    SSL_write(at.far.ssl, "two", 3);
    assert_true(test_carry(&at.wire, &at.far));
    conversation_read();
    conversation_watch();
    at.num_calls = 0;
    tg_stream_close(TG_TAKE(at.stream));
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 0);
}

static void read_close_notify_in_the_handshake_is_closed(void **state)
{
    (void)state;
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 1, 0};
    conversation_far();
    assert_true(test_carry(&at.wire, &at.far));
    assert_ok(tg_buf_append(&at.wire.in, tg_slice_of(alert, sizeof alert)));
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: ended in the handshake");
    assert_null(tg_stream_peer(at.stream)->tls);
}

static void read_close_notify_with_the_last_flight_is_eof(void **state)
{
    (void)state;
    conversation_far();
    assert_true(test_carry(&at.wire, &at.far));
    assert_true(test_wire_tell(&at.wire));
    assert_true(test_carry(&at.wire, &at.far));
    conversation_far();
    SSL_shutdown(at.far.ssl);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_EOF);
    assert_string_equal(tg_stream_fault(at.stream), "");
    assert_non_null(tg_stream_peer(at.stream)->tls);
}

static void read_end_without_close_notify_is_closed(void **state)
{
    (void)state;
    far_says("and then");
    at.wire.is_at_end = true;
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: ended without close_notify");
    size_t len = 0;
    assert_code(tg_stream_write(at.stream, TG_LIT("x"), &len), TG_ERR_CLOSED);
    assert_code(tg_stream_shutdown(at.stream), TG_ERR_CLOSED);
}

static void read_end_inside_a_record_is_closed(void **state)
{
    (void)state;
    conversation_talk();
    SSL_write(at.far.ssl, "cut", 3);
    assert_true(test_carry(&at.wire, &at.far));
    tg_buf_truncate(&at.wire.in, tg_buf_len(&at.wire.in) - 1);
    at.wire.is_at_end = true;
    conversation_talk();
    assert_int_equal(tg_buf_len(&at.got), 0);
    assert_int_equal(at.end, TG_ERR_CLOSED);
}

static void read_reset_below_is_closed_without_a_fault(void **state)
{
    (void)state;
    conversation_talk();
    at.wire.is_broken = true;
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "");
}

/* A peer that answers and closes while we still write: what it said can be read. */
static void write_broken_below_leaves_reading_usable(void **state)
{
    (void)state;
    conversation_talk();
    SSL_write(at.far.ssl, "enough", 6);
    SSL_shutdown(at.far.ssl);
    at.wire.is_write_broken = true;
    at.read_cap = 0;
    we_say(TG_LIT("long upload"));
    assert_int_equal(at.write_end, TG_ERR_CLOSED);
    at.read_cap = 100;
    conversation_watch();
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "enough");
    assert_int_equal(at.end, TG_ERR_EOF);
    size_t len = 0;
    assert_code(tg_stream_write(at.stream, TG_LIT("x"), &len), TG_ERR_CLOSED);
    at.is_passive = true;
    at.num_calls = 0;
    tg_stream_watch(at.stream, TG_STREAM_WRITE);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 1);
}

static void read_damaged_record_is_closed_with_an_alert(void **state)
{
    (void)state;
    conversation_talk();
    SSL_write(at.far.ssl, "damaged", 7);
    assert_true(test_carry(&at.wire, &at.far));
    uint8_t *last;
    tg_buf_truncate(&at.wire.in, tg_buf_len(&at.wire.in) - 1);
    assert_ok(tg_buf_reserve(&at.wire.in, 1, &last));
    *last ^= 0xff;
    tg_buf_commit(&at.wire.in, 1);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: decryption failed or bad record mac");
    assert_true(at.wire.is_shut);
    assert_int_equal(at.far_error, SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_close_notify_is_eof_and_writing_goes_on, serving_set_up,
                                        serving_tear_down),
        TEST_12(read_close_notify_is_eof_and_writing_goes_on, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(watch_after_eof_tells_until_unwatched, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(shutdown_sends_close_notify_and_reading_goes_on, serving_set_up,
                                        serving_tear_down),
        TEST_12(shutdown_sends_close_notify_and_reading_goes_on, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(shutdown_key_update_behind_it_does_not_end_reading, serving_set_up,
                                        serving_tear_down),
        cmocka_unit_test_setup_teardown(shutdown_without_room_is_again_then_done, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(shutdown_before_handshake_waits_for_it, serving_set_up, serving_tear_down),
        TEST_12(shutdown_before_handshake_waits_for_it, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(shutdown_inside_a_record_is_no_orderly_end, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(close_alone_looks_cut_off_to_the_peer, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(close_inside_the_callback_is_safe, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(close_inside_a_tick_is_safe, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(close_with_a_tick_due_calls_nobody, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_close_notify_in_the_handshake_is_closed, serving_set_up,
                                        serving_tear_down),
        TEST_12(read_close_notify_in_the_handshake_is_closed, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_close_notify_with_the_last_flight_is_eof, serving_set_up,
                                        serving_tear_down),
        cmocka_unit_test_setup_teardown(read_end_without_close_notify_is_closed, serving_set_up, serving_tear_down),
        TEST_12(read_end_without_close_notify_is_closed, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_end_inside_a_record_is_closed, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_reset_below_is_closed_without_a_fault, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(write_broken_below_leaves_reading_usable, serving_set_up, serving_tear_down),
        TEST_12(write_broken_below_leaves_reading_usable, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_damaged_record_is_closed_with_an_alert, serving_set_up, serving_tear_down),
    };
    return cmocka_run_group_tests(tests, serving_set_up_all, serving_tear_down_all);
}
