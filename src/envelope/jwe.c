#include "envelope/jwe.h"

#include "base/encode.h"
#include "crypto/concat_kdf.h"
#include "crypto/gcm.h"
#include "crypto/random.h"

enum { KEY_BYTES = 32, NUM_PARTS = 5, IV_TEXT_BYTES = 16, TAG_TEXT_BYTES = 22 };

#define ENCRYPTION "A256GCM"

static tg_result read_reply(const json_t *header, tg_jwe *jwe, tg_detail *detail)
{
    const json_t *jwk = json_object_get(header, "reply_jwk");
    if (jwk == NULL) {
        return tg_ok();
    }
    TG_TRY(tg_jwk_read_point(jwk, "reply_jwk", jwe->reply, detail));
    if (json_object_get(jwk, "kid") != NULL) {
        TG_TRY(tg_jose_read_kid(jwk, jwe->reply_kid, detail));
    }
    tg_ec_key *key;
    tg_result result = tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(jwe->reply, sizeof jwe->reply), &key);
    if (!tg_is_ok(result)) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("reply_jwk"));
        tg_detail_set_reason(detail, "`reply_jwk` is no point of the curve");
        return result;
    }
    tg_ec_key_free(key);
    jwe->has_reply = true;
    return tg_ok();
}

static tg_result read_header(const json_t *header, tg_jwe *jwe, tg_detail *detail)
{
    TG_TRY(tg_jose_expect(header, "alg", "ECDH-ES", detail));
    TG_TRY(tg_jose_expect(header, "enc", ENCRYPTION, detail));
    TG_TRY(tg_jose_read_kid(header, jwe->kid, detail));
    TG_TRY(tg_jwk_read_point(json_object_get(header, "epk"), "epk", jwe->ephemeral, detail));
    TG_TRY(tg_jose_read_bytes(header, "apu", jwe->party_u, sizeof jwe->party_u, &jwe->party_u_len, detail));
    TG_TRY(tg_jose_read_bytes(header, "apv", jwe->party_v, sizeof jwe->party_v, &jwe->party_v_len, detail));
    TG_TRY(tg_jose_read_text(header, "cty", jwe->content_type, sizeof jwe->content_type, detail));
    TG_TRY(tg_jose_read_text(header, "path", jwe->path, sizeof jwe->path, detail));
    TG_TRY(tg_jose_read_number(header, "iat", &jwe->has_issued, &jwe->issued_unix_s, detail));
    return read_reply(header, jwe, detail);
}

