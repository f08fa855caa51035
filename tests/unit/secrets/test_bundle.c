#include "unit/secrets/secrets_case.h"

#include "crypto/init.h"
#include "secrets/bundle.h"
#include "secrets/json_heap.h"

#include <string.h>

static const char *const names[] = {"PARTNER_TOKEN", "PARTNER_URL"};

static tg_result parse_as(tg_slice text, bool is_sealed, tg_bundle *bundle, tg_delivery_fault *fault)
{
    const tg_bundle_rules rules = {
        .is_sealed = is_sealed, .names = names, .num_names = TG_COUNT(names), .now_unix_s = test_now()};
    return tg_bundle_parse(text, &rules, bundle, fault);
}

/* No word of a fault may come from what was delivered, but a member's name. */
static void check_refused(char *text, bool is_sealed, const char *code, const char *words)
{
    tg_bundle bundle;
    tg_delivery_fault fault;
    assert_false(tg_is_ok(parse_as(tg_slice_str(text), is_sealed, &bundle, &fault)));
    assert_string_equal(fault.code, code);
    if (strstr(fault.detail.reason, words) == NULL && strstr(fault.detail.field, words) == NULL) {
        fail_msg("%s / %s: no %s", fault.detail.field, fault.detail.reason, words);
    }
    assert_null(strstr(fault.detail.reason, "hunter2"));
    assert_true(tg_bundle_is_empty(&bundle));
}

static void refuse_literal(const char *text, bool is_sealed, const char *code, const char *words)
{
    char *copy = strdup(text);
    check_refused(copy, is_sealed, code, words);
    free(copy);
}

static void refuse_value(json_t *value, const char *code, const char *words)
{
    char *text = test_delivery_of(value);
    check_refused(text, false, code, words);
    free(text);
}

static void tg_bundle_parse_good_delivery_in_every_spelling_is_taken(void **state)
{
    static const char *const spellings[][3] = {{"client_cert", "client_key", "ca_cert"},
                                               {"cert", "key", "ca"},
                                               {"certificate", "private_key", "ca_certificate"}};
    test_parts parts = test_make_parts("client");
    (void)state;
    for (size_t i = 0; i < TG_COUNT(spellings) * 2; i++) {
        const char *const *spelling = spellings[i / 2];
        json_t *value =
            json_pack("{s:s,s:s,s:s}", spelling[0], parts.cert, spelling[1], parts.key, spelling[2], parts.ca);
        if (i % 2 == 1) { /* as a string of JSON */
            char *inner = json_dumps(value, 0);
            json_decref(value);
            value = json_string(inner);
            free(inner);
        }
        char *text = test_delivery_of(value);
        tg_bundle bundle;
        tg_delivery_fault fault;
        assert_ok(parse_as(tg_slice_str(text), false, &bundle, &fault));
        assert_non_null(bundle.client);
        assert_int_equal(tg_tls_authorities_num(bundle.ca), 1);
        assert_int_equal(tg_secret_len(bundle.client_key_pem), strlen(parts.key));
        assert_memory_equal(tg_secret_bytes(bundle.client_key_pem), parts.key, strlen(parts.key));
        assert_int_equal(bundle.num_values, 1);
        assert_string_equal(bundle.values[0].name, "ECS_WATERMARK_ENDPOINT");
        assert_false(tg_bundle_is_empty(&bundle));
        tg_bundle_done(&bundle);
        free(text);
    }
    test_parts_done(&parts);
}

static void tg_bundle_parse_what_says_nothing_gives_nothing(void **state)
{
    static const char *const texts[] = {"", " \r\n", "test", "test\n", "\"test\"", "{}", " {} "};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        tg_bundle bundle;
        tg_delivery_fault fault;
        assert_ok(parse_as(tg_slice_str(texts[i]), false, &bundle, &fault));
        assert_true(tg_bundle_is_empty(&bundle));
    }
}

