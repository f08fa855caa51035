/* Servers that ask for client certificates. */
#include "unit/tls/conversation.h"

static test_certificate issuer;
static test_certificate server;
static tg_tls_identity *identity;
static tg_tls_authorities *issuers;
static tg_tls_context *context;
static SSL_CTX *client;

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    server = test_issue(&(test_request){.subject = "server", .san = "DNS:server.test", .by = &issuer});
    identity = conversation_identity(&server, NULL);
    issuers = conversation_authorities(&issuer);
    const tg_tls_server_settings settings = {.identity = identity, .client_issuers = issuers};
    assert_ok(tg_tls_context_new_server(&settings, &context, NULL));
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_context_unref(context);
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    test_certificate_done(&server);
    test_certificate_done(&issuer);
    return 0;
}

static int set_up_13(void **state)
{
    (void)state;
    client = SSL_CTX_new(TLS_client_method());
    conversation_init();
    return 0;
}

static int set_up_12(void **state)
{
    set_up_13(state);
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    SSL_CTX_free(client);
    return 0;
}

static void come_to(tg_tls_context *to, const test_certificate *made, const test_certificate *between)
{
    if (made != NULL) {
        SSL_CTX_use_certificate(client, made->certificate);
        SSL_CTX_use_PrivateKey(client, made->key);
    }
    if (between != NULL) {
        SSL_CTX_add1_chain_cert(client, between->certificate);
    }
    conversation_accept(to, client);
    assert_ok(tg_buf_append_str(&at.far_to_write, "x"));
    conversation_talk();
}

static void come_with(const test_request *request)
{
    test_certificate made = test_issue(request);
    come_to(context, &made, NULL);
    test_certificate_done(&made);
}

static void assert_refused(const char *fault)
{
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_int_equal(tg_buf_len(&at.got), 0);
    assert_string_equal(tg_stream_fault(at.stream), fault);
    assert_null(tg_stream_peer(at.stream)->tls);
    assert_true(at.wire.is_shut);
    assert_int_equal(at.far_error, SSL_ERROR_SSL); /* the alert came through */
}

static void accept_verified_certificate_gives_its_names(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "CN is not a name",
                              .san = "DNS:one.test,DNS:*.two.test,URI:spiffe://test/three,email:four@test,IP:192.0.2.5",
                              .usage = "clientAuth",
                              .by = &issuer});
    const tg_peer_tls *tls = tg_stream_peer(at.stream)->tls;
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_true(tls->has_certificate);
    assert_int_equal(tls->num_names, 4);
    assert_int_equal(tls->names[0].kind, TG_PEER_NAME_DNS);
    assert_slice(tls->names[0].text, "one.test");
    assert_slice(tls->names[1].text, "*.two.test");
    assert_int_equal(tls->names[2].kind, TG_PEER_NAME_URI);
    assert_slice(tls->names[2].text, "spiffe://test/three");
    assert_int_equal(tls->names[3].kind, TG_PEER_NAME_EMAIL);
    assert_slice(tls->names[3].text, "four@test");
}

static void accept_certificate_without_names_has_none(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "one.test", .by = &issuer});
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_true(tg_stream_peer(at.stream)->tls->has_certificate);
    assert_int_equal(tg_stream_peer(at.stream)->tls->num_names, 0);
}

static void accept_no_certificate_is_a_client_without_a_name(void **state)
{
    (void)state;
    come_to(context, NULL, NULL);
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_false(tg_stream_peer(at.stream)->tls->has_certificate);
    assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(at.far.ssl)), 1); /* it was asked, by our issuer's name */
}

static void accept_certificate_of_another_issuer_is_refused(void **state)
{
    (void)state;
    test_certificate stranger = test_issue_authority("stranger");
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &stranger});
    assert_refused("tls: certificate verify failed: unable to get local issuer certificate");
    test_certificate_done(&stranger);
}

/* The issuer's name, and not its key. */
static void accept_certificate_of_a_forged_issuer_is_refused(void **state)
{
    (void)state;
    test_certificate forged = test_issue_authority("root");
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &forged});
    assert_refused("tls: certificate verify failed: certificate signature failure");
    test_certificate_done(&forged);
}

static void accept_self_signed_certificate_is_refused(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test"});
    assert_refused("tls: certificate verify failed: self-signed certificate");
}

static void accept_expired_certificate_is_refused(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &issuer, .from_s = -7200, .to_s = -10});
    assert_refused("tls: certificate verify failed: certificate has expired");
}

static void accept_certificate_of_tomorrow_is_refused(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &issuer, .from_s = TEST_DAY_S});
    assert_refused("tls: certificate verify failed: certificate is not yet valid");
}

