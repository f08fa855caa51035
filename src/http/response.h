/* The head of an answer as bytes (RFC 9112 §4, §5), and the JSON of an error. */
#ifndef TG_HTTP_RESPONSE_H
#define TG_HTTP_RESPONSE_H

#include "base/buf.h"
#include "http/message.h"

typedef struct tg_http_response_head {
    unsigned status; /* 200 to 599 */
    const tg_http_header *headers;
    size_t num_headers;
    tg_slice date;
    enum { TG_HTTP_SAYS_LENGTH, TG_HTTP_SAYS_CHUNKED, TG_HTTP_SAYS_NO_LENGTH } framing;
    uint64_t length; /* of TG_HTTP_SAYS_LENGTH */
    enum { TG_HTTP_SAYS_NOTHING, TG_HTTP_SAYS_CLOSE, TG_HTTP_SAYS_KEEP_ALIVE } connection;
} tg_http_response_head;

/* tg_http_response_head_append writes status line, fields and the empty line.
 * err   TG_ERR_RANGE: the status; TG_ERR_SYNTAX: a header that is none (its name no token, a control byte or blanks at
 *       the ends of its value) or that the server itself writes (Date, Connection, Content-Length, Transfer-Encoding);
 *       TG_ERR_LIMIT, TG_ERR_MEMORY: as the buffer's. Nothing is appended then.
 */
TG_MUST_USE tg_result tg_http_response_head_append(tg_buf *buf, const tg_http_response_head *head);

/* tg_http_error_append writes {"code","message"[,"pointer"]}; an empty pointer is left out. */
TG_MUST_USE tg_result tg_http_error_append(tg_buf *buf, const char *code, const char *message, tg_slice pointer);

#endif