static void tg_bundle_parse_what_is_no_object_is_not_json(void **state)
{
    static const char *const texts[] = {"[]",
                                        "\"text\"",
                                        "{",
                                        "{\"A\":1,}",
                                        "null",
                                        "{} {}",
                                        "tests",
                                        "{\"PARTNER_TOKEN\":\"a\",\"PARTNER_TOKEN\":\"b\"}",
                                        "\xef\xbb\xbf{}"};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        refuse_literal(texts[i], false, "not_json", "not one JSON object");
    }
    tg_bundle bundle;
    tg_delivery_fault fault;
    assert_code(parse_as(TG_LIT("{}\0{}"), false, &bundle, &fault), TG_ERR_SYNTAX);
    char *longest = malloc(TG_MAX_DELIVERY_BYTES + 1);
    assert_non_null(longest);
    memset(longest, ' ', TG_MAX_DELIVERY_BYTES + 1);
    memcpy(longest, "{\"PARTNER_TOKEN\":\"a\"}", 21);
    longest[TG_MAX_DELIVERY_BYTES - 1] = '\n';
    assert_ok(parse_as(tg_slice_of(longest, TG_MAX_DELIVERY_BYTES), false, &bundle, &fault));
    tg_bundle_done(&bundle);
    assert_code(parse_as(tg_slice_of(longest, TG_MAX_DELIVERY_BYTES + 1), false, &bundle, &fault), TG_ERR_SYNTAX);
    assert_string_equal(fault.code, "too_large");
    free(longest);
}

static void tg_bundle_parse_every_prefix_of_a_delivery_is_refused(void **state)
{
    test_parts parts = test_make_parts("client");
    char *text = test_good_delivery(&parts);
    (void)state;
    for (size_t len = 1; len < strlen(text); len++) {
        tg_bundle bundle;
        tg_delivery_fault fault;
        assert_false(tg_is_ok(parse_as(tg_slice_of(text, len), false, &bundle, &fault)));
        assert_string_equal(fault.code, "not_json");
    }
    free(text);
    test_parts_done(&parts);
}

static void tg_bundle_parse_members_that_are_not_known_are_refused_by_name(void **state)
{
    (void)state;
    refuse_literal("{\"UNKNOWN\":\"hunter2\"}", false, "unknown_member", "UNKNOWN");
    refuse_literal("{\"a b\":\"hunter2\"}", false, "unknown_member", "name is none of ours");
    refuse_literal("{\"\":\"hunter2\"}", false, "unknown_member", "name is none of ours");
    refuse_literal("{\"DEK\":\"hunter2\"}", true, "forbidden_member", "DEK");
    refuse_literal("{\"CLIENT_CA_PEM\":\"hunter2\"}", true, "forbidden_member", "CLIENT_CA_PEM");
    refuse_literal("{\"TLS_CERT_JSON\":{}}", false, "forbidden_member", "TLS_CERT_JSON");
    refuse_literal("{\"AWS_SECRET_ACCESS_KEY\":\"hunter2\"}", false, "forbidden_member", "AWS_SECRET_ACCESS_KEY");
    refuse_literal("{\"AWS_SECRET_ACCESS_KEY\":\"hunter2\"}", true, "missing_member", "is missing");
    refuse_literal("{\"AWS_SESSION_TOKEN\":\"hunter2\"}", true, "missing_member", "belongs to its keys");
    refuse_literal("{\"MTLS_CLIENT_CERT_JSON\":{\"cert\":\"a\",\"extra\":\"hunter2\"}}", false, "unknown_member",
                   "not known");
    refuse_literal("{\"MTLS_CLIENT_CERT_JSON\":{\"cert\":\"a\",\"certificate\":\"b\"}}", false, "doubled_member",
                   "two names");
    refuse_literal("{\"MTLS_CLIENT_CERT_JSON\":[]}", false, "bad_member", "MTLS_CLIENT_CERT_JSON");
    refuse_literal("{\"MTLS_CLIENT_CERT_JSON\":\"hunter2\"}", false, "bad_member", "neither");
}

