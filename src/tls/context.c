#include "tls/context.h"

#include "tls/engine.h"
#include "tls/facts.h"
#include "tls/openssl.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static const char suites_of_12[] =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
static const char suites_of_13[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
/* Not const: OpenSSL's macros for these two cast it away, which clang refuses. */
static char groups[] = "X25519:P-256:P-384";
static char signatures[] =
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:rsa_pss_rsae_sha256:"
    "rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

enum { SECURITY_LEVEL = 2, NUM_TICKETS = 2, SESSION_CONTEXT_BYTES = 32 };

static tg_result set_protocols(tg_tls_context *context, const tg_slice *protocols, size_t num_protocols,
                               tg_detail *detail)
{
    static const tg_slice http = {(const uint8_t *)"http/1.1", 8};
    if (protocols == NULL) {
        protocols = &http;
        num_protocols = 1;
    }
    for (size_t i = 0; i < num_protocols; i++) {
        size_t len = protocols[i].len;
        if (len == 0 || len > UINT8_MAX || len + 1 > sizeof context->protocols - context->protocols_len) {
            tg_detail_set_reason(detail, "protocol name %zu (ALPN) is empty, or all are too long", i + 1);
            return tg_fail(TG_ERR_RANGE);
        }
        context->protocols[context->protocols_len] = (uint8_t)len;
        memcpy(context->protocols + context->protocols_len + 1, protocols[i].ptr, len);
        context->protocols_len += len + 1;
    }
    return tg_ok();
}

/* RFC 7301 §3.2: our preference decides, and nothing in common is fatal. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned offered_len, void *owner)
{
    (void)ssl;
    const tg_tls_context *context = owner;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, context->protocols, (unsigned)context->protocols_len, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_what_both_do(tg_tls_context *context)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;
    SSL_CTX_set_security_level(ssl_ctx, SECURITY_LEVEL);
    SSL_CTX_set_app_data(ssl_ctx, context);
    /* Plaintext does not stay in OpenSSL's buffers once it was read; buffers do not stay with idle connections. */
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(ssl_ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ssl_ctx, 1); /* one read below for a record, not one for its header and one for its body */
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ssl_ctx, TG_MAX_PEER_CHAIN_BYTES);
    SSL_CTX_set_verify_depth(ssl_ctx, TG_MAX_PEER_CHAIN_CERTIFICATES);
    return SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl_ctx, suites_of_12) == 1 &&
           SSL_CTX_set_ciphersuites(ssl_ctx, suites_of_13) == 1 && SSL_CTX_set1_groups_list(ssl_ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ssl_ctx, signatures) == 1 && SSL_CTX_set_max_early_data(ssl_ctx, 0) == 1;
}

static tg_result set_identity(tg_tls_context *context, tg_tls_identity *identity, tg_detail *detail)
{
    tg_tls_errors_clear();
    if (SSL_CTX_use_certificate(context->ssl_ctx, identity->certificate) == 1 &&
        SSL_CTX_set1_chain(context->ssl_ctx, identity->chain) == 1 &&
        SSL_CTX_use_PrivateKey(context->ssl_ctx, identity->key) == 1) {
        context->identity = tg_tls_identity_ref(identity);
        return tg_ok();
    }
    return tg_tls_fail_library(TG_ERR_UNSUPPORTED, "certificate chain", detail);
}

/* The store is shared: its references are counted by OpenSSL. */
static bool set_authorities(tg_tls_context *context, const tg_tls_authorities *authorities)
{
    if (SSL_CTX_set1_verify_cert_store(context->ssl_ctx, authorities->store) != 1) {
        return false;
    }
    if (context->is_server) {
        STACK_OF(X509_NAME) *names = SSL_dup_CA_list(authorities->names);
        if (names == NULL) {
            return false;
        }
        SSL_CTX_set_client_CA_list(context->ssl_ctx, names);
    }
    SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_PEER, context->is_server ? tg_tls_facts_verify : NULL);
    return true;
}

/* RFC 5077 and OpenSSL leave to the application what a session is bound to. */
static bool bind_sessions(tg_tls_context *context, const tg_tls_server_settings *settings)
{
    uint8_t bytes[TG_SPKI_SHA256_BYTES + TG_AUTHORITIES_SHA256_BYTES] = {0};
    uint8_t hash[SESSION_CONTEXT_BYTES];
    if (settings->client_issuers != NULL) {
        context->has_issuers = true;
        memcpy(context->issuers_sha256, settings->client_issuers->sha256, TG_AUTHORITIES_SHA256_BYTES);
    }
    memcpy(bytes, settings->identity->spki_sha256, TG_SPKI_SHA256_BYTES);
    memcpy(bytes + TG_SPKI_SHA256_BYTES, context->issuers_sha256, TG_AUTHORITIES_SHA256_BYTES);
    return EVP_Digest(bytes, sizeof bytes, hash, NULL, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(context->ssl_ctx, hash, sizeof hash) == 1;
}

static tg_result set_sessions(tg_tls_context *context, tg_tls_tickets *tickets)
{
    if (tickets == NULL) {
        SSL_CTX_set_options(context->ssl_ctx, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context->ssl_ctx, 0) == 1 ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
    }
    context->tickets = tg_tls_tickets_ref(tickets);
    if (SSL_CTX_set_num_tickets(context->ssl_ctx, NUM_TICKETS) != 1) {
        return tg_fail(TG_ERR_LIBRARY);
    }
    return tg_tls_tickets_install(tickets, context->ssl_ctx);
}

static tg_result make(bool is_server, tg_tls_context **out_context, tg_detail *detail)
{
    tg_tls_start();
    tg_tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&context->refs);
    context->is_server = is_server;
    tg_tls_errors_clear();
    context->ssl_ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context->ssl_ctx == NULL || !set_what_both_do(context)) {
        tg_tls_context_unref(context);
        return tg_tls_fail_library(TG_ERR_LIBRARY, "TLS context", detail);
    }
    *out_context = context;
    return tg_ok();
}

