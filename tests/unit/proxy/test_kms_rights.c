#include "proxy/kms_rights.h"

#include "support/case.h"

#define KEY_A "arn:aws:kms:eu-west-1:111122223333:key/a"

static const tg_proxy_domain domains[] = {
    {.name = TG_LIT("k.x"), .has_cid = true, .cid = 16, .kms_key = TG_LIT(KEY_A), .allows_plaintext = true},
    {.name = TG_LIT("l.x"), .has_cid = true, .cid = 17},
    {.name = TG_LIT("m.x"), .has_cid = true, .cid = 17, .kms_key = TG_LIT("alias/m")},
    {.name = TG_LIT("n.x"), .has_cid = true, .cid = 18, .kms_key = TG_LIT(KEY_A), .allows_plaintext = true},
    {.name = TG_LIT("o.x"), .has_cid = true, .cid = 18, .kms_key = TG_LIT(KEY_A)},
    {.name = TG_LIT("p.x"), .has_cid = true, .cid = 19, .allows_plaintext = true},
    {.name = TG_LIT("r.x"), .has_cid = true, .cid = 21, .kms_key = TG_LIT(KEY_A)},
    {.name = TG_LIT("s.x"), .has_cid = true, .cid = 21, .kms_key = TG_LIT(KEY_A), .allows_plaintext = true},
    {.name = TG_LIT("q.x"), .cid = 20, .kms_key = TG_LIT(KEY_A)},
};
static const tg_proxy_config config = {.domains = domains, .num_domains = TG_COUNT(domains)};

static tg_kms_rights rights_of(uint32_t cid)
{
    return tg_kms_rights_of(&config, &(tg_peer){.has_cid = true, .cid = cid});
}

static void rights_follow_from_the_cid(void **state)
{
    (void)state;
    tg_kms_rights rights = rights_of(16);
    assert_true(rights.is_known && rights.allows_plaintext);
    assert_slice(rights.key, KEY_A);
    assert_slice(rights.domain, "k.x");
    rights = rights_of(17);
    assert_slice(rights.key, "alias/m");
    assert_slice(rights.domain, "m.x");
    assert_false(rights.allows_plaintext);
    assert_false(rights_of(18).allows_plaintext); /* one of its domains does not */
    assert_false(rights_of(21).allows_plaintext); /* in whatever order */
    rights = rights_of(19);
    assert_true(rights.is_known && rights.key.len == 0 && !rights.allows_plaintext);
    assert_false(rights_of(20).is_known);
    assert_false(rights_of(0).is_known);
    assert_false(tg_kms_rights_of(&config, &(tg_peer){.has_cid = false, .cid = 16}).is_known);
    assert_slice(rights_of(99).domain, "none");
}

static const char *apply(uint32_t cid, const char *text, char key[64])
{
    static tg_detail detail;
    tg_kms_request request;
    tg_kms_rights rights = rights_of(cid);
    tg_detail_clear(&detail);
    assert_ok(tg_kms_request_parse(tg_slice_str(text), &request, &detail));
    tg_result result = tg_kms_rights_apply(&rights, &request, &detail);
    if (tg_is_ok(result)) {
        tg_slice named = tg_slice_first(tg_slice_str(request.key), 63);
        memcpy(key, named.len > 0 ? (const char *)named.ptr : "", named.len);
        key[named.len] = 0;
    } else {
        assert_code(result, TG_ERR_DENIED);
        assert_true(detail.reason[0] != 0 && detail.remedy[0] != 0);
    }
    tg_kms_request_done(&request);
    return tg_is_ok(result) ? "ok" : detail.field;
}

#define RECIPIENT "\"Recipient\":{\"AttestationDocument\":\"YWI=\",\"KeyEncryptionAlgorithm\":\"x\"}"

static void apply_fills_in_the_key_and_refuses_another(void **state)
{
    (void)state;
    char key[64];
    assert_string_equal(apply(16, "{\"operation\":\"Decrypt\",\"input\":{}}", key), "ok");
    assert_string_equal(key, KEY_A);
    assert_string_equal(apply(16, "{\"operation\":\"Decrypt\",\"input\":{\"key_id\":\"a\"}}", key), "ok");
    assert_string_equal(key, KEY_A); /* the whole ARN, whatever the caller wrote */
    assert_string_equal(apply(16, "{\"operation\":\"GenerateRandom\",\"input\":{\"NumberOfBytes\":1}}", key), "ok");
    assert_string_equal(key, "");
    assert_string_equal(apply(16, "{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"b\"}}", key), "wrong_key");
    assert_string_equal(apply(17, "{\"operation\":\"Decrypt\",\"input\":{\"KeyId\":\"a\"}}", key), "wrong_key");
    assert_string_equal(apply(19, "{\"operation\":\"Decrypt\",\"input\":{}}", key), "no_key");
    assert_string_equal(apply(20, "{\"operation\":\"Decrypt\",\"input\":{}}", key), "unknown_caller");
}

static void apply_refuses_what_would_show_plaintext(void **state)
{
    (void)state;
    char key[64];
    assert_string_equal(apply(17, "{\"operation\":\"Decrypt\",\"input\":{}}", key), "plaintext_refused");
    assert_string_equal(apply(17, "{\"operation\":\"GenerateDataKey\",\"input\":{}}", key), "plaintext_refused");
    assert_string_equal(apply(17, "{\"operation\":\"GenerateRandom\",\"input\":{}}", key), "plaintext_refused");
    assert_string_equal(apply(17, "{\"operation\":\"Encrypt\",\"input\":{}}", key), "plaintext_refused");
    assert_string_equal(apply(17, "{\"operation\":\"Decrypt\",\"input\":{" RECIPIENT "}}", key), "ok");
    assert_string_equal(apply(17, "{\"operation\":\"GenerateRandom\",\"input\":{" RECIPIENT "}}", key), "ok");
    assert_string_equal(apply(16, "{\"operation\":\"Encrypt\",\"input\":{}}", key), "ok");
}

static void apply_data_key_without_plaintext_shows_none(void **state)
{
    (void)state;
    char key[64];
#define MADE(input) "{\"operation\":\"GenerateDataKeyWithoutPlaintext\",\"input\":{" input "}}"
    assert_string_equal(apply(17, MADE("\"KeySpec\":\"AES_256\""), key), "ok");
    assert_string_equal(key, "alias/m");
    assert_string_equal(apply(16, MADE("\"KeyId\":\"b\""), key), "wrong_key");
    assert_string_equal(apply(19, MADE(""), key), "no_key");
    assert_string_equal(apply(20, MADE(""), key), "unknown_caller");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_follow_from_the_cid),
        cmocka_unit_test(apply_fills_in_the_key_and_refuses_another),
        cmocka_unit_test(apply_refuses_what_would_show_plaintext),
        cmocka_unit_test(apply_data_key_without_plaintext_shows_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
