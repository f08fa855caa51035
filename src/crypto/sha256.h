/* SHA-256 (FIPS 180-4), in one call. */
#ifndef TG_CRYPTO_SHA256_H
#define TG_CRYPTO_SHA256_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_SHA256_BYTES = 32 };

/* tg_sha256 writes the digest of `bytes`. Needs tg_crypto_init before. err: TG_ERR_LIBRARY. thread: any */
TG_MUST_USE tg_result tg_sha256(tg_slice bytes, uint8_t out_digest[TG_SHA256_BYTES]);

#endif
