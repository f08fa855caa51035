/* The ring of sealed keys that a secret holds, as `teegate dek` changes it: ciphertexts alone, no key. */
#ifndef TG_TOOL_DEK_RING_H
#define TG_TOOL_DEK_RING_H

#include "base/detail.h"

#include <jansson.h>

/* tg_dek_ring_read makes the ring ({"keys":[...]}) of a secret's value, whichever form it has.
 * in    answer: GetSecretValue's
 * err   TG_ERR_SYNTAX and what tg_key_secret_parse says, with detail; TG_ERR_MEMORY
 * keep  *out_ring is the caller's
 */
TG_MUST_USE tg_result tg_dek_ring_read(const json_t *answer, json_t **out_ring, tg_detail *detail);

/* tg_dek_ring_add puts a key at the beginning; tg_dek_ring_finish makes the pending key current and the current one
 * retired; tg_dek_ring_drop removes a retired key.
 * err   TG_ERR_LIMIT: 8 keys are there; TG_ERR_EXISTS: a pending key, or the id; TG_ERR_NOT_FOUND: no pending key, no
 *       such id; TG_ERR_DENIED: the key is not retired; with detail
 */
TG_MUST_USE tg_result tg_dek_ring_add(json_t *ring, const char *id, const char *ciphertext_base64, const char *state,
                                      tg_detail *detail);
TG_MUST_USE tg_result tg_dek_ring_finish(json_t *ring, tg_detail *detail);
TG_MUST_USE tg_result tg_dek_ring_drop(json_t *ring, const char *id, tg_detail *detail);

#endif
