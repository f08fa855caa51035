/* Peers' certificates are judged by our own clock, which the host cannot set back behind an attested time. */
#include "unit/tls/conversation.h"

#include "sys/clock.h"

static test_certificate issuer;
static tg_tls_authorities *issuers;
static SSL_CTX *other;

static const test_request half_a_day = {.subject = "a", .san = "DNS:one.test", .by = &issuer, .to_s = TEST_DAY_S / 2};

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    issuers = conversation_authorities(&issuer);
    tg_clock_vouch(tg_clock_host_unix_ms() + (uint64_t)TEST_DAY_S * 1000);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_authorities_unref(issuers);
    test_certificate_done(&issuer);
    return 0;
}

/* The other end shows `request`'s certificate, and looks at none. */
static void show(const SSL_METHOD *method, const test_request *request)
{
    test_certificate made = test_issue(request);
    other = SSL_CTX_new(method);
    SSL_CTX_use_certificate(other, made.certificate);
    SSL_CTX_use_PrivateKey(other, made.key);
    test_certificate_done(&made);
    conversation_init();
}

static void assert_expired_and_end(void)
{
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: certificate verify failed: certificate has expired");
    conversation_done();
    SSL_CTX_free(other);
}

static void accept_client_that_ended_by_attested_time_is_refused(void **state)
{
    (void)state;
    test_certificate server = test_issue(&(test_request){.subject = "server", .by = &issuer});
    tg_tls_identity *identity = conversation_identity(&server, NULL);
    tg_tls_context *context;
    const tg_tls_server_settings settings = {.identity = identity, .client_issuers = issuers};
    assert_ok(tg_tls_context_new_server(&settings, &context, NULL));
    show(TLS_client_method(), &half_a_day);
    conversation_accept(context, other);
    assert_ok(tg_buf_append_str(&at.far_to_write, "x"));
    conversation_talk();
    assert_expired_and_end();
    tg_tls_context_unref(context);
    tg_tls_identity_unref(identity);
    test_certificate_done(&server);
}

static void connect_server_that_ended_by_attested_time_is_refused(void **state)
{
    (void)state;
    tg_tls_context *context;
    assert_ok(tg_tls_context_new_client(&(tg_tls_client_settings){.issuers = issuers}, &context, NULL));
    show(TLS_server_method(), &half_a_day);
    assert_ok(
        tg_tls_connect(context, &at.wire.face, at.loop, &(tg_tls_target){.name = TG_LIT("one.test")}, &at.stream));
    at.far = test_far_new(other, true);
    assert_ok(tg_buf_append(&at.to_write, TG_LIT("request")));
    conversation_own();
    conversation_talk();
    assert_expired_and_end();
    tg_tls_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_client_that_ended_by_attested_time_is_refused),
        cmocka_unit_test(connect_server_that_ended_by_attested_time_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
