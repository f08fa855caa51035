#include "tls/identity.h"

#include "base/text.h"
#include "sys/file.h"
#include "sys/log.h"
#include "tls/engine.h"
#include "tls/openssl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* OpenSSL asks for a pass phrase here, where it would otherwise prompt on the terminal. */
static int refuse_pass_phrase(char *out, int cap, int is_writing, void *owner)
{
    (void)out;
    (void)cap;
    (void)is_writing;
    *(bool *)owner = true;
    return -1;
}

static tg_result read_key(tg_slice pem, EVP_PKEY **out_key, tg_detail *detail)
{
    bool is_encrypted = false;
    BIO *bio = BIO_new_mem_buf(pem.len > 0 ? pem.ptr : (const uint8_t *)"", (int)pem.len);
    if (bio == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_tls_errors_clear();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, &is_encrypted);
    BIO_free(bio);
    if (key != NULL) {
        tg_tls_errors_clear();
        *out_key = key;
        return tg_ok();
    }
    if (is_encrypted) {
        tg_tls_errors_clear();
        tg_detail_set_reason(detail, "private key: encrypted, and nobody is there to type its pass phrase");
        tg_detail_set_remedy(detail, "decrypt it with `openssl pkey -in KEY -out PLAIN` and protect the file instead");
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    tg_result result = tg_tls_fail_library(TG_ERR_SYNTAX, "private key", detail);
    tg_detail_set_remedy(detail, "give PEM: lines from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----");
    return result;
}

static void note_validity(tg_tls_identity *identity, const X509 *certificate)
{
    int64_t not_before = tg_tls_time_unix_s(X509_get0_notBefore(certificate));
    int64_t not_after = tg_tls_time_unix_s(X509_get0_notAfter(certificate));
    if (not_before > identity->not_before_unix_s) {
        identity->not_before_unix_s = not_before;
    }
    if (not_after < identity->not_after_unix_s) {
        identity->not_after_unix_s = not_after;
    }
}

static tg_result check_order(STACK_OF(X509) * certificates, tg_detail *detail)
{
    for (int i = 0; i + 1 < sk_X509_num(certificates); i++) {
        if (X509_check_issued(sk_X509_value(certificates, i + 1), sk_X509_value(certificates, i)) != X509_V_OK) {
            tg_detail_set_reason(detail, "certificate chain: certificate %d is not issued by certificate %d", i + 1,
                                 i + 2);
            tg_detail_set_remedy(detail, "put the server's certificate first, then its issuer, then that one's issuer");
            return tg_fail(TG_ERR_MISMATCH);
        }
    }
    return tg_ok();
}

static tg_result hash_spki(tg_tls_identity *identity, tg_detail *detail)
{
    uint8_t *der = NULL;
    int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(identity->certificate), &der);
    bool is_done =
        der_len > 0 && EVP_Digest(der, (size_t)der_len, identity->spki_sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return is_done ? tg_ok() : tg_tls_fail_library(TG_ERR_LIBRARY, "certificate chain: public key", detail);
}

static bool is_curve_of_tls(const EVP_PKEY *key)
{
    static const char *const curves[] = {SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1};
    char name[32];
    if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < TG_COUNT(curves); i++) {
        if (strcmp(name, curves[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The kinds that RFC 8446 §4.2.3 has signatures for, as far as our contexts take them. */
static tg_result check_key_kind(EVP_PKEY *key, tg_detail *detail)
{
    bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    if ((is_rsa && EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_bits(key) <= 8192) || is_curve_of_tls(key) ||
        EVP_PKEY_is_a(key, "ED25519") == 1) {
        return tg_ok();
    }
    tg_detail_set_reason(detail, "private key: %s of %d bits", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
    tg_detail_set_remedy(detail, "use P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits");
    return tg_fail(TG_ERR_UNSUPPORTED);
}

tg_result tg_tls_identity_new_of(STACK_OF(X509) * certificates, EVP_PKEY *key, bool is_generated,
                                 tg_tls_identity **out_identity, tg_detail *detail)
{
    tg_tls_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL) {
        EVP_PKEY_free(key);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&identity->refs);
    identity->key = key;
    identity->is_generated = is_generated;
    identity->not_before_unix_s = INT64_MIN;
    identity->not_after_unix_s = INT64_MAX;
    tg_result result = check_order(certificates, detail);
    if (tg_is_ok(result)) {
        result = check_key_kind(key, detail);
    }
    tg_tls_errors_clear();
    if (tg_is_ok(result) && X509_check_private_key(sk_X509_value(certificates, 0), key) != 1) {
        tg_tls_errors_clear();
        tg_detail_set_reason(detail, "private key: does not belong to the first certificate");
        tg_detail_set_remedy(detail,
                             "give the key that the certificate was requested with, and that certificate first");
        result = tg_fail(TG_ERR_MISMATCH);
    }
    if (tg_is_ok(result)) {
        for (int i = 0; i < sk_X509_num(certificates); i++) {
            note_validity(identity, sk_X509_value(certificates, i));
        }
        identity->certificate = sk_X509_value(certificates, 0);
        result = hash_spki(identity, detail);
    }
    if (!tg_is_ok(result)) {
        identity->certificate = NULL;
        tg_tls_identity_unref(identity);
        return result;
    }
    (void)sk_X509_shift(certificates);
    identity->chain = certificates;
    *out_identity = identity;
    return tg_ok();
}

static tg_result check_dates(const tg_tls_identity *identity, int64_t now_unix_s, tg_detail *detail)
{
    char when[32];
    char now[32];
    if (now_unix_s > identity->not_after_unix_s) {
        tg_detail_set_reason(detail, "certificate chain: expired at %s",
                             tg_tls_time_format(identity->not_after_unix_s, when));
        tg_detail_set_remedy(detail, "renew it; the clock says %s", tg_tls_time_format(now_unix_s, now));
        return tg_fail(TG_ERR_RANGE);
    }
    if (now_unix_s < identity->not_before_unix_s) {
        tg_detail_set_reason(detail, "certificate chain: not valid before %s",
                             tg_tls_time_format(identity->not_before_unix_s, when));
        tg_detail_set_remedy(detail, "check the clock, which says %s", tg_tls_time_format(now_unix_s, now));
        return tg_fail(TG_ERR_RANGE);
    }
    return tg_ok();
}

static tg_result check_len(tg_slice pem, size_t max, const char *what, tg_detail *detail)
{
    if (pem.len > max) {
        tg_detail_set_reason(detail, "%s: longer than %zu bytes", what, max);
        return tg_fail(TG_ERR_LIMIT);
    }
    return tg_ok();
}

tg_result tg_tls_identity_parse(tg_slice chain_pem, tg_slice key_pem, int64_t now_unix_s,
                                tg_tls_identity **out_identity, tg_detail *detail)
{
    STACK_OF(X509) * certificates;
    EVP_PKEY *key = NULL;
    tg_tls_identity *identity = NULL;
    tg_tls_start();
    TG_TRY(check_len(chain_pem, TG_MAX_CHAIN_PEM_BYTES, "certificate chain", detail));
    TG_TRY(check_len(key_pem, TG_MAX_KEY_PEM_BYTES, "private key", detail));
    TG_TRY(tg_tls_certificates_read(chain_pem, TG_MAX_CHAIN_CERTIFICATES, "certificate chain", &certificates, detail));
    tg_result result = read_key(key_pem, &key, detail);
    if (tg_is_ok(result)) {
        result = tg_tls_identity_new_of(certificates, key, false, &identity, detail);
    }
    if (!tg_is_ok(result)) {
        sk_X509_pop_free(certificates, X509_free);
        return result;
    }
    result = check_dates(identity, now_unix_s, detail);
    if (!tg_is_ok(result)) {
        tg_tls_identity_unref(identity);
        return result;
    }
    *out_identity = identity;
    return tg_ok();
}

static tg_result read_file(const char *path, tg_buf *buf, tg_detail *detail)
{
    tg_result result = tg_file_read_regular(path, buf);
    if (!tg_is_ok(result)) {
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        if (result.code == TG_ERR_LIMIT) {
            tg_detail_set_reason(detail, "longer than %zu bytes", buf->max);
        } else if (result.code == TG_ERR_UNSUPPORTED) {
            tg_detail_set_reason(detail, "is no regular file");
        } else {
            tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(result));
        }
    }
    return result;
}

tg_result tg_tls_identity_load(const char *chain_path, const char *key_path, int64_t now_unix_s,
                               tg_tls_identity **out_identity, tg_detail *detail)
{
    TG_CLEANUP(tg_buf_done) tg_buf chain;
    TG_CLEANUP(tg_buf_done) tg_buf key;
    tg_buf_init_wiped(&chain, TG_MAX_CHAIN_PEM_BYTES);
    tg_buf_init_wiped(&key, TG_MAX_KEY_PEM_BYTES);
    TG_TRY(read_file(chain_path, &chain, detail));
    TG_TRY(read_file(key_path, &key, detail));
    tg_result result =
        tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), now_unix_s, out_identity, detail);
    if (!tg_is_ok(result) && detail != NULL) {
        bool is_key = strncmp(detail->reason, "private key", strlen("private key")) == 0;
        tg_detail_set_place(detail, tg_slice_str(is_key ? key_path : chain_path), 0, (tg_slice){NULL, 0});
    }
    return result;
}

tg_tls_identity *tg_tls_identity_ref(tg_tls_identity *identity)
{
    tg_refs_take(&identity->refs);
    return identity;
}

void tg_tls_identity_unref(tg_tls_identity *identity)
{
    if (identity == NULL || !tg_refs_drop(&identity->refs)) {
        return;
    }
    X509_free(identity->certificate);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
    free(identity);
}

tg_slice tg_tls_identity_spki_sha256(const tg_tls_identity *identity)
{
    return tg_slice_of(identity->spki_sha256, sizeof identity->spki_sha256);
}

int64_t tg_tls_identity_not_before_unix_s(const tg_tls_identity *identity)
{
    return identity->not_before_unix_s;
}

int64_t tg_tls_identity_not_after_unix_s(const tg_tls_identity *identity)
{
    return identity->not_after_unix_s;
}

bool tg_tls_identity_is_generated(const tg_tls_identity *identity)
{
    return identity->is_generated;
}

tg_result tg_tls_identity_append_pem(const tg_tls_identity *identity, tg_buf *buf)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool is_written = bio != NULL && PEM_write_bio_X509(bio, identity->certificate) == 1;
    for (int i = 0; is_written && i < sk_X509_num(identity->chain); i++) {
        is_written = PEM_write_bio_X509(bio, sk_X509_value(identity->chain, i)) == 1;
    }
    tg_result result = tg_fail(TG_ERR_MEMORY);
    if (is_written) {
        char *text = NULL;
        long len = BIO_get_mem_data(bio, &text);
        result = tg_buf_append(buf, tg_slice_of(text, (size_t)len));
    }
    BIO_free(bio);
    return result;
}
