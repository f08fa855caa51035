#include "support/case.h"

#include "crypto/init.h"
#include "envelope/envelope_keys.h"
#include "envelope/ohttp.h"

#include <string.h>

enum { NOW = 20000 * TG_ENVELOPE_EPOCH_S + 1234 };

static tg_secret *secret_of(uint8_t fill)
{
    uint8_t bytes[32];
    tg_secret *secret;
    memset(bytes, fill, sizeof bytes);
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &secret));
    return secret;
}

static tg_envelope_keys *keys_of(const tg_secret *const *sources, size_t num_sources, uint64_t now)
{
    tg_envelope_keys *keys;
    assert_ok(tg_envelope_keys_new(sources, num_sources, now, &keys));
    return keys;
}

static json_t *jwks_of(const tg_envelope_keys *keys)
{
    tg_buf text;
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    assert_ok(tg_envelope_keys_append_jwks(keys, &text));
    json_t *jwks = json_loadb((const char *)tg_buf_slice(&text).ptr, tg_buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(jwks);
    tg_buf_done(&text);
    return json_object_get(jwks, "keys") != NULL ? jwks : NULL;
}

static const char *kid_at(const json_t *jwks, size_t index)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(jwks, "keys"), index), "kid"));
}

static tg_ohttp_config config_of(const tg_envelope_keys *keys)
{
    tg_ohttp_config config;
    tg_buf text;
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    assert_ok(tg_envelope_keys_append_ohttp(keys, &text));
    assert_ok(tg_ohttp_config_read(tg_buf_slice(&text), &config));
    tg_buf_done(&text);
    return config;
}

static void tg_envelope_keys_new_twice_gives_the_same_keys(void **state)
{
    tg_secret *dek = secret_of(0xaa);
    const tg_secret *const sources[] = {dek};
    tg_envelope_keys *one = keys_of(sources, 1, NOW), *two = keys_of(sources, 1, NOW + 60);
    json_t *of_one = jwks_of(one), *of_two = jwks_of(two);
    (void)state;
    assert_true(json_equal(of_one, of_two));
    assert_int_equal(json_array_size(json_object_get(of_one, "keys")), 3);
    assert_int_equal(tg_envelope_keys_until_unix_s(one), 20001 * TG_ENVELOPE_EPOCH_S);
    const char *kid;
    assert_non_null(tg_envelope_keys_signer(one, &kid));
    assert_string_equal(kid, kid_at(of_one, 1));
    assert_non_null(tg_envelope_keys_find(one, kid_at(of_one, 0)));
    assert_null(tg_envelope_keys_find(one, kid)); /* a signature's key opens nothing */
    assert_null(tg_envelope_keys_find(one, ""));
    json_decref(of_one);
    json_decref(of_two);
    tg_envelope_keys_unref(one);
    tg_envelope_keys_unref(two);
    tg_secret_free(dek);
}

static void tg_envelope_keys_of_next_epoch_still_open_what_the_last_published(void **state)
{
    tg_secret *dek = secret_of(0xaa);
    const tg_secret *const sources[] = {dek};
    tg_envelope_keys *now = keys_of(sources, 1, NOW), *next = keys_of(sources, 1, NOW + TG_ENVELOPE_EPOCH_S);
    tg_envelope_keys *later = keys_of(sources, 1, NOW + 2 * TG_ENVELOPE_EPOCH_S);
    json_t *published = jwks_of(now), *of_next = jwks_of(next);
    const tg_ohttp_config config = config_of(now);
    (void)state;
    assert_string_not_equal(kid_at(published, 0), kid_at(of_next, 0));
    assert_non_null(tg_envelope_keys_find(next, kid_at(published, 0)));
    assert_null(tg_envelope_keys_find(later, kid_at(published, 0)));
    assert_non_null(tg_envelope_keys_find(now, kid_at(of_next, 0))); /* a replica whose clock is behind */
    assert_string_equal(kid_at(of_next, 2), kid_at(published, 1));   /* answers signed before verify after */
    const char *kid;
    assert_non_null(tg_envelope_keys_signer_for(next, kid_at(published, 0), &kid));
    assert_string_equal(kid, kid_at(published, 1)); /* whoever sealed to the old key knows the old signer */
    assert_ptr_equal(tg_envelope_keys_signer_for(later, kid_at(published, 0), &kid),
                     tg_envelope_keys_signer(later, &kid));
    const tg_ec_key *key = NULL;
    for (size_t i = 0; (key = tg_envelope_keys_find_ohttp(next, config.key_id, i)) != NULL; i++) {
        if (memcmp(tg_ec_key_public(key).ptr, config.public_key, sizeof config.public_key) == 0) {
            break;
        }
    }
    assert_non_null(key);
    json_decref(published);
    json_decref(of_next);
    tg_envelope_keys_unref(now);
    tg_envelope_keys_unref(next);
    tg_envelope_keys_unref(later);
    tg_secret_free(dek);
}

static void tg_envelope_keys_of_a_rotated_ring_open_both(void **state)
{
    tg_secret *old = secret_of(0xaa), *new = secret_of(0xbb);
    const tg_secret *const before[] = {old}, *const after[] = {new, old};
    tg_envelope_keys *first = keys_of(before, 1, NOW), *second = keys_of(after, 2, NOW);
    json_t *published = jwks_of(first), *republished = jwks_of(second);
    (void)state;
    assert_string_not_equal(kid_at(published, 0), kid_at(republished, 0));
    assert_non_null(tg_envelope_keys_find(second, kid_at(published, 0)));
    assert_non_null(tg_envelope_keys_find(second, kid_at(republished, 0)));
    assert_null(tg_envelope_keys_find(first, kid_at(republished, 0)));
    json_decref(published);
    json_decref(republished);
    tg_envelope_keys_unref(tg_envelope_keys_ref(first));
    tg_envelope_keys_unref(first);
    tg_envelope_keys_unref(second);
    tg_envelope_keys_unref(NULL);
    tg_secret_free(old);
    tg_secret_free(new);
}

static void tg_envelope_keys_new_outside_its_bounds_is_refused(void **state)
{
    tg_secret *dek = secret_of(1);
    const tg_secret *sources[TG_MAX_ENVELOPE_SOURCES + 1];
    tg_envelope_keys *keys;
    (void)state;
    for (size_t i = 0; i < TG_COUNT(sources); i++) {
        sources[i] = dek;
    }
    assert_code(tg_envelope_keys_new(sources, 0, NOW, &keys), TG_ERR_RANGE);
    assert_code(tg_envelope_keys_new(sources, TG_COUNT(sources), NOW, &keys), TG_ERR_RANGE);
    assert_code(tg_envelope_keys_new(sources, 1, TG_ENVELOPE_EPOCH_S - 1, &keys), TG_ERR_RANGE);
    assert_ok(tg_envelope_keys_new(sources, TG_MAX_ENVELOPE_SOURCES, NOW, &keys));
    tg_envelope_keys_unref(keys);
    tg_secret_free(dek);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_envelope_keys_new_twice_gives_the_same_keys),
        cmocka_unit_test(tg_envelope_keys_of_next_epoch_still_open_what_the_last_published),
        cmocka_unit_test(tg_envelope_keys_of_a_rotated_ring_open_both),
        cmocka_unit_test(tg_envelope_keys_new_outside_its_bounds_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
