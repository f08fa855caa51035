#include "unit/tls/conversation.h"

static test_certificate issuer;
static test_certificate server;
static tg_tls_context *context;
static SSL_CTX *client;

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    tg_tls_identity *identity = conversation_identity(&server, NULL);
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &context, NULL));
    tg_tls_identity_unref(identity);
    client = SSL_CTX_new(TLS_client_method());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client), issuer.certificate);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    SSL_CTX_free(client);
    tg_tls_context_unref(context);
    test_certificate_done(&server);
    test_certificate_done(&issuer);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    conversation_init();
    conversation_accept(context, client);
    return 0;
}

static int set_up_12(void **state)
{
    (void)state;
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    conversation_init();
    conversation_accept(context, client);
    SSL_CTX_set_max_proto_version(client, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    return 0;
}

static void far_says(const char *text)
{
    assert_ok(tg_buf_append_str(&at.far_to_write, text));
    conversation_talk();
}

static void we_say(tg_slice bytes)
{
    assert_ok(tg_buf_append(&at.to_write, bytes));
    conversation_watch();
    conversation_talk();
}

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
        conversation_accept(context, client);
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
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_12(name)                                                                                                  \
    {                                                                                                                  \
#name " (TLS 1.2)", name, set_up_12, tear_down, NULL                                                           \
    }
    const struct CMUnitTest tests[] = {
        CASE(accept_handshake_carries_bytes_both_ways),
        CASE(peer_after_handshake_is_the_one_below_with_tls),
        CASE_12(accept_tls_12_takes_aead_with_ecdhe),
        CASE(read_byte_at_a_time_below_gives_everything),
        CASE_12(read_byte_at_a_time_below_gives_everything),
        cmocka_unit_test(accept_every_split_of_the_client_hello_is_taken),
        CASE(read_many_records_with_a_tiny_buffer_gives_all),
        CASE_12(read_many_records_with_a_tiny_buffer_gives_all),
        CASE(watch_hidden_records_are_told_by_a_tick),
        CASE_12(watch_hidden_records_are_told_by_a_tick),
        CASE(watch_piece_of_a_record_keeps_the_loop_asleep),
        CASE(watch_nothing_asks_nothing_of_below),
        CASE(read_blocked_flight_waits_for_writable_below),
        CASE_12(read_blocked_flight_waits_for_writable_below),
        CASE(write_before_handshake_waits_for_readable_below),
        CASE_12(write_before_handshake_waits_for_readable_below),
        CASE(write_through_small_windows_loses_nothing),
        CASE_12(write_through_small_windows_loses_nothing),
        CASE(write_after_again_may_come_from_elsewhere_with_more),
        CASE(write_one_record_is_one_write_below),
        CASE(read_one_record_is_one_read_below),
        CASE(read_close_notify_is_eof_and_writing_goes_on),
        CASE_12(read_close_notify_is_eof_and_writing_goes_on),
        CASE(watch_after_eof_tells_until_unwatched),
        CASE(shutdown_sends_close_notify_and_reading_goes_on),
        CASE_12(shutdown_sends_close_notify_and_reading_goes_on),
        CASE(shutdown_key_update_behind_it_does_not_end_reading),
        CASE(shutdown_without_room_is_again_then_done),
        CASE(shutdown_before_handshake_waits_for_it),
        CASE_12(shutdown_before_handshake_waits_for_it),
        CASE(shutdown_inside_a_record_is_no_orderly_end),
        CASE(close_alone_looks_cut_off_to_the_peer),
        CASE(close_inside_the_callback_is_safe),
        CASE(close_inside_a_tick_is_safe),
        CASE(close_with_a_tick_due_calls_nobody),
        CASE(read_end_without_close_notify_is_closed),
        CASE_12(read_end_without_close_notify_is_closed),
        CASE(read_end_inside_a_record_is_closed),
        CASE(read_reset_below_is_closed_without_a_fault),
        CASE(write_broken_below_leaves_reading_usable),
        CASE_12(write_broken_below_leaves_reading_usable),
        CASE(read_damaged_record_is_closed_with_an_alert),
        CASE(read_key_update_request_is_answered),
        CASE(read_key_update_without_room_does_not_spin),
        CASE_12(read_renegotiation_is_refused_and_the_connection_stays),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
