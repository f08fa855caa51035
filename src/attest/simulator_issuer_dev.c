#include "attest/simulator_issuer_dev.h"

#include "attest/simulator_root_dev.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { SKEW_S = 300, LEAF_S = 3 * 3600, ZONE_S = 24 * 3600, SERIAL_BYTES = 16, MAX_DER_BYTES = 1024 };

void tg_simulator_chain_init_dev(tg_simulator_chain *chain)
{
    *chain = (tg_simulator_chain){.root = tg_simulator_root_dev()};
    tg_buf_init(&chain->zone, MAX_DER_BYTES);
    tg_buf_init(&chain->leaf, MAX_DER_BYTES);
}

void tg_simulator_chain_done_dev(tg_simulator_chain *chain)
{
    EVP_PKEY_free(chain->key);
    tg_buf_done(&chain->zone);
    tg_buf_done(&chain->leaf);
}

typedef struct party {
    const char *name;
    EVP_PKEY *key;
    X509 *certificate;
} party;

static void party_done(party *self)
{
    EVP_PKEY_free(self->key);
    X509_free(self->certificate);
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    bool is_random = RAND_bytes(bytes, sizeof bytes) == 1;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and of full length (RFC 5280 §4.1.2.2) */
    BIGNUM *number = is_random ? BN_bin2bn(bytes, sizeof bytes, NULL) : NULL;
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

/* A certificate of self->key, signed by the issuer. */
static bool issue(party *self, const party *issuer, bool is_authority, int64_t now_unix_s, int64_t lifetime_s)
{
    self->key = EVP_EC_gen("P-384");
    self->certificate = X509_new();
    if (self->key == NULL || self->certificate == NULL) {
        return false;
    }
    X509 *certificate = self->certificate;
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)self->name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now_unix_s - SKEW_S)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(now_unix_s + lifetime_s)) != NULL &&
           X509_set_pubkey(certificate, self->key) == 1 &&
           add_extension(certificate, NID_basic_constraints,
                         is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage,
                         is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
           X509_sign(certificate, issuer->key, EVP_sha384()) > 0;
}

static tg_result put_der(X509 *certificate, tg_buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    tg_buf_clear(out);
    tg_result put = len > 0 ? tg_buf_append(out, tg_slice_of(der, (size_t)len)) : tg_fail(TG_ERR_LIBRARY);
    OPENSSL_free(der);
    return put;
}

tg_result tg_simulator_issue_dev(uint64_t now_unix_ms, tg_simulator_chain *chain)
{
    int64_t now_unix_s = (int64_t)(now_unix_ms / 1000);
    party root = {0};
    party zone = {.name = "teegate simulator zone"};
    party leaf = {.name = "teegate simulator"};
    tg_slice certificate = tg_simulator_root_dev(), key = tg_simulator_root_key_dev();
    const unsigned char *at = certificate.ptr;
    root.certificate = d2i_X509(NULL, &at, (long)certificate.len);
    at = key.ptr;
    root.key = d2i_AutoPrivateKey(NULL, &at, (long)key.len);
    bool is_issued = root.certificate != NULL && root.key != NULL && issue(&zone, &root, true, now_unix_s, ZONE_S) &&
                     issue(&leaf, &zone, false, now_unix_s, LEAF_S);
    tg_result made = is_issued ? put_der(zone.certificate, &chain->zone) : tg_fail(TG_ERR_LIBRARY);
    if (tg_is_ok(made)) {
        made = put_der(leaf.certificate, &chain->leaf);
    }
    EVP_PKEY_free(chain->key);
    chain->key = tg_is_ok(made) ? TG_TAKE(leaf.key) : NULL;
    chain->until_unix_ms = tg_is_ok(made) ? now_unix_ms + (uint64_t)LEAF_S * 1000 : 0;
    party_done(&root);
    party_done(&zone);
    party_done(&leaf);
    ERR_clear_error();
    return made;
}
