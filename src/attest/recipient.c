#include "attest/recipient.h"

#include "base/buf.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { KEY_BITS = 2048 };

struct tg_recipient {
    EVP_PKEY *key;
    unsigned char *public_der;
    size_t public_len;
};

tg_result tg_recipient_adopt(EVP_PKEY *key, tg_recipient **out_recipient)
{
    tg_recipient *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    int len = i2d_PUBKEY(key, &self->public_der);
    ERR_clear_error();
    if (len <= 0) {
        tg_recipient_free(self);
        return tg_fail(TG_ERR_LIBRARY);
    }
    self->key = key;
    self->public_len = (size_t)len;
    *out_recipient = self;
    return tg_ok();
}

tg_result tg_recipient_new(tg_recipient **out_recipient)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    if (key == NULL) {
        ERR_clear_error();
        return tg_fail(TG_ERR_LIBRARY);
    }
    tg_result adopted = tg_recipient_adopt(key, out_recipient);
    if (!tg_is_ok(adopted)) {
        EVP_PKEY_free(key);
    }
    return adopted;
}

void tg_recipient_free(tg_recipient *recipient)
{
    if (recipient != NULL) {
        EVP_PKEY_free(recipient->key); /* clears its numbers */
        OPENSSL_free(recipient->public_der);
        free(recipient);
    }
}

tg_slice tg_recipient_public(const tg_recipient *recipient)
{
    return tg_slice_of(recipient->public_der, recipient->public_len);
}

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("CiphertextForRecipient"));
    tg_detail_set_reason(detail, "%s", reason);
    ERR_clear_error();
    return tg_fail(code);
}

static bool is_sha256(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    int type = V_ASN1_UNDEF;
    if (algorithm == NULL) {
        return false; /* absent means SHA-1 */
    }
    X509_ALGOR_get0(&object, &type, NULL, algorithm);
    return OBJ_obj2nid(object) == NID_sha256 && (type == V_ASN1_NULL || type == V_ASN1_UNDEF);
}

/* MGF1 and, as its parameter, its hash (RFC 4055 §2.2). */
static bool is_mgf1_of_sha256(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF;
    if (algorithm == NULL) {
        return false;
    }
    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE) {
        return false;
    }
    X509_ALGOR *hash = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), algorithm->parameter);
    bool is_good = is_sha256(hash);
    X509_ALGOR_free(hash);
    return is_good;
}

/* RSAES-OAEP with SHA-256 for both of its hashes, and no label (RFC 4055 §4.1). */
static bool is_oaep_sha256(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(&object, &type, NULL, algorithm);
    if (OBJ_obj2nid(object) != NID_rsaesOaep || type != V_ASN1_SEQUENCE) {
        return false;
    }
    RSA_OAEP_PARAMS *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_OAEP_PARAMS), algorithm->parameter);
    bool is_good = params != NULL && is_sha256(params->hashFunc) && is_mgf1_of_sha256(params->maskGenFunc);
    if (is_good && params->pSourceFunc != NULL) {
        const void *label = NULL;
        X509_ALGOR_get0(&object, &type, &label, params->pSourceFunc);
        is_good =
            OBJ_obj2nid(object) == NID_pSpecified && type == V_ASN1_OCTET_STRING && ASN1_STRING_length(label) == 0;
    }
    RSA_OAEP_PARAMS_free(params);
    return is_good;
}

/* The one recipient, unwrapping by our key alone: asked otherwise, OpenSSL puts a random key in place of one that does
 * not unwrap, and every 200th time that decrypts to something. */
