#include "support/case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/jws.h"

#include <stdlib.h>
#include <string.h>

static tg_jws_claims some_claims(void)
{
    tg_jws_claims claims = {.kid = "signer",
                            .content_type = "application/json",
                            .has_request = true,
                            .has_status = true,
                            .status = 200,
                            .has_issued = true,
                            .issued_unix_s = 1763700000,
                            .has_version = true,
                            .version = 7};
    memset(claims.request_sha256, 0xa5, sizeof claims.request_sha256);
    return claims;
}

static void tg_jws_verify_of_what_was_signed_gives_payload_and_claims(void **state)
{
    const tg_jws_claims claims = some_claims();
    tg_ec_key *key, *other;
    tg_jws jws;
    tg_detail detail = {0};
    tg_buf text, payload;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &other));
    tg_buf_init_wiped(&text, 4096);
    tg_buf_init_wiped(&payload, 4096);
    assert_ok(tg_jws_sign(key, &claims, TG_LIT("{\"answer\":42}"), &text));
    assert_ok(tg_jws_parse(tg_buf_slice(&text), &jws, &detail));
    assert_code(tg_jws_verify(&jws, other, &payload), TG_ERR_AUTH);
    assert_int_equal(tg_buf_len(&payload), 0);
    assert_ok(tg_jws_verify(&jws, key, &payload));
    assert_slice(tg_buf_slice(&payload), "{\"answer\":42}");
    assert_string_equal(jws.claims.kid, "signer");
    assert_string_equal(jws.claims.content_type, "application/json");
    assert_true(jws.claims.has_request && jws.claims.has_status && jws.claims.has_issued && jws.claims.has_version);
    assert_memory_equal(jws.claims.request_sha256, claims.request_sha256, TG_SHA256_BYTES);
    assert_int_equal(jws.claims.status, 200);
    assert_int_equal(jws.claims.version, 7);
    tg_buf_clear(&payload);
    size_t len = tg_buf_len(&text);
    char *changed = malloc(len);
    assert_non_null(changed);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, tg_buf_slice(&text).ptr, len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        tg_result result = tg_jws_parse(tg_slice_of(changed, len), &jws, &detail);
        assert_false(tg_is_ok(result) && tg_is_ok(tg_jws_verify(&jws, key, &payload)));
        assert_false(tg_is_ok(tg_jws_parse(tg_slice_of(tg_buf_slice(&text).ptr, i), &jws, &detail)));
    }
    free(changed);
    tg_buf_done(&text);
    tg_buf_done(&payload);
    tg_ec_key_free(key);
    tg_ec_key_free(other);
}

static void tg_jws_sign_without_claims_reads_back_without(void **state)
{
    const tg_jws_claims claims = {.kid = "k"};
    tg_ec_key *key;
    tg_jws jws;
    tg_detail detail = {0};
    tg_buf text, payload;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
    tg_buf_init(&text, 4096);
    tg_buf_init(&payload, 4096);
    assert_ok(tg_jws_sign(key, &claims, TG_LIT(""), &text));
    assert_ok(tg_jws_parse(tg_buf_slice(&text), &jws, &detail));
    assert_ok(tg_jws_verify(&jws, key, &payload));
    assert_int_equal(tg_buf_len(&payload), 0);
    assert_false(jws.claims.has_request || jws.claims.has_status || jws.claims.has_issued || jws.claims.has_version);
    tg_buf_done(&text);
    tg_buf_done(&payload);
    tg_ec_key_free(key);
}

static void tg_jws_parse_other_headers_are_refused(void **state)
{
    static const struct {
        const char *json;
        tg_code code;
    } cases[] = {{"{\"alg\":\"ES256\",\"kid\":\"k\"}", TG_OK},
                 {"{\"alg\":\"none\",\"kid\":\"k\"}", TG_ERR_UNSUPPORTED},
                 {"{\"alg\":\"HS256\",\"kid\":\"k\"}", TG_ERR_UNSUPPORTED},
                 {"{\"alg\":\"es256\",\"kid\":\"k\"}", TG_ERR_UNSUPPORTED},
                 {"{\"alg\":\"ES256\"}", TG_ERR_SYNTAX},
                 {"{\"alg\":\"ES256\",\"kid\":\"k\",\"req\":\"AQ\"}", TG_ERR_SYNTAX},
                 {"{\"alg\":\"ES256\",\"kid\":\"k\",\"status\":\"200\"}", TG_ERR_SYNTAX},
                 {"{\"alg\":\"ES256\",\"kid\":\"k\",\"version\":-1}", TG_ERR_SYNTAX},
                 {"{\"alg\":\"ES256\",\"kid\":\"k\",\"iat\":1.5}", TG_ERR_SYNTAX},
                 {"{\"alg\":\"ES256\",\"kid\":\"k\",\"b64\":false,\"crit\":[\"b64\"]}", TG_ERR_DENIED}};
    char signature[86];
    (void)state;
    memset(signature, 'A', sizeof signature);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_jws jws;
        tg_detail detail = {0};
        tg_buf text;
        tg_buf_init(&text, 4096);
        assert_ok(tg_base64_append(&text, TG_BASE64_URL, tg_slice_str(cases[i].json)));
        assert_ok(tg_buf_append_str(&text, ".AAAA."));
        assert_code(tg_jws_parse(tg_buf_slice(&text), &jws, &detail), TG_ERR_SYNTAX); /* no signature */
        assert_ok(tg_buf_append(&text, tg_slice_of(signature, sizeof signature)));
        assert_code(tg_jws_parse(tg_buf_slice(&text), &jws, &detail), cases[i].code);
        tg_buf_done(&text);
    }
}

static void tg_jws_sign_that_fails_leaves_the_buffer_as_it_was(void **state)
{
    const tg_jws_claims claims = some_claims();
    tg_ec_key *key, *public_key;
    tg_buf out;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
    assert_ok(tg_ec_key_from_public(TG_CURVE_P256, tg_ec_key_public(key), &public_key));
    tg_buf_init(&out, 1024);
    assert_code(tg_jws_sign(public_key, &claims, TG_LIT("x"), &out), TG_ERR_UNSUPPORTED);
    assert_int_equal(tg_buf_len(&out), 0);
    tg_buf_done(&out);
    tg_buf_init(&out, 100);
    assert_code(tg_jws_sign(key, &claims, TG_LIT("x"), &out), TG_ERR_LIMIT);
    assert_int_equal(tg_buf_len(&out), 0);
    tg_buf_done(&out);
    tg_ec_key_free(key);
    tg_ec_key_free(public_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_jws_verify_of_what_was_signed_gives_payload_and_claims),
        cmocka_unit_test(tg_jws_sign_without_claims_reads_back_without),
        cmocka_unit_test(tg_jws_parse_other_headers_are_refused),
        cmocka_unit_test(tg_jws_sign_that_fails_leaves_the_buffer_as_it_was),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
