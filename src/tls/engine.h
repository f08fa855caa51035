/* What the files of this room see of each other's OpenSSL objects; for tls/ alone. */
#ifndef TG_TLS_ENGINE_H
#define TG_TLS_ENGINE_H

#include "base/refs.h"
#include "io/peer.h"
#include "tls/authorities.h"
#include "tls/context.h"
#include "tls/identity.h"
#include "tls/tickets.h"

#include <openssl/ssl.h>

struct tg_tls_identity {
    tg_refs refs;
    bool is_generated;
    X509 *certificate;
    STACK_OF(X509) * chain; /* behind the certificate, may be empty */
    EVP_PKEY *key;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    uint8_t spki_sha256[TG_SPKI_SHA256_BYTES];
};

struct tg_tls_authorities {
    tg_refs refs;
    size_t num_certificates;
    X509_STORE *store;
    STACK_OF(X509_NAME) * names;
    uint8_t sha256[TG_AUTHORITIES_SHA256_BYTES];
};

struct tg_tls_context {
    tg_refs refs;
    bool is_server;
    bool is_unverified; /* of a client: the key counts, and no certificate */
    bool has_key;       /* of those: this one alone */
    uint8_t key_sha256[TG_PEER_KEY_SHA256_BYTES];
    SSL_CTX *ssl_ctx;
    tg_tls_tickets *tickets;
    tg_tls_identity *identity; /* NULL: none */
    bool has_issuers;          /* of a server's clients */
    uint8_t issuers_sha256[TG_AUTHORITIES_SHA256_BYTES];
    size_t protocols_len;
    uint8_t protocols[TG_MAX_PROTOCOLS_BYTES]; /* ALPN's list as it travels (RFC 7301 §3.1) */
};

/* tg_tls_identity_new_of takes ownership of the key and, on success, of the certificates (the first is the leaf):
 * checks that they belong together and stand in order.
 * err   TG_ERR_MISMATCH, TG_ERR_SYNTAX, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_tls_identity_new_of(STACK_OF(X509) * certificates, EVP_PKEY *key, bool is_generated,
                                             tg_tls_identity **out_identity, tg_detail *detail);

/* tg_tls_tickets_install makes a server context seal its session tickets with these keys. */
TG_MUST_USE tg_result tg_tls_tickets_install(tg_tls_tickets *tickets, SSL_CTX *ssl_ctx);

#endif
