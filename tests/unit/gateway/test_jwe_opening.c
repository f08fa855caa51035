#include "support/gateway_case.h"

#include "support/case.h"

#include "base/encode.h"
#include "crypto/init.h"

#include <stdlib.h>
#include <string.h>

/* A JWE with one member of its header set to a JSON text, or taken out: everything else as it was sealed. */
static void with_member(tg_gate *gate, const char *name, const char *json, tg_buf *out)
{
    const tg_jwe_recipient recipient = tg_gate_recipient(gate);
    tg_detail detail = {0};
    json_t *header;
    tg_gate_seal_jwe(gate, &recipient, TG_LIT("{}"));
    tg_slice rest = tg_buf_slice(&gate->sealed);
    assert_ok(tg_jose_header_read(tg_slice_split(&rest, '.'), &header, &detail));
    if (json != NULL) {
        json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_int_equal(json_object_set_new(header, name, value), 0);
    } else {
        assert_int_equal(json_object_del(header, name), 0);
    }
    char *text = json_dumps(header, JSON_COMPACT);
    assert_non_null(text);
    tg_buf_clear(out);
    assert_ok(tg_base64_append(out, TG_BASE64_URL, tg_slice_str(text)));
    assert_ok(tg_buf_append_byte(out, '.'));
    assert_ok(tg_buf_append(out, rest));
    free(text);
    json_decref(header);
}

static void opening_jwe_right_request_gives_body_and_what_the_answer_needs(void **state)
{
    tg_gate gate;
    uint8_t digest[TG_SHA256_BYTES];
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    recipient.path = "/process";
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{\"a\":1}"));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_slice(gate.opened.body, "{\"a\":1}");
    assert_slice(gate.opened.content_type, "application/json");
    assert_int_equal(gate.opened.method.len, 0);
    assert_true(gate.opened.seals_answer);
    assert_ok(tg_sha256(tg_buf_slice(&gate.sealed), digest));
    assert_memory_equal(gate.opened.request_sha256, digest, sizeof digest);
    assert_memory_equal(gate.opened.reply, tg_ec_key_public(gate.client).ptr, TG_P256_PUBLIC_BYTES);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_each_cty_gives_its_type(void **state)
{
    static const char *const types[][2] = {{NULL, "application/json"},
                                           {"json", "application/json"},
                                           {"image/png", "image/png"},
                                           {"text/plain; charset=utf-8", "text/plain; charset=utf-8"}};
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    for (size_t i = 0; i < TG_COUNT(types); i++) {
        tg_jwe_recipient recipient = tg_gate_recipient(&gate);
        recipient.content_type = types[i][0];
        tg_gate_seal_jwe(&gate, &recipient, TG_LIT("x"));
        assert_ok(tg_gate_open_sealed(&gate));
        tg_assert_slice(gate.opened.content_type, tg_slice_str(types[i][1]), __FILE__, __LINE__);
    }
    tg_gate_tear_down(&gate);
}

