/* The keys that envelopes are sealed to and answers are signed by. They are derived from the data keys by HKDF with a
 * label and an epoch, so that all attested replicas have the same; those of the last and the next epoch are readable
 * too. Immutable and reference-counted. */
#ifndef TG_ENVELOPE_ENVELOPE_KEYS_H
#define TG_ENVELOPE_ENVELOPE_KEYS_H

#include "base/buf.h"
#include "crypto/ec_key.h"
#include "envelope/jose.h"
#include "sys/secret.h"

typedef struct tg_envelope_keys tg_envelope_keys;

enum {
    TG_ENVELOPE_EPOCH_S = 86400,
    TG_MAX_ENVELOPE_SOURCES = 8,      /* data keys */
    TG_MAX_ENVELOPE_KEYS_TEXT = 16384 /* what the two appends write at most */
};

/* tg_envelope_keys_new derives them.
 * in    sources: data keys, the current one first. now_unix_s: its epoch is the one that is published
 * err   TG_ERR_RANGE: no source, too many, or a time before the second epoch; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_envelope_keys_new(const tg_secret *const *sources, size_t num_sources, uint64_t now_unix_s,
                                           tg_envelope_keys **out_keys);
tg_envelope_keys *tg_envelope_keys_ref(tg_envelope_keys *keys);
void tg_envelope_keys_unref(tg_envelope_keys *keys);

/* tg_envelope_keys_until_unix_s is when the next epoch begins: then new ones are due. */
uint64_t tg_envelope_keys_until_unix_s(const tg_envelope_keys *keys);

/* tg_envelope_keys_find gives the P-256 key that a JWE's kid names, NULL where there is none (in it lies no secret:
 * kids are public). */
const tg_ec_key *tg_envelope_keys_find(const tg_envelope_keys *keys, const char *kid);

/* tg_envelope_keys_find_ohttp gives the `index`th X25519 key of that id, NULL past the last. Ids are of one byte: two
 * keys may have the same. */
const tg_ec_key *tg_envelope_keys_find_ohttp(const tg_envelope_keys *keys, uint8_t key_id, size_t index);

/* tg_envelope_keys_signer gives the key that answers are signed by; its kid lives as long as the keys. */
const tg_ec_key *tg_envelope_keys_signer(const tg_envelope_keys *keys, const char **out_kid);
/* tg_envelope_keys_signer_for gives the one that was published beside the key of that kid: whoever sealed to it knows
 * both, however the keys have changed since. Where no key has the kid, it is tg_envelope_keys_signer's. */
const tg_ec_key *tg_envelope_keys_signer_for(const tg_envelope_keys *keys, const char *kid, const char **out_kid);

/* tg_envelope_keys_append_jwks writes what /.well-known/jwks.json says: the current key for JWE, and the keys that
 * verify answers of this and the last epoch. tg_envelope_keys_append_ohttp writes an application/ohttp-keys of the
 * current key. err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_envelope_keys_append_jwks(const tg_envelope_keys *keys, tg_buf *out);
TG_MUST_USE tg_result tg_envelope_keys_append_ohttp(const tg_envelope_keys *keys, tg_buf *out);

#endif
