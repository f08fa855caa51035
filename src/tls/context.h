/* How connections are made: versions, suites, identity, whom to believe. Immutable, shared by all workers by reference;
 * a change is a new context, and connections keep the one that they were made with.
 *
 * Both sides: TLS 1.3, and 1.2 with ECDHE and AEAD suites alone; X25519, P-256, P-384; no renegotiation, no
 * compression, no early data. A server answers a ClientHello whose protocols (ALPN) have none in common with the alert
 * no_application_protocol (RFC 7301 §3.2), and takes one that names none. */
#ifndef TG_TLS_CONTEXT_H
#define TG_TLS_CONTEXT_H

#include "tls/authorities.h"
#include "tls/identity.h"
#include "tls/tickets.h"

typedef struct tg_tls_context tg_tls_context;

enum {
    TG_MAX_PROTOCOLS_BYTES = 256,       /* of all protocol names, each with its length byte */
    TG_MAX_HELLO_BYTES = 65536,         /* of one ClientHello, as the routers before us take them */
    TG_MAX_PEER_CHAIN_BYTES = 32768,    /* of the certificates that a peer sends */
    TG_MAX_PEER_CHAIN_CERTIFICATES = 6, /* between a peer's certificate and the authority that is believed */
    TG_MAX_PEER_NAMES = 64,             /* in a client's certificate: more ends the handshake */
    TG_MAX_PEER_NAMES_BYTES = 8192
};

typedef struct tg_tls_server_settings {
    tg_tls_identity *identity;          /* must be there */
    tg_tls_authorities *client_issuers; /* NULL: no client certificate is asked for. Otherwise asked, not required: one
                                         * that does not verify ends the handshake, none is a client without a name */
    tg_tls_tickets *tickets;            /* NULL: no session is resumed */
    const tg_slice *protocols;          /* ALPN, the preferred first; NULL: http/1.1 */
    size_t num_protocols;               /* 0 with protocols that are not NULL: ALPN is left alone */
} tg_tls_server_settings;

/* tg_tls_context_new_server makes a server's context. Sessions resume across contexts of the same tickets, identity
 * key and client issuers, and no others: a client's name never outlives the configuration that it was checked by.
 * err   TG_ERR_RANGE: protocol names; TG_ERR_UNSUPPORTED: a certificate that OpenSSL finds too weak; TG_ERR_MEMORY,
 *       TG_ERR_LIBRARY
 * keep  references are taken; the caller's stay its own
 */
TG_MUST_USE tg_result tg_tls_context_new_server(const tg_tls_server_settings *settings, tg_tls_context **out_context,
                                                tg_detail *detail);

typedef struct tg_tls_client_settings {
    tg_tls_authorities *issuers; /* must be there, unless is_unverified */
    tg_tls_identity *identity;   /* NULL: none */
    const tg_slice *protocols;   /* NULL: http/1.1 */
    size_t num_protocols;
    /* No issuers: certificates are believed for nothing. Whoever connects so judges the server by the key that it has
     * proved to hold (tg_peer_tls.key_sha256), as `teegate attest verify` does, before anything is sent in confidence.
     */
    bool is_unverified;
    tg_slice key_sha256; /* with is_unverified: the only key that is taken, before ours is shown; empty: any */
} tg_tls_client_settings;

/* tg_tls_context_new_client makes a client's context. Errors and ownership as above; TG_ERR_RANGE too: issuers with
 * is_unverified, or neither; a key's digest of another length. */
TG_MUST_USE tg_result tg_tls_context_new_client(const tg_tls_client_settings *settings, tg_tls_context **out_context,
                                                tg_detail *detail);

/* tg_tls_context_issuers_sha256 tells the authorities that a server believes of clients from others
 * (tg_tls_authorities_sha256): TG_AUTHORITIES_SHA256_BYTES, ptr NULL where it asks for none; lives as long as
 * the context. */
tg_slice tg_tls_context_issuers_sha256(const tg_tls_context *context);

/* tg_tls_context_identity is who this end says it is, NULL where it says nothing; lives as long as the context. */
const tg_tls_identity *tg_tls_context_identity(const tg_tls_context *context);

/* tg_tls_context_ref gives one reference more; any thread. The last tg_tls_context_unref (NULL is fine) frees it. */
tg_tls_context *tg_tls_context_ref(tg_tls_context *context);
void tg_tls_context_unref(tg_tls_context *context);

#endif
