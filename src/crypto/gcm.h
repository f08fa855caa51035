/* AES-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, one message a call. Needs tg_crypto_init before. */
#ifndef TG_CRYPTO_GCM_H
#define TG_CRYPTO_GCM_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_GCM_NONCE_BYTES = 12, TG_GCM_TAG_BYTES = 16, TG_MAX_GCM_BYTES = 1 << 30 };

/* tg_gcm_seal encrypts.
 * key    16 or 32 bytes; with one key no nonce is ever used twice
 * out    plaintext.len + TG_GCM_TAG_BYTES bytes, ciphertext and then tag; it may begin where the plaintext begins
 * err    TG_ERR_RANGE: another key length; TG_ERR_LIMIT: more than TG_MAX_GCM_BYTES; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_gcm_seal(tg_slice key, const uint8_t nonce[TG_GCM_NONCE_BYTES], tg_slice aad,
                                  tg_slice plaintext, uint8_t *out);

/* tg_gcm_open checks the tag and decrypts.
 * out    ciphertext.len bytes; it may begin where the ciphertext begins. Zeroed where the tag does not verify
 * err    TG_ERR_AUTH: the tag does not verify; else as above
 */
TG_FOREIGN TG_MUST_USE tg_result tg_gcm_open(tg_slice key, const uint8_t nonce[TG_GCM_NONCE_BYTES], tg_slice aad,
                                             tg_slice ciphertext, const uint8_t tag[TG_GCM_TAG_BYTES], uint8_t *out);

#endif
