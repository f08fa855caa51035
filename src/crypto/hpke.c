#include "crypto/hpke.h"

#include "base/buf.h"
#include "crypto/hkdf.h"
#include "crypto/hmac.h"

enum { MAX_SUITE_ID_BYTES = 10, SCHEDULE_CONTEXT_BYTES = 1 + 2 * TG_HKDF_HASH_BYTES, MAX_CANDIDATES = 255 };

static const tg_slice version = {(const uint8_t *)"HPKE-v1", 7};

/* What every label begins with: `KEM` and the KEM's number, or `HPKE` and all three (RFC 9180 §4.1, §5.1). */
typedef struct suite_id {
    uint8_t bytes[MAX_SUITE_ID_BYTES];
    size_t len;
} suite_id;

static suite_id kem_suite(unsigned kem)
{
    return (suite_id){{'K', 'E', 'M', (uint8_t)(kem >> 8), (uint8_t)kem}, 5};
}

static suite_id full_suite(tg_hpke_aead aead)
{
    return (suite_id){{'H', 'P', 'K', 'E', 0, TG_HPKE_KEM_X25519, 0, TG_HPKE_KDF_SHA256, (uint8_t)((unsigned)aead >> 8),
                       (uint8_t)aead},
                      10};
}

static tg_result labeled_extract(const suite_id *suite, tg_slice salt, tg_slice label, tg_slice key_material,
                                 uint8_t out_prk[TG_HKDF_HASH_BYTES])
{
    tg_hmac *hmac;
    TG_TRY(tg_hmac_new(salt, &hmac));
    const tg_slice parts[] = {version, tg_slice_of(suite->bytes, suite->len), label, key_material};
    tg_hmac_compute(hmac, parts, TG_COUNT(parts), out_prk);
    tg_hmac_free(hmac);
    return tg_ok();
}

