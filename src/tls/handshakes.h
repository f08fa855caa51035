/* The metrics of handshakes: how many were done, by version, and why the others failed; for tls/ alone. */
#ifndef TG_TLS_HANDSHAKES_H
#define TG_TLS_HANDSHAKES_H

#include <stdbool.h>

typedef enum tg_tls_failure {
    TG_TLS_HTTP_REQUEST,      /* plain HTTP on the TLS port */
    TG_TLS_NOT_TLS,           /* something else that is no TLS */
    TG_TLS_VERSION,           /* TLS 1.1 and below */
    TG_TLS_NOTHING_IN_COMMON, /* no cipher, group or signature */
    TG_TLS_NO_PROTOCOL,       /* ALPN without overlap */
    TG_TLS_BAD_CERTIFICATE,   /* the peer's does not verify */
    TG_TLS_ALERT,             /* the peer refused */
    TG_TLS_HELLO_TOO_LONG,
    TG_TLS_CUT_OFF,  /* the connection ended or broke */
    TG_TLS_GIVEN_UP, /* we closed it: too slow, or the process ends */
    TG_TLS_OTHER_FAILURE,
    TG_TLS_NUM_FAILURES
} tg_tls_failure;

/* tg_tls_failure_of sorts an error of OpenSSL's queue; 0 is TG_TLS_CUT_OFF. */
tg_tls_failure tg_tls_failure_of(unsigned long error);

/* in    version: as SSL_get_version says it ("TLSv1.3"); any thread */
void tg_tls_count_handshake(bool is_server, const char *version, bool is_resumed);
void tg_tls_count_failure(bool is_server, tg_tls_failure failure);

#endif
