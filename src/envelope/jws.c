#include "envelope/jws.h"

#include "base/encode.h"
#include "base/text.h"

enum { NUM_PARTS = 3, SIGNATURE_TEXT_BYTES = 86 };

static tg_result read_claims(const json_t *header, tg_jws_claims *claims, tg_detail *detail)
{
    size_t len;
    TG_TRY(tg_jose_expect(header, "alg", "ES256", detail));
    TG_TRY(tg_jose_read_kid(header, claims->kid, detail));
    TG_TRY(tg_jose_read_text(header, "cty", claims->content_type, sizeof claims->content_type, detail));
    TG_TRY(tg_jose_read_bytes(header, "req", claims->request_sha256, TG_SHA256_BYTES, &len, detail));
    if (len != 0 && len != TG_SHA256_BYTES) {
        tg_detail_set_reason(detail, "`req` must be 32 bytes");
        return tg_fail(TG_ERR_SYNTAX);
    }
    claims->has_request = len != 0;
    TG_TRY(tg_jose_read_number(header, "status", &claims->has_status, &claims->status, detail));
    TG_TRY(tg_jose_read_number(header, "iat", &claims->has_issued, &claims->issued_unix_s, detail));
    return tg_jose_read_number(header, "version", &claims->has_version, &claims->version, detail);
}

tg_result tg_jws_parse(tg_slice compact, tg_jws *out_jws, tg_detail *detail)
{
    tg_slice parts[NUM_PARTS];
    json_t *header;
    TG_TRY(tg_jose_split(compact, parts, NUM_PARTS, detail));
    if (parts[2].len != SIGNATURE_TEXT_BYTES) {
        tg_detail_set_reason(detail, "the signature must be 64 bytes");
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(tg_jose_header_read(parts[0], &header, detail));
    tg_jws jws = {.signed_text = tg_slice_first(compact, parts[0].len + 1 + parts[1].len),
                  .payload_text = parts[1],
                  .signature_text = parts[2]};
    tg_result result = read_claims(header, &jws.claims, detail);
    json_decref(header);
    if (tg_is_ok(result)) {
        *out_jws = jws;
    }
    return result;
}

tg_result tg_jws_verify(const tg_jws *jws, const tg_ec_key *key, tg_buf *payload)
{
    uint8_t signature[TG_ES256_BYTES + 3], *out;
    size_t len;
    TG_TRY(tg_base64_decode(TG_BASE64_URL, jws->signature_text, signature, &len));
    TG_TRY(tg_es256_verify(key, jws->signed_text, tg_slice_of(signature, len)));
    TG_TRY(tg_buf_reserve(payload, tg_base64_decoded_max(jws->payload_text.len), &out));
    TG_TRY(tg_base64_decode(TG_BASE64_URL, jws->payload_text, out, &len));
    tg_buf_commit(payload, len);
    return tg_ok();
}

static tg_result append_number(tg_buf *json, const char *name, bool has, uint64_t value)
{
    if (!has) {
        return tg_ok();
    }
    TG_TRY(tg_buf_printf(json, ",\"%s\":", name));
    return tg_buf_append_u64(json, value);
}

static tg_result append_header_json(const tg_jws_claims *claims, tg_buf *json)
{
    TG_TRY(tg_buf_append_str(json, "{\"alg\":\"ES256\",\"kid\":"));
    TG_TRY(tg_json_append_string(json, tg_slice_str(claims->kid)));
    TG_TRY(tg_jose_append_text(json, "cty", claims->content_type));
    if (claims->has_request) {
        TG_TRY(tg_buf_append_str(json, ",\"req\":\""));
        TG_TRY(
            tg_base64_append(json, TG_BASE64_URL, tg_slice_of(claims->request_sha256, sizeof claims->request_sha256)));
        TG_TRY(tg_buf_append_byte(json, '"'));
    }
    TG_TRY(append_number(json, "status", claims->has_status, claims->status));
    TG_TRY(append_number(json, "iat", claims->has_issued, claims->issued_unix_s));
    TG_TRY(append_number(json, "version", claims->has_version, claims->version));
    return tg_buf_append_byte(json, '}');
}

static tg_result sign(const tg_ec_key *key, const tg_jws_claims *claims, tg_slice payload, tg_buf *json, tg_buf *out)
{
    uint8_t signature[TG_ES256_BYTES];
    size_t start = tg_buf_len(out);
    TG_TRY(append_header_json(claims, json));
    TG_TRY(tg_base64_append(out, TG_BASE64_URL, tg_buf_slice(json)));
    TG_TRY(tg_buf_append_byte(out, '.'));
    TG_TRY(tg_base64_append(out, TG_BASE64_URL, payload));
    TG_TRY(tg_es256_sign(key, tg_slice_from(tg_buf_slice(out), start), signature));
    TG_TRY(tg_buf_append_byte(out, '.'));
    return tg_base64_append(out, TG_BASE64_URL, tg_slice_of(signature, sizeof signature));
}

tg_result tg_jws_sign(const tg_ec_key *key, const tg_jws_claims *claims, tg_slice payload, tg_buf *out)
{
    size_t start = tg_buf_len(out);
    tg_buf json;
    tg_buf_init(&json, TG_MAX_JOSE_HEADER_BYTES);
    tg_result result = sign(key, claims, payload, &json, out);
    tg_buf_done(&json);
    if (!tg_is_ok(result)) {
        tg_buf_truncate(out, start);
    }
    return result;
}
