/* The chunked transfer coding (RFC 9112 §7.1), decoded as bytes arrive and without a copy. Extensions and trailers are
 * checked, bounded and dropped. */
#ifndef TG_HTTP_CHUNKED_H
#define TG_HTTP_CHUNKED_H

#include "base/result.h"
#include "base/slice.h"
#include "http/refusal.h"

/* Bounds over a whole body: without them a client could send for ever without sending content. */
enum { TG_HTTP_MAX_CHUNK_EXTENSION_BYTES = 4096, TG_HTTP_MAX_TRAILER_BYTES = 8192 };

/* The decoder's own: nobody else looks inside. */
typedef struct tg_http_chunked {
    unsigned state;
    unsigned num_digits;
    uint64_t left;        /* of the chunk: bytes that have not come; while its size is read, the size so far */
    uint64_t body_left;   /* how much more content the limit allows */
    size_t extension_len; /* bytes of all extensions */
    size_t trailer_len;
    tg_http_refusal refusal;
} tg_http_chunked;

/* tg_http_chunked_start begins a body of at most `max_body_bytes` of content. */
void tg_http_chunked_start(tg_http_chunked *decoder, uint64_t max_body_bytes);

/* tg_http_chunked_next reads on until it meets content.
 * in    *rest: bytes that have not been read
 * out   *rest: what stands behind those that were; *out_content: a piece of content, at least one byte, inside them
 * err   TG_ERR_AGAIN: all were read and more is needed (no content); TG_ERR_EOF: the body is whole and *rest stands
 *       behind it; TG_ERR_SYNTAX, TG_ERR_LIMIT: refused for good, and decoder->refusal says why (a chunk that goes
 *       past the limit is refused by its size, before its content)
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_chunked_next(tg_http_chunked *decoder, tg_slice *rest, tg_slice *out_content);

#endif
