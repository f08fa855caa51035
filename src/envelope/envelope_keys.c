#include "envelope/envelope_keys.h"

#include "base/refs.h"
#include "crypto/hkdf.h"
#include "crypto/hpke.h"
#include "crypto/sha256.h"
#include "envelope/ohttp.h"

#include <stdlib.h>

enum { NUM_EPOCHS = 3, MAX_SETS = TG_MAX_ENVELOPE_SOURCES * NUM_EPOCHS, MATERIAL_BYTES = 32, MAX_INFO_BYTES = 64 };

/* What one data key gives in one epoch. */
typedef struct key_set {
    tg_ec_key *jwe, *signer, *ohttp;
    char jwe_kid[TG_THUMBPRINT_BYTES + 1];
    char signer_kid[TG_THUMBPRINT_BYTES + 1];
    uint8_t ohttp_id;
} key_set;

struct tg_envelope_keys {
    tg_refs refs;
    uint64_t until_unix_s;
    size_t num_sets;
    key_set sets[MAX_SETS]; /* the first: the current key, this epoch; the second: the last epoch */
};

static tg_result derive(const tg_secret *source, const char *label, uint64_t epoch, tg_curve curve, tg_ec_key **out_key)
{
    uint8_t material[MATERIAL_BYTES];
    tg_buf info;
    tg_buf_init(&info, MAX_INFO_BYTES);
    tg_result result = tg_buf_printf(&info, "%s %llu", label, (unsigned long long)epoch);
    if (tg_is_ok(result)) {
        result = tg_hkdf(TG_LIT("teegate envelope v1"), tg_slice_of(tg_secret_bytes(source), tg_secret_len(source)),
                         tg_buf_slice(&info), material, sizeof material);
    }
    tg_buf_done(&info);
    if (tg_is_ok(result)) {
        result = tg_hpke_derive_key(curve, tg_slice_of(material, sizeof material), out_key);
    }
    tg_wipe(material, sizeof material);
    return result;
}

static tg_result derive_set(const tg_secret *source, uint64_t epoch, key_set *set)
{
    uint8_t digest[TG_SHA256_BYTES];
    TG_TRY(derive(source, "jwe", epoch, TG_CURVE_P256, &set->jwe));
    TG_TRY(derive(source, "jws", epoch, TG_CURVE_P256, &set->signer));
    TG_TRY(derive(source, "ohttp", epoch, TG_CURVE_X25519, &set->ohttp));
    TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(set->jwe), set->jwe_kid));
    TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(set->signer), set->signer_kid));
    TG_TRY(tg_sha256(tg_ec_key_public(set->ohttp), digest));
    set->ohttp_id = digest[0];
    return tg_ok();
}

tg_result tg_envelope_keys_new(const tg_secret *const *sources, size_t num_sources, uint64_t now_unix_s,
                               tg_envelope_keys **out_keys)
{
    uint64_t epoch = now_unix_s / TG_ENVELOPE_EPOCH_S;
    if (num_sources == 0 || num_sources > TG_MAX_ENVELOPE_SOURCES || epoch == 0) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_envelope_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&keys->refs);
    keys->until_unix_s = (epoch + 1) * TG_ENVELOPE_EPOCH_S;
    const uint64_t epochs[NUM_EPOCHS] = {epoch, epoch - 1, epoch + 1}; /* the next: a replica's clock may be ahead */
    for (size_t i = 0; i < num_sources * NUM_EPOCHS; i++) {
        keys->num_sets = i + 1;
        tg_result result = derive_set(sources[i / NUM_EPOCHS], epochs[i % NUM_EPOCHS], &keys->sets[i]);
        if (!tg_is_ok(result)) {
            tg_envelope_keys_unref(keys);
            return result;
        }
    }
    *out_keys = keys;
    return tg_ok();
}

tg_envelope_keys *tg_envelope_keys_ref(tg_envelope_keys *keys)
{
    tg_refs_take(&keys->refs);
    return keys;
}

void tg_envelope_keys_unref(tg_envelope_keys *keys)
{
    if (keys == NULL || !tg_refs_drop(&keys->refs)) {
        return;
    }
    for (size_t i = 0; i < keys->num_sets; i++) {
        tg_ec_key_free(keys->sets[i].jwe);
        tg_ec_key_free(keys->sets[i].signer);
        tg_ec_key_free(keys->sets[i].ohttp);
    }
    free(keys);
}

uint64_t tg_envelope_keys_until_unix_s(const tg_envelope_keys *keys)
{
    return keys->until_unix_s;
}

static const key_set *find_set(const tg_envelope_keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->num_sets; i++) {
        if (strcmp(keys->sets[i].jwe_kid, kid) == 0) {
            return &keys->sets[i];
        }
    }
    return NULL;
}

const tg_ec_key *tg_envelope_keys_find(const tg_envelope_keys *keys, const char *kid)
{
    const key_set *set = find_set(keys, kid);
    return set != NULL ? set->jwe : NULL;
}

const tg_ec_key *tg_envelope_keys_find_ohttp(const tg_envelope_keys *keys, uint8_t key_id, size_t index)
{
    for (size_t i = 0; i < keys->num_sets; i++) {
        if (keys->sets[i].ohttp_id == key_id && index-- == 0) {
            return keys->sets[i].ohttp;
        }
    }
    return NULL;
}

const tg_ec_key *tg_envelope_keys_signer(const tg_envelope_keys *keys, const char **out_kid)
{
    *out_kid = keys->sets[0].signer_kid;
    return keys->sets[0].signer;
}

const tg_ec_key *tg_envelope_keys_signer_for(const tg_envelope_keys *keys, const char *kid, const char **out_kid)
{
    const key_set *set = find_set(keys, kid);
    if (set == NULL) {
        return tg_envelope_keys_signer(keys, out_kid);
    }
    *out_kid = set->signer_kid;
    return set->signer;
}

tg_result tg_envelope_keys_append_jwks(const tg_envelope_keys *keys, tg_buf *out)
{
    const key_set *now = &keys->sets[0], *last = &keys->sets[1];
    TG_TRY(tg_buf_append_str(out, "{\"keys\":["));
    TG_TRY(tg_jwk_append(out, tg_ec_key_public(now->jwe), "enc", "ECDH-ES", now->jwe_kid));
    TG_TRY(tg_buf_append_byte(out, ','));
    TG_TRY(tg_jwk_append(out, tg_ec_key_public(now->signer), "sig", "ES256", now->signer_kid));
    TG_TRY(tg_buf_append_byte(out, ','));
    TG_TRY(tg_jwk_append(out, tg_ec_key_public(last->signer), "sig", "ES256", last->signer_kid));
    return tg_buf_append_str(out, "]}");
}

tg_result tg_envelope_keys_append_ohttp(const tg_envelope_keys *keys, tg_buf *out)
{
    return tg_ohttp_config_append(out, keys->sets[0].ohttp_id, tg_ec_key_public(keys->sets[0].ohttp));
}
