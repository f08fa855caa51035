/* Our end as a client; the other is OpenSSL as a server. */
#include "unit/tls/conversation.h"

static test_certificate issuer;
static tg_tls_authorities *issuers;
static tg_tls_context *context;
static SSL_CTX *server;

static int set_up_all(void **state)
{
    (void)state;
    issuer = test_issue_authority("root");
    issuers = conversation_authorities(&issuer);
    assert_ok(tg_tls_context_new_client(&(tg_tls_client_settings){.issuers = issuers}, &context, NULL));
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tg_tls_context_unref(context);
    tg_tls_authorities_unref(issuers);
    test_certificate_done(&issuer);
    return 0;
}

static int set_up_13(void **state)
{
    (void)state;
    server = SSL_CTX_new(TLS_server_method());
    conversation_init();
    return 0;
}

static int set_up_12(void **state)
{
    set_up_13(state);
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    conversation_done();
    SSL_CTX_free(server);
    return 0;
}

static void call(tg_tls_context *with, const test_request *request, const tg_tls_target *target)
{
    test_certificate made = test_issue(request);
    SSL_CTX_use_certificate(server, made.certificate);
    SSL_CTX_use_PrivateKey(server, made.key);
    test_certificate_done(&made);
    assert_ok(tg_tls_connect(with, &at.wire.face, at.loop, target, &at.stream));
    at.far = test_far_new(server, true);
    assert_ok(tg_buf_append(&at.to_write, TG_LIT("request")));
    assert_ok(tg_buf_append(&at.far_to_write, TG_LIT("answer")));
    conversation_own();
    conversation_talk();
}

static void call_name(const char *name, const test_request *request)
{
    call(context, request, &(tg_tls_target){.name = tg_slice_str(name)});
}

static void assert_talked(void)
{
    assert_string_equal(tg_stream_fault(at.stream), "");
    assert_slice(tg_buf_slice(&at.far_got), "request");
    assert_slice(tg_buf_slice(&at.got), "answer");
}

static void assert_refused(const char *fault)
{
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_int_equal(at.write_end, TG_ERR_CLOSED);
    assert_int_equal(tg_buf_len(&at.far_got), 0);
    assert_string_equal(tg_stream_fault(at.stream), fault);
    assert_null(tg_stream_peer(at.stream)->tls);
}

static void connect_name_in_the_san_is_taken(void **state)
{
    (void)state;
    call_name("two.test", &(test_request){.subject = "x", .san = "DNS:one.test,DNS:two.test", .by = &issuer});
    assert_talked();
    const tg_peer_tls *tls = tg_stream_peer(at.stream)->tls;
    assert_slice(tls->server_name, "two.test");
    assert_true(tls->has_certificate);
    assert_false(tls->has_key);
    assert_int_equal(tls->num_names, 2);
    assert_string_equal(SSL_get_servername(at.far.ssl, TLSEXT_NAMETYPE_host_name), "two.test");
}

/* A server may have more names than we would note of a client: only the one asked for matters. */
static void connect_server_of_very_many_names_is_taken(void **state)
{
    (void)state;
    char san[2000] = "DNS:one.test";
    for (unsigned i = 0; i < 2 * TG_MAX_PEER_NAMES; i++) {
        size_t len = strlen(san);
        snprintf(san + len, sizeof san - len, ",DNS:h%u.t", i);
    }
    call_name("one.test", &(test_request){.subject = "x", .san = san, .by = &issuer});
    assert_talked();
    assert_true(tg_stream_peer(at.stream)->tls->has_certificate);
    assert_int_equal(tg_stream_peer(at.stream)->tls->num_names, 0);
}

static void connect_name_in_other_case_is_taken(void **state)
{
    (void)state;
    call_name("ONE.Test", &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer});
    assert_talked();
}

static void connect_wildcard_stands_for_one_label(void **state)
{
    (void)state;
    call_name("a.one.test", &(test_request){.subject = "x", .san = "DNS:*.one.test", .by = &issuer});
    assert_talked();
}

