#include "attest/recipient.h"
#include "support/case.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* What the tests vary; zeros make what KMS makes. */
typedef struct message {
    const EVP_CIPHER *cipher; /* NULL: AES-256-CBC */
    const EVP_MD *oaep;       /* NULL: SHA-256 */
    const EVP_MD *mgf1;       /* NULL: SHA-256 */
    bool is_pkcs1;
    bool has_label;
    bool is_der;       /* definite lengths */
    bool is_detached;  /* without content */
    bool is_of_signed; /* the content is said to be SignedData */
    unsigned num_more; /* recipients, to the same key */
} message;

static const uint8_t key[32] = {0xaa, 0xbb, 0xcc};

/* Two pairs for all tests: making one takes a while. */
static tg_recipient *ours, *theirs;
static X509 *certificate;

static X509 *certificate_of(EVP_PKEY *of)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(made, name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made), 3600));
    assert_int_equal(X509_set_pubkey(made, of), 1);
    assert_true(X509_sign(made, of, EVP_sha256()) > 0);
    return made;
}

static int make_keys(void **state)
{
    (void)state;
    EVP_PKEY *pair = EVP_RSA_gen(2048);
    certificate = certificate_of(pair);
    assert_ok(tg_recipient_adopt(pair, &ours));
    assert_ok(tg_recipient_new(&theirs));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    X509_free(certificate);
    tg_recipient_free(ours);
    tg_recipient_free(theirs);
    tg_recipient_free(NULL);
    return 0;
}

static void add_recipient(CMS_ContentInfo *cms, const message *with)
{
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, certificate, CMS_KEY_PARAM);
    assert_non_null(info);
    EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(info);
    if (!with->is_pkcs1) {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(context, with->oaep != NULL ? with->oaep : EVP_sha256()) > 0);
        assert_true(EVP_PKEY_CTX_set_rsa_mgf1_md(context, with->mgf1 != NULL ? with->mgf1 : EVP_sha256()) > 0);
    }
    if (with->has_label) {
        void *label = OPENSSL_strdup("label");
        assert_true(EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, 5) > 0);
    }
}

/* The message's bytes, BER with indefinite lengths unless asked otherwise; the caller frees the slice's ptr. */
static tg_slice encrypt(tg_slice plaintext, message with)
{
    unsigned flags = CMS_BINARY | CMS_PARTIAL | (with.is_der ? 0 : CMS_STREAM) | (with.is_detached ? CMS_DETACHED : 0);
    BIO *in = BIO_new_mem_buf(plaintext.ptr, (int)plaintext.len), *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, with.cipher != NULL ? with.cipher : EVP_aes_256_cbc(), flags);
    assert_non_null(cms);
    if (with.is_of_signed) {
        assert_int_equal(CMS_set1_eContentType(cms, OBJ_nid2obj(NID_pkcs7_signed)), 1);
    }
    for (unsigned i = 0; i <= with.num_more; i++) {
        add_recipient(cms, &with);
    }
    if (with.is_der) {
        assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
        assert_int_equal(i2d_CMS_bio(out, cms), 1);
    } else {
        assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int)flags), 1);
    }
    char *bytes = NULL;
    long len = BIO_get_mem_data(out, &bytes);
    uint8_t *copy = malloc((size_t)len);
    assert_non_null(copy);
    memcpy(copy, bytes, (size_t)len);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
    return tg_slice_of(copy, (size_t)len);
}

static void free_slice(tg_slice slice)
{
    free((void *)(uintptr_t)slice.ptr);
}

static tg_result open_message(const tg_recipient *recipient, tg_slice plaintext, message with, tg_detail *detail)
{
    tg_secret *secret = NULL;
    tg_slice bytes = encrypt(plaintext, with);
    tg_result opened = tg_recipient_open(recipient, bytes, sizeof key, &secret, detail);
    if (tg_is_ok(opened)) {
        assert_memory_equal(tg_secret_bytes(secret), plaintext.ptr, sizeof key);
    }
    tg_secret_free(secret);
    free_slice(bytes);
    return opened;
}

