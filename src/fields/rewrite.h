/* Seals, or opens, the PII values of one JSON document; every other byte leaves as it came.
 *
 *   tg_rewrite_options options = {.root = root, .mode = TG_REWRITE_ENCRYPT, .max_fields = 10000};
 *   TG_TRY(tg_rewrite_new(arena, &options, body, &rewrite));
 *   while ((result = tg_rewrite_plan(rewrite, 65536)).code == TG_ERR_AGAIN) { let others work }
 *   then the same with tg_rewrite_apply(rewrite, keys, 65536, &out); on failure tg_rewrite_fault(rewrite) says why
 *
 * Planning reads the body once, as it stands in memory: it validates all of it (RFC 8259, UTF-8, depth at most 512),
 * follows the schema's graph and notes where values are to be replaced. Applying writes the output. Both work in steps,
 * and what comes out does not depend on how the work was cut.
 *
 * Encrypt: strings, numbers, booleans, objects and arrays at a PII path become tokens; null stays. Decrypt: a string
 * there must be a token and becomes what it was made of; null stays; anything else is not_a_token (lenient: stays).
 */
#ifndef TG_FIELDS_REWRITE_H
#define TG_FIELDS_REWRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "fields/fault.h"
#include "fields/keys.h"
#include "fields/seal_queue.h"
#include "schema/pii_graph.h"

typedef enum tg_rewrite_mode { TG_REWRITE_ENCRYPT, TG_REWRITE_DECRYPT } tg_rewrite_mode;

typedef struct tg_rewrite_options {
    tg_pii_root root; /* its graph outlives the rewrite */
    tg_rewrite_mode mode;
    bool is_lenient;   /* decrypt: what is no token passes as it is */
    size_t max_fields; /* PII values of one document (null counts for nothing) */
    /* Encrypt: where tokens may still be missing when tg_rewrite_apply returns, until the caller has the queue sealed.
     * NULL: they are all there. */
    tg_seal_queue *queue;
} tg_rewrite_options;

typedef struct tg_rewrite tg_rewrite;

/* tg_rewrite_arena_bytes is what a document of so many PII values takes of its arena at most, besides member names with
 * escapes in objects that hold PII: those are unescaped there, the longest of them counting four times. */
static inline size_t tg_rewrite_arena_bytes(size_t max_fields)
{
    return 2048 + 16384 + (max_fields / 128 + 1) * 1552; /* itself, its stack, its list of values */
}

/* tg_rewrite_new begins work on a body.
 * arena  gives all memory that lasts between steps. Make it a wiped one, its maximum twice tg_rewrite_arena_bytes
 *        (chunks are not filled to the end); the rewrite ends with it
 * body   the whole document; stays in place until the end
 * err    TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_rewrite_new(tg_arena *arena, const tg_rewrite_options *options, tg_slice body,
                                     tg_rewrite **out_rewrite);

/* tg_rewrite_again ends with one body and begins with another, in the memory that it has. Not after a failure. */
void tg_rewrite_again(tg_rewrite *rewrite, tg_slice body);

/* tg_rewrite_plan does the next piece of the planning.
 * budget  about how many bytes to scan in this call; a step of any size makes progress
 * err     TG_ERR_AGAIN: more remains; TG_ERR_SYNTAX: refused for good, tg_rewrite_fault says why
 */
TG_FOREIGN TG_MUST_USE tg_result tg_rewrite_plan(tg_rewrite *rewrite, size_t budget);

/* tg_rewrite_output_max bounds the output's length once planned: near to exact for encrypt; for decrypt, as if every
 * byte of plaintext needed an escape. */
size_t tg_rewrite_output_max(const tg_rewrite *rewrite);

/* tg_rewrite_apply does the next piece of the writing, after tg_rewrite_plan has given TG_OK.
 * keys    the same ring in every call for one document
 * budget  in bytes that are read, a value counting 512 more for its cipher work
 * out     appended to, from the same buffer in every call; its maximum bounds the output. With decrypt it takes
 *         plaintext: make it a wiped one. After a failure its contents are to be thrown away
 * err     as tg_rewrite_plan
 */
TG_FOREIGN TG_MUST_USE tg_result tg_rewrite_apply(tg_rewrite *rewrite, tg_field_keys *keys, size_t budget, tg_buf *out);

/* tg_rewrite_fault is why it was refused; it lives as long as the arena's memory. */
const tg_fault *tg_rewrite_fault(const tg_rewrite *rewrite);

typedef struct tg_rewrite_counts {
    size_t num_fields;     /* PII values found by the plan */
    size_t num_old_key;    /* opened with another key than the current one */
    size_t num_not_tokens; /* lenient: passed as they were */
} tg_rewrite_counts;

tg_rewrite_counts tg_rewrite_get_counts(const tg_rewrite *rewrite);

#endif
