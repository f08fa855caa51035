/* What ends in the handshake: peers that speak something else, too old, too long, or nothing that we do. */
#include "sys/metric.h"
#include "unit/tls/conversation.h"

static test_certificate server;
static tg_tls_identity *identity;
static tg_tls_context *context;
static SSL_CTX *client;

static int set_up_all(void **state)
{
    (void)state;
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test"});
    identity = conversation_identity(&server, NULL);
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &context, NULL));
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_context_unref(context);
    tg_tls_identity_unref(identity);
    test_certificate_done(&server);
    return 0;
}

/* Each case sets its client up before it speaks. */
static int set_up(void **state)
{
    (void)state;
    client = SSL_CTX_new(TLS_client_method());
    conversation_init();
    conversation_accept(context, client);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    SSL_CTX_free(client);
    return 0;
}

static uint64_t num_failures(const char *reason)
{
    for (tg_metric_family *family = tg_metric_next_family(NULL); family != NULL;
         family = tg_metric_next_family(family)) {
        if (strcmp(family->name, "teegate_tls_handshake_failures_total") == 0) {
            return tg_metric_counter(tg_metric_of(family, TG_LIT("server"), tg_slice_str(reason)));
        }
    }
    return 0;
}

/* Bytes that no OpenSSL made. */
static void send_raw(tg_slice bytes)
{
    assert_ok(tg_buf_append(&at.wire.in, bytes));
    for (unsigned i = 0; i < 10; i++) {
        (void)test_wire_tell(&at.wire);
        test_turn(at.loop);
    }
}

static void accept_plain_http_is_closed_without_an_answer(void **state)
{
    (void)state;
    uint64_t before = num_failures("http_request");
    send_raw(TG_LIT("GET / HTTP/1.1\r\nHost: server.test\r\n\r\n"));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: http request");
    assert_int_equal(tg_buf_len(&at.wire.out), 0);
    assert_true(at.wire.is_shut);
    assert_int_equal(num_failures("http_request"), before + 1);
}

static void accept_proxy_request_is_closed(void **state)
{
    (void)state;
    send_raw(TG_LIT("CONNECT server.test:443 HTTP/1.1\r\n\r\n"));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: https proxy request");
}

static void accept_garbage_is_closed(void **state)
{
    (void)state;
    uint64_t before = num_failures("not_tls");
    send_raw(TG_LIT("\x01\x00SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\xff\xfe\xfd"));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: wrong version number");
    assert_int_equal(num_failures("not_tls"), before + 1);
}

static void accept_garbage_one_byte_at_a_time_is_closed(void **state)
{
    (void)state;
    static const uint8_t garbage[] = {0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00};
    for (size_t i = 0; i < sizeof garbage && at.end == TG_OK; i++) {
        send_raw(tg_slice_of(garbage + i, 1));
    }
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: length too short");
}

static void accept_end_before_a_byte_is_no_fault(void **state)
{
    (void)state;
    uint64_t before = num_failures("cut_off");
    at.wire.is_at_end = true;
    send_raw(TG_LIT(""));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "");
    assert_int_equal(num_failures("cut_off"), before);
}

static void accept_end_in_the_hello_is_cut_off(void **state)
{
    (void)state;
    uint64_t before = num_failures("cut_off");
    at.wire.is_at_end = true;
    send_raw(TG_LIT("\x16\x03\x01\x00\x80\x01"));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: ended in the handshake");
    assert_int_equal(num_failures("cut_off"), before + 1);
}

static void accept_reset_in_the_hello_is_cut_off(void **state)
{
    (void)state;
    send_raw(TG_LIT("\x16\x03\x01\x00\x80\x01"));
    at.wire.is_broken = true;
    send_raw(TG_LIT(""));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: ended in the handshake");
}

static void close_in_the_handshake_counts_as_given_up(void **state)
{
    (void)state;
    uint64_t before = num_failures("given_up");
    send_raw(TG_LIT("\x16\x03\x01\x00\x80\x01"));
    tg_stream_close(TG_TAKE(at.stream));
    assert_int_equal(num_failures("given_up"), before + 1);
}

static void accept_tls_11_is_refused_with_an_alert(void **state)
{
    (void)state;
    uint64_t before = num_failures("version");
    SSL_set_security_level(at.far.ssl, 0);
    SSL_set_min_proto_version(at.far.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(at.far.ssl, TLS1_1_VERSION);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: unsupported protocol");
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    assert_int_equal(num_failures("version"), before + 1);
}

static void refuse_suites(const char *suites)
{
    uint64_t before = num_failures("nothing_in_common");
    SSL_set_max_proto_version(at.far.ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(at.far.ssl, suites), 1);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: no shared cipher");
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
    assert_int_equal(num_failures("nothing_in_common"), before + 1);
}

static void accept_cbc_suites_are_refused(void **state)
{
    (void)state;
    refuse_suites("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384");
}

static void accept_suites_without_forward_secrecy_are_refused(void **state)
{
    (void)state;
    refuse_suites("AES256-GCM-SHA384:AES128-GCM-SHA256");
}

/* OpenSSL's macro for it drops a const. */
static long set_groups(const char *groups)
{
    return SSL_ctrl(at.far.ssl, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)groups);
}

