/* What a handshake established, as io/peer.h shows it to whoever asks for the stream's peer; for tls/ alone. */
#ifndef TG_TLS_FACTS_H
#define TG_TLS_FACTS_H

#include "base/result.h"
#include "io/peer.h"

#include <openssl/ssl.h>

typedef struct tg_tls_facts {
    tg_peer_tls tls;
    uint8_t *server_name; /* NULL without one */
    tg_peer_name *names;  /* and their texts behind them, in one piece */
    bool has_other_key;   /* tg_tls_facts_verify_key refused the certificate */
    bool has_unfit_names; /* tg_tls_facts_verify refused the certificate for its names */
} tg_tls_facts;

/* tg_tls_facts_install has a server context note each ClientHello's server name in the facts that are the SSL's
 * application data: OpenSSL itself gives the resumed session's. */
void tg_tls_facts_install(SSL_CTX *ssl_ctx);
/* tg_tls_facts_install_client has a client context note there whether the server asks for a certificate. */
void tg_tls_facts_install_client(SSL_CTX *ssl_ctx);

/* tg_tls_facts_verify is a server context's callback for SSL_CTX_set_verify: a client's certificate whose names are
 * damaged, or more or longer than tls/context.h allows, is refused while an alert can say so. */
int tg_tls_facts_verify(int is_verified, X509_STORE_CTX *chain);

/* tg_tls_facts_verify_key is an unverified client context's callback for SSL_CTX_set_cert_verify_callback (owner: the
 * context): any certificate is taken, of any key or of the context's one. */
int tg_tls_facts_verify_key(X509_STORE_CTX *chain, void *owner);

/* tg_tls_facts_set_server_name copies a name (a client's: what it asks for). err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_tls_facts_set_server_name(tg_tls_facts *facts, tg_slice name);

/* tg_tls_facts_fill reads what is known once the handshake is done. Slices point into the SSL and into the facts. Of a
 * server's certificate whose names tg_tls_facts_verify would refuse none is shown: OpenSSL has found the one that was
 * asked for.
 * err   TG_ERR_MEMORY; TG_ERR_LIMIT, TG_ERR_SYNTAX: a client's certificate that tg_tls_facts_verify would refuse
 */
TG_MUST_USE tg_result tg_tls_facts_fill(tg_tls_facts *facts, SSL *ssl);

void tg_tls_facts_done(tg_tls_facts *facts);

#endif