static tg_result set_up_server(tg_tls_context *context, const tg_tls_server_settings *settings, tg_detail *detail)
{
    TG_TRY(set_protocols(context, settings->protocols, settings->num_protocols, detail));
    TG_TRY(set_identity(context, settings->identity, detail));
    TG_TRY(set_sessions(context, settings->tickets));
    tg_tls_errors_clear();
    if (!bind_sessions(context, settings) ||
        (settings->client_issuers != NULL && !set_authorities(context, settings->client_issuers))) {
        return tg_tls_fail_library(TG_ERR_LIBRARY, "TLS context", detail);
    }
    if (context->protocols_len > 0) {
        SSL_CTX_set_alpn_select_cb(context->ssl_ctx, choose_protocol, context);
    }
    tg_tls_facts_install(context->ssl_ctx);
    return tg_ok();
}

tg_result tg_tls_context_new_server(const tg_tls_server_settings *settings, tg_tls_context **out_context,
                                    tg_detail *detail)
{
    tg_tls_context *context = NULL;
    tg_result result = make(true, &context, detail);
    if (context == NULL) {
        return result;
    }
    result = set_up_server(context, settings, detail);
    if (!tg_is_ok(result)) {
        tg_tls_context_unref(context);
        return result;
    }
    *out_context = context;
    return tg_ok();
}

/* The key is looked at while the handshake can still end: before a certificate of ours follows. */
static tg_result set_unverified(tg_tls_context *context, tg_slice key_sha256)
{
    if (key_sha256.len != 0 && key_sha256.len != sizeof context->key_sha256) {
        return tg_fail(TG_ERR_RANGE);
    }
    context->is_unverified = true;
    context->has_key = key_sha256.len > 0;
    if (context->has_key) {
        memcpy(context->key_sha256, key_sha256.ptr, sizeof context->key_sha256);
    }
    SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl_ctx, tg_tls_facts_verify_key, context);
    return tg_ok();
}

static tg_result set_up_client(tg_tls_context *context, const tg_tls_client_settings *settings, tg_detail *detail)
{
    TG_TRY(set_protocols(context, settings->protocols, settings->num_protocols, detail));
    if (settings->identity != NULL) {
        TG_TRY(set_identity(context, settings->identity, detail));
    }
    tg_tls_errors_clear();
    if (settings->is_unverified == (settings->issuers != NULL)) {
        tg_detail_set_reason(detail, "either issuers, or no verification: not both, not neither");
        return tg_fail(TG_ERR_RANGE);
    }
    TG_TRY(settings->is_unverified ? set_unverified(context, settings->key_sha256) : tg_ok());
    if ((settings->issuers != NULL && !set_authorities(context, settings->issuers)) ||
        SSL_CTX_set_alpn_protos(context->ssl_ctx, context->protocols, (unsigned)context->protocols_len) != 0) {
        return tg_tls_fail_library(TG_ERR_LIBRARY, "TLS context", detail);
    }
    tg_tls_facts_install_client(context->ssl_ctx);
    return tg_ok();
}

tg_result tg_tls_context_new_client(const tg_tls_client_settings *settings, tg_tls_context **out_context,
                                    tg_detail *detail)
{
    tg_tls_context *context = NULL;
    tg_result result = make(false, &context, detail);
    if (context == NULL) {
        return result;
    }
    result = set_up_client(context, settings, detail);
    if (!tg_is_ok(result)) {
        tg_tls_context_unref(context);
        return result;
    }
    *out_context = context;
    return tg_ok();
}

tg_slice tg_tls_context_issuers_sha256(const tg_tls_context *context)
{
    return context->has_issuers ? tg_slice_of(context->issuers_sha256, sizeof context->issuers_sha256)
                                : (tg_slice){NULL, 0};
}

tg_tls_context *tg_tls_context_ref(tg_tls_context *context)
{
    tg_refs_take(&context->refs);
    return context;
}

const tg_tls_identity *tg_tls_context_identity(const tg_tls_context *context)
{
    return context->identity;
}

void tg_tls_context_unref(tg_tls_context *context)
{
    if (context == NULL || !tg_refs_drop(&context->refs)) {
        return;
    }
    SSL_CTX_free(context->ssl_ctx);
    tg_tls_tickets_unref(context->tickets);
    tg_tls_identity_unref(context->identity);
    free(context);
}
