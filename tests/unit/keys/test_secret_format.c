#include "keys/secret_format.h"

#include "crypto/init.h"
#include "support/case.h"

#include <stdio.h>

static tg_result parse(const char *text, tg_key_secret *out_secret, tg_detail *detail)
{
    return tg_key_secret_parse(tg_slice_str(text), false, out_secret, detail);
}

static void parse_one_ciphertext_is_current(void **state)
{
    (void)state;
    tg_key_secret secret;
    tg_detail detail = {0};
    assert_ok(parse("AQIDBA==\n", &secret, &detail));
    assert_int_equal(secret.num_keys, 1);
    assert_false(secret.is_ring);
    assert_slice(secret.keys[0].ciphertext, "\x01\x02\x03\x04");
    assert_int_equal(secret.keys[0].state, TG_KEY_CURRENT);
    assert_slice(secret.keys[0].id, "kms-9f64a747"); /* SHA-256 of 01020304 */
    tg_key_secret_done(&secret);
    assert_ok(tg_key_secret_parse(TG_LIT("\x01\0\n"), true, &secret, &detail));
    assert_slice(secret.keys[0].ciphertext, "\x01\0\n");
    tg_key_secret_done(&secret);
}

#define RING                                                                                                           \
    "{\"keys\":[{\"id\":\"b\",\"ciphertext\":\"Ag==\",\"state\":\"pending\"},"                                         \
    "{\"id\":\"a\",\"ciphertext\":\"AQ==\",\"state\":\"current\"},"                                                    \
    "{\"id\":\"z\",\"ciphertext\":\"AA==\",\"state\":\"retired\"}]}"

static void parse_ring_keeps_order_and_states(void **state)
{
    (void)state;
    tg_key_secret secret;
    tg_detail detail = {0};
    for (int is_binary = 0; is_binary < 2; is_binary++) {
        assert_ok(tg_key_secret_parse(TG_LIT(" " RING "\n"), is_binary == 1, &secret, &detail));
        assert_true(secret.is_ring);
        assert_int_equal(secret.num_keys, 3);
        assert_slice(secret.keys[0].id, "b");
        assert_slice(secret.keys[0].ciphertext, "\x02");
        assert_int_equal(secret.keys[0].state, TG_KEY_PENDING);
        assert_int_equal(secret.keys[1].state, TG_KEY_CURRENT);
        assert_int_equal(secret.keys[2].state, TG_KEY_RETIRED);
        tg_key_secret_done(&secret);
    }
}

static void parse_damaged_secrets_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tg_code code;
    } cases[] = {
        {"", TG_ERR_LIMIT},
        {"****", TG_ERR_SYNTAX},
        {"AQIDBA", TG_ERR_SYNTAX},
        {"{", TG_ERR_SYNTAX},
        {"{}", TG_ERR_SYNTAX},
        {"{\"keys\":[],\"more\":1}", TG_ERR_SYNTAX},
        {"{\"keys\":{}}", TG_ERR_SYNTAX},
        {"{\"keys\":[]}", TG_ERR_RANGE},
        {"{\"keys\":[1]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ==\",\"state\":\"new\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ==\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"\",\"ciphertext\":\"AQ==\",\"state\":\"current\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"a b\",\"ciphertext\":\"AQ==\",\"state\":\"current\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"\\u001b[31m\",\"ciphertext\":\"AQ==\",\"state\":\"current\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ\",\"state\":\"current\"}]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"\",\"state\":\"current\"}]}", TG_ERR_LIMIT},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ==\",\"state\":\"retired\"}]}", TG_ERR_NOT_FOUND},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ==\",\"state\":\"current\"},"
         "{\"id\":\"a\",\"ciphertext\":\"Ag==\",\"state\":\"retired\"}]}",
         TG_ERR_EXISTS},
        {"{\"keys\":[{\"id\":\"a\",\"ciphertext\":\"AQ==\",\"state\":\"current\"},"
         "{\"id\":\"b\",\"ciphertext\":\"Ag==\",\"state\":\"current\"}]}",
         TG_ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_key_secret secret;
        tg_detail detail = {0};
        assert_code(parse(cases[i].text, &secret, &detail), cases[i].code);
        assert_true(detail.reason[0] != 0);
    }
}

/* num_keys entries, the first current. */
static tg_result parse_ring_of(unsigned num_keys)
{
    static char text[4096];
    tg_key_secret secret;
    size_t len = (size_t)snprintf(text, sizeof text, "{\"keys\":[");
    for (unsigned i = 0; i < num_keys; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "%s{\"id\":\"k%u\",\"ciphertext\":\"AQ==\",\"state\":\"%s\"}", i > 0 ? "," : "", i,
                                i == 0 ? "current" : "retired");
    }
    snprintf(text + len, sizeof text - len, "]}");
    TG_TRY(parse(text, &secret, NULL));
    tg_key_secret_done(&secret);
    return tg_ok();
}

static void parse_limits_each_one_over_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[TG_MAX_KEY_SECRET_BYTES + 1];
    tg_key_secret secret;
    assert_ok(parse_ring_of(TG_MAX_RING_KEYS));
    assert_code(parse_ring_of(TG_MAX_RING_KEYS + 1), TG_ERR_RANGE);
    bytes[0] = 1;
    assert_ok(tg_key_secret_parse(tg_slice_of(bytes, TG_MAX_KMS_CIPHERTEXT_BYTES), true, &secret, NULL));
    tg_key_secret_done(&secret);
    assert_code(tg_key_secret_parse(tg_slice_of(bytes, TG_MAX_KMS_CIPHERTEXT_BYTES + 1), true, &secret, NULL),
                TG_ERR_LIMIT);
    assert_code(tg_key_secret_parse(tg_slice_of(bytes, sizeof bytes), true, &secret, NULL), TG_ERR_LIMIT);
}

static void parse_ring_every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof RING - 1; len++) {
        tg_key_secret secret;
        tg_result parsed = tg_key_secret_parse(tg_slice_first(TG_LIT(RING), len), false, &secret, NULL);
        assert_code(parsed, TG_ERR_SYNTAX);
    }
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_one_ciphertext_is_current),    cmocka_unit_test(parse_ring_keeps_order_and_states),
        cmocka_unit_test(parse_damaged_secrets_are_refused),  cmocka_unit_test(parse_limits_each_one_over_is_refused),
        cmocka_unit_test(parse_ring_every_prefix_is_refused),
    };
    return cmocka_run_group_tests(cases, set_up, NULL);
}
