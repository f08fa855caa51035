#include "tls/facts.h"

#include "base/reader.h"
#include "tls/context.h"
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

static tg_result copy_names(tg_tls_facts *facts, const GENERAL_NAMES *all)
{
    tg_peer_name found[TG_MAX_PEER_NAMES];
    size_t num_found = 0;
    size_t text_len = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        tg_peer_name name;
        if (!read_name(sk_GENERAL_NAME_value(all, i), &name)) {
            continue;
        }
        if (num_found == TG_COUNT(found) || name.text.len > TG_MAX_PEER_NAMES_BYTES - text_len) {
            return tg_fail(TG_ERR_LIMIT);
        }
        text_len += name.text.len;
        found[num_found++] = name;
    }
    if (num_found == 0) {
        return tg_ok();
    }
    facts->names = malloc(num_found * sizeof *facts->names + text_len);
    if (facts->names == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t *text = (uint8_t *)(facts->names + num_found);
    for (size_t i = 0; i < num_found; i++) {
        size_t len = found[i].text.len;
        if (len > 0) {
            memcpy(text, found[i].text.ptr, len);
        }
        facts->names[i] = (tg_peer_name){found[i].kind, tg_slice_of(text, len)};
        text += len;
    }
    facts->tls.names = facts->names;
    facts->tls.num_names = num_found;
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
    int how_many = -1;
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, &how_many, NULL);
    if (all == NULL && how_many != -1) { /* there, and damaged or doubled */
        tg_tls_errors_clear();
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_result result = copy_names(facts, all);
    GENERAL_NAMES_free(all);
    facts->tls.has_certificate = tg_is_ok(result);
    facts->tls.not_after_unix_s = tg_tls_time_unix_s(X509_get0_notAfter(certificate));
    return result;
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
    return fill_certificate(facts, ssl);
}

void tg_tls_facts_done(tg_tls_facts *facts)
{
    free(facts->server_name);
    free(facts->names);
    *facts = (tg_tls_facts){0};
}