static void connect_wildcard_does_not_stand_for_two_labels(void **state)
{
    (void)state;
    call_name("a.b.one.test", &(test_request){.subject = "x", .san = "DNS:*.one.test", .by = &issuer});
    assert_refused("tls: certificate verify failed: hostname mismatch");
}

static void connect_partial_wildcard_is_refused(void **state)
{
    (void)state;
    call_name("abc.one.test", &(test_request){.subject = "x", .san = "DNS:a*.one.test", .by = &issuer});
    assert_refused("tls: certificate verify failed: hostname mismatch");
}

static void connect_another_name_is_refused(void **state)
{
    (void)state;
    call_name("one.test", &(test_request){.subject = "one.test", .san = "DNS:two.test", .by = &issuer});
    assert_refused("tls: certificate verify failed: hostname mismatch");
}

static void connect_common_name_alone_is_refused(void **state)
{
    (void)state;
    call_name("one.test", &(test_request){.subject = "one.test", .by = &issuer});
    assert_refused("tls: certificate verify failed: hostname mismatch");
}

static void connect_common_name_where_allowed_is_taken(void **state)
{
    (void)state;
    call(context, &(test_request){.subject = "one.test", .by = &issuer},
         &(tg_tls_target){.name = TG_LIT("one.test"), .may_be_common_name = true});
    assert_talked();
}

static void connect_common_name_beside_a_san_is_refused(void **state)
{
    (void)state;
    call(context, &(test_request){.subject = "one.test", .san = "DNS:two.test", .by = &issuer},
         &(tg_tls_target){.name = TG_LIT("one.test"), .may_be_common_name = true});
    assert_refused("tls: certificate verify failed: hostname mismatch");
}

static void connect_ip_address_is_checked_and_not_sent_as_name(void **state)
{
    (void)state;
    call_name("192.0.2.7", &(test_request){.subject = "x", .san = "IP:192.0.2.7", .by = &issuer});
    assert_talked();
    assert_null(SSL_get_servername(at.far.ssl, TLSEXT_NAMETYPE_host_name));
    assert_slice(tg_stream_peer(at.stream)->tls->server_name, "");
}

static void connect_ipv6_address_is_checked(void **state)
{
    (void)state;
    call_name("2001:db8::7", &(test_request){.subject = "x", .san = "IP:2001:db8:0:0:0:0:0:7", .by = &issuer});
    assert_talked();
}

static void connect_ip_address_as_a_dns_name_is_refused(void **state)
{
    (void)state;
    call_name("192.0.2.7", &(test_request){.subject = "x", .san = "DNS:192.0.2.7", .by = &issuer});
    assert_refused("tls: certificate verify failed: IP address mismatch");
}

static void connect_unknown_issuer_is_refused(void **state)
{
    (void)state;
    test_certificate stranger = test_issue_authority("stranger");
    call_name("one.test", &(test_request){.subject = "x", .san = "DNS:one.test", .by = &stranger});
    assert_refused("tls: certificate verify failed: unable to get local issuer certificate");
    assert_int_equal(ERR_GET_REASON(at.far_reason), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
    test_certificate_done(&stranger);
}

static void connect_expired_server_is_refused(void **state)
{
    (void)state;
    call_name("one.test",
              &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer, .from_s = -7200, .to_s = -60});
    assert_refused("tls: certificate verify failed: certificate has expired");
}

static void connect_client_certificate_is_refused_as_a_server(void **state)
{
    (void)state;
    call_name("one.test", &(test_request){.subject = "x", .san = "DNS:one.test", .usage = "clientAuth", .by = &issuer});
    assert_refused("tls: certificate verify failed: unsuitable certificate purpose");
}

