#include "crypto/sha256.h"

#include <gcrypt.h>

tg_result tg_sha256(tg_slice bytes, uint8_t out_digest[TG_SHA256_BYTES])
{
    if (gcry_md_test_algo(GCRY_MD_SHA256) != 0) {
        return tg_fail(TG_ERR_LIBRARY); /* LCOV_EXCL_LINE: tg_crypto_init refuses such a library */
    }
    gcry_md_hash_buffer(GCRY_MD_SHA256, out_digest, bytes.ptr != NULL ? (const void *)bytes.ptr : "", bytes.len);
    return tg_ok();
}
