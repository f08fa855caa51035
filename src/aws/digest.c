#include "aws/digest.h"

#include "base/encode.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { MAX_KEY_BYTES = 65536 };

static const void *bytes_of(tg_slice slice)
{
    return slice.ptr != NULL ? (const void *)slice.ptr : "";
}

tg_result tg_aws_sha256(tg_slice bytes, uint8_t out_digest[TG_AWS_DIGEST_BYTES])
{
    ERR_clear_error();
    if (EVP_Digest(bytes_of(bytes), bytes.len, out_digest, NULL, EVP_sha256(), NULL) != 1) {
        return tg_fail(TG_ERR_LIBRARY); /* LCOV_EXCL_LINE: without memory */
    }
    return tg_ok();
}

tg_result tg_aws_sha256_append(tg_slice bytes, tg_buf *buf)
{
    uint8_t digest[TG_AWS_DIGEST_BYTES];
    TG_TRY(tg_aws_sha256(bytes, digest));
    return tg_hex_append(buf, tg_slice_of(digest, sizeof digest));
}

tg_result tg_aws_hmac(tg_slice key, tg_slice bytes, uint8_t out_mac[TG_AWS_DIGEST_BYTES])
{
    if (key.len > MAX_KEY_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    ERR_clear_error();
    if (HMAC(EVP_sha256(), bytes_of(key), (int)key.len, bytes_of(bytes), bytes.len, out_mac, NULL) == NULL) {
        return tg_fail(TG_ERR_LIBRARY); /* LCOV_EXCL_LINE: without memory */
    }
    return tg_ok();
}
