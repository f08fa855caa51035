/* How far the message reaches that a connection carries at the moment: bytes are counted and passed on as they came. */
#ifndef TG_PROXY_HTTP_EXTENT_H
#define TG_PROXY_HTTP_EXTENT_H

#include "http/chunked.h"
#include "http/framing.h"

typedef struct tg_http_extent {
    tg_http_body_kind kind;
    uint64_t left; /* of TG_HTTP_BODY_LENGTH */
    tg_http_chunked chunked;
    bool is_whole;
} tg_http_extent;

/* tg_http_extent_begin begins behind a head. */
void tg_http_extent_begin(tg_http_extent *extent, const tg_http_framing *framing);

/* tg_http_extent_take says how many of the bytes that follow belong to the message, and is_whole once all have come.
 * A body to the connection's end is whole when its sender ends: the caller knows.
 * err   TG_ERR_SYNTAX, TG_ERR_LIMIT: a chunk that is none
 */
TG_FOREIGN TG_MUST_USE tg_result tg_http_extent_take(tg_http_extent *extent, tg_slice bytes, size_t *out_len);

/* tg_http_route_host gives the host name that a request is for, without its port: that of Host, which a target in the
 * absolute form must agree with (RFC 9112 §3.2.2), so that no two programs read it differently.
 * out   *out_host: empty where it names none, or an IPv6 address
 */
TG_FOREIGN TG_MUST_USE tg_http_refusal tg_http_route_host(const tg_http_head *head, const tg_http_framing *framing,
                                                          tg_slice *out_host);

#endif
