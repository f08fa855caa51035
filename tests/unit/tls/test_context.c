#include "tls/context.h"

#include "unit/tls/conversation.h"

#include <pthread.h>

static test_certificate issuer;
static test_certificate server;
static tg_tls_identity *identity;
static tg_tls_authorities *issuers;
static tg_detail detail;

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    identity = conversation_identity(&server, &issuer);
    issuers = conversation_authorities(&issuer);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_identity_unref(identity);
    tg_tls_authorities_unref(issuers);
    test_certificate_done(&server);
    test_certificate_done(&issuer);
    return 0;
}

static tg_result new_with(const tg_slice *protocols, size_t num_protocols, tg_tls_context **out_context)
{
    const tg_tls_server_settings settings = {
        .identity = identity, .protocols = protocols, .num_protocols = num_protocols};
    return tg_tls_context_new_server(&settings, out_context, &detail);
}

static void new_protocol_names_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static uint8_t text[256];
    memset(text, 'a', sizeof text);
    tg_tls_context *context = NULL;
    const tg_slice empty[] = {TG_LIT("http/1.1"), TG_LIT("")};
    const tg_slice longest[] = {tg_slice_of(text, 255)};
    const tg_slice too_long[] = {tg_slice_of(text, 256)};
    const tg_slice fit[] = {tg_slice_of(text, 127), tg_slice_of(text, 127)};
    const tg_slice too_many[] = {tg_slice_of(text, 127), tg_slice_of(text, 128)};
    assert_code(new_with(empty, 2, &context), TG_ERR_RANGE);
    assert_string_equal(detail.reason, "protocol name 2 (ALPN) is empty, or all are too long");
    assert_code(new_with(too_long, 1, &context), TG_ERR_RANGE);
    assert_code(new_with(too_many, 2, &context), TG_ERR_RANGE);
    assert_null(context);
    assert_ok(new_with(longest, 1, &context));
    tg_tls_context_unref(context);
    assert_ok(new_with(fit, 2, &context));
    tg_tls_context_unref(context);
    const tg_tls_client_settings client = {.issuers = issuers, .protocols = empty, .num_protocols = 2};
    context = NULL;
    assert_code(tg_tls_context_new_client(&client, &context, &detail), TG_ERR_RANGE);
    assert_null(context);
}

static void new_client_verifies_by_issuers_or_says_that_it_does_not(void **state)
{
    (void)state;
    tg_tls_context *context = NULL;
    const tg_tls_client_settings both = {.issuers = issuers, .is_unverified = true}, neither = {.issuers = NULL};
    assert_code(tg_tls_context_new_client(&both, &context, &detail), TG_ERR_RANGE);
    assert_code(tg_tls_context_new_client(&neither, &context, &detail), TG_ERR_RANGE);
    const tg_tls_client_settings short_key = {.is_unverified = true, .key_sha256 = TG_LIT("short")};
    assert_code(tg_tls_context_new_client(&short_key, &context, &detail), TG_ERR_RANGE);
    assert_null(context);
}

static void offer(tg_tls_context *context, const char *protocols)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    conversation_init();
    conversation_accept(context, client);
    SSL_set_alpn_protos(at.far.ssl, (const unsigned char *)protocols, (unsigned)strlen(protocols));
    conversation_talk();
    SSL_CTX_free(client);
}

static void new_without_protocols_leaves_alpn_alone(void **state)
{
    (void)state;
    static const tg_slice none[1];
    tg_tls_context *context;
    assert_ok(new_with(none, 0, &context));
    offer(context, "\x02h2");
    assert_slice(tg_stream_peer(at.stream)->tls->protocol, "");
    conversation_done();
    tg_tls_context_unref(context);
}

static void new_first_protocol_is_preferred(void **state)
{
    (void)state;
    const tg_slice protocols[] = {TG_LIT("h2"), TG_LIT("http/1.1")};
    tg_tls_context *context;
    assert_ok(new_with(protocols, 2, &context));
    offer(context, "\x08http/1.1\x02h2");
    assert_slice(tg_stream_peer(at.stream)->tls->protocol, "h2");
    conversation_done();
    tg_tls_context_unref(context);
}

static void new_server_sends_its_chain(void **state)
{
    (void)state;
    tg_tls_context *context;
    assert_ok(new_with(NULL, 0, &context));
    offer(context, "\x08http/1.1");
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(at.far.ssl)), 2);
    conversation_done();
    tg_tls_context_unref(context);
}

