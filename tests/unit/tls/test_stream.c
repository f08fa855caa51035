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

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    return 0;
}

static void accept_handshake_and_bytes_both_ways(void **state)
{
    (void)state;
    assert_null(tg_stream_peer(at.stream)->tls);
    assert_int_equal(tg_stream_raw_fd(at.stream), -1);
    assert_ok(tg_buf_append(&at.far_to_write, TG_LIT("question")));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "question");
    assert_ok(tg_buf_append(&at.to_write, TG_LIT("answer")));
    conversation_watch();
    conversation_talk();
    assert_slice(tg_buf_slice(&at.far_got), "answer");
    assert_string_equal(tg_stream_fault(at.stream), "");
    const tg_peer *peer = tg_stream_peer(at.stream);
    assert_int_equal(peer->cid, 16);
    assert_non_null(peer->tls);
    assert_string_equal(peer->tls->version, "TLSv1.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accept_handshake_and_bytes_both_ways, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