static void accept_group_that_we_lack_is_refused(void **state)
{
    (void)state;
    assert_int_equal(set_groups("X448"), 1);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: no suitable key share");
}

static void accept_group_that_we_prefer_less_is_taken(void **state)
{
    (void)state;
    assert_int_equal(set_groups("X448:P-384"), 1); /* a HelloRetryRequest */
    assert_ok(tg_buf_append_str(&at.far_to_write, "x"));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "x");
}

static void offer(const char *protocols)
{
    assert_int_equal(SSL_set_alpn_protos(at.far.ssl, (const unsigned char *)protocols, (unsigned)strlen(protocols)), 0);
    conversation_talk();
}

static void accept_common_protocol_is_chosen(void **state)
{
    (void)state;
    offer("\x02h2\x08http/1.1");
    assert_slice(tg_stream_peer(at.stream)->tls->protocol, "http/1.1");
}

static void accept_no_common_protocol_is_refused_with_its_alert(void **state)
{
    (void)state;
    uint64_t before = num_failures("no_protocol");
    offer("\x02h2\x03xyz");
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: no application protocol");
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    assert_int_equal(num_failures("no_protocol"), before + 1);
}

static void accept_peers_alert_is_told(void **state)
{
    (void)state;
    uint64_t before = num_failures("alert");
    SSL_set_verify(at.far.ssl, SSL_VERIFY_PEER, NULL); /* it knows nobody */
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: tlsv1 alert unknown ca");
    assert_int_equal(num_failures("alert"), before + 1);
}

/* A record with the first bytes of a ClientHello that announces `len` bytes. */
static void announce_hello(uint32_t len)
{
    const uint8_t bytes[] = {22, 3, 1, 0x40, 0, 1, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 3, 3};
    send_raw(tg_slice_of(bytes, sizeof bytes));
}

static void accept_longest_hello_is_waited_for(void **state)
{
    (void)state;
    announce_hello(TG_MAX_HELLO_BYTES);
    assert_int_equal(at.end, TG_OK);
}

static void accept_hello_one_byte_too_long_is_closed(void **state)
{
    (void)state;
    uint64_t before = num_failures("hello_too_long");
    announce_hello(TG_MAX_HELLO_BYTES + 1);
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: client hello too long");
    assert_int_equal(num_failures("hello_too_long"), before + 1);
}

static void close_after_a_refusal_takes_unread_bytes_out_of_the_way(void **state)
{
    (void)state;
    send_raw(TG_LIT("GET / HTTP/1.1\r\n"));
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_ok(tg_buf_append(&at.wire.in, TG_LIT("what else it had to say")));
    tg_stream_close(TG_TAKE(at.stream));
    assert_int_equal(tg_buf_len(&at.wire.in), 0);
}

static void accept_early_data_is_refused_and_dropped(void **state)
{
    (void)state;
    tg_tls_tickets *tickets;
    tg_tls_context *resuming;
    assert_ok(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets));
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity, .tickets = tickets}, &resuming,
                                        NULL));
    conversation_done();
    conversation_init();
    conversation_accept(resuming, client);
    assert_ok(tg_buf_append_str(&at.to_write, "tickets go out with this"));
    conversation_watch();
    conversation_talk();
    SSL_SESSION *session = SSL_get1_session(at.far.ssl);
    assert_int_equal(SSL_SESSION_is_resumable(session), 1);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0); /* not offered */
    SSL_SESSION_set_max_early_data(session, 1000);                /* and forced */
    conversation_done();
    conversation_init();
    conversation_accept(resuming, client);
    SSL_set_session(at.far.ssl, session);
    size_t len = 0;
    assert_int_equal(SSL_write_early_data(at.far.ssl, "early", 5, &len), 1);
    conversation_talk();
    assert_int_equal(SSL_get_early_data_status(at.far.ssl), SSL_EARLY_DATA_REJECTED);
    assert_ok(tg_buf_append_str(&at.far_to_write, "late"));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "late");
    assert_true(tg_stream_peer(at.stream)->tls->is_resumed);
    SSL_SESSION_free(session);
    tg_tls_context_unref(resuming);
    tg_tls_tickets_unref(tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accept_plain_http_is_closed_without_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_proxy_request_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_garbage_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_garbage_one_byte_at_a_time_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_end_before_a_byte_is_no_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_end_in_the_hello_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_reset_in_the_hello_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_in_the_handshake_counts_as_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_tls_11_is_refused_with_an_alert, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_cbc_suites_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_suites_without_forward_secrecy_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_group_that_we_lack_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_group_that_we_prefer_less_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_common_protocol_is_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_no_common_protocol_is_refused_with_its_alert, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_peers_alert_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_longest_hello_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_hello_one_byte_too_long_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_after_a_refusal_takes_unread_bytes_out_of_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accept_early_data_is_refused_and_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
