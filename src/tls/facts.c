#include "tls/facts.h"

#include "base/reader.h"
#include "tls/engine.h"
#include "tls/openssl.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

enum { MAX_SERVER_NAME_BYTES = 255, NAME_TYPE_HOST = 0 };

tg_result tg_tls_facts_set_server_name(tg_tls_facts *facts, tg_slice name)
{
    uint8_t *copy = malloc(name.len > 0 ? name.len : 1);
    if (copy == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (name.len > 0) {
        memcpy(copy, name.ptr, name.len);
    }
    free(facts->server_name);
    facts->server_name = copy;
    facts->tls.server_name = tg_slice_of(copy, name.len);
    return tg_ok();
}

/* RFC 6066 §3: ServerNameList<1..2^16-1> of (type(1), name<1..2^16-1>), at most one of each type. Damage is ignored
 * here: OpenSSL refuses such a ClientHello a moment later. */
static int on_client_hello(SSL *ssl, int *alert, void *owner)
{
    (void)owner;
    const unsigned char *bytes;
    size_t len;
    tg_tls_facts *facts = SSL_get_app_data(ssl);
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &len) != 1) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    tg_reader extension = tg_reader_of(tg_slice_of(bytes, len));
    tg_reader list = tg_reader_of(tg_reader_vector16(&extension));
    uint8_t type = tg_reader_u8(&list);
    tg_slice name = tg_reader_vector16(&list);
    if (tg_is_ok(tg_reader_result(&list)) && type == NAME_TYPE_HOST && name.len <= MAX_SERVER_NAME_BYTES &&
        !tg_is_ok(tg_tls_facts_set_server_name(facts, name))) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* OpenSSL calls this on a client once a CertificateRequest has come, before it looks for a certificate of its own. */
static int on_asked(SSL *ssl, void *owner)
{
    tg_tls_facts *facts = SSL_get_app_data(ssl);
    (void)owner;
    facts->tls.was_asked = true;
    return 1;
}

void tg_tls_facts_install_client(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_cert_cb(ssl_ctx, on_asked, NULL);
}

void tg_tls_facts_install(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_client_hello_cb(ssl_ctx, on_client_hello, NULL);
}

static bool read_name(const GENERAL_NAME *general, tg_peer_name *out_name)
{
    int kind;
    const ASN1_STRING *text = GENERAL_NAME_get0_value(general, &kind);
    if (kind == GEN_DNS) {
        out_name->kind = TG_PEER_NAME_DNS;
    } else if (kind == GEN_URI) {
        out_name->kind = TG_PEER_NAME_URI;
    } else if (kind == GEN_EMAIL) {
        out_name->kind = TG_PEER_NAME_EMAIL;
    } else {
        return false;
    }
    out_name->text = tg_slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    return true;
}

/* The names of a certificate; their texts live in `general`. */
typedef struct name_list {
    GENERAL_NAMES *general;
    tg_peer_name names[TG_MAX_PEER_NAMES];
    size_t num_names;
    size_t text_len;
} name_list;

static tg_result gather_names(name_list *list)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(list->general); i++) {
        tg_peer_name name;
        if (!read_name(sk_GENERAL_NAME_value(list->general, i), &name)) {
            continue;
        }
        if (list->num_names == TG_COUNT(list->names) || name.text.len > TG_MAX_PEER_NAMES_BYTES - list->text_len) {
            return tg_fail(TG_ERR_LIMIT);
        }
        list->text_len += name.text.len;
        list->names[list->num_names++] = name;
    }
    return tg_ok();
}

/* On success the caller frees list->general. */
static tg_result read_names(const X509 *certificate, name_list *list)
{
    int how_many = -1;
    *list = (name_list){.general = X509_get_ext_d2i(certificate, NID_subject_alt_name, &how_many, NULL)};
    tg_result result;
    if (list->general == NULL && how_many != -1) { /* there, and damaged or doubled */
        tg_tls_errors_clear();
        result = tg_fail(TG_ERR_SYNTAX);
    } else {
        result = gather_names(list);
    }
    if (!tg_is_ok(result)) {
        GENERAL_NAMES_free(TG_TAKE(list->general));
    }
    return result;
}

