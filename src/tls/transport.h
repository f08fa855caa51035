/* OpenSSL's way to the stream below: a BIO that reads and writes it directly, without a buffer between; for tls/ alone.
 */
#ifndef TG_TLS_TRANSPORT_H
#define TG_TLS_TRANSPORT_H

#include "io/stream.h"
#include "tls/hello_guard.h"

#include <openssl/ssl.h>

typedef struct tg_tls_transport {
    tg_stream *below;
    SSL *ssl; /* whose transport it is */
    tg_tls_hello_guard guard;
    tg_result failure;     /* of the stream below (CLOSED), or of the guard (LIMIT); TG_OK before any */
    size_t num_silent;     /* bytes that have come since the owner last said 0: how much without content */
    uint8_t reads_left;    /* in the owner's call that runs: then AGAIN is said, whatever waits below */
    bool has_guard;        /* ClientHellos are watched */
    bool has_read;         /* some byte has come */
    bool has_write_failed; /* `failure` is a write's */
    bool is_at_end;        /* the stream below ended */
    bool is_dry;           /* no byte has come since the owner said so: what OpenSSL holds is a piece of a record */
} tg_tls_transport;

/* tg_tls_transport_attach makes the SSL read and write by the transport, which must stay where it is. err:
 * TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_tls_transport_attach(tg_tls_transport *transport, SSL *ssl);

#endif
