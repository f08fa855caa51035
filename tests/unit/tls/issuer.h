/* Certificates for tests: an authority, and what it or nobody vouches for, made while the test runs. */
#ifndef TG_TESTS_UNIT_TLS_ISSUER_H
#define TG_TESTS_UNIT_TLS_ISSUER_H

#include "base/buf.h"
#include "support/case.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

typedef struct test_certificate {
    X509 *certificate;
    EVP_PKEY *key;
} test_certificate;

enum { TEST_DAY_S = 86400 };

typedef struct test_request {
    const char *subject;        /* CN */
    const char *san;            /* as openssl.cnf writes it ("DNS:a,URI:b"); NULL: none */
    const char *constraints;    /* NULL: CA:FALSE */
    const char *usage;          /* extended key usage; NULL: none */
    const test_certificate *by; /* NULL: self-signed */
    EVP_PKEY *key;              /* NULL: a new P-256 key */
    long from_s;                /* seconds from now; 0: an hour ago */
    long to_s;                  /* 0: in 30 days */
} test_request;

static inline void test_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline test_certificate test_issue(const test_request *request)
{
    static long serial = 1000;
    test_certificate made = {X509_new(), request->key};
    if (made.key != NULL) {
        EVP_PKEY_up_ref(made.key);
    } else {
        made.key = EVP_EC_gen("P-256");
    }
    assert_non_null(made.certificate);
    assert_non_null(made.key);
    X509 *certificate = made.certificate;
    X509 *issuer = request->by != NULL ? request->by->certificate : certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), request->from_s != 0 ? request->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), request->to_s != 0 ? request->to_s : 30L * TEST_DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)request->subject, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509_set_pubkey(certificate, made.key);
    test_extend(certificate, issuer, NID_basic_constraints,
                request->constraints != NULL ? request->constraints : "critical,CA:FALSE");
    if (request->san != NULL) {
        test_extend(certificate, issuer, NID_subject_alt_name, request->san);
    }
    if (request->usage != NULL) {
        test_extend(certificate, issuer, NID_ext_key_usage, request->usage);
    }
    const EVP_MD *digest = EVP_PKEY_is_a(made.key, "ED25519") == 1 ? NULL : EVP_sha256();
    assert_true(X509_sign(certificate, request->by != NULL ? request->by->key : made.key, digest) > 0);
    return made;
}

static inline test_certificate test_issue_authority(const char *subject)
{
    return test_issue(&(test_request){.subject = subject, .constraints = "critical,CA:TRUE"});
}

static inline void test_certificate_done(test_certificate *made)
{
    X509_free(made->certificate);
    EVP_PKEY_free(made->key);
    *made = (test_certificate){NULL, NULL};
}

static inline void test_append_bio(BIO *bio, tg_buf *pem)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    assert_ok(tg_buf_append(pem, tg_slice_of(text, (size_t)len)));
    BIO_free(bio);
}

static inline void test_append_certificate(const test_certificate *made, tg_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, made->certificate), 1);
    test_append_bio(bio, pem);
}

static inline void test_append_key(const test_certificate *made, tg_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, made->key, NULL, NULL, 0, NULL, NULL), 1);
    test_append_bio(bio, pem);
}

static inline int64_t test_now(void)
{
    return (int64_t)time(NULL);
}

#endif