static const tg_slice plain = {key, sizeof key};

static void open_what_kms_makes_gives_the_key(void **state)
{
    (void)state;
    tg_detail detail = {0};
    assert_ok(open_message(ours, plain, (message){0}, &detail));
    assert_ok(open_message(ours, plain, (message){.is_der = true}, &detail));
}

static void open_other_forms_are_unsupported(void **state)
{
    (void)state;
    static const struct {
        const char *reason;
        bool is_pkcs1, has_label, is_detached;
        unsigned num_more;
    } cases[] = {{"RSAES_OAEP_SHA_256", .is_pkcs1 = true},
                 {"RSAES_OAEP_SHA_256", .has_label = true},
                 {"one recipient", .num_more = 1}};
    tg_detail detail = {0};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        message with = {.is_pkcs1 = cases[i].is_pkcs1, .has_label = cases[i].has_label, .num_more = cases[i].num_more};
        assert_code(open_message(ours, plain, with, &detail), TG_ERR_UNSUPPORTED);
        assert_non_null(strstr(detail.reason, cases[i].reason));
    }
    const message other_hashes[] = {{.oaep = EVP_sha1(), .mgf1 = EVP_sha1()},
                                    {.oaep = EVP_sha256(), .mgf1 = EVP_sha1()},
                                    {.oaep = EVP_sha1(), .mgf1 = EVP_sha256()},
                                    {.oaep = EVP_sha384(), .mgf1 = EVP_sha384()}};
    for (size_t i = 0; i < TG_COUNT(other_hashes); i++) {
        assert_code(open_message(ours, plain, other_hashes[i], &detail), TG_ERR_UNSUPPORTED);
    }
    const message other_ciphers[] = {{.cipher = EVP_aes_128_cbc()}, {.cipher = EVP_des_ede3_cbc()}};
    for (size_t i = 0; i < TG_COUNT(other_ciphers); i++) {
        assert_code(open_message(ours, plain, other_ciphers[i], &detail), TG_ERR_UNSUPPORTED);
        assert_non_null(strstr(detail.reason, "AES-256-CBC"));
    }
    assert_code(open_message(ours, plain, (message){.is_of_signed = true}, &detail), TG_ERR_UNSUPPORTED);
}

/* All 32 bytes are out before the last block's padding is looked at. */
static void open_damaged_padding_is_auth(void **state)
{
    (void)state;
    tg_secret *secret = NULL;
    tg_detail detail = {0};
    tg_slice bytes = encrypt(plain, (message){.is_der = true});
    uint8_t *copy = malloc(bytes.len);
    assert_non_null(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len - 17] ^= 1; /* in CBC, the same bit of the block behind it */
    assert_code(tg_recipient_open(ours, tg_slice_of(copy, bytes.len), sizeof key, &secret, &detail), TG_ERR_AUTH);
    assert_null(secret);
    assert_string_equal(detail.reason, "its content does not decrypt");
    free(copy);
    free_slice(bytes);
}

/* OpenSSL's way of asking all recipients would let through one in two hundred as a random key. */
static void open_message_to_another_key_never_opens(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        tg_detail detail = {0};
        assert_code(open_message(theirs, plain, (message){0}, &detail), TG_ERR_AUTH);
    }
}

static void open_plaintext_of_other_length_is_range(void **state)
{
    (void)state;
    static const uint8_t longer[64];
    static const size_t lens[] = {0, 1, 31, 33, 48, 64};
    for (size_t i = 0; i < TG_COUNT(lens); i++) {
        tg_detail detail = {0};
        assert_code(open_message(ours, tg_slice_of(longer, lens[i]), (message){0}, &detail), TG_ERR_RANGE);
    }
}

static void open_without_content_is_refused(void **state)
{
    (void)state;
    tg_detail detail = {0};
    tg_result opened = open_message(ours, plain, (message){.is_detached = true, .is_der = true}, &detail);
    assert_false(tg_is_ok(opened));
    assert_true(detail.reason[0] != 0);
}

