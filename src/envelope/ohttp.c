#include "envelope/ohttp.h"

#include "base/reader.h"
#include "crypto/hkdf.h"
#include "crypto/random.h"

enum { INFO_BYTES = 22 + TG_OHTTP_HEADER_BYTES, ALGORITHM_BYTES = 4, NUM_ALGORITHMS = 2 };

static const tg_slice request_label = {(const uint8_t *)"message/bhttp request", 21};
static const tg_slice response_label = {(const uint8_t *)"message/bhttp response", 22};

static bool has_aead(unsigned id)
{
    return id == TG_HPKE_AES_128_GCM || id == TG_HPKE_AES_256_GCM;
}

static tg_result append_u16(tg_buf *out, size_t value)
{
    TG_TRY(tg_buf_append_byte(out, (uint8_t)(value >> 8)));
    return tg_buf_append_byte(out, (uint8_t)value);
}

tg_result tg_ohttp_config_append(tg_buf *out, uint8_t key_id, tg_slice public_key)
{
    static const unsigned aeads[NUM_ALGORITHMS] = {TG_HPKE_AES_128_GCM, TG_HPKE_AES_256_GCM};
    TG_TRY(append_u16(out, 1 + 2 + public_key.len + 2 + (size_t)NUM_ALGORITHMS * ALGORITHM_BYTES));
    TG_TRY(tg_buf_append_byte(out, key_id));
    TG_TRY(append_u16(out, TG_HPKE_KEM_X25519));
    TG_TRY(tg_buf_append(out, public_key));
    TG_TRY(append_u16(out, (size_t)NUM_ALGORITHMS * ALGORITHM_BYTES));
    for (size_t i = 0; i < NUM_ALGORITHMS; i++) {
        TG_TRY(append_u16(out, TG_HPKE_KDF_SHA256));
        TG_TRY(append_u16(out, aeads[i]));
    }
    return tg_ok();
}

/* One configuration: key id, KEM, public key of that KEM's length, and pairs of KDF and AEAD. One of another KEM cannot
 * be read further, and is passed over. */