static void tg_bundle_parse_values_at_their_limits_are_checked(void **state)
{
    char text[TG_MAX_SECRET_VALUE_BYTES + 64], value[TG_MAX_SECRET_VALUE_BYTES + 2];
    tg_bundle bundle;
    tg_delivery_fault fault;
    (void)state;
    for (size_t len = TG_MAX_SECRET_VALUE_BYTES; len <= TG_MAX_SECRET_VALUE_BYTES + 1; len++) {
        memset(value, 'v', len);
        value[len] = 0;
        snprintf(text, sizeof text, "{\"PARTNER_TOKEN\":\"%s\"}", value);
        assert_code(parse_as(tg_slice_str(text), false, &bundle, &fault),
                    len == TG_MAX_SECRET_VALUE_BYTES ? TG_OK : TG_ERR_SYNTAX);
        tg_bundle_done(&bundle);
    }
    refuse_literal("{\"PARTNER_TOKEN\":\"\"}", false, "bad_value", "PARTNER_TOKEN");
    refuse_literal("{\"PARTNER_TOKEN\":7}", false, "bad_value", "PARTNER_TOKEN");
    refuse_literal("{\"PARTNER_URL\":\"hunter2\"}", false, "bad_url", "PARTNER_URL");
    refuse_literal("{\"ECS_WATERMARK_ENDPOINT\":\"https://u:hunter2@h/\"}", false, "bad_url", "ECS_WATERMARK_ENDPOINT");
    refuse_literal("{\"ECS_WATERMARK_ENDPOINT\":\"https://h/?hunter2\"}", false, "bad_url", "ECS_WATERMARK_ENDPOINT");
    assert_ok(parse_as(TG_LIT("{\"ECS_WATERMARK_ENDPOINT\":\"http://10.0.0.1:8080/w\"}"), false, &bundle, &fault));
    tg_bundle_done(&bundle);
    assert_ok(parse_as(TG_LIT("{\"AWS_ACCESS_KEY_ID\":\"a\",\"AWS_SECRET_ACCESS_KEY\":\"b\"}"), true, &bundle, &fault));
    assert_int_equal(bundle.num_values, 2);
    tg_bundle_done(&bundle);
}

static void tg_bundle_parse_certificates_that_do_not_fit_are_refused(void **state)
{
    test_parts parts = test_make_parts("client"), other = test_make_parts("other");
    test_certificate expired = test_issue(
        &(test_request){.subject = "expired", .by = &parts.authority, .from_s = -2L * TEST_DAY_S, .to_s = -TEST_DAY_S});
    test_certificate early = test_issue(
        &(test_request){.subject = "early", .by = &parts.authority, .from_s = TEST_DAY_S, .to_s = 2L * TEST_DAY_S});
    char *expired_pem = test_pem(test_append_certificate, &expired), *expired_key = test_pem(test_append_key, &expired);
    char *early_pem = test_pem(test_append_certificate, &early), *early_key = test_pem(test_append_key, &early);
    test_certificate weak = test_issue(&(test_request){.subject = "weak", .by = &parts.authority});
    assert_true(X509_sign(weak.certificate, parts.authority.key, EVP_sha1()) > 0);
    char *weak_pem = test_pem(test_append_certificate, &weak), *weak_key = test_pem(test_append_key, &weak);
    (void)state;
    refuse_value(test_mtls(parts.cert, other.key, parts.ca), "bad_certificate", "does not belong");
    refuse_value(test_mtls(expired_pem, expired_key, parts.ca), "bad_certificate", "expired");
    refuse_value(test_mtls(early_pem, early_key, parts.ca), "bad_certificate", "not valid before");
    refuse_value(test_mtls(parts.cert, parts.key, other.ca), "bad_certificate", "does not lead");
    refuse_value(test_mtls(weak_pem, weak_key, parts.ca), "bad_certificate", "too weak");
    refuse_value(test_mtls("", parts.key, parts.ca), "bad_certificate", "empty");
    refuse_value(test_mtls("-----BEGIN CERTIFICATE-----\\nhunter2", parts.key, parts.ca), "bad_certificate",
                 "no line breaks");
    refuse_value(test_mtls("no\npem", parts.key, parts.ca), "bad_certificate", "no certificate");
    refuse_value(test_mtls(parts.cert, "no\npem hunter2", parts.ca), "bad_certificate", "private key");
    refuse_value(test_mtls(parts.cert, parts.key, "no\npem"), "bad_certificate", "certificate");
    refuse_value(json_pack("{s:s,s:s}", "cert", parts.cert, "key", parts.key), "missing_member", "ca_cert is missing");
    refuse_value(json_pack("{s:s,s:s}", "cert", parts.cert, "ca", parts.ca), "missing_member", "client_key is missing");
    refuse_value(json_pack("{s:s,s:s}", "key", parts.key, "ca", parts.ca), "missing_member", "client_cert is missing");
    refuse_value(json_pack("{s:s,s:i,s:s}", "cert", parts.cert, "key", 1, "ca", parts.ca), "bad_certificate",
                 "no text");
    free(expired_pem);
    free(expired_key);
    free(early_pem);
    free(early_key);
    free(weak_pem);
    free(weak_key);
    test_certificate_done(&weak);
    test_certificate_done(&expired);
    test_certificate_done(&early);
    test_parts_done(&parts);
    test_parts_done(&other);
}