static void connect_identity_is_shown_when_asked(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "me", .san = "URI:spiffe://test/me", .by = &issuer});
    tg_tls_identity *identity = conversation_identity(&made, NULL);
    tg_tls_context *with;
    const tg_tls_client_settings settings = {.issuers = issuers, .identity = identity};
    assert_ok(tg_tls_context_new_client(&settings, &with, NULL));
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), issuer.certificate);
    call(with, &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer},
         &(tg_tls_target){.name = TG_LIT("one.test")});
    assert_talked();
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(at.far.ssl), made.certificate), 0);
    tg_tls_context_unref(with);
    tg_tls_identity_unref(identity);
    test_certificate_done(&made);
}

static void connect_without_identity_learns_that_one_is_required(void **state)
{
    (void)state;
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    call_name("one.test", &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer});
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_true(strstr(tg_stream_fault(at.stream), "alert") != NULL);
}

/* As the tool connects to what it is about to verify: any certificate is taken, and the key behind it shown. */
static void connect_unverified_shows_the_key_of_any_certificate(void **state)
{
    (void)state;
    static const char *const sans[] = {"DNS:one.test", "DNS:other.test"};
    tg_tls_context *with;
    assert_ok(tg_tls_context_new_client(&(tg_tls_client_settings){.is_unverified = true}, &with, NULL));
    for (size_t i = 0; i < TG_COUNT(sans); i++) {
        uint8_t key[TG_PEER_KEY_SHA256_BYTES];
        unsigned char *der = NULL;
        conversation_done();
        conversation_init();
        call(with, &(test_request){.subject = "x", .san = sans[i], .to_s = -60},
             &(tg_tls_target){.name = TG_LIT("one.test")});
        assert_talked();
        int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(SSL_CTX_get0_certificate(server)), &der);
        assert_int_equal(EVP_Digest(der, (size_t)len, key, NULL, EVP_sha256(), NULL), 1);
        OPENSSL_free(der);
        const tg_peer_tls *tls = tg_stream_peer(at.stream)->tls;
        assert_true(tls->has_key);
        assert_memory_equal(tls->key_sha256, key, sizeof key);
        assert_false(tls->has_certificate);
    }
    tg_tls_context_unref(with);
}

static void connect_one_key_takes_that_alone_and_shows_itself_to_no_other(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "me"});
    tg_tls_identity *identity = conversation_identity(&made, NULL);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t sha256[TG_PEER_KEY_SHA256_BYTES];
    unsigned char *der = NULL;
    tg_tls_context *with;
    int len = i2d_PUBKEY(key, &der);
    assert_int_equal(EVP_Digest(der, (size_t)len, sha256, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    const tg_tls_client_settings settings = {
        .is_unverified = true, .key_sha256 = tg_slice_of(sha256, sizeof sha256), .identity = identity};
    assert_ok(tg_tls_context_new_client(&settings, &with, NULL));
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), made.certificate);
    call(with, &(test_request){.subject = "x", .key = key}, &(tg_tls_target){.name = TG_LIT("one.test")});
    assert_talked();
    assert_non_null(SSL_get0_peer_certificate(at.far.ssl));
    conversation_done();
    conversation_init();
    call(with, &(test_request){.subject = "x"}, &(tg_tls_target){.name = TG_LIT("one.test")});
    assert_refused("tls: certificate verify failed: it has another key than is asked for");
    assert_null(SSL_get0_peer_certificate(at.far.ssl));
    tg_tls_context_unref(with);
    tg_tls_identity_unref(identity);
    EVP_PKEY_free(key);
    test_certificate_done(&made);
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                     unsigned offered_len, void *owner)
{
    (void)ssl;
    (void)owner;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, (const unsigned char *)"\x02h2", 3, offered,
                                 offered_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static void connect_protocols_are_offered(void **state)
{
    (void)state;
    const tg_slice protocols[] = {TG_LIT("h2"), TG_LIT("http/1.1")};
    const tg_tls_client_settings settings = {.issuers = issuers, .protocols = protocols, .num_protocols = 2};
    tg_tls_context *with;
    assert_ok(tg_tls_context_new_client(&settings, &with, NULL));
    SSL_CTX_set_alpn_select_cb(server, choose_h2, NULL);
    call(with, &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer},
         &(tg_tls_target){.name = TG_LIT("one.test")});
    assert_talked();
    assert_slice(tg_stream_peer(at.stream)->tls->protocol, "h2");
    tg_tls_context_unref(with);
}

