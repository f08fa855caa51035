/* Chains that an attacker could make: of the right names and in the right order, and yet not the root's. */
#include "attest/cose.h"
#include "attest/nitro_document.h"
#include "support/case.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { MAX_CHAIN = TG_MAX_NITRO_BUNDLE, HALF_BYTES = TG_NITRO_SIGNATURE_BYTES / 2 };

static const uint64_t now_s = 1795248000;
static const tg_slice es384 = {(const uint8_t *)"\xa1\x01\x38\x22", 4};

/* What is wrong with one certificate of a chain; zeros: nothing. */
typedef struct flaw {
    size_t at;             /* its place: 0 the root, the last the leaf */
    bool is_forged;        /* signed by a key that is not its issuer's */
    bool is_no_authority;  /* not a CA */
    bool is_pathlen_zero;  /* allowed leaves alone */
    bool is_critical;      /* with a critical extension that nobody knows */
    bool is_p256;          /* its key */
    bool is_expired;       /* since an hour */
    bool is_early;         /* begins in an hour */
    bool has_byte_behind;  /* its DER */
    bool is_signer_beside; /* the document is signed by another key than the leaf's */
} flaw;

static struct {
    EVP_PKEY *keys[MAX_CHAIN + 1];
    EVP_PKEY *stranger; /* the attacker's */
    EVP_PKEY *p256;
    uint8_t der[MAX_CHAIN + 1][1200];
    size_t len[MAX_CHAIN + 1];
    uint8_t signature[TG_NITRO_SIGNATURE_BYTES];
    size_t num; /* of the chain, the leaf too */
} made;

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(made.keys); i++) {
        made.keys[i] = EVP_EC_gen("P-384");
        assert_non_null(made.keys[i]);
    }
    made.stranger = EVP_EC_gen("P-384");
    made.p256 = EVP_EC_gen("P-256");
    return made.stranger != NULL && made.p256 != NULL ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < TG_COUNT(made.keys); i++) {
        EVP_PKEY_free(made.keys[i]);
    }
    EVP_PKEY_free(made.stranger);
    EVP_PKEY_free(made.p256);
    return 0;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void add_unknown_critical(X509 *certificate)
{
    ASN1_OBJECT *object = OBJ_txt2obj("1.2.3.4.5", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2), 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void set_name(X509_NAME *name, size_t index)
{
    char text[16];
    snprintf(text, sizeof text, "level %zu", index);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0), 1);
}

static EVP_PKEY *key_of(size_t index, const flaw *with)
{
    return with->is_p256 && with->at == index ? made.p256 : made.keys[index];
}

static void make_certificate(size_t index, const flaw *with)
{
    const flaw none = {0};
    const flaw *own = with->at == index ? with : &none;
    bool is_leaf = index + 1 == made.num;
    size_t issuer = index > 0 ? index - 1 : 0;
    X509 *certificate = X509_new();
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)index + 1), 1);
    set_name(X509_get_subject_name(certificate), index);
    set_name(X509_get_issuer_name(certificate), issuer);
    time_t from = (time_t)now_s + (own->is_early ? 3600 : -7200),
           until = (time_t)now_s + (own->is_expired ? -3600 : 7200);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), from));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), until));
    assert_int_equal(X509_set_pubkey(certificate, key_of(index, with)), 1);
    add_extension(certificate, NID_basic_constraints,
                  is_leaf || own->is_no_authority ? "critical,CA:FALSE"
                  : own->is_pathlen_zero          ? "critical,CA:TRUE,pathlen:0"
                                                  : "critical,CA:TRUE");
    add_extension(certificate, NID_key_usage, is_leaf ? "critical,digitalSignature" : "critical,keyCertSign");
    if (own->is_critical) {
        add_unknown_critical(certificate);
    }
    EVP_PKEY *signer = own->is_forged ? made.stranger : key_of(issuer, with);
    assert_true(X509_sign(certificate, signer, EVP_sha384()) > 0);
    unsigned char *at = made.der[index];
    int len = i2d_X509(certificate, NULL);
    assert_true(len > 0 && (size_t)len < sizeof made.der[index]);
    assert_int_equal(i2d_X509(certificate, &at), len);
    made.der[index][len] = 0;
    made.len[index] = (size_t)len + own->has_byte_behind;
    X509_free(certificate);
}

static void sign(EVP_PKEY *key, tg_slice payload)
{
    uint8_t der[128];
    const unsigned char *at = der;
    size_t len = sizeof der;
    tg_buf text;
    tg_buf_init(&text, 1024);
    assert_ok(tg_cose_put_signed(&text, es384, payload));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, der, &len, tg_buf_slice(&text).ptr, tg_buf_len(&text)), 1);
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), made.signature, HALF_BYTES), HALF_BYTES);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), made.signature + HALF_BYTES, HALF_BYTES), HALF_BYTES);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(context);
    tg_buf_done(&text);
}

