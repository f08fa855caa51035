#include "crypto/gcm.h"

#include "base/buf.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static const EVP_CIPHER *cipher_of(tg_slice key)
{
    return key.len == 32 ? EVP_aes_256_gcm() : key.len == 16 ? EVP_aes_128_gcm() : NULL;
}

/* Key, nonce and AAD, and then the message itself; EVP wants pointers even to nothing. */
static bool run(EVP_CIPHER_CTX *context, tg_slice key, const uint8_t *nonce, tg_slice aad, tg_slice in, uint8_t *out,
                int is_sealing)
{
    int len;
    return EVP_CipherInit_ex(context, cipher_of(key), NULL, key.ptr, nonce, is_sealing) == 1 &&
           (aad.len == 0 || EVP_CipherUpdate(context, NULL, &len, aad.ptr, (int)aad.len) == 1) &&
           (in.len == 0 || EVP_CipherUpdate(context, out, &len, in.ptr, (int)in.len) == 1);
}

static tg_result begin(tg_slice key, tg_slice aad, tg_slice in, EVP_CIPHER_CTX **out_context)
{
    if (cipher_of(key) == NULL) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (in.len > TG_MAX_GCM_BYTES || aad.len > TG_MAX_GCM_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    *out_context = EVP_CIPHER_CTX_new();
    return *out_context != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

tg_result tg_gcm_seal(tg_slice key, const uint8_t nonce[TG_GCM_NONCE_BYTES], tg_slice aad, tg_slice plaintext,
                      uint8_t *out)
{
    EVP_CIPHER_CTX *context;
    uint8_t nothing[TG_GCM_TAG_BYTES];
    int len;
    TG_TRY(begin(key, aad, plaintext, &context));
    bool is_done = run(context, key, nonce, aad, plaintext, out, 1) &&
                   EVP_CipherFinal_ex(context, nothing, &len) == 1 &&
                   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TG_GCM_TAG_BYTES, out + plaintext.len) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!is_done) {
        ERR_clear_error();
    }
    return is_done ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}

tg_result tg_gcm_open(tg_slice key, const uint8_t nonce[TG_GCM_NONCE_BYTES], tg_slice aad, tg_slice ciphertext,
                      const uint8_t tag[TG_GCM_TAG_BYTES], uint8_t *out)
{
    EVP_CIPHER_CTX *context;
    uint8_t expected[TG_GCM_TAG_BYTES], nothing[TG_GCM_TAG_BYTES];
    int len;
    memcpy(expected, tag, sizeof expected); /* it may stand where out is written; and EVP wants it not const */
    TG_TRY(begin(key, aad, ciphertext, &context));
    bool is_run = run(context, key, nonce, aad, ciphertext, out, 0) &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TG_GCM_TAG_BYTES, expected) == 1;
    bool is_good = is_run && EVP_CipherFinal_ex(context, nothing, &len) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!is_good) {
        ERR_clear_error();
        if (ciphertext.len > 0) {
            tg_wipe(out, ciphertext.len);
        }
    }
    return is_good ? tg_ok() : tg_fail(is_run ? TG_ERR_AUTH : TG_ERR_LIBRARY);
}
