#include "gateway/upstream_guards.h"

#include "base/encode.h"
#include "unit/tls/issuer.h"

static bool is_allowed(const char *item, const char *url)
{
    tg_origin origin;
    const tg_setting_list list = {&item, 1};
    assert_ok(tg_origin_parse(tg_slice_str(url), &origin, NULL));
    return tg_upstream_host_is_allowed(&list, &origin);
}

static void upstream_host_exact_names_match_alone(void **state)
{
    (void)state;
    assert_true(is_allowed("b.example", "https://b.example/x"));
    assert_true(is_allowed("B.Example", "https://b.example:9/x"));
    assert_false(is_allowed("b.example", "https://a.b.example/x"));
    assert_false(is_allowed("b.example", "https://bb.example/x"));
    assert_false(is_allowed("b.example", "https://b.example.org/x"));
}

static void upstream_host_port_where_written_must_match(void **state)
{
    (void)state;
    assert_true(is_allowed("b.example:443", "https://b.example/x"));
    assert_false(is_allowed("b.example:443", "https://b.example:8443/x"));
    assert_true(is_allowed("10.0.0.1:8443", "https://10.0.0.1:8443"));
    assert_true(is_allowed("[::1]", "https://[::1]:8443"));
    assert_true(is_allowed("[::1]:8443", "https://[::1]:8443"));
    assert_false(is_allowed("[::1]:8443", "https://[::1]"));
}

static void upstream_host_wildcard_matches_what_is_below(void **state)
{
    (void)state;
    assert_true(is_allowed("*.b.example", "https://a.b.example"));
    assert_true(is_allowed("*.b.example", "https://x.a.b.example:8080"));
    assert_false(is_allowed("*.b.example", "https://b.example"));
    assert_false(is_allowed("*.b.example", "https://ab.example"));
    assert_false(is_allowed("*.b.example:443", "https://a.b.example:8080"));
}

static void upstream_host_empty_list_names_all(void **state)
{
    (void)state;
    tg_origin origin;
    const tg_setting_list none = {NULL, 0};
    assert_ok(tg_origin_parse(TG_LIT("https://b.example"), &origin, NULL));
    assert_true(tg_upstream_host_is_allowed(&none, &origin));
}

static void upstream_host_fault_of_what_is_no_host(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a.b", "*.a", "*.a:1", "10.1.2.3", "[::1]:65535", "a:65535"};
    static const char *const bad[] = {"",   "*",         "*.",   "a:0",    "a:65536", "a:",  "a b",   "https://a",
                                      "a/", "*.1.2.3.4", "[::1", "[::1]:", "::1",     "a*b", "*.*.a", ":1"};
    for (size_t i = 0; i < TG_COUNT(good); i++) {
        assert_null(tg_upstream_host_fault(tg_slice_str(good[i])));
    }
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        if (tg_upstream_host_fault(tg_slice_str(bad[i])) == NULL) {
            fail_msg("%s is taken", bad[i]);
        }
    }
}

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define COLONS "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static void upstream_ca_fault_of_what_is_no_digest(void **state)
{
    (void)state;
    assert_null(tg_upstream_ca_fault(TG_LIT(DIGITS)));
    assert_null(tg_upstream_ca_fault(TG_LIT(COLONS)));
    assert_non_null(tg_upstream_ca_fault(TG_LIT(DIGITS "0")));
    assert_non_null(tg_upstream_ca_fault(TG_LIT("0" DIGITS COLONS)));
    assert_non_null(tg_upstream_ca_fault(tg_slice_from(TG_LIT(DIGITS), 1)));
    assert_non_null(tg_upstream_ca_fault(TG_LIT("")));
    assert_non_null(tg_upstream_ca_fault(TG_LIT("g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")));
}

static void upstream_ca_listed_ones_are_believed(void **state)
{
    (void)state;
    static const char digits[] = DIGITS;
    test_certificate one = test_issue_authority("one");
    tg_tls_authorities *authorities = NULL;
    uint8_t digest[TG_AUTHORITIES_SHA256_BYTES];
    tg_buf pem, hex;
    tg_buf_init(&pem, 65536);
    tg_buf_init(&hex, 65);
    test_append_certificate(&one, &pem);
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&pem), test_now(), &authorities, NULL));
    assert_int_equal(X509_digest(one.certificate, EVP_sha256(), digest, NULL), 1);
    assert_ok(tg_hex_append(&hex, tg_slice_of(digest, sizeof digest)));
    assert_ok(tg_buf_append_byte(&hex, 0));
    const char *const items[] = {digits, (const char *)tg_buf_slice(&hex).ptr};
    assert_true(tg_upstream_ca_is_allowed(&(tg_setting_list){items, 2}, authorities));
    assert_false(tg_upstream_ca_is_allowed(&(tg_setting_list){items, 1}, authorities));
    assert_true(tg_upstream_ca_is_allowed(&(tg_setting_list){NULL, 0}, authorities));
    test_append_certificate(&one, &pem); /* twice the same is another set */
    tg_tls_authorities_unref(authorities);
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&pem), test_now(), &authorities, NULL));
    assert_false(tg_upstream_ca_is_allowed(&(tg_setting_list){items, 2}, authorities));
    tg_tls_authorities_unref(authorities);
    test_certificate_done(&one);
    tg_buf_done(&pem);
    tg_buf_done(&hex);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(upstream_host_exact_names_match_alone),
        cmocka_unit_test(upstream_host_port_where_written_must_match),
        cmocka_unit_test(upstream_host_wildcard_matches_what_is_below),
        cmocka_unit_test(upstream_host_empty_list_names_all),
        cmocka_unit_test(upstream_host_fault_of_what_is_no_host),
        cmocka_unit_test(upstream_ca_fault_of_what_is_no_digest),
        cmocka_unit_test(upstream_ca_listed_ones_are_believed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