int tg_tls_facts_verify(int is_verified, X509_STORE_CTX *chain)
{
    name_list list;
    if (is_verified != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) {
        return is_verified;
    }
    if (tg_is_ok(read_names(X509_STORE_CTX_get_current_cert(chain), &list))) {
        GENERAL_NAMES_free(list.general);
        return 1;
    }
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    tg_tls_facts *facts = SSL_get_app_data(ssl);
    facts->has_unfit_names = true;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static tg_result copy_names(tg_tls_facts *facts, const name_list *list)
{
    if (list->num_names == 0) {
        return tg_ok();
    }
    facts->names = malloc(list->num_names * sizeof *facts->names + list->text_len);
    if (facts->names == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t *text = (uint8_t *)(facts->names + list->num_names);
    for (size_t i = 0; i < list->num_names; i++) {
        tg_slice name = list->names[i].text;
        if (name.len > 0) {
            memcpy(text, name.ptr, name.len);
        }
        facts->names[i] = (tg_peer_name){list->names[i].kind, tg_slice_of(text, name.len)};
        text += name.len;
    }
    facts->tls.names = facts->names;
    facts->tls.num_names = list->num_names;
    return tg_ok();
}

static tg_result fill_certificate(tg_tls_facts *facts, const SSL *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    facts->tls.not_after_unix_s = INT64_MAX;
    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK ||
        (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0) {
        return tg_ok();
    }
    name_list list;
    tg_result result = read_names(certificate, &list);
    if (tg_is_ok(result)) {
        result = copy_names(facts, &list);
        GENERAL_NAMES_free(list.general);
    } else if (SSL_is_server(ssl) == 0) {
        result = tg_ok();
    }
    facts->tls.has_certificate = tg_is_ok(result);
    facts->tls.not_after_unix_s = tg_tls_time_unix_s(X509_get0_notAfter(certificate));
    return result;
}

static bool hash_key(X509 *certificate, uint8_t out_sha256[TG_PEER_KEY_SHA256_BYTES])
{
    unsigned char *der = NULL;
    int len = certificate != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : -1;
    bool is_hashed = len > 0 && EVP_Digest(der, (size_t)len, out_sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return is_hashed;
}

int tg_tls_facts_verify_key(X509_STORE_CTX *chain, void *owner)
{
    const tg_tls_context *context = owner;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    tg_tls_facts *facts = SSL_get_app_data(ssl);
    uint8_t sha256[TG_PEER_KEY_SHA256_BYTES];
    if (hash_key(X509_STORE_CTX_get0_cert(chain), sha256) &&
        (!context->has_key || memcmp(sha256, context->key_sha256, sizeof sha256) == 0)) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 1;
    }
    facts->has_other_key = true;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* The handshake's signature has proved the key, whoever vouches for the certificate around it. */
static tg_result fill_key(tg_tls_facts *facts, const SSL *ssl)
{
    facts->tls.not_after_unix_s = INT64_MAX;
    facts->tls.has_key = hash_key(SSL_get0_peer_certificate(ssl), facts->tls.key_sha256);
    tg_tls_errors_clear();
    return facts->tls.has_key ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

tg_result tg_tls_facts_fill(tg_tls_facts *facts, SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned protocol_len = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_len);
    facts->tls.protocol = tg_slice_of(protocol, protocol_len);
    facts->tls.version = SSL_get_version(ssl);
    facts->tls.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    facts->tls.is_resumed = SSL_session_reused(ssl) == 1;
    const tg_tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return context->is_unverified ? fill_key(facts, ssl) : fill_certificate(facts, ssl);
}

void tg_tls_facts_done(tg_tls_facts *facts)
{
    free(facts->server_name);
    free(facts->names);
    *facts = (tg_tls_facts){0};
}
