#include "unit/tls/serving.h"

/* `len` bytes that are not alike. */
static void append_pattern(tg_buf *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_ok(tg_buf_append_byte(buf, (uint8_t)(i * 31 + (i >> 8))));
    }
}

static void assert_pattern(const tg_buf *buf, size_t len)
{
    tg_slice bytes = tg_buf_slice(buf);
    assert_int_equal(bytes.len, len);
    for (size_t i = 0; i < len; i++) {
        if (bytes.ptr[i] != (uint8_t)(i * 31 + (i >> 8))) {
            assert_int_equal(i, len);
        }
    }
}

static void accept_handshake_carries_bytes_both_ways(void **state)
{
    (void)state;
    assert_null(tg_stream_peer(at.stream)->tls);
    assert_int_equal(tg_stream_raw_fd(at.stream), -1);
    far_says("question");
    assert_slice(tg_buf_slice(&at.got), "question");
    we_say(TG_LIT("answer"));
    assert_slice(tg_buf_slice(&at.far_got), "answer");
    assert_string_equal(tg_stream_fault(at.stream), "");
}

static void peer_after_handshake_is_the_one_below_with_tls(void **state)
{
    (void)state;
    test_far_ask_for(&at.far, "server.test");
    conversation_talk();
    const tg_peer *peer = tg_stream_peer(at.stream);
    assert_int_equal(peer->kind, TG_ADDRESS_VSOCK);
    assert_int_equal(peer->cid, 16);
    assert_non_null(peer->tls);
    assert_string_equal(peer->tls->version, "TLSv1.3");
    assert_string_equal(peer->tls->cipher, "TLS_AES_256_GCM_SHA384");
    assert_slice(peer->tls->server_name, "server.test");
    assert_slice(peer->tls->protocol, "");
    assert_false(peer->tls->is_resumed);
    assert_false(peer->tls->has_certificate);
    assert_int_equal(peer->tls->num_names, 0);
    assert_true(peer->tls->not_after_unix_s == INT64_MAX);
}

static void accept_tls_12_takes_aead_with_ecdhe(void **state)
{
    (void)state;
    far_says("question");
    assert_slice(tg_buf_slice(&at.got), "question");
    assert_string_equal(tg_stream_peer(at.stream)->tls->version, "TLSv1.2");
    assert_string_equal(tg_stream_peer(at.stream)->tls->cipher, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
}

static void read_byte_at_a_time_below_gives_everything(void **state)
{
    (void)state;
    at.wire.step = 1;
    append_pattern(&at.far_to_write, 3000);
    conversation_talk();
    assert_pattern(&at.got, 3000);
}

/* Delivers the client's first flight in two pieces, cut at each place. */
static void accept_every_split_of_the_client_hello_is_taken(void **state)
{
    (void)state;
    size_t hello_len = SIZE_MAX;
    for (size_t cut = 1; cut < hello_len; cut += 1) {
        conversation_init();
        conversation_accept(serving_context, serving_client);
        conversation_far();
        assert_true(test_carry(&at.wire, &at.far));
        hello_len = tg_buf_len(&at.wire.in);
        at.wire.step = cut;
        assert_true(test_wire_tell(&at.wire));
        test_turn(at.loop);
        assert_null(tg_stream_peer(at.stream)->tls);
        at.wire.step = 0;
        far_says("x");
        assert_slice(tg_buf_slice(&at.got), "x");
        conversation_done();
    }
    assert_in_range(hello_len, 100, 2000);
}

static void read_many_records_with_a_tiny_buffer_gives_all(void **state)
{
    (void)state;
    conversation_talk();
    at.read_cap = 3;
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(SSL_write(at.far.ssl, "1234567", 7), 7);
    }
    conversation_talk();
    assert_int_equal(tg_buf_len(&at.got), 1400);
}