static tg_result labeled_expand(const suite_id *suite, tg_slice prk, tg_slice label, tg_slice info, uint8_t *out,
                                size_t out_len)
{
    if (out_len > TG_MAX_HKDF_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    const uint8_t len[2] = {(uint8_t)(out_len >> 8), (uint8_t)out_len};
    tg_hmac *hmac;
    TG_TRY(tg_hmac_new(prk, &hmac));
    uint8_t block[TG_HKDF_HASH_BYTES];
    size_t block_len = 0;
    uint8_t counter = 0;
    for (size_t done = 0; done < out_len;) {
        counter++;
        const tg_slice parts[] = {tg_slice_of(block, block_len),
                                  tg_slice_of(len, sizeof len),
                                  version,
                                  tg_slice_of(suite->bytes, suite->len),
                                  label,
                                  info,
                                  tg_slice_of(&counter, 1)};
        tg_hmac_compute(hmac, parts, TG_COUNT(parts), block);
        block_len = sizeof block;
        size_t take = out_len - done < block_len ? out_len - done : block_len;
        memcpy(out + done, block, take);
        done += take;
    }
    tg_wipe(block, sizeof block);
    tg_hmac_free(hmac);
    return tg_ok();
}

size_t tg_hpke_key_len(tg_hpke_aead aead)
{
    return aead == TG_HPKE_AES_128_GCM ? 16 : 32;
}

/* ExtractAndExpand of the KEM (RFC 9180 §4.1). */
static tg_result shared_secret(const tg_ec_key *own, tg_slice peer, tg_slice enc, tg_slice recipient,
                               uint8_t out_secret[TG_HKDF_HASH_BYTES])
{
    const suite_id suite = kem_suite(TG_HPKE_KEM_X25519);
    uint8_t agreed[TG_EC_SHARED_BYTES], prk[TG_HKDF_HASH_BYTES];
    uint8_t context[2 * TG_X25519_PUBLIC_BYTES];
    TG_TRY(tg_ec_key_agree(own, peer, agreed));
    memcpy(context, enc.ptr, TG_X25519_PUBLIC_BYTES);
    memcpy(context + TG_X25519_PUBLIC_BYTES, recipient.ptr, TG_X25519_PUBLIC_BYTES);
    tg_result result =
        labeled_extract(&suite, (tg_slice){NULL, 0}, TG_LIT("eae_prk"), tg_slice_of(agreed, sizeof agreed), prk);
    if (tg_is_ok(result)) {
        result = labeled_expand(&suite, tg_slice_of(prk, sizeof prk), TG_LIT("shared_secret"),
                                tg_slice_of(context, sizeof context), out_secret, TG_HKDF_HASH_BYTES);
    }
    tg_wipe(agreed, sizeof agreed);
    tg_wipe(prk, sizeof prk);
    return result;
}

/* KeySchedule in base mode (RFC 9180 §5.1). */
static tg_result schedule(tg_hpke_aead aead, tg_slice shared, tg_slice info, tg_hpke *out)
{
    const suite_id suite = full_suite(aead);
    const tg_slice nothing = {NULL, 0};
    uint8_t context[SCHEDULE_CONTEXT_BYTES] = {0}; /* the mode, the hash of no PSK id, the hash of info */
    uint8_t secret[TG_HKDF_HASH_BYTES];
    TG_TRY(labeled_extract(&suite, nothing, TG_LIT("psk_id_hash"), nothing, context + 1));
    TG_TRY(labeled_extract(&suite, nothing, TG_LIT("info_hash"), info, context + 1 + TG_HKDF_HASH_BYTES));
    TG_TRY(labeled_extract(&suite, shared, TG_LIT("secret"), nothing, secret));
    const tg_slice prk = tg_slice_of(secret, sizeof secret), bound = tg_slice_of(context, sizeof context);
    *out = (tg_hpke){.aead = aead};
    tg_result result = labeled_expand(&suite, prk, TG_LIT("key"), bound, out->key, tg_hpke_key_len(aead));
    if (tg_is_ok(result)) {
        result = labeled_expand(&suite, prk, TG_LIT("base_nonce"), bound, out->base_nonce, sizeof out->base_nonce);
    }
    if (tg_is_ok(result)) {
        result = labeled_expand(&suite, prk, TG_LIT("exp"), bound, out->exporter_secret, sizeof out->exporter_secret);
    }
    tg_wipe(secret, sizeof secret);
    if (!tg_is_ok(result)) {
        tg_hpke_done(out);
    }
    return result;
}

tg_result tg_hpke_send_setup_with(tg_hpke_aead aead, const tg_ec_key *ephemeral, tg_slice recipient, tg_slice info,
                                  tg_hpke *out_context)
{
    uint8_t secret[TG_HKDF_HASH_BYTES];
    if (tg_ec_key_curve(ephemeral) != TG_CURVE_X25519) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(shared_secret(ephemeral, recipient, tg_ec_key_public(ephemeral), recipient, secret));
    tg_result result = schedule(aead, tg_slice_of(secret, sizeof secret), info, out_context);
    tg_wipe(secret, sizeof secret);
    return result;
}

tg_result tg_hpke_send_setup(tg_hpke_aead aead, tg_slice recipient, tg_slice info, uint8_t out_enc[TG_HPKE_ENC_BYTES],
                             tg_hpke *out_context)
{
    tg_ec_key *ephemeral;
    TG_TRY(tg_ec_key_generate(TG_CURVE_X25519, &ephemeral));
    tg_result result = tg_hpke_send_setup_with(aead, ephemeral, recipient, info, out_context);
    if (tg_is_ok(result)) {
        memcpy(out_enc, tg_ec_key_public(ephemeral).ptr, TG_HPKE_ENC_BYTES);
    }
    tg_ec_key_free(ephemeral);
    return result;
}

tg_result tg_hpke_receive_setup(tg_hpke_aead aead, const tg_ec_key *key, tg_slice enc, tg_slice info,
                                tg_hpke *out_context)
{
    uint8_t secret[TG_HKDF_HASH_BYTES];
    if (tg_ec_key_curve(key) != TG_CURVE_X25519) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(shared_secret(key, enc, enc, tg_ec_key_public(key), secret));
    tg_result result = schedule(aead, tg_slice_of(secret, sizeof secret), info, out_context);
    tg_wipe(secret, sizeof secret);
    return result;
}

void tg_hpke_done(tg_hpke *context)
{
    tg_wipe(context, sizeof *context);
}

static void next_nonce(const tg_hpke *context, uint8_t out_nonce[TG_GCM_NONCE_BYTES])
{
    memcpy(out_nonce, context->base_nonce, TG_GCM_NONCE_BYTES);
    for (size_t i = 0; i < sizeof context->sequence; i++) {
        out_nonce[TG_GCM_NONCE_BYTES - 1 - i] ^= (uint8_t)(context->sequence >> (8 * i));
    }
}

tg_result tg_hpke_seal(tg_hpke *context, tg_slice aad, tg_slice plaintext, uint8_t *out)
{
    uint8_t nonce[TG_GCM_NONCE_BYTES];
    if (context->sequence == UINT64_MAX) {
        return tg_fail(TG_ERR_LIMIT);
    }
    next_nonce(context, nonce);
    TG_TRY(tg_gcm_seal(tg_slice_of(context->key, tg_hpke_key_len(context->aead)), nonce, aad, plaintext, out));
    context->sequence++;
    return tg_ok();
}

tg_result tg_hpke_open(tg_hpke *context, tg_slice aad, tg_slice sealed, uint8_t *out)
{
    uint8_t nonce[TG_GCM_NONCE_BYTES];
    if (sealed.len < TG_GCM_TAG_BYTES) {
        return tg_fail(TG_ERR_TRUNCATED);
    }
    if (context->sequence == UINT64_MAX) {
        return tg_fail(TG_ERR_LIMIT);
    }
    size_t len = sealed.len - TG_GCM_TAG_BYTES;
    next_nonce(context, nonce);
    TG_TRY(tg_gcm_open(tg_slice_of(context->key, tg_hpke_key_len(context->aead)), nonce, aad,
                       tg_slice_first(sealed, len), sealed.ptr + len, out));
    context->sequence++;
    return tg_ok();
}

tg_result tg_hpke_export(const tg_hpke *context, tg_slice exporter_context, uint8_t *out, size_t out_len)
{
    const suite_id suite = full_suite(context->aead);
    return labeled_expand(&suite, tg_slice_of(context->exporter_secret, sizeof context->exporter_secret), TG_LIT("sec"),
                          exporter_context, out, out_len);
}

/* Candidates are tried until one is a scalar of the group: of P-256 the first nearly always is. */
static tg_result derive_p256(const suite_id *suite, tg_slice prk, tg_ec_key **out_key)
{
    uint8_t candidate[TG_EC_PRIVATE_BYTES];
    tg_result result = tg_fail(TG_ERR_RANGE);
    for (uint8_t counter = 0; result.code == TG_ERR_RANGE && counter < MAX_CANDIDATES; counter++) {
        result = labeled_expand(suite, prk, TG_LIT("candidate"), tg_slice_of(&counter, 1), candidate, sizeof candidate);
        if (tg_is_ok(result)) {
            result = tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(candidate, sizeof candidate), out_key);
        }
    }
    tg_wipe(candidate, sizeof candidate);
    return result;
}

