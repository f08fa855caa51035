/* The data encryption keys (DEK) in force: one current key that seals, and the others that may still open. A ring is
 * immutable and reference-counted; workers build their own cipher handles from it and swap whole rings. */
#ifndef TG_KEYS_RING_H
#define TG_KEYS_RING_H

#include "base/detail.h"
#include "sys/secret.h"

enum { TG_DEK_BYTES = 32, TG_MAX_RING_KEYS = 8, TG_MAX_RING_ID_BYTES = 64 };

typedef enum tg_key_state {
    TG_KEY_CURRENT, /* seals and opens; exactly one */
    TG_KEY_PENDING, /* opens; will become current */
    TG_KEY_RETIRED  /* opens */
} tg_key_state;

/* tg_key_id_is_valid: 1 to TG_MAX_RING_ID_BYTES of [A-Za-z0-9._-]. */
bool tg_key_id_is_valid(tg_slice id);

typedef struct tg_ring_entry {
    tg_slice id; /* a valid one, for logs and metrics; not secret */
    tg_key_state state;
    tg_secret *key; /* TG_DEK_BYTES long */
} tg_ring_entry;

typedef struct tg_key_ring tg_key_ring;

/* tg_key_ring_new makes a ring of 1 to TG_MAX_RING_KEYS keys, the current one first, the others in their order.
 * entries    ids and keys are each different; exactly one is current
 * created_unix_ms  when the keys were read, for the age that metrics show
 * err        TG_ERR_RANGE, TG_ERR_EXISTS (an id or a key twice), TG_ERR_NOT_FOUND (no current key), TG_ERR_SYNTAX (id),
 *            TG_ERR_MEMORY; out_detail says which entry
 * keep       on success the ring owns every entry's key (they are set to NULL); on failure the caller keeps them
 */
TG_MUST_USE tg_result tg_key_ring_new(tg_ring_entry *entries, size_t num_entries, uint64_t created_unix_ms,
                                      tg_key_ring **out_ring, tg_detail *out_detail);
/* Reference counts are atomic: any thread may take and give back. tg_key_ring_unref takes NULL. */
tg_key_ring *tg_key_ring_ref(tg_key_ring *ring);
void tg_key_ring_unref(tg_key_ring *ring);

size_t tg_key_ring_len(const tg_key_ring *ring);
/* tg_key_ring_at gives entry `index` (0 is the current key); its key stays the ring's. */
const tg_ring_entry *tg_key_ring_at(const tg_key_ring *ring, size_t index);
uint64_t tg_key_ring_created_unix_ms(const tg_key_ring *ring);
/* tg_key_ring_equal tells whether both hold the same keys in the same states: then nothing needs to be swapped. */
bool tg_key_ring_equal(const tg_key_ring *a, const tg_key_ring *b);

#endif