static void new_identity_of_a_certificate_too_weak_is_refused(void **state)
{
    (void)state;
    /* SHA-1 signs it: OpenSSL's security level 2 has no place for that. */
    test_certificate weak = test_issue(&(test_request){.subject = "weak", .by = &issuer});
    assert_true(X509_sign(weak.certificate, issuer.key, EVP_sha1()) > 0);
    tg_tls_identity *its = conversation_identity(&weak, NULL);
    tg_tls_context *context = NULL;
    assert_code(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = its}, &context, &detail),
                TG_ERR_UNSUPPORTED);
    assert_null(context);
    assert_string_equal(detail.reason, "certificate chain: ca md too weak");
    tg_tls_identity_unref(its);
    test_certificate_done(&weak);
}

/* Streams keep what they were made with. */
static void unref_while_streams_live_leaves_them_working(void **state)
{
    (void)state;
    tg_tls_tickets *tickets;
    tg_tls_context *context;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    assert_ok(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets));
    assert_ok(tg_tls_context_new_server(
        &(tg_tls_server_settings){.identity = identity, .client_issuers = issuers, .tickets = tickets}, &context,
        NULL));
    conversation_init();
    conversation_accept(context, client);
    tg_tls_context_unref(context);
    tg_tls_tickets_unref(tickets);
    assert_ok(tg_buf_append_str(&at.far_to_write, "x"));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "x");
    conversation_done();
    SSL_CTX_free(client);
}

/* Handshakes by several threads on one context, while its tickets' keys turn over. */
static void *shake_hands(void *owner)
{
    tg_tls_context *context = tg_tls_context_ref(owner);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;
    tg_loop *loop = NULL;
    bool is_good = tg_is_ok(tg_loop_new(&loop));
    for (unsigned i = 0; i < 30 && is_good; i++) {
        test_wire wire;
        tg_stream *stream = NULL;
        test_wire_init(&wire);
        is_good = tg_is_ok(tg_tls_accept(context, &wire.face, loop, &stream));
        test_far far = test_far_new(client, false);
        if (session != NULL) {
            SSL_set_session(far.ssl, session);
            SSL_SESSION_free(session);
            session = NULL;
        }
        uint8_t byte = 0;
        size_t len = 0;
        for (unsigned turn = 0; turn < 10 && is_good && byte != 'x'; turn++) {
            if (SSL_do_handshake(far.ssl) == 1 && turn < 9 && tg_stream_peer(stream)->tls == NULL) {
                is_good = SSL_write(far.ssl, "x", 1) == 1;
            }
            test_carry(&wire, &far);
            tg_result result = tg_stream_read(stream, &byte, 1, &len);
            is_good = is_good && (tg_is_ok(result) || result.code == TG_ERR_AGAIN);
            test_carry(&wire, &far);
        }
        char none;
        (void)SSL_read(far.ssl, &none, 1); /* the tickets */
        session = SSL_get1_session(far.ssl);
        is_good = is_good && byte == 'x';
        test_far_free(&far);
        tg_stream_close(stream);
        test_wire_done(&wire);
    }
    SSL_SESSION_free(session);
    tg_loop_free(loop);
    SSL_CTX_free(client);
    tg_tls_context_unref(context);
    return is_good ? owner : NULL;
}

static void context_shared_by_threads_serves_them_all(void **state)
{
    (void)state;
    pthread_t threads[4];
    tg_tls_tickets *tickets;
    tg_tls_context *context;
    assert_ok(tg_tls_tickets_new(1, &tickets)); /* a new key with nearly every handshake */
    assert_ok(tg_tls_context_new_server(
        &(tg_tls_server_settings){.identity = identity, .client_issuers = issuers, .tickets = tickets}, &context,
        NULL));
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, shake_hands, context), 0);
    }
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, context);
    }
    tg_tls_context_unref(context);
    tg_tls_tickets_unref(tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_protocol_names_out_of_bounds_are_refused),
        cmocka_unit_test(new_client_verifies_by_issuers_or_says_that_it_does_not),
        cmocka_unit_test(new_without_protocols_leaves_alpn_alone),
        cmocka_unit_test(new_first_protocol_is_preferred),
        cmocka_unit_test(new_server_sends_its_chain),
        cmocka_unit_test(new_identity_of_a_certificate_too_weak_is_refused),
        cmocka_unit_test(unref_while_streams_live_leaves_them_working),
        cmocka_unit_test(context_shared_by_threads_serves_them_all),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