static tg_result derive_x25519(const suite_id *suite, tg_slice prk, tg_ec_key **out_key)
{
    uint8_t private_key[TG_EC_PRIVATE_BYTES];
    TG_TRY(labeled_expand(suite, prk, TG_LIT("sk"), (tg_slice){NULL, 0}, private_key, sizeof private_key));
    tg_result result = tg_ec_key_from_private(TG_CURVE_X25519, tg_slice_of(private_key, sizeof private_key), out_key);
    tg_wipe(private_key, sizeof private_key);
    return result;
}

tg_result tg_hpke_derive_key(tg_curve curve, tg_slice key_material, tg_ec_key **out_key)
{
    const suite_id suite = kem_suite(curve == TG_CURVE_P256 ? TG_HPKE_KEM_P256 : TG_HPKE_KEM_X25519);
    uint8_t prk[TG_HKDF_HASH_BYTES];
    TG_TRY(labeled_extract(&suite, (tg_slice){NULL, 0}, TG_LIT("dkp_prk"), key_material, prk));
    tg_slice bytes = tg_slice_of(prk, sizeof prk);
    tg_result result =
        curve == TG_CURVE_P256 ? derive_p256(&suite, bytes, out_key) : derive_x25519(&suite, bytes, out_key);
    tg_wipe(prk, sizeof prk);
    return result;
}