static void accept_certificate_for_servers_is_refused(void **state)
{
    (void)state;
    come_with(&(test_request){.subject = "a", .san = "DNS:one.test", .usage = "serverAuth", .by = &issuer});
    assert_refused("tls: certificate verify failed: unsuitable certificate purpose");
}

/* What an ordinary certificate signs is worth nothing. */
static void accept_certificate_issued_by_a_leaf_is_refused(void **state)
{
    (void)state;
    test_certificate leaf = test_issue(&(test_request){.subject = "leaf", .by = &issuer});
    test_certificate made = test_issue(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &leaf});
    come_to(context, &made, &leaf);
    assert_refused("tls: certificate verify failed: invalid CA certificate");
    test_certificate_done(&made);
    test_certificate_done(&leaf);
}

static void accept_chain_through_an_intermediate_is_taken(void **state)
{
    (void)state;
    test_certificate between =
        test_issue(&(test_request){.subject = "between", .constraints = "critical,CA:TRUE", .by = &issuer});
    test_certificate made = test_issue(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &between});
    come_to(context, &made, &between);
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_int_equal(tg_stream_peer(at.stream)->tls->num_names, 1);
    test_certificate_done(&made);
    test_certificate_done(&between);
}

static void accept_intermediate_as_authority_is_believed(void **state)
{
    (void)state;
    test_certificate between =
        test_issue(&(test_request){.subject = "between", .constraints = "critical,CA:TRUE", .by = &issuer});
    test_certificate made = test_issue(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &between});
    test_certificate cousin = test_issue(&(test_request){.subject = "b", .san = "DNS:two.test", .by = &issuer});
    tg_tls_authorities *only = conversation_authorities(&between);
    tg_tls_context *narrow;
    const tg_tls_server_settings settings = {.identity = identity, .client_issuers = only};
    assert_ok(tg_tls_context_new_server(&settings, &narrow, NULL));
    come_to(narrow, &made, NULL);
    assert_slice(tg_buf_slice(&at.got), "x");
    conversation_done();
    conversation_init();
    come_to(narrow, &cousin, NULL); /* from its root, which is not in the set */
    assert_refused("tls: certificate verify failed: unable to get local issuer certificate");
    tg_tls_context_unref(narrow);
    tg_tls_authorities_unref(only);
    test_certificate_done(&cousin);
    test_certificate_done(&made);
    test_certificate_done(&between);
}

static void accept_certificate_when_none_was_asked_for_is_not_shown(void **state)
{
    (void)state;
    tg_tls_context *open;
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &open, NULL));
    test_certificate made = test_issue(&(test_request){.subject = "a", .san = "DNS:one.test", .by = &issuer});
    come_to(open, &made, NULL);
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_false(tg_stream_peer(at.stream)->tls->has_certificate);
    test_certificate_done(&made);
    tg_tls_context_unref(open);
}

/* "DNS:h0.test,DNS:h1.test,..." */
static void come_with_names(unsigned num_names, unsigned pad)
{
    tg_buf san;
    tg_buf_init(&san, 1 << 20);
    for (unsigned i = 0; i < num_names; i++) {
        assert_ok(tg_buf_printf(&san, "%sDNS:h%u.", i > 0 ? "," : "", i));
        for (unsigned k = 0; k < pad; k++) {
            assert_ok(tg_buf_append_byte(&san, 'a'));
        }
    }
    assert_ok(tg_buf_append_byte(&san, 0));
    come_with(&(test_request){.subject = "a", .san = (const char *)tg_buf_slice(&san).ptr, .by = &issuer});
    tg_buf_done(&san);
}

static void accept_as_many_names_as_allowed_are_shown(void **state)
{
    (void)state;
    come_with_names(TG_MAX_PEER_NAMES, 4);
    assert_int_equal(tg_stream_peer(at.stream)->tls->num_names, TG_MAX_PEER_NAMES);
    assert_slice(tg_stream_peer(at.stream)->tls->names[TG_MAX_PEER_NAMES - 1].text, "h63.aaaa");
}

static void accept_one_name_too_many_is_refused(void **state)
{
    (void)state;
    come_with_names(TG_MAX_PEER_NAMES + 1, 4);
    assert_refused("tls: certificate verify failed: too many names, or damaged ones");
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
}

static void accept_names_too_long_together_are_refused(void **state)
{
    (void)state;
    come_with_names(40, TG_MAX_PEER_NAMES_BYTES / 40);
    assert_refused("tls: certificate verify failed: too many names, or damaged ones");
}

