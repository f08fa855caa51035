/* TLS as a stream on a stream: what is below may be TCP, vsock, a unix socket or a test's own.
 *
 * The handshake happens inside the owner's reads and writes: until it is done they say TG_ERR_AGAIN, and watching tells
 * when to try again. tg_stream_peer shows what the handshake established once it is done (`tls` is NULL before), also
 * where a session was resumed: the names of the certificate that the first handshake proved.
 *
 * - TG_ERR_EOF is the peer's close_notify; an end without it is TG_ERR_CLOSED, since bytes may be missing.
 * - tg_stream_shutdown sends close_notify and half-closes what is below. tg_stream_close alone sends none: to the peer
 *   what it got so far looks cut off, and an owner that ends in order shuts down first.
 * - Whatever is not TLS (a plain HTTP request too) is closed without an answer; tg_stream_fault says `tls: http
 * request`.
 * - A fatal alert is sent before the read or write that found its reason returns, and what is below is then shut down.
 */
#ifndef TG_TLS_STREAM_H
#define TG_TLS_STREAM_H

#include "io/loop.h"
#include "io/stream.h"
#include "tls/context.h"

/* tg_tls_accept makes the server's end on `below`.
 * err   TG_ERR_MEMORY
 * keep  below is the stream's from now on, and is closed where this fails; a reference of the context is taken; the
 *       loop is below's and outlives the stream
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_accept(tg_tls_context *context, tg_stream *below, tg_loop *loop,
                                               tg_stream **out_stream);

typedef struct tg_tls_target {
    tg_slice name;           /* a host name or an IP address (without brackets): sent as SNI and checked, SAN alone */
    bool may_be_common_name; /* a certificate without any DNS name in its SAN may name the host as its subject's CN */
} tg_tls_target;

/* tg_tls_connect makes the client's end on a connected stream. The certificate must come from the context's issuers
 * and be made for target->name.
 * err   TG_ERR_SYNTAX: the name is empty, longer than 253 bytes or holds a NUL; TG_ERR_MEMORY
 * keep  as tg_tls_accept
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_connect(tg_tls_context *context, tg_stream *below, tg_loop *loop,
                                                const tg_tls_target *target, tg_stream **out_stream);

#endif
