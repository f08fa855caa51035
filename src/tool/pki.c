#include "tool/pki.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { RSA_BITS = 3072, SERIAL_BYTES = 16, DAY_S = 86400, SKEW_S = 3600, MAX_SAN_BYTES = 8192, MAX_NAME_BYTES = 253 };

struct tg_pki_issued {
    X509 *certificate;
    EVP_PKEY *key;
};

void tg_pki_issued_free(tg_pki_issued *issued)
{
    if (issued != NULL) {
        X509_free(issued->certificate);
        EVP_PKEY_free(issued->key);
        free(issued);
    }
}

/* Only what can stand in a name: the text becomes part of a line that OpenSSL reads. */
static bool is_name(const char *name, const char *others)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)name[i];
        if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && strchr(others, c) == NULL) {
            return false;
        }
    }
    return len >= 1 && len <= MAX_NAME_BYTES;
}

static bool is_ip(const char *name)
{
    return strchr(name, ':') != NULL || strspn(name, "0123456789.") == strlen(name);
}

static tg_result append_san(const tg_pki_request *request, tg_buf *line, tg_detail *detail)
{
    for (size_t i = 0; i < request->num_names; i++) {
        const char *name = request->names[i];
        if (!is_name(name, ".-:_*") || i >= TG_MAX_PKI_NAMES) {
            tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(name));
            tg_detail_set_reason(detail, "is no host name and no IP address, or one too many");
            return tg_fail(TG_ERR_SYNTAX);
        }
        TG_TRY(tg_buf_printf(line, "%s%s:%s", i > 0 ? "," : "", is_ip(name) ? "IP" : "DNS", name));
    }
    return tg_buf_append_byte(line, 0);
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and of its full length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const tg_pki_request *request, const char *san)
{
    bool is_authority = request->role == TG_PKI_AUTHORITY;
    return add_extension(certificate, issuer, NID_basic_constraints,
                         is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage,
                         is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           (is_authority || (add_extension(certificate, issuer, NID_ext_key_usage,
                                           request->role == TG_PKI_SERVER ? "serverAuth" : "clientAuth") &&
                             add_extension(certificate, issuer, NID_subject_alt_name, san)));
}

static bool fill_in(X509 *certificate, EVP_PKEY *key, const tg_pki_request *request, const char *san)
{
    X509 *issuer = request->by != NULL ? request->by->certificate : certificate;
    EVP_PKEY *signer = request->by != NULL ? request->by->key : key;
    time_t from = (time_t)(request->now_unix_s - SKEW_S);
    time_t to = (time_t)(request->now_unix_s + (int64_t)request->days * DAY_S);
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), from) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), to) != NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)request->common_name, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && add_extensions(certificate, issuer, request, san) &&
           X509_sign(certificate, signer, EVP_sha256()) > 0;
}

static tg_result make(const tg_pki_request *request, const char *san, tg_pki_issued **out_issued, tg_detail *detail)
{
    tg_pki_issued *issued = calloc(1, sizeof *issued);
    if (issued == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    issued->certificate = X509_new();
    issued->key = request->is_rsa ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
    if (issued->certificate == NULL || issued->key == NULL ||
        !fill_in(issued->certificate, issued->key, request, san)) {
        const char *why = ERR_reason_error_string(ERR_peek_error());
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(request->common_name));
        tg_detail_set_reason(detail, "no certificate can be made: %s", why != NULL ? why : "OpenSSL fails");
        ERR_clear_error();
        tg_pki_issued_free(issued);
        return tg_fail(TG_ERR_LIBRARY);
    }
    *out_issued = issued;
    return tg_ok();
}

tg_result tg_pki_issue(const tg_pki_request *request, tg_pki_issued **out_issued, tg_detail *detail)
{
    if (!is_name(request->common_name, ".- ") || (request->role != TG_PKI_AUTHORITY && request->num_names == 0)) {
        tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(request->common_name));
        tg_detail_set_reason(detail, "a certificate needs a name that can be written, and one that is verified (SAN)");
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_buf san;
    tg_buf_init(&san, MAX_SAN_BYTES);
    tg_result result = append_san(request, &san, detail);
    if (tg_is_ok(result)) {
        result = make(request, (const char *)tg_buf_slice(&san).ptr, out_issued, detail);
    }
    tg_buf_done(&san);
    return result;
}

static tg_result append_bio(BIO *bio, bool is_written, tg_buf *pem)
{
    char *text;
    long len = is_written ? BIO_get_mem_data(bio, &text) : 0;
    tg_result result = len > 0 ? tg_buf_append(pem, tg_slice_of(text, (size_t)len)) : tg_fail(TG_ERR_LIBRARY);
    BIO_free(bio);
    ERR_clear_error();
    return result;
}

tg_result tg_pki_append_certificate(const tg_pki_issued *issued, tg_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return append_bio(bio, bio != NULL && PEM_write_bio_X509(bio, issued->certificate) == 1, pem);
}

tg_result tg_pki_append_key(const tg_pki_issued *issued, tg_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    return append_bio(
        bio, bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, issued->key, NULL, NULL, 0, NULL, NULL) == 1, pem);
}
