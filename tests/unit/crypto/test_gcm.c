#include "support/case.h"

#include "base/encode.h"
#include "crypto/gcm.h"
#include "crypto/init.h"

static const uint8_t zeros[64];

/* The GCM specification's own test cases 1, 2, 13 and 14: all zeros. */
static void tg_gcm_seal_zeros_gives_specified_tags(void **state)
{
    static const struct {
        size_t key_len, len;
        const char *sealed;
    } cases[] = {{16, 0, "58e2fccefa7e3061367f1d57a4e7455a"},
                 {16, 16, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
                 {32, 0, "530f8afbc74536b9a963b4f1c4cb738b"},
                 {32, 16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"}};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        uint8_t expected[32], sealed[32], opened[32];
        tg_slice key = tg_slice_of(zeros, cases[i].key_len), text = tg_slice_of(zeros, cases[i].len);
        assert_ok(tg_hex_decode(tg_slice_str(cases[i].sealed), expected));
        assert_ok(tg_gcm_seal(key, zeros, (tg_slice){NULL, 0}, text, sealed));
        assert_memory_equal(sealed, expected, text.len + TG_GCM_TAG_BYTES);
        assert_ok(
            tg_gcm_open(key, zeros, (tg_slice){NULL, 0}, tg_slice_of(sealed, text.len), sealed + text.len, opened));
        assert_memory_equal(opened, zeros, text.len);
    }
}

static void tg_gcm_open_in_place_any_bit_changed_gives_auth_and_zeros(void **state)
{
    uint8_t sealed[5 + TG_GCM_TAG_BYTES];
    tg_slice key = tg_slice_of(zeros, 32);
    (void)state;
    memcpy(sealed, "hello", 5);
    assert_ok(tg_gcm_seal(key, zeros, TG_LIT("aad"), tg_slice_of(sealed, 5), sealed));
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        uint8_t changed[sizeof sealed];
        memcpy(changed, sealed, sizeof sealed);
        changed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_code(tg_gcm_open(key, zeros, TG_LIT("aad"), tg_slice_of(changed, 5), changed + 5, changed), TG_ERR_AUTH);
        assert_memory_equal(changed, zeros, 5);
    }
    assert_code(tg_gcm_open(key, zeros, TG_LIT("aae"), tg_slice_of(sealed, 5), sealed + 5, sealed), TG_ERR_AUTH);
}

static void tg_gcm_open_of_sealed_in_place_gives_plaintext(void **state)
{
    uint8_t bytes[5 + TG_GCM_TAG_BYTES] = "hello";
    tg_slice key = tg_slice_of(zeros, 16);
    (void)state;
    assert_ok(tg_gcm_seal(key, zeros, TG_LIT("aad"), tg_slice_of(bytes, 5), bytes));
    assert_ok(tg_gcm_open(key, zeros, TG_LIT("aad"), tg_slice_of(bytes, 5), bytes + 5, bytes));
    assert_memory_equal(bytes, "hello", 5);
}

static void tg_gcm_seal_other_key_length_or_too_long_is_refused(void **state)
{
    uint8_t out[16] = {0};
    (void)state;
    assert_code(tg_gcm_seal(tg_slice_of(zeros, 24), zeros, TG_LIT(""), TG_LIT(""), out), TG_ERR_RANGE);
    assert_code(tg_gcm_open(tg_slice_of(zeros, 31), zeros, TG_LIT(""), TG_LIT(""), out, out), TG_ERR_RANGE);
    assert_code(
        tg_gcm_seal(tg_slice_of(zeros, 32), zeros, TG_LIT(""), tg_slice_of(zeros, (size_t)TG_MAX_GCM_BYTES + 1), out),
        TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_gcm_seal_zeros_gives_specified_tags),
        cmocka_unit_test(tg_gcm_open_in_place_any_bit_changed_gives_auth_and_zeros),
        cmocka_unit_test(tg_gcm_open_of_sealed_in_place_gives_plaintext),
        cmocka_unit_test(tg_gcm_seal_other_key_length_or_too_long_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
