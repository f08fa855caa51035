/* Random bytes that others may see: nonces, identifiers. Keys come from tg_ec_key_generate and tg_secret_random. */
#ifndef TG_CRYPTO_RANDOM_H
#define TG_CRYPTO_RANDOM_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

/* tg_random_fill writes `len` bytes of this thread's generator (at most 1 GiB). err: TG_ERR_LIBRARY: it has no entropy
 */
TG_MUST_USE tg_result tg_random_fill(uint8_t *out, size_t len);

#endif
