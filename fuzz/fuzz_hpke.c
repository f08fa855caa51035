// room: crypto
/* Any bytes as a public key, a signature, a PEM key and a sealed message: refused, or used without a fault; what is
 * sealed here opens again. */
#include "crypto/hpke.h"
#include "crypto/init.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_ec_key *p256, *x25519;

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    static const uint8_t material[32] = {1};
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_P256, tg_slice_of(material, sizeof material), &p256)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_X25519, tg_slice_of(material, sizeof material), &x25519)));
}

static void try_keys(tg_slice input)
{
    uint8_t shared[TG_EC_SHARED_BYTES];
    tg_ec_key *key;
    if (tg_is_ok(tg_ec_key_from_public(TG_CURVE_P256, input, &key))) {
        need(tg_slice_equal(tg_ec_key_public(key), input));
        need(tg_is_ok(tg_ec_key_agree(p256, input, shared)));
        tg_ec_key_free(key);
    }
    (void)!tg_is_ok(tg_ec_key_agree(x25519, tg_slice_first(input, TG_X25519_PUBLIC_BYTES), shared));
    need(!tg_is_ok(tg_es256_verify(p256, TG_LIT("never signed"), input)));
    tg_slice point;
    if (tg_is_ok(tg_p256_from_spki(input, &point))) {
        need(point.len == TG_P256_PUBLIC_BYTES);
    }
    if (tg_is_ok(tg_ec_key_from_pem(input, &key))) {
        need(tg_ec_key_public(key).len == TG_P256_PUBLIC_BYTES);
        tg_ec_key_free(key);
    }
}

static void seal_and_open(tg_slice input)
{
    uint8_t *sealed = malloc(input.len + TG_GCM_TAG_BYTES), nonce[TG_GCM_NONCE_BYTES] = {0};
    tg_slice key = tg_slice_of(tg_ec_key_public(x25519).ptr, 32);
    need(sealed != NULL);
    need(tg_is_ok(tg_gcm_seal(key, nonce, input, input, sealed)));
    need(tg_is_ok(tg_gcm_open(key, nonce, input, tg_slice_of(sealed, input.len), sealed + input.len, sealed)));
    need(tg_slice_equal(tg_slice_of(sealed, input.len), input));
    free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice input = tg_slice_of(data, size);
    tg_hpke context;
    if (x25519 == NULL) {
        set_up();
    }
    try_keys(input);
    seal_and_open(input);
    if (tg_is_ok(tg_hpke_receive_setup(TG_HPKE_AES_128_GCM, x25519, tg_slice_first(input, TG_HPKE_ENC_BYTES),
                                       TG_LIT("info"), &context))) {
        uint8_t *out = malloc(size);
        need(out != NULL);
        need(!tg_is_ok(tg_hpke_open(&context, TG_LIT(""), tg_slice_from(input, TG_HPKE_ENC_BYTES), out)));
        free(out);
        tg_hpke_done(&context);
    }
    return 0;
}