static void open_every_truncation_and_longer_is_syntax(void **state)
{
    (void)state;
    tg_slice bytes = encrypt(plain, (message){0});
    uint8_t *longer = malloc(bytes.len + 1);
    assert_non_null(longer);
    memcpy(longer, bytes.ptr, bytes.len);
    longer[bytes.len] = 0;
    for (size_t len = 0; len <= bytes.len + 1; len++) {
        tg_secret *secret = NULL;
        tg_result opened = tg_recipient_open(ours, tg_slice_of(longer, len), sizeof key, &secret, NULL);
        assert_code(opened, len == bytes.len ? TG_OK : TG_ERR_SYNTAX);
        tg_secret_free(secret);
    }
    free(longer);
    free_slice(bytes);
}

static void open_every_flipped_bit_is_a_key_or_an_error(void **state)
{
    (void)state;
    tg_slice bytes = encrypt(plain, (message){0});
    uint8_t *copy = malloc(bytes.len);
    assert_non_null(copy);
    for (size_t i = 0; i < bytes.len; i++) {
        tg_secret *secret = NULL;
        tg_detail detail = {0};
        memcpy(copy, bytes.ptr, bytes.len);
        copy[i] = (uint8_t)(copy[i] ^ 1u << (i % 8));
        tg_result opened = tg_recipient_open(ours, tg_slice_of(copy, bytes.len), sizeof key, &secret, &detail);
        assert_true(tg_is_ok(opened) == (secret != NULL));
        assert_true(tg_is_ok(opened) || detail.reason[0] != 0);
        assert_null(strstr(detail.reason, "\xaa"));
        tg_secret_free(secret);
    }
    free(copy);
    free_slice(bytes);
}

static void open_over_limits_is_limit(void **state)
{
    (void)state;
    static const uint8_t bytes[TG_MAX_ENVELOPED_BYTES + 1];
    tg_secret *secret = NULL;
    assert_code(tg_recipient_open(ours, tg_slice_of(bytes, sizeof bytes), 32, &secret, NULL), TG_ERR_LIMIT);
    assert_code(tg_recipient_open(ours, TG_LIT("x"), TG_MAX_ENVELOPED_PLAINTEXT_BYTES + 1, &secret, NULL),
                TG_ERR_LIMIT);
    assert_null(secret);
}

static void open_other_cms_kinds_are_unsupported(void **state)
{
    (void)state;
    BIO *in = BIO_new_mem_buf(key, sizeof key), *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_data_create(in, CMS_BINARY);
    assert_int_equal(i2d_CMS_bio(out, cms), 1);
    char *bytes = NULL;
    long len = BIO_get_mem_data(out, &bytes);
    tg_secret *secret = NULL;
    assert_code(tg_recipient_open(ours, tg_slice_of(bytes, (size_t)len), 32, &secret, NULL), TG_ERR_UNSUPPORTED);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
}

static void public_key_is_of_2048_bits(void **state)
{
    (void)state;
    tg_slice der = tg_recipient_public(theirs);
    const unsigned char *at = der.ptr;
    EVP_PKEY *read = d2i_PUBKEY(NULL, &at, (long)der.len);
    assert_non_null(read);
    assert_int_equal(EVP_PKEY_get_bits(read), 2048);
    assert_ptr_equal(at, der.ptr + der.len);
    EVP_PKEY_free(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_what_kms_makes_gives_the_key),
        cmocka_unit_test(open_other_forms_are_unsupported),
        cmocka_unit_test(open_damaged_padding_is_auth),
        cmocka_unit_test(open_message_to_another_key_never_opens),
        cmocka_unit_test(open_plaintext_of_other_length_is_range),
        cmocka_unit_test(open_without_content_is_refused),
        cmocka_unit_test(open_every_truncation_and_longer_is_syntax),
        cmocka_unit_test(open_every_flipped_bit_is_a_key_or_an_error),
        cmocka_unit_test(open_over_limits_is_limit),
        cmocka_unit_test(open_other_cms_kinds_are_unsupported),
        cmocka_unit_test(public_key_is_of_2048_bits),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
