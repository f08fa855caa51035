/* libgcrypt's error codes as ours: the only place that maps them. */
#ifndef TG_CRYPTO_GCRYPT_RESULT_H
#define TG_CRYPTO_GCRYPT_RESULT_H

#include "base/result.h"

#include <gcrypt.h>

TG_MUST_USE static inline tg_result tg_gcrypt_result(gcry_error_t error)
{
    gcry_err_code_t code = gcry_err_code(error);
    if (code == GPG_ERR_NO_ERROR) {
        return tg_ok();
    }
    if (code == GPG_ERR_CHECKSUM) {
        return tg_fail(TG_ERR_AUTH);
    }
    if (code == GPG_ERR_ENOMEM) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (code == GPG_ERR_INV_CIPHER_MODE || code == GPG_ERR_CIPHER_ALGO || code == GPG_ERR_DIGEST_ALGO) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    return tg_fail(TG_ERR_LIBRARY);
}

#endif
