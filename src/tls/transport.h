/* OpenSSL's way to the stream below: a BIO that reads and writes it directly, without a buffer between but for session
 * tickets of TLS 1.3. OpenSSL would send each by itself, as soon as the handshake is done; they go out in one piece
 * with what is written next, the first answer or the end. For tls/ alone. */
#ifndef TG_TLS_TRANSPORT_H
#define TG_TLS_TRANSPORT_H

#include "base/buf.h"
#include "io/stream.h"
#include "tls/hello_guard.h"

#include <openssl/ssl.h>

enum { TG_MAX_HELD_BYTES = 4096 };

typedef struct tg_tls_transport {
    tg_stream *below;
    SSL *ssl; /* whose transport it is */
    tg_tls_hello_guard guard;
    tg_buf held;           /* records of tickets that go out with the next ones; TG_MAX_HELD_BYTES */
    tg_result failure;     /* of the stream below (CLOSED), or of the guard (LIMIT); TG_OK before any */
    size_t num_silent;     /* bytes that have come since the owner last said 0: how much without content */
    uint8_t reads_left;    /* in the owner's call that runs: then AGAIN is said, whatever waits below */
    bool has_guard;        /* ClientHellos are watched */
    bool has_read;         /* some byte has come */
    bool has_write_failed; /* `failure` is a write's */
    bool is_at_end;        /* the stream below ended */
    bool is_flush_due;     /* what is held is to be written when the stream below can */
    bool is_dry;           /* no byte has come since the owner said so: what OpenSSL holds is a piece of a record */
} tg_tls_transport;

/* tg_tls_transport_attach makes the SSL read and write by the transport, which must stay where it is and is ended by
 * tg_tls_transport_done. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_tls_transport_attach(tg_tls_transport *transport, SSL *ssl);
/* tg_tls_transport_flush writes what is held, as far as that goes; is_flush_due says whether some is left. A client's
 * request may wait for it (by Nagle's algorithm, for what acknowledges the end of its handshake). */
void tg_tls_transport_flush(tg_tls_transport *transport);
void tg_tls_transport_done(tg_tls_transport *transport);

#endif
