/* The one-step key derivation of JOSE's ECDH-ES (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.1), with SHA-256. */
#ifndef TG_CRYPTO_CONCAT_KDF_H
#define TG_CRYPTO_CONCAT_KDF_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_MAX_CONCAT_KDF_BYTES = 32 };

/* tg_concat_kdf writes a key of out_len bytes (at most TG_MAX_CONCAT_KDF_BYTES: one round).
 * shared     what the agreement gave. algorithm: the "enc" (or "alg") it is for. party_u, party_v: apu and apv, decoded
 * err        TG_ERR_RANGE, TG_ERR_MEMORY, TG_ERR_LIBRARY
 * keep       the caller wipes out
 */
TG_MUST_USE tg_result tg_concat_kdf(tg_slice shared, tg_slice algorithm, tg_slice party_u, tg_slice party_v,
                                    uint8_t *out, size_t out_len);

#endif
