#include "tool/call_keys.h"

#include "base/encode.h"
#include "crypto/sha256.h"

#include <jansson.h>

/* Where each envelope's keys are published, and the manifest's member that binds them. */
static const struct {
    const char *path, *member;
} published_at[] = {
    [TG_CALL_JWE] = {"/.well-known/jwks.json", "jwks"},
    [TG_CALL_OHTTP] = {"/.well-known/ohttp-gateway", "ohttp"},
};

tg_slice tg_call_keys_path(tg_call_envelope envelope)
{
    return tg_slice_str(published_at[envelope].path);
}

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason)
{
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(code);
}

/* The digest that the manifest names for these keys, as bytes. */
static tg_result read_bound(tg_slice manifest, const char *member, uint8_t out_digest[TG_SHA256_BYTES],
                            tg_detail *detail)
{
    json_t *tree = json_loadb((const char *)manifest.ptr, manifest.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *text = json_object_get(tree, member);
    tg_result result = tg_ok();
    if (json_is_null(text) || text == NULL) {
        result = refuse(detail, TG_ERR_NOT_FOUND, "the enclave has no such keys yet: its manifest names none");
    } else if (json_string_length(text) != (size_t)2 * TG_SHA256_BYTES ||
               !tg_is_ok(tg_hex_decode(tg_slice_str(json_string_value(text)), out_digest))) {
        result = refuse(detail, TG_ERR_SYNTAX, "the manifest's digest of the keys is none");
    }
    json_decref(tree);
    return result;
}

static tg_result check_bound(tg_slice published, tg_slice manifest, const char *member, tg_detail *detail)
{
    uint8_t bound[TG_SHA256_BYTES], digest[TG_SHA256_BYTES];
    TG_TRY(read_bound(manifest, member, bound, detail));
    TG_TRY(tg_sha256(published, digest));
    return memcmp(bound, digest, sizeof bound) == 0
               ? tg_ok()
               : refuse(detail, TG_ERR_MISMATCH, "the published keys are not those that the attested manifest names");
}

static bool is_text(const json_t *object, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcmp(text, value) == 0;
}

static tg_result read_key(const json_t *jwk, tg_call_key *out_key, tg_detail *detail)
{
    tg_call_key key;
    TG_TRY(tg_jose_read_kid(jwk, key.kid, detail));
    TG_TRY(tg_jwk_read_point(jwk, "keys", key.point, detail));
    *out_key = key;
    return tg_ok();
}

/* RFC 7517 §5: keys of a kind that one does not know are passed over. */
static tg_result read_set(const json_t *set, tg_call_keys *keys, tg_detail *detail)
{
    size_t i = 0;
    const json_t *jwk = NULL;
    bool has_recipient = false;
    json_array_foreach(json_object_get(set, "keys"), i, jwk)
    {
        if (!has_recipient && is_text(jwk, "use", "enc") && is_text(jwk, "alg", "ECDH-ES")) {
            TG_TRY(read_key(jwk, &keys->recipient, detail));
            has_recipient = true;
        } else if (keys->num_signers < TG_MAX_CALL_SIGNERS && is_text(jwk, "use", "sig") &&
                   is_text(jwk, "alg", "ES256")) {
            TG_TRY(read_key(jwk, &keys->signers[keys->num_signers], detail));
            keys->num_signers++;
        }
    }
    return has_recipient && keys->num_signers > 0
               ? tg_ok()
               : refuse(detail, TG_ERR_NOT_FOUND, "the key set holds no key to seal to, or none to verify by");
}

static tg_result read_jwks(tg_slice published, tg_call_keys *keys, tg_detail *detail)
{
    json_t *set = json_loadb((const char *)published.ptr, published.len, JSON_REJECT_DUPLICATES, NULL);
    tg_result result =
        set != NULL ? read_set(set, keys, detail) : refuse(detail, TG_ERR_SYNTAX, "the key set is no JSON");
    json_decref(set);
    return result;
}

static tg_result read_configs(tg_slice published, tg_call_keys *keys, tg_detail *detail)
{
    tg_result result = tg_ohttp_config_read(published, &keys->ohttp);
    if (result.code == TG_ERR_NOT_FOUND) {
        return refuse(detail, result.code, "no key configuration has X25519, HKDF-SHA256 and AES-GCM");
    }
    return tg_is_ok(result) ? result : refuse(detail, result.code, "the key configurations are damaged");
}

tg_result tg_call_keys_read(tg_call_envelope envelope, tg_slice published, tg_slice manifest, tg_call_keys *out_keys,
                            tg_detail *detail)
{
    tg_call_keys keys = {.envelope = envelope};
    tg_detail_set_place(detail, tg_call_keys_path(envelope), 0, (tg_slice){NULL, 0});
    if (published.len > TG_MAX_CALL_KEYS_BYTES) {
        return refuse(detail, TG_ERR_LIMIT, "the published keys are too long");
    }
    TG_TRY(check_bound(published, manifest, published_at[envelope].member, detail));
    TG_TRY(envelope == TG_CALL_JWE ? read_jwks(published, &keys, detail) : read_configs(published, &keys, detail));
    *out_keys = keys;
    return tg_ok();
}