static void connect_server_that_is_too_old_is_refused(void **state)
{
    (void)state;
    SSL_CTX_set_security_level(server, 0);
    SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    call_name("one.test", &(test_request){.subject = "x", .san = "DNS:one.test", .by = &issuer});
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_int_equal(tg_buf_len(&at.far_got), 0);
}

static void connect_server_that_is_plain_http_is_closed(void **state)
{
    (void)state;
    assert_ok(
        tg_tls_connect(context, &at.wire.face, at.loop, &(tg_tls_target){.name = TG_LIT("one.test")}, &at.stream));
    at.far = test_far_new(server, true);
    conversation_own();
    assert_ok(tg_buf_append(&at.wire.in, TG_LIT("HTTP/1.1 400 Bad Request\r\n\r\n")));
    (void)test_wire_tell(&at.wire);
    assert_int_equal(at.end, TG_ERR_CLOSED);
    assert_string_equal(tg_stream_fault(at.stream), "tls: wrong version number");
}

static void connect_generated_identity_is_believed_by_who_has_it(void **state)
{
    (void)state;
    tg_tls_identity *identity;
    tg_tls_authorities *only;
    tg_tls_context *with;
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    assert_ok(tg_tls_identity_generate(NULL, 0, test_now(), &identity, NULL));
    assert_ok(tg_tls_identity_append_pem(identity, &pem));
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&pem), test_now(), &only, NULL));
    assert_ok(tg_tls_context_new_client(&(tg_tls_client_settings){.issuers = only}, &with, NULL));
    tg_tls_context *ours;
    assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &ours, NULL));
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        test_wire far_wire; /* one of ours at each end */
        tg_stream *far = NULL;
        test_wire_init(&far_wire);
        conversation_done();
        conversation_init();
        assert_ok(tg_tls_accept(ours, &far_wire.face, at.loop, &far));
        assert_ok(
            tg_tls_connect(with, &at.wire.face, at.loop, &(tg_tls_target){.name = tg_slice_str(names[i])}, &at.stream));
        size_t len = 0;
        uint8_t bytes[16];
        tg_result result = tg_fail(TG_ERR_AGAIN);
        for (unsigned turn = 0; turn < 10 && result.code == TG_ERR_AGAIN; turn++) {
            if (tg_stream_peer(at.stream)->tls == NULL) {
                tg_result written = tg_stream_write(at.stream, TG_LIT("hello"), &len);
                assert_true(tg_is_ok(written) || written.code == TG_ERR_AGAIN);
            }
            assert_ok(tg_buf_append(&far_wire.in, tg_buf_slice(&at.wire.out)));
            tg_buf_clear(&at.wire.out);
            result = tg_stream_read(far, bytes, sizeof bytes, &len);
            assert_ok(tg_buf_append(&at.wire.in, tg_buf_slice(&far_wire.out)));
            tg_buf_clear(&far_wire.out);
        }
        assert_ok(result);
        assert_slice(tg_slice_of(bytes, len), "hello");
        tg_stream_close(far);
        test_wire_done(&far_wire);
    }
    tg_tls_context_unref(ours);
    tg_tls_context_unref(with);
    tg_tls_authorities_unref(only);
    tg_tls_identity_unref(identity);
    tg_buf_done(&pem);
}

static void refuse_target(tg_slice name)
{
    tg_stream *stream = NULL;
    test_wire wire;
    test_wire_init(&wire);
    assert_code(tg_tls_connect(context, &wire.face, at.loop, &(tg_tls_target){.name = name}, &stream), TG_ERR_SYNTAX);
    assert_null(stream);
    assert_true(wire.is_closed);
    test_wire_done(&wire);
}

