/* HKDF-SHA256 (RFC 5869), and the label of a key that may be shown. */
#ifndef TG_CRYPTO_HKDF_H
#define TG_CRYPTO_HKDF_H

#include "base/result.h"
#include "base/slice.h"
#include "sys/secret.h"

enum { TG_HKDF_HASH_BYTES = 32, TG_MAX_HKDF_BYTES = 255 * TG_HKDF_HASH_BYTES, TG_KEY_FINGERPRINT_BYTES = 16 };

/* tg_hkdf_extract writes the pseudorandom key (RFC 5869 §2.2); an empty salt stands for zeros.
 * keep  the caller wipes out_prk
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_hkdf_extract(tg_slice salt, tg_slice key_material, uint8_t out_prk[TG_HKDF_HASH_BYTES]);

/* tg_hkdf_expand writes out_len bytes (RFC 5869 §2.3).
 * err   TG_ERR_RANGE: more than TG_MAX_HKDF_BYTES; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_hkdf_expand(tg_slice prk, tg_slice info, uint8_t *out, size_t out_len);

/* tg_hkdf does both. */
TG_MUST_USE tg_result tg_hkdf(tg_slice salt, tg_slice key_material, tg_slice info, uint8_t *out, size_t out_len);

/* tg_key_fingerprint writes a label by which a data key can be named in a manifest, a setting and a log: the first 16
 * bytes of HKDF-SHA256 with salt `teegate`, the key as key material and info `dek fingerprint v1`. It does not lead
 * back to the key, and shares no HMAC input with what the key itself is used for.
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_key_fingerprint(const tg_secret *key, uint8_t out[TG_KEY_FINGERPRINT_BYTES]);

#endif
