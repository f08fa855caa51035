#include "attest/manifest.h"

#include "base/encode.h"
#include "base/text.h"

static tg_result put_name(tg_buf *buf, const char *name)
{
    TG_TRY(tg_buf_append_byte(buf, '"'));
    TG_TRY(tg_buf_append_str(buf, name));
    return tg_buf_append_str(buf, "\":");
}

static tg_result put_text(tg_buf *buf, const char *name, const char *text)
{
    TG_TRY(put_name(buf, name));
    return tg_json_append_string(buf, tg_slice_str(text));
}

static tg_result put_digest(tg_buf *buf, const char *name, tg_slice digest)
{
    TG_TRY(put_name(buf, name));
    if (digest.ptr == NULL) {
        return tg_buf_append_str(buf, "null");
    }
    TG_TRY(tg_buf_append_byte(buf, '"'));
    TG_TRY(tg_hex_append(buf, digest));
    return tg_buf_append_byte(buf, '"');
}

static tg_result put_deks(tg_buf *buf, const tg_manifest *manifest)
{
    TG_TRY(put_name(buf, "deks"));
    TG_TRY(tg_buf_append_byte(buf, '['));
    for (size_t i = 0; i < manifest->num_deks; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? ",{" : "{"));
        TG_TRY(put_digest(buf, "fingerprint", manifest->deks[i].fingerprint));
        TG_TRY(tg_buf_append_byte(buf, ','));
        TG_TRY(put_text(buf, "state", manifest->deks[i].state));
        TG_TRY(tg_buf_append_byte(buf, '}'));
    }
    return tg_buf_append_byte(buf, ']');
}

static tg_result next(tg_buf *buf, tg_result before)
{
    TG_TRY(before);
    return tg_buf_append_byte(buf, ',');
}

tg_result tg_manifest_append(const tg_manifest *manifest, tg_buf *buf)
{
    TG_TRY(tg_buf_append_byte(buf, '{'));
    TG_TRY(next(buf, put_digest(buf, "client_ca", manifest->client_ca)));
    TG_TRY(next(buf, put_deks(buf, manifest)));
    TG_TRY(next(buf, put_digest(buf, "jwks", manifest->jwks)));
    TG_TRY(next(buf, put_digest(buf, "ohttp", manifest->ohttp)));
    TG_TRY(next(buf, put_digest(buf, "routes", manifest->routes)));
    TG_TRY(next(buf, put_digest(buf, "schemas", manifest->schemas)));
    TG_TRY(next(buf, put_digest(buf, "secrets_key", manifest->secrets_key)));
    TG_TRY(next(buf, put_text(buf, "secrets_mode", manifest->secrets_mode)));
    TG_TRY(put_name(buf, "settings"));
    TG_TRY(next(buf, tg_buf_append(buf, manifest->settings)));
    TG_TRY(next(buf, put_text(buf, "tls_key_origin", manifest->tls_key_origin)));
    TG_TRY(next(buf, put_digest(buf, "tls_spki", manifest->tls_spki)));
    TG_TRY(put_name(buf, "v"));
    TG_TRY(tg_buf_append_u64(buf, TG_MANIFEST_VERSION));
    return tg_buf_append_byte(buf, '}');
}