/* What came with one read below and was not asked for yet is told again, though below is silent. */
static void watch_hidden_records_are_told_by_a_tick(void **state)
{
    (void)state;
    conversation_talk();
    at.is_passive = true;
    SSL_write(at.far.ssl, "one", 3);
    SSL_write(at.far.ssl, "two", 3);
    SSL_write(at.far.ssl, "six", 3);
    assert_true(test_carry(&at.wire, &at.far));
    conversation_read();
    assert_slice(tg_buf_slice(&at.got), "one");
    assert_int_equal(tg_buf_len(&at.wire.in), 0);
    at.num_calls = 0;
    conversation_watch();
    assert_int_equal(at.num_calls, 0);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 1);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 2); /* a level, not an edge */
    tg_stream_watch(at.stream, 0);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 2);
    conversation_read();
    conversation_read();
    assert_slice(tg_buf_slice(&at.got), "onetwosix");
    at.num_calls = 0;
    conversation_watch();
    test_turn(at.loop);
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 0);
}

static void watch_piece_of_a_record_keeps_the_loop_asleep(void **state)
{
    (void)state;
    conversation_talk();
    SSL_write(at.far.ssl, "whole", 5);
    SSL_write(at.far.ssl, "piece", 5);
    test_wire *wire = &at.wire;
    assert_true(test_carry(wire, &at.far));
    uint8_t last = tg_buf_slice(&wire->in).ptr[tg_buf_len(&wire->in) - 1];
    tg_buf_truncate(&wire->in, tg_buf_len(&wire->in) - 1);
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "whole");
    at.num_calls = 0;
    for (unsigned i = 0; i < 20; i++) {
        test_turn(at.loop);
    }
    assert_int_equal(at.num_calls, 0);
    assert_int_equal(wire->watched, TG_STREAM_READ);
    assert_ok(tg_buf_append_byte(&wire->in, last));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "wholepiece");
}

static void watch_nothing_asks_nothing_of_below(void **state)
{
    (void)state;
    tg_stream_watch(at.stream, 0);
    assert_int_equal(at.wire.watched, 0);
    tg_stream_watch(at.stream, TG_STREAM_READ);
    assert_int_equal(at.wire.watched, TG_STREAM_READ);
}

/* The server's flight does not fit: reading waits for room to write. */
static void read_blocked_flight_waits_for_writable_below(void **state)
{
    (void)state;
    at.wire.window = 100;
    conversation_talk();
    assert_null(tg_stream_peer(at.stream)->tls);
    assert_int_equal(at.wire.watched, TG_STREAM_WRITE);
    at.num_calls = 0;
    test_turn(at.loop);
    assert_int_equal(at.num_calls, 0);
    at.wire.window = SIZE_MAX;
    far_says("question");
    assert_slice(tg_buf_slice(&at.got), "question");
}

/* An owner that only writes: the handshake needs bytes first. */
static void write_before_handshake_waits_for_readable_below(void **state)
{
    (void)state;
    at.read_cap = 0;
    assert_ok(tg_buf_append(&at.to_write, TG_LIT("greeting")));
    conversation_watch();
    assert_true(test_wire_tell(&at.wire)); /* writable: so it is tried */
    assert_int_equal(at.wire.watched, TG_STREAM_READ);
    conversation_talk();
    assert_slice(tg_buf_slice(&at.far_got), "greeting");
}

static void write_through_small_windows_loses_nothing(void **state)
{
    (void)state;
    conversation_talk();
    append_pattern(&at.to_write, 200000);
    conversation_watch();
    for (unsigned i = 0; tg_buf_len(&at.far_got) < 200000; i++) {
        assert_in_range(i, 0, 10000);
        at.wire.window = 37 + i * 11;
        conversation_talk();
    }
    assert_pattern(&at.far_got, 200000);
    assert_int_equal(tg_buf_len(&at.to_write), 0);
}

static void write_after_again_may_come_from_elsewhere_with_more(void **state)
{
    (void)state;
    uint8_t first[600];
    uint8_t second[900];
    size_t len = 0;
    conversation_talk();
    memset(first, 'a', sizeof first);
    memset(second, 'a', sizeof first);
    memset(second + sizeof first, 'b', sizeof second - sizeof first);
    at.wire.window = 10;
    assert_code(tg_stream_write(at.stream, tg_slice_of(first, sizeof first), &len), TG_ERR_AGAIN);
    memset(first, 'x', sizeof first);
    at.wire.window = SIZE_MAX;
    assert_ok(tg_stream_write(at.stream, tg_slice_of(second, sizeof second), &len));
    assert_int_equal(len, sizeof second);
    conversation_talk();
    assert_true(tg_slice_equal(tg_buf_slice(&at.far_got), tg_slice_of(second, sizeof second)));
}

