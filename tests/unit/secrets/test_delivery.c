#include "unit/secrets/secrets_case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "secrets/delivery.h"
#include "secrets/sealing.h"

#include <string.h>

typedef struct fixture {
    tg_secrets_store *store;
    tg_delivery *delivery;
    tg_ec_key *signer, *stranger;
    char signer_text[88];
    const char *signers[1];
    tg_buf answer;
    tg_delivery_outcome outcome;
} fixture;

static void set_up(fixture *f, bool is_sealed)
{
    *f = (fixture){0};
    assert_ok(tg_secrets_store_new(NULL, NULL, NULL, &f->store));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &f->signer));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &f->stranger));
    tg_base64_encode(TG_BASE64_URL, tg_ec_key_public(f->signer), (uint8_t *)f->signer_text);
    f->signers[0] = f->signer_text;
    const tg_delivery_options options = {.is_sealed = is_sealed, .signers = f->signers, .num_signers = 1};
    assert_ok(tg_delivery_new(&options, f->store, &f->delivery));
    tg_buf_init(&f->answer, TG_MAX_DELIVERY_ANSWER_BYTES);
}

static void tear_down(fixture *f)
{
    tg_delivery_free(f->delivery);
    tg_secrets_store_free(f->store);
    tg_ec_key_free(f->signer);
    tg_ec_key_free(f->stranger);
    tg_buf_done(&f->answer);
}

static void take(fixture *f, tg_slice text, const char *code)
{
    tg_buf_clear(&f->answer);
    assert_ok(tg_delivery_take(f->delivery, text, test_now(), &f->answer, &f->outcome));
    assert_string_equal(f->outcome.fault.code, code);
    json_t *answer = json_loadb((const char *)tg_buf_slice(&f->answer).ptr, tg_buf_len(&f->answer), 0, NULL);
    assert_non_null(answer);
    bool is_ok = strcmp(code, "ok") == 0;
    assert_string_equal(json_string_value(json_object_get(answer, "status")), is_ok ? "ok" : "error");
    if (is_ok) {
        assert_int_equal(json_integer_value(json_object_get(answer, "version")), f->outcome.version);
        assert_int_equal(json_array_size(json_object_get(answer, "applied")), f->outcome.num_applied);
    } else {
        assert_string_equal(json_string_value(json_object_get(answer, "code")), code);
        assert_true(json_string_length(json_object_get(answer, "message")) > 0);
    }
    json_decref(answer);
}

/* A delivery as the sender makes it. version -1: none. */
static void seal(const fixture *f, const tg_ec_key *by, const char *text, int64_t version, tg_slice point, tg_buf *out)
{
    tg_jws_claims claims = {.has_version = version >= 0, .version = version >= 0 ? (uint64_t)version : 0};
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_buf signed_text;
    (void)f;
    tg_buf_init_wiped(&signed_text, TG_MAX_SEALED_BYTES);
    tg_buf_init(out, TG_MAX_SEALED_BYTES);
    assert_ok(tg_jwk_thumbprint(tg_ec_key_public(by), claims.kid));
    assert_ok(tg_jwk_thumbprint(point, kid));
    assert_ok(tg_jws_sign(by, &claims, tg_slice_str(text), &signed_text));
    assert_ok(tg_jwe_seal(&(tg_jwe_recipient){.point = point, .kid = kid}, tg_buf_slice(&signed_text), out));
    tg_buf_done(&signed_text);
}

static void take_sealed(fixture *f, const tg_ec_key *by, const char *text, int64_t version, const char *code)
{
    tg_buf sealed;
    seal(f, by, text, version, tg_delivery_point(f->delivery), &sealed);
    take(f, tg_buf_slice(&sealed), code);
    tg_buf_done(&sealed);
}