tg_result tg_jwe_parse(tg_slice compact, tg_jwe *out_jwe, tg_detail *detail)
{
    tg_slice parts[NUM_PARTS];
    json_t *header;
    TG_TRY(tg_jose_split(compact, parts, NUM_PARTS, detail));
    if (parts[1].len != 0 || parts[2].len != IV_TEXT_BYTES || parts[4].len != TAG_TEXT_BYTES) {
        tg_detail_set_reason(detail, "the encrypted key must be empty, the nonce 12 and the tag 16 bytes");
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(tg_jose_header_read(parts[0], &header, detail));
    tg_jwe jwe = {.header_text = parts[0], .iv_text = parts[2], .ciphertext_text = parts[3], .tag_text = parts[4]};
    tg_result result = read_header(header, &jwe, detail);
    json_decref(header);
    if (tg_is_ok(result)) {
        *out_jwe = jwe;
    }
    return result;
}

/* The content's key: agreed upon, then bound to the algorithm and both parties. */
static tg_result derive_key(const tg_ec_key *own, tg_slice peer, tg_slice party_u, tg_slice party_v,
                            uint8_t out_key[KEY_BYTES])
{
    uint8_t shared[TG_EC_SHARED_BYTES];
    TG_TRY(tg_ec_key_agree(own, peer, shared));
    tg_result result =
        tg_concat_kdf(tg_slice_of(shared, sizeof shared), TG_LIT(ENCRYPTION), party_u, party_v, out_key, KEY_BYTES);
    tg_wipe(shared, sizeof shared);
    return result;
}

tg_result tg_jwe_open(const tg_jwe *jwe, const tg_ec_key *key, tg_buf *plaintext)
{
    uint8_t iv[TG_GCM_NONCE_BYTES + 3], tag[TG_GCM_TAG_BYTES + 3], content_key[KEY_BYTES], *out;
    size_t len;
    TG_TRY(tg_base64_decode(TG_BASE64_URL, jwe->iv_text, iv, &len));
    TG_TRY(tg_base64_decode(TG_BASE64_URL, jwe->tag_text, tag, &len));
    TG_TRY(tg_buf_reserve(plaintext, tg_base64_decoded_max(jwe->ciphertext_text.len), &out));
    TG_TRY(tg_base64_decode(TG_BASE64_URL, jwe->ciphertext_text, out, &len));
    TG_TRY(derive_key(key, tg_slice_of(jwe->ephemeral, sizeof jwe->ephemeral),
                      tg_slice_of(jwe->party_u, jwe->party_u_len), tg_slice_of(jwe->party_v, jwe->party_v_len),
                      content_key));
    tg_result result = tg_gcm_open(tg_slice_of(content_key, sizeof content_key), iv, jwe->header_text,
                                   tg_slice_of(out, len), tag, out);
    tg_wipe(content_key, sizeof content_key);
    if (tg_is_ok(result)) {
        tg_buf_commit(plaintext, len);
    }
    return result;
}

static tg_result append_header_json(const tg_jwe_recipient *recipient, tg_slice ephemeral, tg_buf *json)
{
    TG_TRY(tg_buf_append_str(json, "{\"alg\":\"ECDH-ES\",\"enc\":\"" ENCRYPTION "\",\"epk\":{"));
    TG_TRY(tg_jwk_append_point(json, ephemeral));
    TG_TRY(tg_buf_append_byte(json, '}'));
    TG_TRY(tg_jose_append_text(json, "kid", recipient->kid));
    TG_TRY(tg_jose_append_text(json, "cty", recipient->content_type));
    TG_TRY(tg_jose_append_text(json, "path", recipient->path));
    if (recipient->issued_unix_s > 0) {
        TG_TRY(tg_buf_append_str(json, ",\"iat\":"));
        TG_TRY(tg_buf_append_u64(json, recipient->issued_unix_s));
    }
    if (recipient->reply.len > 0) {
        TG_TRY(tg_buf_append_str(json, ",\"reply_jwk\":{"));
        TG_TRY(tg_jwk_append_point(json, recipient->reply));
        TG_TRY(tg_jose_append_text(json, "kid", recipient->reply_kid));
        TG_TRY(tg_buf_append_byte(json, '}'));
    }
    return tg_buf_append_byte(json, '}');
}

static tg_result append_header(const tg_jwe_recipient *recipient, tg_slice ephemeral, tg_buf *out)
{
    tg_buf json;
    tg_buf_init(&json, TG_MAX_JOSE_HEADER_BYTES);
    tg_result result = append_header_json(recipient, ephemeral, &json);
    if (tg_is_ok(result)) {
        result = tg_base64_append(out, TG_BASE64_URL, tg_buf_slice(&json));
    }
    tg_buf_done(&json);
    return result;
}

/* The content is sealed in memory of its own, because its text is longer than it. */
static tg_result append_sealed(tg_slice key, tg_slice aad, tg_slice plaintext, tg_buf *out)
{
    uint8_t iv[TG_GCM_NONCE_BYTES];
    tg_buf sealed;
    uint8_t *bytes;
    TG_TRY(tg_random_fill(iv, sizeof iv));
    tg_buf_init_wiped(&sealed, plaintext.len + TG_GCM_TAG_BYTES);
    tg_result result = tg_buf_reserve(&sealed, plaintext.len + TG_GCM_TAG_BYTES, &bytes);
    if (tg_is_ok(result)) {
        result = tg_gcm_seal(key, iv, aad, plaintext, bytes);
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append_str(out, "..");
    }
    if (tg_is_ok(result)) {
        result = tg_base64_append(out, TG_BASE64_URL, tg_slice_of(iv, sizeof iv));
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append_byte(out, '.');
    }
    if (tg_is_ok(result)) {
        result = tg_base64_append(out, TG_BASE64_URL, tg_slice_of(bytes, plaintext.len));
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append_byte(out, '.');
    }
    if (tg_is_ok(result)) {
        result = tg_base64_append(out, TG_BASE64_URL, tg_slice_of(bytes + plaintext.len, TG_GCM_TAG_BYTES));
    }
    tg_buf_done(&sealed);
    return result;
}

static tg_result seal(const tg_jwe_recipient *recipient, const tg_ec_key *ephemeral, tg_slice plaintext, tg_buf *out)
{
    uint8_t key[KEY_BYTES];
    size_t start = tg_buf_len(out);
    TG_TRY(append_header(recipient, tg_ec_key_public(ephemeral), out));
    TG_TRY(derive_key(ephemeral, recipient->point, (tg_slice){NULL, 0}, (tg_slice){NULL, 0}, key));
    /* The header moves when out grows: its copy is the AAD. */
    tg_buf aad;
    tg_buf_init(&aad, (size_t)TG_MAX_JOSE_HEADER_BYTES * 2);
    tg_result result = tg_buf_append(&aad, tg_slice_from(tg_buf_slice(out), start));
    if (tg_is_ok(result)) {
        result = append_sealed(tg_slice_of(key, sizeof key), tg_buf_slice(&aad), plaintext, out);
    }
    tg_buf_done(&aad);
    tg_wipe(key, sizeof key);
    return result;
}

tg_result tg_jwe_seal(const tg_jwe_recipient *recipient, tg_slice plaintext, tg_buf *out)
{
    size_t start = tg_buf_len(out);
    tg_ec_key *ephemeral;
    TG_TRY(tg_ec_key_generate(TG_CURVE_P256, &ephemeral));
    tg_result result = seal(recipient, ephemeral, plaintext, out);
    tg_ec_key_free(ephemeral);
    if (!tg_is_ok(result)) {
        tg_buf_truncate(out, start);
    }
    return result;
}