static void write_one_record_is_one_write_below(void **state)
{
    (void)state;
    conversation_talk();
    at.wire.num_writes = 0;
    we_say(TG_LIT("short"));
    assert_int_equal(at.wire.num_writes, 1);
}

static void read_one_record_is_one_read_below(void **state)
{
    (void)state;
    conversation_talk();
    at.wire.num_reads = 0;
    far_says("short");
    assert_slice(tg_buf_slice(&at.got), "short");
    assert_int_equal(at.wire.num_reads, 1);
}

static void read_key_update_request_is_answered(void **state)
{
    (void)state;
    conversation_talk();
    assert_int_equal(SSL_key_update(at.far.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    far_says("under new keys");
    assert_slice(tg_buf_slice(&at.got), "under new keys");
    we_say(TG_LIT("likewise"));
    assert_slice(tg_buf_slice(&at.far_got), "likewise");
}

static void read_key_update_without_room_does_not_spin(void **state)
{
    (void)state;
    conversation_talk();
    at.wire.window = 0;
    assert_int_equal(SSL_key_update(at.far.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    far_says("under new keys");
    at.num_calls = 0;
    for (unsigned i = 0; i < 20; i++) {
        (void)test_wire_tell(&at.wire);
        test_turn(at.loop);
    }
    assert_in_range(at.num_calls, 0, 1);
    at.wire.window = SIZE_MAX;
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "under new keys");
}

static void read_renegotiation_is_refused_and_the_connection_stays(void **state)
{
    (void)state;
    far_says("one");
    assert_int_equal(SSL_renegotiate(at.far.ssl), 1);
    (void)SSL_do_handshake(at.far.ssl);
    assert_true(test_carry(&at.wire, &at.far));
    assert_true(test_wire_tell(&at.wire));
    test_turn(at.loop);
    assert_int_equal(at.end, TG_OK);
    conversation_talk();
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_NO_RENEGOTIATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accept_handshake_carries_bytes_both_ways, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(peer_after_handshake_is_the_one_below_with_tls, serving_set_up,
                                        serving_tear_down),
        cmocka_unit_test_setup_teardown(accept_tls_12_takes_aead_with_ecdhe, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_byte_at_a_time_below_gives_everything, serving_set_up, serving_tear_down),
        TEST_12(read_byte_at_a_time_below_gives_everything, serving_set_up_12, serving_tear_down),
        cmocka_unit_test(accept_every_split_of_the_client_hello_is_taken),
        cmocka_unit_test_setup_teardown(read_many_records_with_a_tiny_buffer_gives_all, serving_set_up,
                                        serving_tear_down),
        TEST_12(read_many_records_with_a_tiny_buffer_gives_all, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(watch_hidden_records_are_told_by_a_tick, serving_set_up, serving_tear_down),
        TEST_12(watch_hidden_records_are_told_by_a_tick, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(watch_piece_of_a_record_keeps_the_loop_asleep, serving_set_up,
                                        serving_tear_down),
        cmocka_unit_test_setup_teardown(watch_nothing_asks_nothing_of_below, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_blocked_flight_waits_for_writable_below, serving_set_up,
                                        serving_tear_down),
        TEST_12(read_blocked_flight_waits_for_writable_below, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(write_before_handshake_waits_for_readable_below, serving_set_up,
                                        serving_tear_down),
        TEST_12(write_before_handshake_waits_for_readable_below, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(write_through_small_windows_loses_nothing, serving_set_up, serving_tear_down),
        TEST_12(write_through_small_windows_loses_nothing, serving_set_up_12, serving_tear_down),
        cmocka_unit_test_setup_teardown(write_after_again_may_come_from_elsewhere_with_more, serving_set_up,
                                        serving_tear_down),
        cmocka_unit_test_setup_teardown(write_one_record_is_one_write_below, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_one_record_is_one_read_below, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_key_update_request_is_answered, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_key_update_without_room_does_not_spin, serving_set_up, serving_tear_down),
        cmocka_unit_test_setup_teardown(read_renegotiation_is_refused_and_the_connection_stays, serving_set_up_12,
                                        serving_tear_down),
    };
    return cmocka_run_group_tests(tests, serving_set_up_all, serving_tear_down_all);
}
