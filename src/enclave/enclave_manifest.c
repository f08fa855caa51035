#include "enclave/enclave_manifest.h"

#include "attest/manifest.h"
#include "base/encode.h"
#include "crypto/hkdf.h"

enum { MAX_SETTINGS_BYTES = 1 << 20 };

/* The measured setting whose name comes next behind `after` in the order of bytes, or num_settings. */
static size_t next_measured(const tg_settings *loaded, const char *after)
{
    size_t found = loaded->num_settings;
    for (size_t i = 0; i < loaded->num_settings; i++) {
        const tg_setting *setting = &loaded->table[i];
        if ((setting->flags & TG_SETTING_MEASURED) != 0 && setting->type != TG_SETTING_NOT_IN_USE &&
            strcmp(setting->name, after) > 0 &&
            (found == loaded->num_settings || strcmp(setting->name, loaded->table[found].name) < 0)) {
            found = i;
        }
    }
    return found;
}

static tg_result put_measured(const tg_settings *loaded, tg_buf *buf)
{
    const char *after = "";
    for (;;) {
        size_t index = next_measured(loaded, after);
        if (index == loaded->num_settings) {
            return tg_buf_append_byte(buf, '}');
        }
        const tg_setting *setting = &loaded->table[index];
        TG_TRY(tg_buf_printf(buf, "%c\"%s\":", *after == 0 ? '{' : ',', setting->name));
        TG_TRY(tg_setting_append_json(setting, loaded->values, buf));
        after = setting->name;
    }
}

static tg_result hash_measured(const tg_settings *loaded, uint8_t out_digest[TG_SHA256_BYTES])
{
    tg_buf text;
    tg_buf_init(&text, MAX_SETTINGS_BYTES);
    tg_result done = put_measured(loaded, &text);
    if (tg_is_ok(done)) {
        done = tg_sha256(tg_buf_slice(&text), out_digest);
    }
    tg_buf_done(&text);
    return done;
}

tg_result tg_enclave_manifest_settings(const tg_enclave_settings *settings, tg_buf *buf)
{
#ifdef TG_DEVELOPMENT
    const char *build = "development";
#else
    const char *build = "production";
#endif
    uint8_t digest[TG_SHA256_BYTES];
    TG_TRY(hash_measured(&settings->loaded, digest));
    TG_TRY(tg_buf_printf(buf,
                         "{\"build\":\"%s\",\"decrypt\":\"%s\",\"encrypt\":\"%s\",\"local_mode\":%s,"
                         "\"schema_allow_removal\":%s,\"sha256\":\"",
                         build, settings->decrypt_allowed_clients.num_items > 0 ? "listed" : "nobody",
                         settings->encrypt_allowed_clients.num_items > 0 ? "listed" : "open",
                         settings->is_local_mode ? "true" : "false",
                         settings->schema_allow_removal ? "true" : "false"));
    TG_TRY(tg_hex_append(buf, tg_slice_of(digest, sizeof digest)));
    return tg_buf_append_str(buf, "\"}");
}

tg_result tg_enclave_manifest_routes(const tg_enclave_settings *settings, uint8_t out[TG_SHA256_BYTES],
                                     tg_slice *out_digest)
{
    *out_digest = (tg_slice){NULL, 0};
    if (settings->routes != NULL) {
        TG_TRY(tg_sha256(tg_routes_text(settings->routes), out));
        *out_digest = tg_slice_of(out, TG_SHA256_BYTES);
    }
    return tg_ok();
}

/* SHA-256 of what an endpoint serves, where it serves anything. */
static tg_result hash_served(const tg_snapshot *snapshot, tg_result (*append)(const tg_envelope_keys *, tg_buf *),
                             uint8_t out[TG_SHA256_BYTES], tg_slice *out_digest)
{
    const tg_envelope_keys *keys = tg_snapshot_envelope_keys(snapshot);
    tg_buf text;
    *out_digest = (tg_slice){NULL, 0};
    if (keys == NULL) {
        return tg_ok();
    }
    tg_buf_init(&text, TG_MAX_ENVELOPE_KEYS_TEXT);
    tg_result result = append(keys, &text);
    if (tg_is_ok(result)) {
        result = tg_sha256(tg_buf_slice(&text), out);
        *out_digest = tg_slice_of(out, TG_SHA256_BYTES);
    }
    tg_buf_done(&text);
    return result;
}

tg_result tg_enclave_manifest_append(const tg_snapshot *snapshot, tg_slice settings_json, tg_slice routes, tg_buf *buf)
{
    static const char *const states[] = {"current", "pending", "retired"};
    const tg_tls_context *tls = tg_snapshot_tls(snapshot);
    const tg_tls_identity *identity = tls != NULL ? tg_tls_context_identity(tls) : NULL;
    const tg_key_ring *ring = tg_snapshot_ring(snapshot);
    const tg_schema_set *schemas = tg_snapshot_schemas(snapshot);
    tg_manifest_dek deks[TG_MAX_RING_KEYS];
    uint8_t fingerprints[TG_MAX_RING_KEYS][TG_KEY_FINGERPRINT_BYTES];
    size_t num_deks = ring != NULL ? tg_key_ring_len(ring) : 0;
    for (size_t i = 0; i < num_deks; i++) {
        const tg_ring_entry *entry = tg_key_ring_at(ring, i);
        TG_TRY(tg_key_fingerprint(entry->key, fingerprints[i]));
        deks[i] = (tg_manifest_dek){tg_slice_of(fingerprints[i], TG_KEY_FINGERPRINT_BYTES), states[entry->state]};
    }
    const tg_secrets *secrets = tg_snapshot_secrets(snapshot);
    const char *origin = identity == NULL || tg_tls_identity_is_generated(identity) ? "generated" : "image";
    if (identity != NULL && secrets != NULL && tg_secrets_server(secrets) == identity) {
        origin = "delivered";
    }
    uint8_t secrets_key[TG_SHA256_BYTES];
    tg_slice key = tg_snapshot_secrets_key(snapshot);
    if (key.len > 0) {
        TG_TRY(tg_sha256(key, secrets_key));
    }
    uint8_t jwks[TG_SHA256_BYTES], ohttp[TG_SHA256_BYTES];
    tg_slice jwks_digest, ohttp_digest;
    TG_TRY(hash_served(snapshot, tg_envelope_keys_append_jwks, jwks, &jwks_digest));
    TG_TRY(hash_served(snapshot, tg_envelope_keys_append_ohttp, ohttp, &ohttp_digest));
    const tg_manifest manifest = {
        .tls_spki = identity != NULL ? tg_tls_identity_spki_sha256(identity) : (tg_slice){NULL, 0},
        .tls_key_origin = origin,
        .jwks = jwks_digest,
        .ohttp = ohttp_digest,
        .secrets_key = key.len > 0 ? tg_slice_of(secrets_key, sizeof secrets_key) : (tg_slice){NULL, 0},
        .secrets_mode = tg_snapshot_secrets_mode(snapshot),
        .settings = settings_json,
        .routes = routes,
        .schemas =
            schemas != NULL ? tg_slice_of(tg_schema_set_digest(schemas), TG_SCHEMA_DIGEST_BYTES) : (tg_slice){NULL, 0},
        .client_ca = tls != NULL ? tg_tls_context_issuers_sha256(tls) : (tg_slice){NULL, 0},
        .deks = deks,
        .num_deks = num_deks};
    return tg_manifest_append(&manifest, buf);
}