static void connect_target_that_is_no_name_is_refused(void **state)
{
    (void)state;
    char name[254];
    memset(name, 'a', sizeof name);
    refuse_target(TG_LIT(""));
    refuse_target(TG_LIT("one.test\0.evil.test"));
    refuse_target(tg_slice_of(name, sizeof name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connect_name_in_the_san_is_taken, set_up_13, tear_down),
        TEST_12(connect_name_in_the_san_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_server_of_very_many_names_is_taken, set_up_13, tear_down),
        TEST_12(connect_server_of_very_many_names_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_name_in_other_case_is_taken, set_up_13, tear_down),
        TEST_12(connect_name_in_other_case_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_wildcard_stands_for_one_label, set_up_13, tear_down),
        TEST_12(connect_wildcard_stands_for_one_label, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_wildcard_does_not_stand_for_two_labels, set_up_13, tear_down),
        TEST_12(connect_wildcard_does_not_stand_for_two_labels, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_partial_wildcard_is_refused, set_up_13, tear_down),
        TEST_12(connect_partial_wildcard_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_another_name_is_refused, set_up_13, tear_down),
        TEST_12(connect_another_name_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_common_name_alone_is_refused, set_up_13, tear_down),
        TEST_12(connect_common_name_alone_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_common_name_where_allowed_is_taken, set_up_13, tear_down),
        TEST_12(connect_common_name_where_allowed_is_taken, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_common_name_beside_a_san_is_refused, set_up_13, tear_down),
        TEST_12(connect_common_name_beside_a_san_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_ip_address_is_checked_and_not_sent_as_name, set_up_13, tear_down),
        TEST_12(connect_ip_address_is_checked_and_not_sent_as_name, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_ipv6_address_is_checked, set_up_13, tear_down),
        TEST_12(connect_ipv6_address_is_checked, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_ip_address_as_a_dns_name_is_refused, set_up_13, tear_down),
        TEST_12(connect_ip_address_as_a_dns_name_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_unknown_issuer_is_refused, set_up_13, tear_down),
        TEST_12(connect_unknown_issuer_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_expired_server_is_refused, set_up_13, tear_down),
        TEST_12(connect_expired_server_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_client_certificate_is_refused_as_a_server, set_up_13, tear_down),
        TEST_12(connect_client_certificate_is_refused_as_a_server, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_identity_is_shown_when_asked, set_up_13, tear_down),
        TEST_12(connect_identity_is_shown_when_asked, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_without_identity_learns_that_one_is_required, set_up_13, tear_down),
        TEST_12(connect_without_identity_learns_that_one_is_required, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_unverified_shows_the_key_of_any_certificate, set_up_13, tear_down),
        TEST_12(connect_unverified_shows_the_key_of_any_certificate, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_one_key_takes_that_alone_and_shows_itself_to_no_other, set_up_13,
                                        tear_down),
        TEST_12(connect_one_key_takes_that_alone_and_shows_itself_to_no_other, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_protocols_are_offered, set_up_13, tear_down),
        TEST_12(connect_protocols_are_offered, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_server_that_is_too_old_is_refused, set_up_13, tear_down),
        TEST_12(connect_server_that_is_too_old_is_refused, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_server_that_is_plain_http_is_closed, set_up_13, tear_down),
        TEST_12(connect_server_that_is_plain_http_is_closed, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_generated_identity_is_believed_by_who_has_it, set_up_13, tear_down),
        TEST_12(connect_generated_identity_is_believed_by_who_has_it, set_up_12, tear_down),
        cmocka_unit_test_setup_teardown(connect_target_that_is_no_name_is_refused, set_up_13, tear_down),
        TEST_12(connect_target_that_is_no_name_is_refused, set_up_12, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
