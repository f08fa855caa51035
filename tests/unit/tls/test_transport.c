/* A peer that sends what carries no content: the loop is not kept, and the peer not borne for ever. */
#include "unit/tls/conversation.h"

enum { KEY_UPDATES = 3000, READS_IN_A_CALL = 2 };

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
    conversation_talk();
    assert_non_null(tg_stream_peer(at.stream)->tls);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    return 0;
}

static void send_key_updates(unsigned num_updates)
{
    for (unsigned i = 0; i < num_updates; i++) {
        assert_int_equal(SSL_key_update(at.far.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(at.far.ssl), 1);
    }
}

static void read_flood_of_key_updates_leaves_the_loop_to_others(void **state)
{
    (void)state;
    send_key_updates(KEY_UPDATES);
    assert_true(test_carry(&at.wire, &at.far));
    assert_true(tg_buf_len(&at.wire.in) > (size_t)READS_IN_A_CALL * 17000);
    unsigned before = at.wire.num_reads;
    assert_true(test_wire_tell(&at.wire));
    assert_in_range(at.wire.num_reads - before, 1, READS_IN_A_CALL);
    assert_true((at.wire.watched & TG_STREAM_READ) != 0);
}

static void read_content_behind_key_updates_arrives(void **state)
{
    (void)state;
    send_key_updates(KEY_UPDATES);
    assert_ok(tg_buf_append(&at.far_to_write, TG_LIT("content")));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "content");
    send_key_updates(KEY_UPDATES); /* what came before the content is forgotten */
    assert_ok(tg_buf_append(&at.far_to_write, TG_LIT(" again")));
    conversation_talk();
    assert_slice(tg_buf_slice(&at.got), "content again");
}

static void read_key_updates_without_end_broken_off(void **state)
{
    (void)state;
    send_key_updates(2 * KEY_UPDATES);
    conversation_talk();
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: too many bytes without content");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_flood_of_key_updates_leaves_the_loop_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_content_behind_key_updates_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_key_updates_without_end_broken_off, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
