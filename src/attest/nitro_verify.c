#include "attest/cose.h"
#include "attest/nitro_document.h"

#include "base/buf.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static void free_certificate(X509 **certificate)
{
    X509_free(*certificate);
}

static void free_chain(STACK_OF(X509) * *chain)
{
    sk_X509_pop_free(*chain, X509_free);
}

static tg_result refuse(tg_detail *detail, const char *field, const char *reason)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "%s", reason);
    ERR_clear_error();
    return tg_fail(TG_ERR_AUTH);
}

/* One certificate and nothing behind it; NULL otherwise. */
static X509 *read_certificate(tg_slice der)
{
    const unsigned char *at = der.ptr;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL && at != der.ptr + der.len) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

/* The bundle, read and in order: the pinned root first, each the issuer of the next, the last that of the leaf. */
static tg_result read_chain(const tg_nitro_document *document, tg_slice root_der, X509 *leaf, STACK_OF(X509) * chain,
                            tg_detail *detail)
{
    if (!tg_slice_equal(document->bundle[0], root_der)) {
        return refuse(detail, "cabundle", "does not begin with the pinned root");
    }
    for (size_t i = 0; i < document->num_bundle; i++) {
        X509 *certificate = read_certificate(document->bundle[i]);
        if (certificate == NULL) {
            return refuse(detail, "cabundle", "holds what is no certificate");
        }
        if (sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);
            return tg_fail(TG_ERR_MEMORY);
        }
        X509 *issuer = i > 0 ? sk_X509_value(chain, (int)i - 1) : certificate;
        if (X509_check_issued(issuer, certificate) != X509_V_OK) {
            return refuse(detail, "cabundle", "is not in order: a certificate is not issued by the one before it");
        }
    }
    if (X509_check_issued(sk_X509_value(chain, sk_X509_num(chain) - 1), leaf) != X509_V_OK) {
        return refuse(detail, "certificate", "is not issued by the bundle's last certificate");
    }
    return tg_ok();
}

static int verify_chain(X509_STORE *store, X509_STORE_CTX *context, X509 *leaf, STACK_OF(X509) * chain, time_t at)
{
    if (X509_STORE_add_cert(store, sk_X509_value(chain, 0)) != 1 ||
        X509_STORE_CTX_init(context, store, leaf, chain) != 1) {
        return X509_V_ERR_OUT_OF_MEM;
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, at);
    X509_VERIFY_PARAM_set_depth(param, TG_MAX_NITRO_BUNDLE);
    return X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
}

static tg_result check_chain(const tg_nitro_document *document, tg_slice root_der, X509 *leaf, tg_detail *detail)
{
    STACK_OF(X509) * chain TG_CLEANUP(free_chain) = sk_X509_new_null();
    if (chain == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(read_chain(document, root_der, leaf, chain, detail));
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int error = X509_V_ERR_OUT_OF_MEM;
    if (store != NULL && context != NULL) {
        error = verify_chain(store, context, leaf, chain, (time_t)(document->timestamp_unix_ms / 1000));
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error == X509_V_OK ? tg_ok() : refuse(detail, "certificate", X509_verify_cert_error_string(error));
}

/* COSE writes r and s side by side (RFC 9053 §2.1); OpenSSL wants them in DER. */
static int to_der(tg_slice signature, unsigned char **out_der)
{
    size_t half = signature.len / 2;
    BIGNUM *r = BN_bin2bn(signature.ptr, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(signature.ptr + half, (int)half, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    int len = -1;
    if (r != NULL && s != NULL && pair != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL;
        s = NULL;
        len = i2d_ECDSA_SIG(pair, out_der);
    }
    ECDSA_SIG_free(pair);
    BN_free(r);
    BN_free(s);
    return len;
}

static bool is_p384(EVP_PKEY *key)
{
    char group[32] = "";
    size_t len = 0;
    return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
           (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0);
}

static tg_result check_signature(const tg_nitro_document *document, X509 *leaf, tg_detail *detail)
{
    tg_buf text;
    unsigned char *der = NULL;
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (key == NULL || !is_p384(key)) {
        return refuse(detail, "certificate", "its key is not of P-384");
    }
    tg_buf_init(&text, TG_MAX_NITRO_DOCUMENT_BYTES);
    tg_result result = tg_cose_put_signed(&text, document->protected_header, document->payload);
    int der_len = tg_is_ok(result) ? to_der(document->signature, &der) : -1;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (tg_is_ok(result) && (der_len < 0 || context == NULL)) {
        result = tg_fail(TG_ERR_MEMORY);
    }
    if (tg_is_ok(result) &&
        (EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) != 1 ||
         EVP_DigestVerify(context, der, (size_t)der_len, tg_buf_slice(&text).ptr, tg_buf_len(&text)) != 1)) {
        result = refuse(detail, "signature", "does not verify");
    }
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    tg_buf_done(&text);
    return result;
}

tg_result tg_nitro_document_verify(const tg_nitro_document *document, tg_slice root_der, tg_detail *detail)
{
    ERR_clear_error();
    X509 *leaf TG_CLEANUP(free_certificate) = read_certificate(document->certificate);
    if (leaf == NULL) {
        return refuse(detail, "certificate", "is no certificate");
    }
    TG_TRY(check_chain(document, root_der, leaf, detail));
    return check_signature(document, leaf, detail);
}