static tg_result unwrap(CMS_ContentInfo *cms, EVP_PKEY *key, tg_detail *detail)
{
    STACK_OF(CMS_RecipientInfo) *infos = CMS_get0_RecipientInfos(cms);
    if (infos == NULL || sk_CMS_RecipientInfo_num(infos) != 1) {
        return refuse(detail, TG_ERR_UNSUPPORTED, "it has not exactly one recipient");
    }
    CMS_RecipientInfo *info = sk_CMS_RecipientInfo_value(infos, 0);
    X509_ALGOR *algorithm = NULL;
    if (CMS_RecipientInfo_type(info) != CMS_RECIPINFO_TRANS ||
        CMS_RecipientInfo_ktri_get0_algs(info, NULL, NULL, &algorithm) != 1 || !is_oaep_sha256(algorithm)) {
        return refuse(detail, TG_ERR_UNSUPPORTED, "its key is not wrapped by RSAES_OAEP_SHA_256");
    }
    if (EVP_PKEY_up_ref(key) != 1) {
        return tg_fail(TG_ERR_LIBRARY);
    }
    CMS_RecipientInfo_set0_pkey(info, key);
    bool is_unwrapped = CMS_RecipientInfo_decrypt(cms, info) > 0;
    CMS_RecipientInfo_set0_pkey(info, NULL);
    return is_unwrapped ? tg_ok() : refuse(detail, TG_ERR_AUTH, "its key does not unwrap: it is not to this enclave");
}

/* Reads all plaintext that there is into the secret, and one byte more where it is longer. */
static tg_result take(BIO *chain, tg_secret *secret, tg_detail *detail)
{
    size_t len = 0, want_len = tg_secret_len(secret);
    uint8_t more[EVP_MAX_BLOCK_LENGTH];
    for (;;) {
        bool is_full = len == want_len;
        int got = BIO_read(chain, is_full ? more : tg_secret_fill(secret) + len,
                           (int)(is_full ? sizeof more : want_len - len));
        if (got <= 0) {
            break;
        }
        if (is_full) {
            tg_wipe(more, sizeof more);
            return refuse(detail, TG_ERR_RANGE, "the plaintext is longer than the key that was asked for");
        }
        len += (size_t)got;
    }
    if (BIO_get_cipher_status(chain) != 1) {
        return refuse(detail, TG_ERR_AUTH, "its content does not decrypt");
    }
    return len == want_len ? tg_ok()
                           : refuse(detail, TG_ERR_RANGE, "the plaintext is shorter than the key that was asked for");
}

static tg_result decrypt(CMS_ContentInfo *cms, tg_secret *secret, tg_detail *detail)
{
    EVP_CIPHER_CTX *cipher = NULL;
    BIO *chain = CMS_dataInit(cms, NULL);
    BIO *stage = chain != NULL ? BIO_find_type(chain, BIO_TYPE_CIPHER) : NULL;
    tg_result taken;
    if (stage == NULL || BIO_get_cipher_ctx(stage, &cipher) != 1) {
        taken = refuse(detail, TG_ERR_UNSUPPORTED, "it has no encrypted content");
    } else if (EVP_CIPHER_CTX_get_nid(cipher) != NID_aes_256_cbc) {
        taken = refuse(detail, TG_ERR_UNSUPPORTED, "its content is not encrypted by AES-256-CBC");
    } else {
        taken = take(chain, secret, detail);
    }
    BIO_free_all(chain);
    return taken;
}

static tg_result open_cms(CMS_ContentInfo *cms, EVP_PKEY *key, tg_secret *secret, tg_detail *detail)
{
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_enveloped ||
        OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data) {
        return refuse(detail, TG_ERR_UNSUPPORTED, "it is no EnvelopedData");
    }
    TG_TRY(unwrap(cms, key, detail));
    return decrypt(cms, secret, detail);
}

tg_result tg_recipient_open(const tg_recipient *recipient, tg_slice enveloped, size_t want_len,
                            tg_secret **out_plaintext, tg_detail *detail)
{
    if (enveloped.len > TG_MAX_ENVELOPED_BYTES || want_len > TG_MAX_ENVELOPED_PLAINTEXT_BYTES) {
        return refuse(detail, TG_ERR_LIMIT, "it is longer than KMS makes it");
    }
    ERR_clear_error();
    const unsigned char *at = enveloped.ptr;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)enveloped.len);
    if (cms == NULL || at != enveloped.ptr + enveloped.len) {
        CMS_ContentInfo_free(cms);
        return refuse(detail, TG_ERR_SYNTAX, "it is no CMS message (RFC 5652), or has bytes behind it");
    }
    tg_secret *secret = NULL;
    tg_result opened = tg_secret_new(want_len, &secret);
    if (tg_is_ok(opened)) {
        opened = open_cms(cms, recipient->key, secret, detail);
    }
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    if (!tg_is_ok(opened)) {
        tg_secret_free(secret);
        return opened;
    }
    *out_plaintext = secret;
    return tg_ok();
}
