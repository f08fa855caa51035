#include "tls/tickets.h"

#include "unit/tls/clock.h"
#include "unit/tls/conversation.h"

static test_certificate issuer;
static test_certificate server;
static test_certificate other_server;
static test_certificate person; /* a client with a name, valid for an hour */
static tg_tls_identity *identity;
static tg_tls_identity *other_identity;
static tg_tls_authorities *issuers;
static tg_tls_tickets *tickets;
static SSL_CTX *client;
static SSL_SESSION *session; /* of the last conversation */
static int version;
static bool was_resumed;

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    other_server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    person = test_issue(&(test_request){
        .subject = "person", .san = "URI:spiffe://test/person", .usage = "clientAuth", .by = &issuer, .to_s = 3000});
    identity = conversation_identity(&server, NULL);
    other_identity = conversation_identity(&other_server, NULL);
    issuers = conversation_authorities(&issuer);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    tg_tls_identity_unref(other_identity);
    test_certificate_done(&person);
    test_certificate_done(&other_server);
    test_certificate_done(&server);
    test_certificate_done(&issuer);
    return 0;
}

static int set_up(int with_version)
{
    clock_offset_s = 0;
    version = with_version;
    client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client, version);
    session = NULL;
    return tg_is_ok(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets)) ? 0 : -1;
}

static int set_up_13(void **state)
{
    (void)state;
    return set_up(TLS1_3_VERSION);
}

static int set_up_12(void **state)
{
    (void)state;
    return set_up(TLS1_2_VERSION);
}

static int tear_down(void **state)
{
    (void)state;
    tg_tls_tickets_unref(tickets);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    clock_offset_s = 0;
    return 0;
}

static tg_tls_context *new_context(tg_tls_identity *who, tg_tls_authorities *client_issuers)
{
    tg_tls_context *context;
    const tg_tls_server_settings settings = {.identity = who, .client_issuers = client_issuers, .tickets = tickets};
    assert_ok(tg_tls_context_new_server(&settings, &context, NULL));
    return context;
}

/* One connection with the session of the one before, if any, which is open when this returns; its own session is kept
 * for the next. */
static const tg_peer_tls *connect_to(tg_tls_context *context, const char *server_name)
{
    conversation_init();
    conversation_accept(context, client);
    if (server_name != NULL) {
        test_far_ask_for(&at.far, server_name);
    }
    if (session != NULL) {
        SSL_set_session(at.far.ssl, session);
        SSL_SESSION_free(session);
    }
    assert_ok(tg_buf_append_str(&at.far_to_write, "x"));
    assert_ok(tg_buf_append_str(&at.to_write, "answer"));
    conversation_watch();
    conversation_talk();
    session = SSL_get1_session(at.far.ssl);
    const tg_peer_tls *tls = tg_stream_peer(at.stream)->tls;
    if (tls != NULL) {
        assert_slice(tg_buf_slice(&at.got), "x");
        assert_slice(tg_buf_slice(&at.far_got), "answer");
        assert_int_equal(tls->is_resumed, SSL_session_reused(at.far.ssl));
    }
    return tls;
}

static bool is_resumed_by(tg_tls_context *context)
{
    const tg_peer_tls *tls = connect_to(context, NULL);
    was_resumed = tls != NULL && tls->is_resumed;
    conversation_done();
    return was_resumed;
}

static void context_with_tickets_resumes_again_and_again(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    assert_true(is_resumed_by(context));
    assert_true(is_resumed_by(context));
    tg_tls_context_unref(context);
}

/* A handshake and nothing behind it, through a wire that takes few bytes at a time once the server's hello is out. How
 * many writes the rest took. */
static unsigned num_writes_of(tg_tls_context *context, size_t window)
{
    conversation_init();
    conversation_accept(context, client);
    for (unsigned turns = 0; tg_buf_len(&at.wire.out) == 0; turns++) {
        assert_in_range(turns, 0, 100);
        conversation_far();
        (void)test_carry(&at.wire, &at.far);
        (void)test_wire_tell(&at.wire);
    }
    unsigned before = at.wire.num_writes;
    for (unsigned turns = 0; turns < 3000; turns++) {
        at.wire.window = window;
        conversation_step();
    }
    assert_non_null(tg_stream_peer(at.stream)->tls);
    session = SSL_get1_session(at.far.ssl);
    assert_int_equal(SSL_SESSION_has_ticket(session), 1);
    SSL_SESSION_free(TG_TAKE(session));
    unsigned num_writes = at.wire.num_writes - before;
    conversation_done();
    return num_writes;
}

