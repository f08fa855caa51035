/* How long a message's body is and whether the connection goes on behind it (RFC 9112 §6, §9). Whatever two programs
 * could read differently (request smuggling) is refused: nothing is guessed and nothing mended. */
#ifndef TG_HTTP_FRAMING_H
#define TG_HTTP_FRAMING_H

#include "http/head.h"

typedef enum tg_http_body_kind {
    TG_HTTP_BODY_NONE,
    TG_HTTP_BODY_LENGTH,  /* `length` bytes */
    TG_HTTP_BODY_CHUNKED, /* http/chunked.h */
    TG_HTTP_BODY_TO_END   /* of the connection; responses only */
} tg_http_body_kind;

typedef struct tg_http_framing {
    tg_http_body_kind body;
    uint64_t length;       /* of TG_HTTP_BODY_LENGTH, above 0 */
    bool keeps_alive;      /* the sender lets the connection go on */
    bool says_close;       /* the sender said `close` */
    bool expects_continue; /* request: Expect: 100-continue in HTTP/1.1 */
    tg_slice host;         /* request: the value of Host, well-formed; empty only in HTTP/1.0 */
} tg_http_framing;

/* tg_http_frame_request decides from a request's head.
 * out   *out_framing, where nothing is refused
 */
TG_FOREIGN TG_MUST_USE tg_http_refusal tg_http_frame_request(const tg_http_head *head, tg_http_framing *out_framing);

/* tg_http_frame_response decides from a response's head.
 * in    answers_head: the request was a HEAD, so that no body follows whatever the fields say
 */
TG_FOREIGN TG_MUST_USE tg_http_refusal tg_http_frame_response(const tg_http_head *head, bool answers_head,
                                                              tg_http_framing *out_framing);

#endif