static void opening_jwe_each_wrong_member_is_refused_by_its_code(void **state)
{
    static const struct {
        const char *member, *json; /* NULL: taken out */
        unsigned status;
        const char *code;
    } cases[] = {
        {"alg", NULL, 400, "bad_alg"},
        {"alg", "\"none\"", 400, "bad_alg"},
        {"alg", "\"dir\"", 400, "bad_alg"},
        {"alg", "\"RSA-OAEP-256\"", 400, "bad_alg"},
        {"alg", "\"ECDH-ES+A256KW\"", 400, "bad_alg"},
        {"alg", "\"ecdh-es\"", 400, "bad_alg"},
        {"enc", "\"A128GCM\"", 400, "bad_enc"},
        {"enc", "\"A256CBC-HS512\"", 400, "bad_enc"},
        {"enc", "1", 400, "bad_enc"},
        {"kid", NULL, 400, "bad_kid"},
        {"kid", "\"a b\"", 400, "bad_kid"},
        {"kid", "\"somebody-else\"", 400, "unknown_kid"},
        {"epk", NULL, 400, "bad_epk"},
        {"epk", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}", 400, "bad_epk"},
        {"epk", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", 400, "bad_epk"},
        {"epk",
         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
         "\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
         400, "epk_off_curve"},
        {"reply_jwk", NULL, 400, "reply_jwk_missing"},
        {"reply_jwk", "\"key\"", 400, "bad_reply_jwk"},
        {"reply_jwk",
         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
         "\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
         400, "bad_reply_jwk"},
        {"apu", "\"=\"", 400, "bad_apu"},
        {"apv", "7", 400, "bad_apv"},
        {"cty", "\"\"", 400, "bad_cty"},
        {"cty", "\" json\"", 400, "bad_cty"},
        {"cty", "\"text/plain\\r\\nX: y\"", 400, "bad_cty"},
        {"path", "\"/other\"", 400, "path_mismatch"},
        {"path", "\"/process?\"", 400, "path_mismatch"},
        {"path", "{}", 400, "bad_path"},
        {"iat", NULL, 400, "iat_missing"},
        {"iat", "\"1763700000\"", 400, "bad_iat"},
        {"iat", "-1", 400, "bad_iat"},
        {"iat", "1763700000.5", 400, "bad_iat"},
        {"iat", "1763700001", 400, "cannot_open"}, /* changed, so not what was sealed */
        {"crit", "[\"exp\"]", 400, "crit_not_taken"},
        {"crit", "null", 400, "crit_not_taken"},
        {"zip", "\"DEF\"", 400, "zip_not_taken"},
        {"b64", "false", 400, "b64_not_taken"},
        {"unknown", "1", 400, "cannot_open"},
    };
    tg_gate gate;
    tg_buf text;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    tg_buf_init(&text, 65536);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        with_member(&gate, cases[i].member, cases[i].json, &text);
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_buf_slice(&text))));
        assert_gate_refused(&gate, cases[i].status, cases[i].code);
        assert_false(gate.opened.seals_answer);
        assert_int_equal(gate.opened.body.len, 0);
    }
    assert_int_equal(tg_replay_len(gate.context.replay), 0);
    tg_buf_done(&text);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_no_compact_form_or_a_huge_header_is_refused(void **state)
{
    static const char *const texts[] = {"", ".", "....", "a.b.c", "e30...AAAA.AAAA", "{\"protected\":\"e30\"}"};
    tg_gate gate;
    tg_buf text;
    char huge[6000];
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    for (size_t i = 0; i < TG_COUNT(texts); i++) {
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_slice_str(texts[i]))));
        assert_gate_refused(&gate, 400, "bad_jwe");
    }
    memset(huge, 'x', sizeof huge);
    huge[0] = huge[4300] = '"';
    huge[4301] = 0;
    tg_buf_init(&text, 65536);
    with_member(&gate, "unknown", huge, &text);
    assert_false(tg_is_ok(tg_gate_open(&gate, tg_buf_slice(&text))));
    assert_gate_refused(&gate, 431, "jwe_header_too_large");
    tg_buf_done(&text);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_to_another_key_is_refused(void **state)
{
    tg_gate gate;
    tg_ec_key *other;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &other));
    tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    recipient.point = tg_ec_key_public(other);
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_AUTH);
    assert_gate_refused(&gate, 400, "cannot_open");
    tg_ec_key_free(other);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_changed_or_cut_anywhere_is_never_opened(void **state)
{
    static const uint8_t changes[] = {'A', 'b', '.', '=', 0};
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{\"secret\":\"word\"}"));
    size_t len = tg_buf_len(&gate.sealed);
    uint8_t *changed = malloc(len);
    assert_non_null(changed);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, tg_buf_slice(&gate.sealed).ptr, len);
        uint8_t old = changed[i];
        changed[i] = changes[i % TG_COUNT(changes)] != old ? changes[i % TG_COUNT(changes)] : 'C';
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_slice_of(changed, len))));
        assert_non_null(gate.fault.code);
        assert_false(gate.opened.seals_answer);
        assert_false(tg_is_ok(tg_gate_open(&gate, tg_slice_of(tg_buf_slice(&gate.sealed).ptr, i))));
        assert_int_equal(gate.opened.body.len, 0);
    }
    assert_int_equal(tg_replay_len(gate.context.replay), 0); /* nothing unauthentic fills it */
    assert_ok(tg_gate_open_sealed(&gate));
    free(changed);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_twice_is_conflict_and_sealed(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_EXISTS);
    assert_gate_refused(&gate, 409, "replayed");
    assert_true(gate.opened.seals_answer);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_cache_full_says_when_to_come_again(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    for (size_t i = 0; i < 16; i++) {
        tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
        assert_ok(tg_gate_open_sealed(&gate));
    }
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_LIMIT);
    assert_gate_refused(&gate, 503, "replay_cache_full");
    assert_int_equal(gate.fault.retry_after_s, TG_GATE_WINDOW_S + TG_GATE_AHEAD_S + 1);
    assert_true(gate.opened.seals_answer);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_iat_at_the_edges_of_its_window(void **state)
{
    static const struct {
        int64_t issued; /* from now */
        unsigned status;
        const char *code;
    } cases[] = {{-TG_GATE_WINDOW_S, 0, NULL},
                 {-TG_GATE_WINDOW_S - 1, 400, "iat_too_old"},
                 {TG_GATE_AHEAD_S, 0, NULL},
                 {TG_GATE_AHEAD_S + 1, 400, "iat_in_future"}};
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_jwe_recipient recipient = tg_gate_recipient(&gate);
        recipient.issued_unix_s = (uint64_t)(TG_GATE_NOW + cases[i].issued);
        tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), cases[i].code == NULL);
        if (cases[i].code != NULL) {
            assert_gate_refused(&gate, cases[i].status, cases[i].code);
            assert_true(gate.opened.seals_answer);
        }
    }
    tg_gate_restart(&gate, TG_GATE_NOW - 2); /* what the process before it may have taken */
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 503, "iat_before_start");
    assert_int_equal(gate.fault.retry_after_s, TG_GATE_AHEAD_S - 2);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_body_at_the_routes_limit_and_one_over(void **state)
{
    uint8_t body[TG_GATE_MAX_REQUEST + 1];
    tg_gate gate;
    (void)state;
    memset(body, 'x', sizeof body);
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    for (size_t len = TG_GATE_MAX_REQUEST - 4; len <= sizeof body; len++) {
        tg_gate_seal_jwe(&gate, &recipient, tg_slice_of(body, len));
        tg_result result = tg_gate_open_sealed(&gate);
        assert_int_equal(tg_is_ok(result), len <= TG_GATE_MAX_REQUEST);
        assert_true(!tg_is_ok(result) || tg_buf_len(&gate.sealed) <= tg_opening_max_body(&gate.route));
        assert_int_equal(gate.opened.body.len, tg_is_ok(result) ? len : 0);
    }
    assert_gate_refused(&gate, 413, "payload_too_large");
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT(""));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_int_equal(gate.opened.body.len, 0);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_route_that_does_not_seal_needs_no_reply_key(void **state)
{
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    gate.route.encrypt = TG_CRYPTO_FIELDS;
    tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    recipient.reply = (tg_slice){NULL, 0};
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_false(gate.opened.seals_answer);
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 409, "replayed");
    assert_false(gate.opened.seals_answer);
    /* One that expects a sealed answer must have been made for this route. */
    recipient = tg_gate_recipient(&gate);
    recipient.path = NULL;
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_false(tg_is_ok(tg_gate_open_sealed(&gate)));
    assert_gate_refused(&gate, 400, "path_missing");
    recipient.path = "/process";
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    assert_ok(tg_gate_open_sealed(&gate));
    assert_false(gate.opened.seals_answer);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_without_keys_or_of_another_type_is_refused(void **state)
{
    static const char *const types[] = {"", "application/json", "application/jose+json", "application/jose;x=y",
                                        "message/ohttp-req"};
    tg_gate gate;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient recipient = tg_gate_recipient(&gate);
    tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
    for (size_t i = 0; i < TG_COUNT(types); i++) {
        assert_code(tg_opening_jwe(&gate.context, &gate.route, tg_slice_str(types[i]), tg_buf_slice(&gate.sealed),
                                   &gate.opened, &gate.fault),
                    TG_ERR_UNSUPPORTED);
        assert_gate_refused(&gate, 415, "unsupported_media_type");
        tg_opened_request_done(&gate.opened);
    }
    assert_ok(tg_opening_jwe(&gate.context, &gate.route, TG_LIT("Application/JOSE"), tg_buf_slice(&gate.sealed),
                             &gate.opened, &gate.fault));
    gate.context.keys = NULL;
    assert_code(tg_gate_open_sealed(&gate), TG_ERR_NOT_FOUND);
    assert_gate_refused(&gate, 503, "no_envelope_key");
    assert_true(gate.fault.retry_after_s > 0);
    tg_gate_tear_down(&gate);
}

