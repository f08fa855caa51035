/* Starts libgcrypt, which the rest of crypto/ stands on, and proves that its ciphers answer right. */
#ifndef TG_CRYPTO_INIT_H
#define TG_CRYPTO_INIT_H

#include "base/result.h"

#include <stddef.h>

/* tg_crypto_init readies the process: locked memory, left out of core dumps, for cipher and MAC states; a log handler
 * in place of libgcrypt's lines on stderr; OpenSSL's blocks wiped when freed (crypto/openssl_heap.h); and a known
 * answer of AES-256-GCM-SIV and HMAC-SHA256.
 * num_workers  how many threads will own a key ring at once; each gets room for two rings of 8 keys (old and new while
 *              keys rotate). The locked memory never grows: past it, making a cipher gives TG_ERR_MEMORY
 * err   TG_ERR_UNSUPPORTED: a libgcrypt older than 1.10, or in FIPS mode, which has no GCM-SIV; TG_ERR_SYSTEM: memory
 *       cannot be locked (RLIMIT_MEMLOCK); TG_ERR_LIBRARY: a known answer came out wrong
 * thread  once, from main, before any thread; a second call after success does nothing
 */
TG_MUST_USE tg_result tg_crypto_init(size_t num_workers);

#endif
