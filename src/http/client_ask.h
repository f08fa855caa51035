/* The head of a request as bytes (RFC 9112 §3, §5). Inside the room only. */
#ifndef TG_HTTP_CLIENT_ASK_H
#define TG_HTTP_CLIENT_ASK_H

#include "base/buf.h"
#include "http/client.h"

/* tg_http_ask_append writes request line, fields and the empty line.
 * out   *out_is_chunked: the body goes in chunks
 * err   TG_ERR_SYNTAX: method, target, or a header that is none or is the client's own; TG_ERR_UNSUPPORTED: CONNECT;
 *       TG_ERR_LIMIT, TG_ERR_MEMORY: as the buffer's
 */
TG_MUST_USE tg_result tg_http_ask_append(tg_buf *buf, const tg_http_ask *ask, tg_slice authority, bool *out_is_chunked);

/* tg_http_chunk_append writes one chunk (RFC 9112 §7.1); of the empty slice, the last one. Errors: the buffer's. */
TG_MUST_USE tg_result tg_http_chunk_append(tg_buf *buf, tg_slice piece);

#endif