static void opening_jwe_to_a_key_of_the_last_epoch_opens(void **state)
{
    static const uint8_t key_bytes[32] = {0xaa};
    tg_gate gate;
    tg_secret *source;
    (void)state;
    tg_gate_set_up(&gate, TG_CRYPTO_JWE);
    const tg_jwe_recipient old = tg_gate_recipient(&gate);
    assert_ok(tg_secret_copy(tg_slice_of(key_bytes, sizeof key_bytes), &source));
    const tg_secret *const sources[] = {source};
    for (uint64_t epochs = 1; epochs <= 2; epochs++) {
        tg_jwe_recipient recipient = old;
        tg_envelope_keys_unref(gate.keys);
        gate.context.now_unix_s = TG_GATE_NOW + epochs * TG_ENVELOPE_EPOCH_S;
        assert_ok(tg_envelope_keys_new(sources, 1, gate.context.now_unix_s, &gate.keys));
        gate.context.keys = gate.keys;
        recipient.issued_unix_s = gate.context.now_unix_s;
        tg_gate_seal_jwe(&gate, &recipient, TG_LIT("{}"));
        assert_int_equal(tg_is_ok(tg_gate_open_sealed(&gate)), epochs == 1);
    }
    assert_gate_refused(&gate, 400, "unknown_kid");
    tg_secret_free(source);
    tg_gate_tear_down(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_jwe_right_request_gives_body_and_what_the_answer_needs),
        cmocka_unit_test(opening_jwe_each_cty_gives_its_type),
        cmocka_unit_test(opening_jwe_each_wrong_member_is_refused_by_its_code),
        cmocka_unit_test(opening_jwe_no_compact_form_or_a_huge_header_is_refused),
        cmocka_unit_test(opening_jwe_to_another_key_is_refused),
        cmocka_unit_test(opening_jwe_changed_or_cut_anywhere_is_never_opened),
        cmocka_unit_test(opening_jwe_twice_is_conflict_and_sealed),
        cmocka_unit_test(opening_jwe_cache_full_says_when_to_come_again),
        cmocka_unit_test(opening_jwe_iat_at_the_edges_of_its_window),
        cmocka_unit_test(opening_jwe_body_at_the_routes_limit_and_one_over),
        cmocka_unit_test(opening_jwe_route_that_does_not_seal_needs_no_reply_key),
        cmocka_unit_test(opening_jwe_without_keys_or_of_another_type_is_refused),
        cmocka_unit_test(opening_jwe_to_a_key_of_the_last_epoch_opens),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