static void tickets_go_out_in_one_piece(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_int_equal(num_writes_of(context, SIZE_MAX), 1);
    for (size_t window = 1; window < 700; window += window < 10 ? 1 : 69) {
        assert_in_range(num_writes_of(context, window), 400 / window, 700 / window + 1);
    }
    tg_tls_context_unref(context);
}

/* The owner answers in the call in which it gets the request. */
static void tickets_go_out_with_an_answer_that_is_there(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    conversation_init();
    conversation_accept(context, client);
    assert_ok(tg_buf_append_str(&at.far_to_write, "question"));
    assert_ok(tg_buf_append_str(&at.to_write, "answer"));
    conversation_watch();
    conversation_talk();
    assert_slice(tg_buf_slice(&at.far_got), "answer");
    assert_int_equal(at.wire.num_writes, 2); /* the handshake, and this */
    conversation_done();
    conversation_init();
    conversation_accept(context, client);
    conversation_talk();
    unsigned before = at.wire.num_writes;
    assert_ok(tg_stream_shutdown(at.stream));
    assert_int_equal(at.wire.num_writes, before + 1);
    conversation_done();
    tg_tls_context_unref(context);
}

static void context_without_tickets_never_resumes(void **state)
{
    (void)state;
    tg_tls_context *context;
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &context, NULL));
    assert_false(is_resumed_by(context));
    assert_int_equal(SSL_SESSION_has_ticket(session), 0);
    assert_false(is_resumed_by(context));
    tg_tls_context_unref(context);
}

static void context_with_the_same_settings_resumes_the_others_session(void **state)
{
    (void)state;
    tg_tls_context *first = new_context(identity, issuers);
    tg_tls_context *second = new_context(identity, issuers);
    assert_false(is_resumed_by(first));
    tg_tls_context_unref(first);
    assert_true(is_resumed_by(second));
    tg_tls_context_unref(second);
}

static void context_with_another_identity_does_not_resume(void **state)
{
    (void)state;
    tg_tls_context *first = new_context(identity, NULL);
    tg_tls_context *second = new_context(other_identity, NULL);
    assert_false(is_resumed_by(first));
    assert_false(is_resumed_by(second));
    assert_true(is_resumed_by(second));
    tg_tls_context_unref(first);
    tg_tls_context_unref(second);
}

static void context_with_other_client_issuers_does_not_resume(void **state)
{
    (void)state;
    tg_tls_context *first = new_context(identity, NULL);
    tg_tls_context *second = new_context(identity, issuers);
    assert_false(is_resumed_by(first));
    assert_false(is_resumed_by(second));
    assert_false(is_resumed_by(first));
    tg_tls_context_unref(first);
    tg_tls_context_unref(second);
}

static void context_with_other_tickets_does_not_resume(void **state)
{
    (void)state;
    tg_tls_context *first = new_context(identity, NULL);
    assert_false(is_resumed_by(first));
    tg_tls_tickets_unref(tickets);
    assert_ok(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets));
    tg_tls_context *second = new_context(identity, NULL);
    assert_false(is_resumed_by(second));
    tg_tls_context_unref(first);
    tg_tls_context_unref(second);
}

static void rotate_once_leaves_tickets_good_and_renews_them(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    assert_ok(tg_tls_tickets_rotate(tickets));
    assert_true(is_resumed_by(context));
    assert_ok(tg_tls_tickets_rotate(tickets)); /* the first key is gone: a new ticket came with the last handshake */
    assert_true(is_resumed_by(context));
    tg_tls_context_unref(context);
}

static void rotate_twice_makes_tickets_worthless(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    assert_ok(tg_tls_tickets_rotate(tickets));
    assert_ok(tg_tls_tickets_rotate(tickets));
    assert_false(is_resumed_by(context));
    assert_true(is_resumed_by(context));
    tg_tls_context_unref(context);
}

