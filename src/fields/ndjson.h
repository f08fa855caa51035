/* Newline-delimited JSON: a stream of documents, one a line, each rewritten by itself (fields/rewrite.h). Lines stay in
 * their order and number. One that is refused is answered in its place, and nothing of it is passed on:
 *
 *   {"error":{"code":"bad_request","message":"the body is not valid JSON","line":7}}
 *
 * with `pointer` where the fault has one. A line of white space alone stays. Memory is bounded by the longest line.
 *
 *   tg_ndjson_feed(&ndjson, bytes);
 *   while ((result = tg_ndjson_step(&ndjson, keys, 65536, &out)).code == TG_ERR_AGAIN) { take from out; let others work
 * }
 */
#ifndef TG_FIELDS_NDJSON_H
#define TG_FIELDS_NDJSON_H

#include "fields/rewrite.h"

/* What a stream holds (tg_ndjson_held and its output) without asking: it is what lines of a usual length take. */
enum { TG_NDJSON_SMALL_BYTES = 262144 };

typedef struct tg_ndjson_options {
    tg_rewrite_options rewrite; /* max_fields: of one line; queue: the stream's own */
    size_t max_line_bytes;      /* a longer line is refused as payload_too_large; below UINT32_MAX */
    /* Says whether the stream may hold so many bytes in all from now on, its output among them. A line for which it
     * says no is refused. NULL: it may */
    bool (*may_hold)(void *owner, size_t num_bytes);
    void *owner;
} tg_ndjson_options;

typedef struct tg_ndjson {
    tg_ndjson_options options;
    tg_arena arena;
    tg_seal_queue queue;
    tg_slice fed;            /* what of it has not been used yet */
    tg_buf begun;            /* what has come of a line whose end has not, and lines that did not come whole */
    const tg_fault *dropped; /* why the line that has begun is refused, whatever comes of it; NULL: it is not */
    tg_rewrite *rewrite;     /* kept from line to line; NULL: none is there */
    tg_slice line;           /* in work, with its newline */
    size_t unfinished;       /* bytes at the output's end that belong to it */
    bool is_in_line;
    bool is_planned;
    bool is_at_end;
    uint64_t num_lines;
    uint64_t num_refused;
    uint64_t num_bad_tokens; /* lines refused for a token that no key opens */
    uint64_t num_fields;     /* sealed or opened */
    uint64_t num_old_key;
} tg_ndjson;

/* tg_ndjson_init begins a stream. */
void tg_ndjson_init(tg_ndjson *ndjson, const tg_ndjson_options *options);
void tg_ndjson_done(tg_ndjson *ndjson);

/* tg_ndjson_feed gives the next bytes, once all before them are used up (tg_ndjson_step has said TG_OK).
 * keep  they stay in place until then
 * tg_ndjson_end says that there are no more: what stands behind the last newline is a line. */
TG_FOREIGN void tg_ndjson_feed(tg_ndjson *ndjson, tg_slice bytes);
void tg_ndjson_end(tg_ndjson *ndjson);

/* tg_ndjson_step does the next piece of the work, and appends what it gives.
 * keys    another ring only where tg_ndjson_is_between_lines
 * budget  as that of tg_rewrite_apply
 * out     with decrypt it takes plaintext: make it a wiped one. The caller may take all of it but the last
 *         ndjson->unfinished bytes. Its maximum leaves room for one line's answer: a line that finds none is refused
 * err     TG_ERR_AGAIN: more remains, or `out` has filled up; TG_ERR_MEMORY, TG_ERR_LIMIT: not even a refusal found
 *         room; TG_ERR_LIBRARY: the stream cannot go on, and `out` is of no use
 */
TG_MUST_USE tg_result tg_ndjson_step(tg_ndjson *ndjson, tg_field_keys *keys, size_t budget, tg_buf *out);

static inline bool tg_ndjson_is_between_lines(const tg_ndjson *ndjson)
{
    return !ndjson->is_in_line;
}
/* tg_ndjson_set_root has the lines from here on follow another schema. Between lines only. */
void tg_ndjson_set_root(tg_ndjson *ndjson, const tg_pii_root *root);

/* tg_ndjson_held is the memory that the stream holds, without its output. */
static inline size_t tg_ndjson_held(const tg_ndjson *ndjson)
{
    return ndjson->begun.cap + ndjson->arena.used;
}

#endif
