/* HMAC-SHA256 (RFC 2104, FIPS 180-4) with the key's state kept, so that a message costs its own blocks only. */
#ifndef TG_CRYPTO_HMAC_H
#define TG_CRYPTO_HMAC_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_HMAC_BYTES = 32 };

typedef struct tg_hmac tg_hmac;

/* tg_hmac_new makes the MAC of one key.
 * key   of any length, empty too; not kept: the state stands in locked memory and is wiped when freed
 * err   TG_ERR_MEMORY
 * thread  it has state and belongs to one thread at a time
 */
TG_MUST_USE tg_result tg_hmac_new(tg_slice key, tg_hmac **out_hmac);
void tg_hmac_free(tg_hmac *hmac);

/* tg_hmac_compute writes the MAC of the parts, one behind the other. It cannot fail. */
void tg_hmac_compute(tg_hmac *hmac, const tg_slice *parts, size_t num_parts, uint8_t out_mac[TG_HMAC_BYTES]);

#endif
