/* A server of ours and a client that trusts it, as most tests of streams need them. Included by one test program at a
 * time, which names its set-ups in the list of its cases. */
#ifndef TG_TESTS_UNIT_TLS_SERVING_H
#define TG_TESTS_UNIT_TLS_SERVING_H

#include "unit/tls/conversation.h"

static test_certificate serving_issuer;
static test_certificate serving_certificate;
static tg_tls_context *serving_context;
static SSL_CTX *serving_client;

static inline int serving_set_up_all(void **state)
{
    (void)state;
    serving_issuer = test_issue_authority("root");
    serving_certificate =
        test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &serving_issuer});
    tg_tls_identity *identity = conversation_identity(&serving_certificate, NULL);
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &serving_context, NULL));
    tg_tls_identity_unref(identity);
    serving_client = SSL_CTX_new(TLS_client_method());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(serving_client), serving_issuer.certificate);
    SSL_CTX_set_verify(serving_client, SSL_VERIFY_PEER, NULL);
    return 0;
}

static inline int serving_tear_down_all(void **state)
{
    (void)state;
    SSL_CTX_free(serving_client);
    tg_tls_context_unref(serving_context);
    test_certificate_done(&serving_certificate);
    test_certificate_done(&serving_issuer);
    return 0;
}

static inline int serving_set_up(void **state)
{
    (void)state;
    conversation_init();
    conversation_accept(serving_context, serving_client);
    return 0;
}

static inline int serving_set_up_12(void **state)
{
    (void)state;
    SSL_CTX_set_max_proto_version(serving_client, TLS1_2_VERSION);
    conversation_init();
    conversation_accept(serving_context, serving_client);
    SSL_CTX_set_max_proto_version(serving_client, 0);
    return 0;
}

static inline int serving_tear_down(void **state)
{
    (void)state;
    conversation_done();
    return 0;
}

static inline void far_says(const char *text)
{
    assert_ok(tg_buf_append_str(&at.far_to_write, text));
    conversation_talk();
}

static inline void we_say(tg_slice bytes)
{
    assert_ok(tg_buf_append(&at.to_write, bytes));
    conversation_watch();
    conversation_talk();
}

#endif