static tg_result read_config(tg_slice bytes, tg_ohttp_config *out)
{
    tg_reader reader = tg_reader_of(bytes);
    tg_ohttp_config config = {.key_id = tg_reader_u8(&reader)};
    uint16_t kem = tg_reader_u16(&reader);
    TG_TRY(tg_reader_result(&reader));
    if (kem != TG_HPKE_KEM_X25519) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    tg_slice public_key = tg_reader_bytes(&reader, TG_X25519_PUBLIC_BYTES);
    tg_reader algorithms = tg_reader_of(tg_reader_vector16(&reader));
    TG_TRY(tg_reader_finish(&reader));
    if (algorithms.rest.len == 0 || algorithms.rest.len % ALGORITHM_BYTES != 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    while (algorithms.rest.len > 0) {
        uint16_t kdf = tg_reader_u16(&algorithms), aead = tg_reader_u16(&algorithms);
        if (kdf == TG_HPKE_KDF_SHA256 && has_aead(aead)) {
            config.aead = (tg_hpke_aead)aead;
            memcpy(config.public_key, public_key.ptr, sizeof config.public_key);
            *out = config;
            return tg_ok();
        }
    }
    return tg_fail(TG_ERR_NOT_FOUND);
}

tg_result tg_ohttp_config_read(tg_slice keys, tg_ohttp_config *out_config)
{
    tg_reader reader = tg_reader_of(keys);
    for (size_t num = 0; reader.rest.len > 0; num++) {
        tg_slice one = tg_reader_vector16(&reader);
        TG_TRY(tg_reader_result(&reader));
        if (num == TG_MAX_OHTTP_CONFIGS) {
            return tg_fail(TG_ERR_LIMIT);
        }
        tg_result result = read_config(one, out_config);
        if (result.code != TG_ERR_NOT_FOUND) {
            return result;
        }
    }
    return tg_fail(TG_ERR_NOT_FOUND);
}

tg_result tg_ohttp_request_parse(tg_slice message, tg_ohttp_request *out_request)
{
    tg_reader reader = tg_reader_of(message);
    tg_ohttp_request request = {.key_id = tg_reader_u8(&reader),
                                .header = tg_slice_first(message, TG_OHTTP_HEADER_BYTES)};
    uint16_t kem = tg_reader_u16(&reader), kdf = tg_reader_u16(&reader), aead = tg_reader_u16(&reader);
    TG_TRY(tg_reader_result(&reader));
    if (kem != TG_HPKE_KEM_X25519 || kdf != TG_HPKE_KDF_SHA256 || !has_aead(aead)) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    request.aead = (tg_hpke_aead)aead;
    request.enc = tg_reader_bytes(&reader, TG_HPKE_ENC_BYTES);
    TG_TRY(tg_reader_result(&reader));
    request.sealed = reader.rest;
    if (request.sealed.len < TG_GCM_TAG_BYTES) {
        return tg_fail(TG_ERR_TRUNCATED);
    }
    *out_request = request;
    return tg_ok();
}

static tg_slice info_of(tg_slice header, uint8_t out[INFO_BYTES])
{
    memcpy(out, request_label.ptr, request_label.len);
    out[request_label.len] = 0;
    memcpy(out + request_label.len + 1, header.ptr, TG_OHTTP_HEADER_BYTES);
    return tg_slice_of(out, INFO_BYTES);
}

static tg_result reply_of(const tg_hpke *context, tg_slice enc, tg_ohttp_reply *out_reply)
{
    tg_ohttp_reply reply = {.aead = context->aead};
    memcpy(reply.enc, enc.ptr, sizeof reply.enc);
    tg_result result = tg_hpke_export(context, response_label, reply.secret, tg_hpke_key_len(context->aead));
    if (tg_is_ok(result)) {
        *out_reply = reply;
    }
    tg_wipe(&reply, sizeof reply);
    return result;
}

tg_result tg_ohttp_request_open(const tg_ohttp_request *request, const tg_ec_key *key, tg_buf *plaintext,
                                tg_ohttp_reply *out_reply)
{
    uint8_t info[INFO_BYTES], *out;
    tg_hpke context;
    size_t len = request->sealed.len - TG_GCM_TAG_BYTES;
    TG_TRY(tg_buf_reserve(plaintext, len, &out));
    TG_TRY(tg_hpke_receive_setup(request->aead, key, request->enc, info_of(request->header, info), &context));
    tg_result result = tg_hpke_open(&context, (tg_slice){NULL, 0}, request->sealed, out);
    if (tg_is_ok(result)) {
        result = reply_of(&context, request->enc, out_reply);
    }
    tg_hpke_done(&context);
    if (tg_is_ok(result)) {
        tg_buf_commit(plaintext, len);
    }
    return result;
}

void tg_ohttp_reply_done(tg_ohttp_reply *reply)
{
    tg_wipe(reply, sizeof *reply);
}

/* Key and nonce of a response (§4.4): from the exported secret, salted by enc and the response's own nonce. */
static tg_result response_keys(const tg_ohttp_reply *reply, const uint8_t *nonce,
                               uint8_t out_key[TG_MAX_HPKE_KEY_BYTES], uint8_t out_iv[TG_GCM_NONCE_BYTES])
{
    size_t len = tg_hpke_key_len(reply->aead);
    uint8_t salt[TG_HPKE_ENC_BYTES + TG_MAX_OHTTP_NONCE_BYTES], prk[TG_HKDF_HASH_BYTES];
    memcpy(salt, reply->enc, TG_HPKE_ENC_BYTES);
    memcpy(salt + TG_HPKE_ENC_BYTES, nonce, len);
    TG_TRY(tg_hkdf_extract(tg_slice_of(salt, TG_HPKE_ENC_BYTES + len), tg_slice_of(reply->secret, len), prk));
    tg_result result = tg_hkdf_expand(tg_slice_of(prk, sizeof prk), TG_LIT("key"), out_key, len);
    if (tg_is_ok(result)) {
        result = tg_hkdf_expand(tg_slice_of(prk, sizeof prk), TG_LIT("nonce"), out_iv, TG_GCM_NONCE_BYTES);
    }
    tg_wipe(prk, sizeof prk);
    return result;
}

tg_result tg_ohttp_response_seal_with(const tg_ohttp_reply *reply, const uint8_t *nonce, tg_slice plaintext,
                                      tg_buf *out)
{
    size_t nonce_len = tg_hpke_key_len(reply->aead); /* the longer of key and nonce, which is the key */
    uint8_t key[TG_MAX_HPKE_KEY_BYTES], iv[TG_GCM_NONCE_BYTES], *sealed;
    TG_TRY(tg_buf_reserve(out, nonce_len + plaintext.len + TG_GCM_TAG_BYTES, &sealed));
    TG_TRY(response_keys(reply, nonce, key, iv));
    memcpy(sealed, nonce, nonce_len);
    tg_result result = tg_gcm_seal(tg_slice_of(key, nonce_len), iv, (tg_slice){NULL, 0}, plaintext, sealed + nonce_len);
    tg_wipe(key, sizeof key);
    if (tg_is_ok(result)) {
        tg_buf_commit(out, nonce_len + plaintext.len + TG_GCM_TAG_BYTES);
    }
    return result;
}

tg_result tg_ohttp_response_seal(const tg_ohttp_reply *reply, tg_slice plaintext, tg_buf *out)
{
    uint8_t nonce[TG_MAX_OHTTP_NONCE_BYTES];
    TG_TRY(tg_random_fill(nonce, sizeof nonce));
    return tg_ohttp_response_seal_with(reply, nonce, plaintext, out);
}

tg_result tg_ohttp_request_seal_with(const tg_ohttp_config *config, const tg_ec_key *ephemeral, tg_slice plaintext,
                                     tg_buf *out, tg_ohttp_reply *out_reply)
{
    const uint8_t header[TG_OHTTP_HEADER_BYTES] = {
        config->key_id,       0, TG_HPKE_KEM_X25519, 0, TG_HPKE_KDF_SHA256, (uint8_t)((unsigned)config->aead >> 8),
        (uint8_t)config->aead};
    const tg_slice enc = tg_ec_key_public(ephemeral),
                   recipient = tg_slice_of(config->public_key, sizeof config->public_key);
    uint8_t info[INFO_BYTES], *bytes;
    tg_hpke context;
    TG_TRY(tg_buf_reserve(out, TG_OHTTP_REQUEST_OVERHEAD_BYTES + plaintext.len, &bytes));
    TG_TRY(tg_hpke_send_setup_with(config->aead, ephemeral, recipient,
                                   info_of(tg_slice_of(header, sizeof header), info), &context));
    memcpy(bytes, header, sizeof header);
    memcpy(bytes + sizeof header, enc.ptr, enc.len);
    tg_result result = tg_hpke_seal(&context, (tg_slice){NULL, 0}, plaintext, bytes + sizeof header + enc.len);
    if (tg_is_ok(result)) {
        result = reply_of(&context, enc, out_reply);
    }
    tg_hpke_done(&context);
    if (tg_is_ok(result)) {
        tg_buf_commit(out, TG_OHTTP_REQUEST_OVERHEAD_BYTES + plaintext.len);
    }
    return result;
}

tg_result tg_ohttp_request_seal(const tg_ohttp_config *config, tg_slice plaintext, tg_buf *out,
                                tg_ohttp_reply *out_reply)
{
    tg_ec_key *ephemeral;
    TG_TRY(tg_ec_key_generate(TG_CURVE_X25519, &ephemeral));
    tg_result result = tg_ohttp_request_seal_with(config, ephemeral, plaintext, out, out_reply);
    tg_ec_key_free(ephemeral);
    return result;
}

tg_result tg_ohttp_response_open(const tg_ohttp_reply *reply, tg_slice sealed, tg_buf *plaintext)
{
    size_t nonce_len = tg_hpke_key_len(reply->aead);
    uint8_t key[TG_MAX_HPKE_KEY_BYTES], iv[TG_GCM_NONCE_BYTES], *out;
    if (sealed.len < nonce_len + TG_GCM_TAG_BYTES) {
        return tg_fail(TG_ERR_TRUNCATED);
    }
    size_t len = sealed.len - nonce_len - TG_GCM_TAG_BYTES;
    TG_TRY(tg_buf_reserve(plaintext, len, &out));
    TG_TRY(response_keys(reply, sealed.ptr, key, iv));
    tg_result result = tg_gcm_open(tg_slice_of(key, nonce_len), iv, (tg_slice){NULL, 0},
                                   tg_slice_of(sealed.ptr + nonce_len, len), sealed.ptr + nonce_len + len, out);
    tg_wipe(key, sizeof key);
    if (tg_is_ok(result)) {
        tg_buf_commit(plaintext, len);
    }
    return result;
}
