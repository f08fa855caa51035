#include "tls/authorities.h"

#include "base/buf.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tls/engine.h"
#include "tls/openssl.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* A server names its authorities to clients, so that these can choose a certificate; past this many they take more of
 * the handshake than they help. */
enum { MAX_NAMED = 64 };

static bool is_any_valid(STACK_OF(X509) * certificates, int64_t now_unix_s)
{
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        const X509 *certificate = sk_X509_value(certificates, i);
        if (tg_tls_time_unix_s(X509_get0_notBefore(certificate)) <= now_unix_s &&
            tg_tls_time_unix_s(X509_get0_notAfter(certificate)) >= now_unix_s) {
            return true;
        }
    }
    return false;
}

static bool hash(STACK_OF(X509) * certificates, uint8_t out[TG_AUTHORITIES_SHA256_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool is_done = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
    for (int i = 0; is_done && i < sk_X509_num(certificates); i++) {
        uint8_t *der = NULL;
        int der_len = i2d_X509(sk_X509_value(certificates, i), &der);
        is_done = der_len > 0 && EVP_DigestUpdate(digest, der, (size_t)der_len) == 1;
        OPENSSL_free(der);
    }
    is_done = is_done && EVP_DigestFinal_ex(digest, out, NULL) == 1;
    EVP_MD_CTX_free(digest);
    return is_done;
}

static bool add_all(tg_tls_authorities *authorities, STACK_OF(X509) * certificates)
{
    authorities->store = X509_STORE_new();
    authorities->names = sk_X509_NAME_new_null();
    if (authorities->store == NULL || authorities->names == NULL) {
        return false;
    }
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        X509 *certificate = sk_X509_value(certificates, i);
        if (X509_STORE_add_cert(authorities->store, certificate) != 1) {
            return false;
        }
        if (sk_X509_num(certificates) > MAX_NAMED) {
            continue;
        }
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
        if (name == NULL || sk_X509_NAME_push(authorities->names, name) == 0) {
            X509_NAME_free(name);
            return false;
        }
    }
    authorities->num_certificates = (size_t)sk_X509_num(certificates);
    /* What is in the set is believed, an intermediate too: without this only self-signed certificates end a chain. */
    return X509_STORE_set_flags(authorities->store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

static tg_result make(STACK_OF(X509) * certificates, int64_t now_unix_s, tg_tls_authorities **out_authorities,
                      tg_detail *detail)
{
    if (!is_any_valid(certificates, now_unix_s)) {
        char now[32];
        tg_detail_set_reason(detail, "certificate authorities: none is valid at this time");
        tg_detail_set_remedy(detail, "renew them; the clock says %s", tg_tls_time_format(now_unix_s, now));
        return tg_fail(TG_ERR_RANGE);
    }
    tg_tls_authorities *authorities = calloc(1, sizeof *authorities);
    if (authorities == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&authorities->refs);
    tg_tls_errors_clear();
    if (!add_all(authorities, certificates) || !hash(certificates, authorities->sha256)) {
        tg_tls_authorities_unref(authorities);
        return tg_tls_fail_library(TG_ERR_LIBRARY, "certificate authorities", detail);
    }
    *out_authorities = authorities;
    return tg_ok();
}

tg_result tg_tls_authorities_parse(tg_slice pem, int64_t now_unix_s, tg_tls_authorities **out_authorities,
                                   tg_detail *detail)
{
    STACK_OF(X509) * certificates;
    if (pem.len > TG_MAX_AUTHORITIES_PEM_BYTES) {
        tg_detail_set_reason(detail, "certificate authorities: longer than %d bytes", TG_MAX_AUTHORITIES_PEM_BYTES);
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(tg_tls_certificates_read(pem, TG_MAX_AUTHORITIES, "certificate authorities", &certificates, detail));
    tg_result result = make(certificates, now_unix_s, out_authorities, detail);
    sk_X509_pop_free(certificates, X509_free);
    return result;
}

tg_result tg_tls_authorities_load(const char *path, int64_t now_unix_s, tg_tls_authorities **out_authorities,
                                  tg_detail *detail)
{
    TG_CLEANUP(tg_buf_done) tg_buf pem;
    tg_buf_init(&pem, TG_MAX_AUTHORITIES_PEM_BYTES);
    tg_result result = tg_file_read_regular(path, &pem);
    if (result.code == TG_ERR_SYSTEM) {
        tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(result));
    } else if (result.code == TG_ERR_UNSUPPORTED) {
        tg_detail_set_reason(detail, "is no regular file");
    } else if (result.code == TG_ERR_LIMIT) {
        tg_detail_set_reason(detail, "longer than %zu bytes", pem.max);
    } else if (tg_is_ok(result)) {
        result = tg_tls_authorities_parse(tg_buf_slice(&pem), now_unix_s, out_authorities, detail);
    }
    if (!tg_is_ok(result)) {
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    }
    return result;
}

tg_tls_authorities *tg_tls_authorities_ref(tg_tls_authorities *authorities)
{
    tg_refs_take(&authorities->refs);
    return authorities;
}

void tg_tls_authorities_unref(tg_tls_authorities *authorities)
{
    if (authorities == NULL || !tg_refs_drop(&authorities->refs)) {
        return;
    }
    X509_STORE_free(authorities->store);
    sk_X509_NAME_pop_free(authorities->names, X509_NAME_free);
    free(authorities);
}

size_t tg_tls_authorities_num(const tg_tls_authorities *authorities)
{
    return authorities->num_certificates;
}

tg_slice tg_tls_authorities_sha256(const tg_tls_authorities *authorities)
{
    return tg_slice_of(authorities->sha256, sizeof authorities->sha256);
}
