/* Newline-delimited JSON: a stream of documents, one a line, each rewritten by itself (fields/rewrite.h). Lines stay in
 * their order and number. One that is refused is answered in its place, and nothing of it is passed on:
 *
 *   {"error":{"code":"bad_request","message":"the body is not valid JSON","line":7}}
 *
 * with `pointer` where the fault has one. A line of white space alone stays. Memory is bounded by the longest line. */
#ifndef TG_FIELDS_NDJSON_H
#define TG_FIELDS_NDJSON_H

#include "fields/rewrite.h"

typedef struct tg_ndjson {
    tg_rewrite_options options; /* max_fields: of one line */
    size_t max_line_bytes;
    tg_arena arena;
    tg_buf begun;     /* what has come of a line whose end has not */
    bool is_too_long; /* it is dropped up to its end */
    uint64_t num_lines;
    uint64_t num_refused;
    uint64_t num_fields; /* sealed or opened */
    uint64_t num_old_key;
} tg_ndjson;

/* tg_ndjson_init begins a stream.
 * max_line_bytes  a longer line is refused as payload_too_large; at most UINT32_MAX
 */
void tg_ndjson_init(tg_ndjson *ndjson, const tg_rewrite_options *options, size_t max_line_bytes);
void tg_ndjson_done(tg_ndjson *ndjson);

/* tg_ndjson_feed takes the next bytes, as they come, and appends what the lines that are whole become.
 * keys  the same ring in every call
 * out   with decrypt it takes plaintext: make it a wiped one. Backpressure is the caller's: bytes are fed when `out`
 *       has been emptied. Its maximum leaves room for one line's answer: a line that finds none is refused
 * err   TG_ERR_MEMORY, TG_ERR_LIMIT: not even the refusal found room; the stream cannot go on
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ndjson_feed(tg_ndjson *ndjson, tg_field_keys *keys, tg_slice bytes, tg_buf *out);
/* tg_ndjson_end takes what stands behind the last newline as a line; nothing is appended where nothing does. Errors as
 * above. */
TG_MUST_USE tg_result tg_ndjson_end(tg_ndjson *ndjson, tg_field_keys *keys, tg_buf *out);

#endif
