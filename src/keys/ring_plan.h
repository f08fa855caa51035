/* From what a secret says now and what is in force to the next ring. Three things are not left to the secret, while
 * this process lives: a key that it seals with stays readable; a key that becomes current while the one before stays in
 * the ring waits one interval as pending, so that every replica can read it before any writes it; and a ciphertext that
 * was opened is that key, also where the key has come in others since. */
#ifndef TG_KEYS_RING_PLAN_H
#define TG_KEYS_RING_PLAN_H

#include "crypto/hkdf.h"
#include "crypto/sha256.h"
#include "keys/ring.h"

enum { TG_MAX_REMEMBERED_KEYS = 64, TG_MAX_REMEMBERED_CIPHERTEXTS = 256 };

/* What is remembered of the keys that were seen, and of what they were sealed in; {0} at first. The oldest is forgotten
 * past the maximum. */
typedef struct tg_ring_memory {
    struct tg_remembered_key {
        uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
        uint64_t seen_ms;
        bool has_sealed;
    } keys[TG_MAX_REMEMBERED_KEYS];
    size_t num_keys;
    struct tg_remembered_ciphertext {
        uint8_t sha256[TG_SHA256_BYTES];
        uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
    } ciphertexts[TG_MAX_REMEMBERED_CIPHERTEXTS];
    size_t num_ciphertexts; /* ever; the next takes the place of the oldest */
} tg_ring_memory;

/* One opened key of the secret. */
typedef struct tg_opened_key {
    tg_slice id;
    tg_key_state state;
    tg_slice ciphertext;
    tg_secret *key;
} tg_opened_key;

typedef struct tg_ring_change {
    bool is_changed; /* the ring differs from the previous one */
    bool is_held;    /* the secret's current key waits as pending, until due_ms */
    uint64_t due_ms;
    size_t num_kept;    /* keys that the secret no longer has, and that stay readable */
    size_t num_dropped; /* and those that were sealed with but for which there is no room */
    bool is_back;       /* the current key is one that was in use before the last */
} tg_ring_change;

/* tg_ring_plan makes the next ring.
 * in    previous: in force, NULL at first. keys: 1 to TG_MAX_RING_KEYS, exactly one current; theirs remain the caller's
 *       now_ms: monotonic. interval_ms: how long a new current key waits
 * err   those of tg_key_ring_new; TG_ERR_MISMATCH: a ciphertext that gave another key before; TG_ERR_LIMIT: there is no
 *       room for the key in use beside them; TG_ERR_MEMORY. Nothing is remembered then
 * keep  *out_ring is the caller's, also where nothing has changed
 */
TG_MUST_USE tg_result tg_ring_plan(const tg_key_ring *previous, const tg_opened_key *keys, size_t num_keys,
                                   tg_ring_memory *memory, uint64_t now_ms, uint64_t interval_ms,
                                   uint64_t created_unix_ms, tg_key_ring **out_ring, tg_ring_change *out_change,
                                   tg_detail *detail);

#endif