static void tg_bundle_parse_chain_through_an_intermediate_must_stand_in_order(void **state)
{
    test_certificate root = test_issue_authority("root");
    test_certificate middle =
        test_issue(&(test_request){.subject = "middle", .constraints = "critical,CA:TRUE", .by = &root});
    test_certificate leaf = test_issue(&(test_request){.subject = "leaf", .by = &middle});
    char *leaf_pem = test_pem(test_append_certificate, &leaf), *middle_pem = test_pem(test_append_certificate, &middle);
    char *key = test_pem(test_append_key, &leaf), *ca = test_pem(test_append_certificate, &root);
    char chain[16384];
    (void)state;
    snprintf(chain, sizeof chain, "%s%s", leaf_pem, middle_pem);
    char *text = test_delivery_of(test_mtls(chain, key, ca));
    tg_bundle bundle;
    tg_delivery_fault fault;
    assert_ok(parse_as(tg_slice_str(text), false, &bundle, &fault));
    tg_bundle_done(&bundle);
    free(text);
    refuse_value(test_mtls(leaf_pem, key, ca), "bad_certificate", "does not lead");
    text = test_delivery_of(test_mtls(leaf_pem, key, middle_pem)); /* an authority need not be a root */
    assert_ok(parse_as(tg_slice_str(text), false, &bundle, &fault));
    tg_bundle_done(&bundle);
    free(text);
    snprintf(chain, sizeof chain, "%s%s", middle_pem, leaf_pem);
    refuse_value(test_mtls(chain, key, ca), "bad_certificate", "is not issued by");
    free(leaf_pem);
    free(middle_pem);
    free(key);
    free(ca);
    test_certificate_done(&root);
    test_certificate_done(&middle);
    test_certificate_done(&leaf);
}

static void tg_bundle_parse_sealed_takes_the_enclaves_own_identity(void **state)
{
    test_parts parts = test_make_parts("enclave");
    json_t *object = json_pack("{s:{s:s,s:s}}", "TLS_CERT_JSON", "cert", parts.cert, "key", parts.key);
    char *text = json_dumps(object, 0);
    tg_bundle bundle;
    tg_delivery_fault fault;
    (void)state;
    assert_ok(parse_as(tg_slice_str(text), true, &bundle, &fault));
    assert_non_null(bundle.server);
    assert_null(bundle.client);
    tg_bundle_done(&bundle);
    free(text);
    json_decref(object);
    object = json_pack("{s:{s:s,s:s,s:s}}", "TLS_CERT_JSON", "cert", parts.cert, "key", parts.key, "ca", parts.ca);
    text = json_dumps(object, 0);
    check_refused(text, true, "unknown_member", "TLS_CERT_JSON");
    free(text);
    json_decref(object);
    refuse_literal("{\"TLS_CERT_JSON\":{\"cert\":\"a\\nb\",\"key\":\"a\\nb\"}}", true, "bad_certificate",
                   "TLS_CERT_JSON");
    test_parts_done(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_bundle_parse_good_delivery_in_every_spelling_is_taken),
        cmocka_unit_test(tg_bundle_parse_what_says_nothing_gives_nothing),
        cmocka_unit_test(tg_bundle_parse_what_is_no_object_is_not_json),
        cmocka_unit_test(tg_bundle_parse_every_prefix_of_a_delivery_is_refused),
        cmocka_unit_test(tg_bundle_parse_members_that_are_not_known_are_refused_by_name),
        cmocka_unit_test(tg_bundle_parse_values_at_their_limits_are_checked),
        cmocka_unit_test(tg_bundle_parse_certificates_that_do_not_fit_are_refused),
        cmocka_unit_test(tg_bundle_parse_chain_through_an_intermediate_must_stand_in_order),
        cmocka_unit_test(tg_bundle_parse_sealed_takes_the_enclaves_own_identity),
    };
    if (!tg_is_ok(tg_crypto_init(1))) {
        return 1;
    }
    tg_json_heap_wipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
