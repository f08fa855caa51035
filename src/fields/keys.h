/* The data keys of one worker, ready for use: a cipher for each, and the MAC that makes nonces with the current one. */
#ifndef TG_FIELDS_KEYS_H
#define TG_FIELDS_KEYS_H

#include "base/buf.h"
#include "crypto/hmac.h"
#include "crypto/siv.h"
#include "sys/secret.h"

enum { TG_MAX_FIELD_KEYS = 8, TG_MAX_KEY_ID_BYTES = 64 };

typedef struct tg_field_key {
    tg_slice id;             /* for logs and metrics; at most TG_MAX_KEY_ID_BYTES, may be empty */
    const tg_secret *secret; /* 32 bytes */
    bool is_current;         /* seals; exactly one of a ring does. All of them open */
} tg_field_key;

typedef struct tg_field_keys tg_field_keys;

/* tg_field_keys_new makes a ring.
 * keys  1 to TG_MAX_FIELD_KEYS, in any order; nothing of them is kept
 * err   TG_ERR_RANGE: their number, a secret's or an id's length, or not exactly one current; TG_ERR_MEMORY
 * thread  it owns cipher state and scratch memory: one per worker, used by that thread alone
 */
TG_MUST_USE tg_result tg_field_keys_new(const tg_field_key *keys, size_t num_keys, tg_field_keys **out_keys);
void tg_field_keys_free(tg_field_keys *keys);

/* Keys are numbered in the order in which they are tried: 0 is the current one. */
size_t tg_field_keys_num(const tg_field_keys *keys);
tg_slice tg_field_keys_id(const tg_field_keys *keys, size_t index);
tg_siv *tg_field_keys_siv(tg_field_keys *keys, size_t index);
/* tg_field_keys_hmac is the MAC of the current key. */
tg_hmac *tg_field_keys_hmac(tg_field_keys *keys);

/* tg_field_keys_scratch is memory for plaintext within one call, empty between calls.
 * keep  tg_field_keys_scratch_end wipes what was written, and gives back what is large
 */
tg_buf *tg_field_keys_scratch(tg_field_keys *keys);
void tg_field_keys_scratch_end(tg_field_keys *keys);

#endif