static void tickets_after_a_period_are_sealed_by_another_key(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    const unsigned char *ticket;
    size_t len;
    uint8_t name[16];
    assert_false(is_resumed_by(context));
    SSL_SESSION_get0_ticket(session, &ticket, &len);
    memcpy(name, ticket, sizeof name);
    SSL_SESSION_free(TG_TAKE(session));
    clock_offset_s = 1800;
    assert_false(is_resumed_by(context));
    SSL_SESSION_get0_ticket(session, &ticket, &len);
    assert_memory_equal(ticket, name, sizeof name);
    clock_offset_s = 3601;
    assert_true(is_resumed_by(context));
    SSL_SESSION_get0_ticket(session, &ticket, &len);
    assert_memory_not_equal(ticket, name, sizeof name);
    tg_tls_context_unref(context);
}

static void tickets_unused_for_long_are_not_taken(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    clock_offset_s = 2 * 3600 + 1;
    SSL_SESSION_set_timeout(session, 100000); /* the client would still try */
    assert_false(is_resumed_by(context));
    tg_tls_context_unref(context);
}

static void tickets_of_a_day_of_resumptions_end(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    unsigned num_resumed = 0;
    assert_false(is_resumed_by(context));
    for (clock_offset_s = 1800; clock_offset_s < 2 * TG_MAX_SESSION_AGE_S; clock_offset_s += 1800) {
        if (!is_resumed_by(context)) {
            break;
        }
        num_resumed++;
    }
    if (version == TLS1_3_VERSION) {
        assert_int_equal(num_resumed, 47);
    } else {
        assert_in_range(num_resumed, 1, 48); /* a session of TLS 1.2 keeps its first time: it lasts one period */
    }
    tg_tls_context_unref(context);
}

static void peer_of_a_resumed_session_has_the_clients_names(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, issuers);
    SSL_CTX_use_certificate(client, person.certificate);
    SSL_CTX_use_PrivateKey(client, person.key);
    for (unsigned i = 0; i < 3; i++) {
        const tg_peer_tls *tls = connect_to(context, NULL);
        assert_non_null(tls);
        assert_int_equal(tls->is_resumed, i > 0);
        assert_true(tls->has_certificate);
        assert_int_equal(tls->num_names, 1);
        assert_int_equal(tls->names[0].kind, TG_PEER_NAME_URI);
        assert_slice(tls->names[0].text, "spiffe://test/person");
        assert_true(tls->not_after_unix_s > test_now() && tls->not_after_unix_s < test_now() + 3001);
        conversation_done();
    }
    tg_tls_context_unref(context);
}

static void session_of_a_client_without_certificate_resumes_without_names(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, issuers);
    assert_false(is_resumed_by(context));
    SSL_CTX_use_certificate(client, person.certificate);
    SSL_CTX_use_PrivateKey(client, person.key);
    const tg_peer_tls *tls = connect_to(context, NULL);
    assert_true(tls->is_resumed);
    assert_false(tls->has_certificate);
    assert_int_equal(tls->num_names, 0);
    conversation_done();
    tg_tls_context_unref(context);
}

static void session_of_a_certificate_that_has_expired_is_not_resumed(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, issuers);
    SSL_CTX_use_certificate(client, person.certificate);
    SSL_CTX_use_PrivateKey(client, person.key);
    assert_false(is_resumed_by(context));
    clock_offset_s = 2990;
    assert_true(is_resumed_by(context));
    clock_offset_s = 3010;
    const tg_peer_tls *tls = connect_to(context, NULL);
    assert_null(tls); /* the whole handshake fails by the certificate */
    assert_string_equal(tg_stream_fault(at.stream), "tls: certificate verify failed: certificate has expired");
    conversation_done();
    tg_tls_context_unref(context);
}

static void server_name_of_a_resumed_session_is_what_was_sent(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_slice(connect_to(context, "one.test")->server_name, "one.test");
    conversation_done();
    assert_slice(connect_to(context, "two.test")->server_name, "two.test");
    conversation_done();
    assert_slice(connect_to(context, NULL)->server_name, "");
    conversation_done();
    tg_tls_context_unref(context);
}

