/* What the secret in Secrets Manager holds: the ciphertext of one data key, or a ring of them. */
#ifndef TG_KEYS_SECRET_FORMAT_H
#define TG_KEYS_SECRET_FORMAT_H

#include "base/arena.h"
#include "keys/ring.h"

enum { TG_MAX_KMS_CIPHERTEXT_BYTES = 6144, TG_MAX_KEY_SECRET_BYTES = 131072 };

typedef struct tg_sealed_key {
    tg_slice id;
    tg_key_state state;
    tg_slice ciphertext; /* KMS's, 1 to TG_MAX_KMS_CIPHERTEXT_BYTES */
} tg_sealed_key;

typedef struct tg_key_secret {
    tg_sealed_key keys[TG_MAX_RING_KEYS]; /* exactly one of them current */
    size_t num_keys;
    bool is_ring; /* false: one ciphertext, whose id is `kms-` and 8 digits of its SHA-256 */
    tg_arena arena;
} tg_key_secret;

/* tg_key_secret_parse reads one of
 *   the ciphertext itself (SecretBinary)
 *   its base64, padded (SecretString)
 *   {"keys":[{"id":ID,"ciphertext":BASE64,"state":"current"|"pending"|"retired"}]}, 1 to TG_MAX_RING_KEYS (either)
 * in    is_binary: from SecretBinary
 * err   TG_ERR_LIMIT, TG_ERR_SYNTAX, TG_ERR_RANGE (number of keys), TG_ERR_EXISTS (an id twice), TG_ERR_NOT_FOUND (not
 *       exactly one current), TG_ERR_MEMORY; detail says which entry
 * keep  ended with tg_key_secret_done, on success alone
 */
TG_FOREIGN TG_MUST_USE tg_result tg_key_secret_parse(tg_slice content, bool is_binary, tg_key_secret *out_secret,
                                                     tg_detail *detail);
void tg_key_secret_done(tg_key_secret *secret);

#endif