static void tg_delivery_take_open_applies_and_answers(void **state)
{
    test_parts parts = test_make_parts("client");
    char *text = test_good_delivery(&parts);
    fixture f;
    (void)state;
    set_up(&f, false);
    assert_int_equal(tg_delivery_point(f.delivery).len, 0);
    assert_int_equal(tg_delivery_max_bytes(f.delivery), TG_MAX_DELIVERY_BYTES);
    take(&f, tg_slice_str(text), "ok");
    assert_slice(
        tg_buf_slice(&f.answer),
        "{\"status\":\"ok\",\"applied\":[\"MTLS_CLIENT_CERT_JSON\",\"ECS_WATERMARK_ENDPOINT\"],\"version\":1}\n");
    take(&f, TG_LIT("test"), "ok");
    assert_slice(tg_buf_slice(&f.answer), "{\"status\":\"ok\",\"applied\":[],\"version\":1}\n");
    take(&f, TG_LIT("{\"NO\":\"hunter2\"}"), "unknown_member");
    assert_int_equal(f.outcome.version, 1);
    take(&f, tg_slice_str(text), "ok");
    assert_int_equal(f.outcome.version, 2);
    tear_down(&f);
    free(text);
    test_parts_done(&parts);
}

static void tg_delivery_take_sealed_wants_a_known_signer_and_a_rising_version(void **state)
{
    static const char text[] = "{\"ECS_WATERMARK_ENDPOINT\":\"https://h\"}";
    fixture f;
    (void)state;
    set_up(&f, true);
    take(&f, TG_LIT(" {}"), "ok"); /* says nothing, so it needs no seal */
    take(&f, TG_LIT("test"), "ok");
    take(&f, TG_LIT("{\"ECS_WATERMARK_ENDPOINT\":\"https://h\"}"), "not_sealed");
    take_sealed(&f, f.stranger, text, 1, "unknown_signer");
    take_sealed(&f, f.signer, text, -1, "not_newer");
    take_sealed(&f, f.signer, "{\"DEK\":\"x\"}", 1, "forbidden_member");
    take_sealed(&f, f.signer, text, 5, "ok");
    assert_int_equal(f.outcome.version, 5);
    take_sealed(&f, f.signer, text, 5, "not_newer");
    take_sealed(&f, f.signer, text, 4, "not_newer");
    take_sealed(&f, f.signer, "{}", 6, "ok"); /* nothing in it: nothing changes */
    assert_int_equal(f.outcome.version, 5);
    take_sealed(&f, f.signer, "{\"AWS_ACCESS_KEY_ID\":\"a\",\"AWS_SECRET_ACCESS_KEY\":\"b\"}", 1763700000, "ok");
    assert_int_equal(f.outcome.version, 1763700000);
    tear_down(&f);
}

static void tg_delivery_take_sealed_to_another_key_or_changed_is_refused(void **state)
{
    static const char text[] = "{\"ECS_WATERMARK_ENDPOINT\":\"https://h\"}";
    fixture f, other;
    tg_buf sealed;
    (void)state;
    set_up(&f, true);
    set_up(&other, true);
    seal(&f, f.signer, text, 1, tg_delivery_point(other.delivery), &sealed);
    take(&f, tg_buf_slice(&sealed), "unknown_key"); /* of an enclave that was restarted, too */
    tg_buf_done(&sealed);
    seal(&f, f.signer, text, 1, tg_delivery_point(f.delivery), &sealed);
    uint8_t *last = (uint8_t *)(uintptr_t)tg_buf_slice(&sealed).ptr + tg_buf_len(&sealed) - 30;
    *last = *last == 'A' ? 'B' : 'A';
    take(&f, tg_buf_slice(&sealed), "bad_envelope");
    tg_buf_done(&sealed);
    /* What is sealed is signed, but not as claimed. */
    tg_buf signed_text;
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_jws_claims claims = {.has_version = true, .version = 9};
    assert_ok(tg_jwk_thumbprint(tg_ec_key_public(f.signer), claims.kid));
    assert_ok(tg_jwk_thumbprint(tg_delivery_point(f.delivery), kid));
    const tg_jwe_recipient recipient = {.point = tg_delivery_point(f.delivery), .kid = kid};
    tg_buf_init_wiped(&signed_text, 4096);
    tg_buf_init(&sealed, 8192);
    assert_ok(tg_jws_sign(f.stranger, &claims, tg_slice_str(text), &signed_text));
    assert_ok(tg_jwe_seal(&recipient, tg_buf_slice(&signed_text), &sealed));
    take(&f, tg_buf_slice(&sealed), "bad_signature");
    tg_buf_clear(&sealed);
    assert_ok(tg_jwe_seal(&recipient, tg_slice_str(text), &sealed));
    take(&f, tg_buf_slice(&sealed), "not_signed");
    tg_buf_done(&signed_text);
    tg_buf_done(&sealed);
    tear_down(&f);
    tear_down(&other);
}