static void ticket_that_was_changed_is_ignored(void **state)
{
    (void)state;
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    uint8_t *der = NULL;
    int len = i2d_SSL_SESSION(session, &der);
    const unsigned char *ticket;
    size_t ticket_len;
    SSL_SESSION_get0_ticket(session, &ticket, &ticket_len);
    uint8_t *inside = memmem(der, (size_t)len, ticket, ticket_len);
    assert_non_null(inside);
    inside[ticket_len - 1] ^= 1;
    const unsigned char *next = der;
    SSL_SESSION *changed = d2i_SSL_SESSION(NULL, &next, len);
    assert_non_null(changed);
    SSL_SESSION_free(session);
    session = changed;
    OPENSSL_free(der);
    assert_false(is_resumed_by(context));
    tg_tls_context_unref(context);
}

/* The client's encrypted Finished comes in a handshake record, right behind its hello: any byte may stand first in it.
 */
static void accept_resumed_finished_is_not_taken_for_a_hello(void **state)
{
    (void)state;
    static const uint8_t finished[] = {20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 8, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    tg_tls_context *context = new_context(identity, NULL);
    assert_false(is_resumed_by(context));
    conversation_init();
    conversation_accept(context, client);
    SSL_set_session(at.far.ssl, session);
    conversation_far();
    assert_true(test_carry(&at.wire, &at.far));
    assert_true(test_wire_tell(&at.wire));
    assert_ok(tg_buf_append(&at.wire.in, tg_slice_of(finished, sizeof finished)));
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: decryption failed or bad record mac");
    conversation_done();
    tg_tls_context_unref(context);
}

static void tickets_new_with_no_period_is_refused(void **state)
{
    (void)state;
    tg_tls_tickets *none = NULL;
    assert_code(tg_tls_tickets_new(0, &none), TG_ERR_RANGE);
    assert_null(none);
    tg_tls_tickets_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tickets_go_out_in_one_piece, set_up_13, tear_down),
        cmocka_unit_test_setup_teardown(tickets_go_out_with_an_answer_that_is_there, set_up_13, tear_down),
        cmocka_unit_test_setup_teardown(context_with_tickets_resumes_again_and_again, set_up_13, tear_down),
        TEST_12(context_with_tickets_resumes_again_and_again, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(context_without_tickets_never_resumes, set_up_13, tear_down),
        TEST_12(context_without_tickets_never_resumes, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(context_with_the_same_settings_resumes_the_others_session, set_up_13,
                                        tear_down),
        TEST_12(context_with_the_same_settings_resumes_the_others_session, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(context_with_another_identity_does_not_resume, set_up_13, tear_down),
        TEST_12(context_with_another_identity_does_not_resume, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(context_with_other_client_issuers_does_not_resume, set_up_13, tear_down),
        TEST_12(context_with_other_client_issuers_does_not_resume, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(context_with_other_tickets_does_not_resume, set_up_13, tear_down),
        TEST_12(context_with_other_tickets_does_not_resume, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(rotate_once_leaves_tickets_good_and_renews_them, set_up_13, tear_down),
        TEST_12(rotate_once_leaves_tickets_good_and_renews_them, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(rotate_twice_makes_tickets_worthless, set_up_13, tear_down),
        TEST_12(rotate_twice_makes_tickets_worthless, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(tickets_after_a_period_are_sealed_by_another_key, set_up_13, tear_down),
        TEST_12(tickets_after_a_period_are_sealed_by_another_key, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(tickets_unused_for_long_are_not_taken, set_up_13, tear_down),
        TEST_12(tickets_unused_for_long_are_not_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(tickets_of_a_day_of_resumptions_end, set_up_13, tear_down),
        TEST_12(tickets_of_a_day_of_resumptions_end, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(peer_of_a_resumed_session_has_the_clients_names, set_up_13, tear_down),
        TEST_12(peer_of_a_resumed_session_has_the_clients_names, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(session_of_a_client_without_certificate_resumes_without_names, set_up_13,
                                        tear_down),
        TEST_12(session_of_a_client_without_certificate_resumes_without_names, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(session_of_a_certificate_that_has_expired_is_not_resumed, set_up_13, tear_down),
        TEST_12(session_of_a_certificate_that_has_expired_is_not_resumed, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(server_name_of_a_resumed_session_is_what_was_sent, set_up_13, tear_down),
        TEST_12(server_name_of_a_resumed_session_is_what_was_sent, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(ticket_that_was_changed_is_ignored, set_up_13, tear_down),
        TEST_12(ticket_that_was_changed_is_ignored, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_resumed_finished_is_not_taken_for_a_hello, set_up_12, tear_down),
        cmocka_unit_test(tickets_new_with_no_period_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
