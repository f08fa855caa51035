#include "tool/call_keys.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "crypto/sha256.h"
#include "support/case.h"

#include <stdio.h>
#include <string.h>

/* RFC 7515 appendix A.3's point. */
#define POINT                                                                                                          \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                          \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define ENC(kid) "{" POINT ",\"use\":\"enc\",\"alg\":\"ECDH-ES\",\"kid\":\"" kid "\"}"
#define SIG(kid) "{" POINT ",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"" kid "\"}"

static tg_detail detail;
static tg_call_keys keys;

/* As published under a manifest that binds exactly that. */
static tg_result read_bound(tg_call_envelope envelope, tg_slice published)
{
    uint8_t digest[TG_SHA256_BYTES];
    char manifest[128];
    tg_buf hex;
    tg_buf_init(&hex, 128);
    assert_ok(tg_sha256(published, digest));
    assert_ok(tg_hex_append(&hex, tg_slice_of(digest, sizeof digest)));
    snprintf(manifest, sizeof manifest, "{\"%s\":\"%.64s\"}", envelope == TG_CALL_JWE ? "jwks" : "ohttp",
             (const char *)tg_buf_slice(&hex).ptr);
    tg_buf_done(&hex);
    tg_detail_clear(&detail);
    return tg_call_keys_read(envelope, published, tg_slice_str(manifest), &keys, &detail);
}

static tg_result read_jwks(const char *text)
{
    return read_bound(TG_CALL_JWE, tg_slice_str(text));
}

static void read_set_that_is_bound_gives_its_keys(void **state)
{
    (void)state;
    assert_ok(read_jwks("{\"keys\":[{\"kty\":\"oct\"}," SIG("s1") "," ENC("e1") "," ENC("e2") "," SIG("s2") "]}"));
    assert_string_equal(keys.recipient.kid, "e1");
    assert_int_equal(keys.num_signers, 2);
    assert_string_equal(keys.signers[0].kid, "s1");
    assert_string_equal(keys.signers[1].kid, "s2");
    assert_int_equal(keys.signers[1].point[0], 4);
    assert_int_equal(keys.signers[1].point[1], 0x7f);
}

static void read_signers_past_the_maximum_are_passed_over(void **state)
{
    char text[4096] = "{\"keys\":[" ENC("e");
    (void)state;
    for (unsigned i = 0; i < TG_MAX_CALL_SIGNERS + 1; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "," SIG("s%u"), i);
    }
    strcat(text, "]}");
    assert_ok(read_jwks(text));
    assert_int_equal(keys.num_signers, TG_MAX_CALL_SIGNERS);
}

static void read_set_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tg_code code;
    } cases[] = {
        {"", TG_ERR_SYNTAX},
        {"{", TG_ERR_SYNTAX},
        {"{\"keys\":[],\"keys\":[]}", TG_ERR_SYNTAX},
        {"{}", TG_ERR_NOT_FOUND},
        {"[]", TG_ERR_NOT_FOUND},
        {"{\"keys\":1}", TG_ERR_NOT_FOUND},
        {"{\"keys\":[1,null,{}]}", TG_ERR_NOT_FOUND},
        {"{\"keys\":[" ENC("e") "]}", TG_ERR_NOT_FOUND},
        {"{\"keys\":[" SIG("s") "]}", TG_ERR_NOT_FOUND},
        {"{\"keys\":[{\"use\":\"enc\",\"alg\":\"ECDH-ES\"}," SIG("s") "]}", TG_ERR_SYNTAX},
        {"{\"keys\":[" ENC("") "," SIG("s") "]}", TG_ERR_SYNTAX},
        {"{\"keys\":[{\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"s\",\"kty\":\"RSA\"}]}", TG_ERR_UNSUPPORTED}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        assert_code(read_jwks(cases[i].text), cases[i].code);
        assert_true(detail.reason[0] != 0);
    }
}

static void read_what_the_manifest_does_not_bind_is_refused(void **state)
{
    (void)state;
    static const char set[] = "{\"keys\":[" ENC("e") "," SIG("s") "]}";
    static const struct {
        const char *manifest;
        tg_code code;
    } cases[] = {{"", TG_ERR_NOT_FOUND},
                 {"{}", TG_ERR_NOT_FOUND},
                 {"{\"jwks\":null}", TG_ERR_NOT_FOUND},
                 {"{\"ohttp\":\"00\"}", TG_ERR_NOT_FOUND},
                 {"{\"jwks\":\"00\"}", TG_ERR_SYNTAX},
                 {"{\"jwks\":7}", TG_ERR_SYNTAX},
                 {"{\"jwks\":\"000000000000000000000000000000000000000000000000000000000000000g\"}", TG_ERR_SYNTAX},
                 {"{\"jwks\":\"0000000000000000000000000000000000000000000000000000000000000000\"}", TG_ERR_MISMATCH}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_detail_clear(&detail);
        assert_code(tg_call_keys_read(TG_CALL_JWE, tg_slice_str(set), tg_slice_str(cases[i].manifest), &keys, &detail),
                    cases[i].code);
        assert_true(detail.reason[0] != 0);
    }
}

static void read_length_is_bounded(void **state)
{
    (void)state;
    static char text[TG_MAX_CALL_KEYS_BYTES + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"keys\":[" ENC("e") "," SIG("s") "]}", sizeof "{\"keys\":[" ENC("e") "," SIG("s") "]}" - 1);
    assert_ok(read_bound(TG_CALL_JWE, tg_slice_of(text, TG_MAX_CALL_KEYS_BYTES)));
    assert_code(read_bound(TG_CALL_JWE, tg_slice_of(text, sizeof text)), TG_ERR_LIMIT);
    text[20] = 0; /* within */
    assert_code(read_bound(TG_CALL_JWE, tg_slice_of(text, 200)), TG_ERR_SYNTAX);
}

static void read_configurations_are_those_of_ohttp(void **state)
{
    (void)state;
    static const uint8_t point[TG_X25519_PUBLIC_BYTES] = {9};
    tg_buf text;
    tg_buf_init(&text, 256);
    assert_ok(tg_ohttp_config_append(&text, 7, tg_slice_of(point, sizeof point)));
    assert_ok(read_bound(TG_CALL_OHTTP, tg_buf_slice(&text)));
    assert_int_equal(keys.ohttp.key_id, 7);
    assert_memory_equal(keys.ohttp.public_key, point, sizeof point);
    for (size_t len = 1; len < tg_buf_len(&text); len++) {
        assert_false(tg_is_ok(read_bound(TG_CALL_OHTTP, tg_slice_first(tg_buf_slice(&text), len))));
    }
    assert_code(read_bound(TG_CALL_OHTTP, TG_LIT("")), TG_ERR_NOT_FOUND);
    tg_buf_done(&text);
}

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_crypto_init(1)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_set_that_is_bound_gives_its_keys),
        cmocka_unit_test(read_signers_past_the_maximum_are_passed_over),
        cmocka_unit_test(read_set_that_is_none_is_refused),
        cmocka_unit_test(read_what_the_manifest_does_not_bind_is_refused),
        cmocka_unit_test(read_length_is_bounded),
        cmocka_unit_test(read_configurations_are_those_of_ohttp),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
