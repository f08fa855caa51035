#include "crypto/concat_kdf.h"

#include "base/buf.h"

#include <openssl/evp.h>

enum { MAX_PARTY_BYTES = 65536 };

static bool add_u32(EVP_MD_CTX *context, size_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    return EVP_DigestUpdate(context, bytes, sizeof bytes) == 1;
}

static bool add_counted(EVP_MD_CTX *context, tg_slice bytes)
{
    return add_u32(context, bytes.len) && EVP_DigestUpdate(context, bytes.ptr, bytes.len) == 1;
}

tg_result tg_concat_kdf(tg_slice shared, tg_slice algorithm, tg_slice party_u, tg_slice party_v, uint8_t *out,
                        size_t out_len)
{
    if (out_len > TG_MAX_CONCAT_KDF_BYTES || party_u.len > MAX_PARTY_BYTES || party_v.len > MAX_PARTY_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t block[TG_MAX_CONCAT_KDF_BYTES];
    bool is_done = EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 && add_u32(context, 1) &&
                   EVP_DigestUpdate(context, shared.ptr, shared.len) == 1 && add_counted(context, algorithm) &&
                   add_counted(context, party_u) && add_counted(context, party_v) && add_u32(context, out_len * 8) &&
                   EVP_DigestFinal_ex(context, block, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (is_done) {
        memcpy(out, block, out_len);
    }
    tg_wipe(block, sizeof block);
    return is_done ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}