static tg_slice der_at(size_t index)
{
    return tg_slice_of(made.der[index], made.len[index]);
}

/* A document of a chain of `num` certificates, root and leaf among them. */
static tg_nitro_document document_of(size_t num, const flaw *with)
{
    tg_nitro_document document = {.timestamp_unix_ms = now_s * 1000,
                                  .protected_header = es384,
                                  .payload = TG_LIT("what is signed"),
                                  .num_bundle = num - 1};
    made.num = num;
    for (size_t i = 0; i < num; i++) {
        make_certificate(i, with);
        if (i + 1 < num) {
            document.bundle[i] = der_at(i);
        }
    }
    document.certificate = der_at(num - 1);
    sign(with->is_signer_beside ? made.stranger : key_of(num - 1, with), document.payload);
    document.signature = tg_slice_of(made.signature, sizeof made.signature);
    return document;
}

static void assert_refused(const tg_nitro_document *document, const char *field, const char *reason)
{
    tg_detail detail = {0};
    tg_result verified = tg_nitro_document_verify(document, der_at(0), &detail);
    if (verified.code != TG_ERR_AUTH || strcmp(detail.field, field) != 0 || strstr(detail.reason, reason) == NULL) {
        fail_msg("%s %s: %s is not %s: %s", tg_code_name(verified.code), detail.field, detail.reason, field, reason);
    }
}

static void verify_chains_of_each_length_are_accepted(void **state)
{
    (void)state;
    for (size_t num = 2; num <= MAX_CHAIN + 1; num++) {
        tg_detail detail = {0};
        tg_nitro_document document = document_of(num, &(flaw){0});
        tg_result verified = tg_nitro_document_verify(&document, der_at(0), &detail);
        if (!tg_is_ok(verified)) {
            fail_msg("%zu: %s: %s", num, detail.field, detail.reason);
        }
    }
}

static void verify_flawed_certificates_are_refused(void **state)
{
    (void)state;
    static const struct {
        flaw with;
        const char *field, *reason;
    } cases[] = {
        {{.at = 1, .is_forged = true}, "certificate", "signature"},
        {{.at = 2, .is_forged = true}, "certificate", "signature"},
        {{.at = 3, .is_forged = true}, "certificate", "signature"},
        {{.at = 2, .is_no_authority = true}, "certificate", "invalid CA"},
        {{.at = 1, .is_pathlen_zero = true}, "certificate", "path length"},
        {{.at = 1, .is_critical = true}, "certificate", "critical"},
        {{.at = 3, .is_critical = true}, "certificate", "critical"},
        {{.at = 1, .is_expired = true}, "certificate", "expired"},
        {{.at = 3, .is_expired = true}, "certificate", "expired"},
        {{.at = 3, .is_early = true}, "certificate", "not yet valid"},
        {{.at = 3, .is_p256 = true}, "certificate", "not of P-384"},
        {{.at = 1, .has_byte_behind = true}, "cabundle", "no certificate"},
        {{.at = 3, .has_byte_behind = true}, "certificate", "is no certificate"},
        {{.is_signer_beside = true}, "signature", "does not verify"},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_nitro_document document = document_of(4, &cases[i].with);
        assert_refused(&document, cases[i].field, cases[i].reason);
    }
}

static void verify_bundles_of_another_order_are_refused(void **state)
{
    (void)state;
    tg_nitro_document good = document_of(5, &(flaw){0});
    tg_nitro_document swapped = good, shorter = good, longer = good, doubled = good;
    swapped.bundle[1] = good.bundle[2];
    swapped.bundle[2] = good.bundle[1];
    assert_refused(&swapped, "cabundle", "not in order");
    shorter.num_bundle--; /* the leaf's issuer is missing */
    assert_refused(&shorter, "certificate", "not issued by the bundle's last");
    longer.bundle[longer.num_bundle++] = good.certificate;
    assert_refused(&longer, "certificate", "not issued by the bundle's last");
    doubled.bundle[1] = good.bundle[0]; /* the root again, where its child was */
    assert_refused(&doubled, "cabundle", "not in order");
    shorter = good;
    shorter.bundle[0] = good.bundle[1]; /* without the root */
    assert_refused(&shorter, "cabundle", "does not begin with the pinned root");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_chains_of_each_length_are_accepted),
        cmocka_unit_test(verify_flawed_certificates_are_refused),
        cmocka_unit_test(verify_bundles_of_another_order_are_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