/* `num_between` certificates between the issuer and the client. */
static void come_with_chain(size_t num_between)
{
    test_certificate made[TG_MAX_PEER_CHAIN_CERTIFICATES + 1];
    const test_certificate *by = &issuer;
    assert_in_range(num_between, 1, TG_COUNT(made));
    for (size_t i = 0; i < num_between; i++) {
        const char subject[] = {(char)('k' + i), 0};
        made[i] = test_issue(&(test_request){.subject = subject, .constraints = "critical,CA:TRUE", .by = by});
        by = &made[i];
    }
    test_certificate leaf = test_issue(&(test_request){.subject = "a", .san = "DNS:one.test", .by = by});
    SSL_CTX_use_certificate(client, leaf.certificate); /* first: the chain is the certificate's */
    for (size_t i = 0; i < num_between; i++) {
        SSL_CTX_add1_chain_cert(client, made[i].certificate);
    }
    come_to(context, &leaf, NULL);
    test_certificate_done(&leaf);
    for (size_t i = 0; i < num_between; i++) {
        test_certificate_done(&made[i]);
    }
}

static void accept_longest_chain_is_taken(void **state)
{
    (void)state;
    come_with_chain(TG_MAX_PEER_CHAIN_CERTIFICATES);
    assert_slice(tg_buf_slice(&at.got), "x");
}

static void accept_chain_one_too_long_is_refused(void **state)
{
    (void)state;
    come_with_chain(TG_MAX_PEER_CHAIN_CERTIFICATES + 1);
    assert_refused("tls: certificate verify failed: certificate chain too long");
}

/* A name with a NUL inside is shown as it is: whole, not cut at the NUL. */
static void accept_name_with_a_nul_is_not_cut(void **state)
{
    (void)state;
    test_certificate made = {X509_new(), EVP_EC_gen("P-256")};
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, "good.test\0.evil.test", 20);
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    sk_GENERAL_NAME_push(names, name);
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), 3600);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer.certificate));
    X509_set_pubkey(made.certificate, made.key);
    X509_add1_ext_i2d(made.certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
    X509_sign(made.certificate, issuer.key, EVP_sha256());
    come_to(context, &made, NULL);
    assert_slice(tg_buf_slice(&at.got), "x");
    assert_slice(tg_stream_peer(at.stream)->tls->names[0].text, "good.test\0.evil.test");
    GENERAL_NAMES_free(names);
    test_certificate_done(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accept_verified_certificate_gives_its_names, set_up_13, tear_down),
        TEST_12(accept_verified_certificate_gives_its_names, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_without_names_has_none, set_up_13, tear_down),
        TEST_12(accept_certificate_without_names_has_none, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_no_certificate_is_a_client_without_a_name, set_up_13, tear_down),
        TEST_12(accept_no_certificate_is_a_client_without_a_name, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_of_another_issuer_is_refused, set_up_13, tear_down),
        TEST_12(accept_certificate_of_another_issuer_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_of_a_forged_issuer_is_refused, set_up_13, tear_down),
        TEST_12(accept_certificate_of_a_forged_issuer_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_self_signed_certificate_is_refused, set_up_13, tear_down),
        TEST_12(accept_self_signed_certificate_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_expired_certificate_is_refused, set_up_13, tear_down),
        TEST_12(accept_expired_certificate_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_of_tomorrow_is_refused, set_up_13, tear_down),
        TEST_12(accept_certificate_of_tomorrow_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_for_servers_is_refused, set_up_13, tear_down),
        TEST_12(accept_certificate_for_servers_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_issued_by_a_leaf_is_refused, set_up_13, tear_down),
        TEST_12(accept_certificate_issued_by_a_leaf_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_chain_through_an_intermediate_is_taken, set_up_13, tear_down),
        TEST_12(accept_chain_through_an_intermediate_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_intermediate_as_authority_is_believed, set_up_13, tear_down),
        TEST_12(accept_intermediate_as_authority_is_believed, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_certificate_when_none_was_asked_for_is_not_shown, set_up_13, tear_down),
        TEST_12(accept_certificate_when_none_was_asked_for_is_not_shown, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_as_many_names_as_allowed_are_shown, set_up_13, tear_down),
        TEST_12(accept_as_many_names_as_allowed_are_shown, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_one_name_too_many_is_refused, set_up_13, tear_down),
        TEST_12(accept_one_name_too_many_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_names_too_long_together_are_refused, set_up_13, tear_down),
        TEST_12(accept_names_too_long_together_are_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_longest_chain_is_taken, set_up_13, tear_down),
        TEST_12(accept_longest_chain_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_chain_one_too_long_is_refused, set_up_13, tear_down),
        TEST_12(accept_chain_one_too_long_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(accept_name_with_a_nul_is_not_cut, set_up_13, tear_down),
        TEST_12(accept_name_with_a_nul_is_not_cut, set_up_12, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