static void tg_delivery_seal_makes_what_is_taken(void **state)
{
    static const uint8_t no_point[TG_P256_PUBLIC_BYTES] = {4};
    tg_ec_key *public_key;
    tg_buf sealed;
    fixture f;
    (void)state;
    set_up(&f, true);
    tg_buf_init(&sealed, TG_MAX_SEALED_BYTES);
    tg_slice text = TG_LIT("{\"ECS_WATERMARK_ENDPOINT\":\"https://h\"}");
    assert_ok(tg_ec_key_from_public(TG_CURVE_P256, tg_ec_key_public(f.signer), &public_key));
    assert_code(tg_delivery_seal(public_key, tg_delivery_point(f.delivery), 8, text, &sealed), TG_ERR_UNSUPPORTED);
    assert_code(tg_delivery_seal(f.signer, tg_slice_of(no_point, sizeof no_point), 8, text, &sealed), TG_ERR_AUTH);
    assert_int_equal(tg_buf_len(&sealed), 0);
    assert_ok(tg_delivery_seal(f.signer, tg_delivery_point(f.delivery), 8, text, &sealed));
    take(&f, tg_buf_slice(&sealed), "ok");
    assert_int_equal(f.outcome.version, 8);
    tg_buf_done(&sealed);
    tg_ec_key_free(public_key);
    tear_down(&f);
}

static void tg_delivery_new_with_bad_signers_is_refused(void **state)
{
    static const char *const short_one[] = {"AAAA"};
    static const char *const no_point[] = {
        "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    const char *many[TG_MAX_SECRET_SIGNERS + 1] = {NULL};
    tg_delivery *delivery;
    tg_ec_key *key;
    fixture f;
    (void)state;
    set_up(&f, true);
    const tg_delivery_options bad[] = {{.is_sealed = true, .signers = short_one, .num_signers = 1},
                                       {.is_sealed = true, .signers = no_point, .num_signers = 1},
                                       {.is_sealed = true, .signers = many, .num_signers = TG_COUNT(many)}};
    assert_code(tg_delivery_new(&bad[0], f.store, &delivery), TG_ERR_SYNTAX);
    assert_code(tg_delivery_new(&bad[1], f.store, &delivery), TG_ERR_AUTH);
    assert_code(tg_delivery_new(&bad[2], f.store, &delivery), TG_ERR_LIMIT);
    assert_ok(tg_delivery_signer_parse(tg_slice_of(f.signer_text, 87), &key));
    assert_memory_equal(tg_ec_key_public(key).ptr, tg_ec_key_public(f.signer).ptr, TG_P256_PUBLIC_BYTES);
    tg_ec_key_free(key);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_delivery_take_open_applies_and_answers),
        cmocka_unit_test(tg_delivery_take_sealed_wants_a_known_signer_and_a_rising_version),
        cmocka_unit_test(tg_delivery_take_sealed_to_another_key_or_changed_is_refused),
        cmocka_unit_test(tg_delivery_seal_makes_what_is_taken),
        cmocka_unit_test(tg_delivery_new_with_bad_signers_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
