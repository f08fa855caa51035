#include "tls/identity.h"

#include "tls/authorities.h"
#include "tls/context.h"
#include "unit/tls/issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static test_certificate root;
static test_certificate between;
static test_certificate leaf;
static tg_buf chain; /* what each case parses */
static tg_buf key;
static tg_detail detail;
static tg_tls_identity *identity;

static int set_up_all(void **state)
{
    (void)state;
    root = test_issue_authority("root");
    between = test_issue(&(test_request){.subject = "between", .constraints = "critical,CA:TRUE", .by = &root});
    leaf = test_issue(&(test_request){.subject = "leaf", .san = "DNS:one.test", .by = &between, .to_s = TEST_DAY_S});
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    test_certificate_done(&leaf);
    test_certificate_done(&between);
    test_certificate_done(&root);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    detail = (tg_detail){0};
    identity = NULL;
    tg_buf_init(&chain, 1 << 20);
    tg_buf_init(&key, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_tls_identity_unref(identity);
    tg_buf_done(&chain);
    tg_buf_done(&key);
    return 0;
}

static tg_result parse(void)
{
    return tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), test_now(), &identity, &detail);
}

static void refuse(tg_code code, const char *reason)
{
    assert_code(parse(), code);
    assert_null(identity);
    assert_string_equal(detail.reason, reason);
}

static void append_leaf(void)
{
    test_append_certificate(&leaf, &chain);
    test_append_key(&leaf, &key);
}

/* The hash that `openssl x509 -pubkey | openssl pkey -pubin -outform DER | sha256sum` gives. */
static void assert_spki(const test_certificate *made)
{
    uint8_t *der = NULL;
    uint8_t hash[32];
    int len = i2d_PUBKEY(made->key, &der);
    assert_true(len > 0);
    EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    assert_true(tg_slice_equal(tg_tls_identity_spki_sha256(identity), tg_slice_of(hash, sizeof hash)));
}

static void parse_leaf_alone_is_taken(void **state)
{
    (void)state;
    append_leaf();
    assert_ok(parse());
    assert_spki(&leaf);
    assert_false(tg_tls_identity_is_generated(identity));
    assert_in_range(tg_tls_identity_not_after_unix_s(identity), test_now() + TEST_DAY_S - 100, test_now() + TEST_DAY_S);
    assert_in_range(tg_tls_identity_not_before_unix_s(identity), test_now() - 3700, test_now() - 3500);
}

static void parse_whole_chain_is_taken_and_given_back(void **state)
{
    (void)state;
    tg_buf back;
    tg_buf_init(&back, 65536);
    append_leaf();
    test_append_certificate(&between, &chain);
    test_append_certificate(&root, &chain);
    assert_ok(parse());
    assert_ok(tg_tls_identity_append_pem(identity, &back));
    assert_true(tg_slice_equal(tg_buf_slice(&back), tg_buf_slice(&chain)));
    tg_buf_done(&back);
}

static void append_pem_past_the_buffers_maximum_fails(void **state)
{
    (void)state;
    tg_buf small;
    tg_buf_init(&small, 100);
    append_leaf();
    assert_ok(parse());
    assert_code(tg_tls_identity_append_pem(identity, &small), TG_ERR_LIMIT);
    tg_buf_done(&small);
}

static void parse_text_around_the_certificates_is_passed_over(void **state)
{
    (void)state;
    assert_ok(tg_buf_append_str(&chain, "subject=CN = leaf\n\n"));
    test_append_key(&leaf, &chain); /* one file for both, as haproxy has it */
    append_leaf();
    assert_ok(tg_buf_append_str(&chain, "# end\n"));
    assert_ok(parse());
}

static void parse_key_kinds_are_taken(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), EVP_EC_gen("P-384"), EVP_EC_gen("P-521"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        test_certificate made = test_issue(&(test_request){.subject = "x", .by = &root, .key = keys[i]});
        tg_buf_clear(&chain);
        tg_buf_clear(&key);
        test_append_certificate(&made, &chain);
        test_append_key(&made, &key);
        assert_ok(parse());
        assert_spki(&made);
        tg_tls_context *context;
        assert_ok(tg_tls_context_new_server(&(tg_tls_server_settings){.identity = identity}, &context, &detail));
        tg_tls_context_unref(context);
        tg_tls_identity_unref(TG_TAKE(identity));
        test_certificate_done(&made);
        EVP_PKEY_free(keys[i]);
    }
}

static void parse_older_form_of_key_is_taken(void **state)
{
    (void)state;
    test_append_certificate(&leaf, &chain);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, leaf.key, NULL, NULL, 0, NULL, NULL), 1);
    test_append_bio(bio, &key);
    assert_true(tg_slice_starts(tg_buf_slice(&key), TG_LIT("-----BEGIN EC PRIVATE KEY-----")));
    assert_ok(parse());
}

static void refuse_key(EVP_PKEY *made_key, const char *reason)
{
    test_certificate made = test_issue(&(test_request){.subject = "x", .by = &root, .key = made_key});
    test_append_certificate(&made, &chain);
    test_append_key(&made, &key);
    refuse(TG_ERR_UNSUPPORTED, reason);
    test_certificate_done(&made);
    EVP_PKEY_free(made_key);
}

static void parse_short_rsa_key_is_refused(void **state)
{
    (void)state;
    refuse_key(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), "private key: RSA of 1024 bits");
}

static void parse_key_of_a_curve_that_tls_has_not_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *curve, *reason;
    } cases[] = {{"secp256k1", "private key: EC of 256 bits"},
                 {"prime192v1", "private key: EC of 192 bits"},
                 {"brainpoolP256r1", "private key: EC of 256 bits"}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        tg_buf_clear(&chain);
        tg_buf_clear(&key);
        refuse_key(EVP_PKEY_Q_keygen(NULL, NULL, "EC", cases[i].curve), cases[i].reason);
    }
}

static void parse_encrypted_key_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const bool is_pkcs8[] = {true, false};
    for (size_t i = 0; i < TG_COUNT(is_pkcs8); i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char phrase[] = "secret";
        int (*write)(BIO *, const EVP_PKEY *, const EVP_CIPHER *, const unsigned char *, int, pem_password_cb *,
                     void *) = PEM_write_bio_PrivateKey_traditional;
        tg_buf_clear(&chain);
        tg_buf_clear(&key);
        test_append_certificate(&leaf, &chain);
        if (is_pkcs8[i]) {
            assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, leaf.key, EVP_aes_256_cbc(), phrase, 6, NULL, NULL), 1);
        } else {
            assert_int_equal(write(bio, leaf.key, EVP_aes_256_cbc(), (unsigned char *)phrase, 6, NULL, NULL), 1);
        }
        test_append_bio(bio, &key);
        refuse(TG_ERR_UNSUPPORTED, "private key: encrypted, and nobody is there to type its pass phrase");
        assert_true(strstr(detail.remedy, "openssl pkey -in KEY -out PLAIN") != NULL);
    }
}

static void parse_key_of_another_certificate_is_refused(void **state)
{
    (void)state;
    test_append_certificate(&leaf, &chain);
    test_append_key(&between, &key);
    refuse(TG_ERR_MISMATCH, "private key: does not belong to the first certificate");
}

static void parse_key_of_another_kind_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    test_certificate made = {leaf.certificate, rsa};
    test_append_certificate(&leaf, &chain);
    test_append_key(&made, &key);
    refuse(TG_ERR_MISMATCH, "private key: does not belong to the first certificate");
    EVP_PKEY_free(rsa);
}

static void parse_chain_in_the_wrong_order_is_refused(void **state)
{
    (void)state;
    append_leaf();
    test_append_certificate(&root, &chain);
    test_append_certificate(&between, &chain);
    refuse(TG_ERR_MISMATCH, "certificate chain: certificate 1 is not issued by certificate 2");
}

static void parse_issuer_first_is_refused(void **state)
{
    (void)state;
    test_append_certificate(&between, &chain);
    append_leaf();
    refuse(TG_ERR_MISMATCH, "certificate chain: certificate 1 is not issued by certificate 2");
}

static void parse_expired_leaf_is_refused(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "x", .by = &root, .from_s = -7200, .to_s = -3600});
    test_append_certificate(&made, &chain);
    test_append_key(&made, &key);
    assert_code(parse(), TG_ERR_RANGE);
    assert_true(strncmp(detail.reason, "certificate chain: expired at 2", 31) == 0);
    assert_true(strncmp(detail.remedy, "renew it; the clock says 2", 26) == 0);
    test_certificate_done(&made);
}

static void parse_expired_issuer_is_refused(void **state)
{
    (void)state;
    test_certificate old = test_issue(
        &(test_request){.subject = "old", .constraints = "critical,CA:TRUE", .from_s = -7200, .to_s = -3600});
    test_certificate made = test_issue(&(test_request){.subject = "x", .by = &old});
    test_append_certificate(&made, &chain);
    test_append_certificate(&old, &chain);
    test_append_key(&made, &key);
    assert_code(parse(), TG_ERR_RANGE);
    test_certificate_done(&made);
    test_certificate_done(&old);
}

static void parse_certificate_of_tomorrow_is_refused(void **state)
{
    (void)state;
    test_certificate made = test_issue(&(test_request){.subject = "x", .by = &root, .from_s = TEST_DAY_S});
    test_append_certificate(&made, &chain);
    test_append_key(&made, &key);
    assert_code(parse(), TG_ERR_RANGE);
    assert_true(strncmp(detail.reason, "certificate chain: not valid before 2", 37) == 0);
    test_certificate_done(&made);
}

static void parse_at_the_ends_of_validity_is_taken_and_past_them_not(void **state)
{
    (void)state;
    append_leaf();
    assert_ok(parse());
    int64_t first = tg_tls_identity_not_before_unix_s(identity);
    int64_t last = tg_tls_identity_not_after_unix_s(identity);
    const int64_t good[] = {first, last};
    const int64_t bad[] = {first - 1, last + 1};
    for (size_t i = 0; i < TG_COUNT(good); i++) {
        tg_tls_identity *other = NULL;
        assert_ok(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), good[i], &other, NULL));
        tg_tls_identity_unref(TG_TAKE(other));
        assert_code(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), bad[i], &other, NULL),
                    TG_ERR_RANGE);
        assert_null(other);
    }
}

static void parse_nothing_is_refused(void **state)
{
    (void)state;
    refuse(TG_ERR_SYNTAX, "certificate chain: no certificate");
    test_append_certificate(&leaf, &chain);
    assert_code(parse(), TG_ERR_SYNTAX);
    assert_true(strncmp(detail.reason, "private key: ", 13) == 0);
    assert_true(strstr(detail.remedy, "BEGIN PRIVATE KEY") != NULL);
}

static void parse_every_truncation_is_refused(void **state)
{
    (void)state;
    append_leaf();
    tg_slice chain_pem = tg_buf_slice(&chain);
    tg_slice key_pem = tg_buf_slice(&key);
    for (size_t len = 0; len < chain_pem.len - 1; len++) { /* without its last line feed it is whole */
        tg_result result =
            tg_tls_identity_parse(tg_slice_first(chain_pem, len), key_pem, test_now(), &identity, &detail);
        assert_false(tg_is_ok(result));
    }
    for (size_t len = 0; len < key_pem.len - 1; len++) {
        tg_result result =
            tg_tls_identity_parse(chain_pem, tg_slice_first(key_pem, len), test_now(), &identity, &detail);
        assert_false(tg_is_ok(result));
    }
    assert_null(identity);
}

static void parse_every_damaged_byte_of_a_certificate_leaves_no_leak(void **state)
{
    (void)state;
    append_leaf();
    tg_slice pem = tg_buf_slice(&chain);
    uint8_t *copy = malloc(pem.len);
    unsigned num_taken = 0;
    for (size_t i = 30; i < pem.len; i++) {
        memcpy(copy, pem.ptr, pem.len);
        copy[i] = 0;
        tg_tls_identity *made = NULL;
        if (tg_is_ok(tg_tls_identity_parse(tg_slice_of(copy, pem.len), tg_buf_slice(&key), test_now(), &made, NULL))) {
            num_taken++;
        }
        tg_tls_identity_unref(made);
    }
    free(copy);
    assert_in_range(num_taken, 0, 3); /* the bytes behind its last line */
}

static void parse_second_certificate_damaged_says_which(void **state)
{
    (void)state;
    append_leaf();
    assert_ok(tg_buf_append_str(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    assert_code(parse(), TG_ERR_SYNTAX);
    assert_string_equal(detail.remedy, "certificate 2 of the file is damaged or no PEM: make the file anew");
}

static void parse_longest_chain_is_taken_and_one_more_refused(void **state)
{
    (void)state;
    test_certificate made[TG_MAX_CHAIN_CERTIFICATES + 1];
    const test_certificate *by = NULL;
    for (size_t i = TG_COUNT(made); i-- > 0; by = &made[i]) {
        const char subject[] = {(char)('a' + i), 0};
        made[i] = test_issue(&(test_request){.subject = subject, .constraints = "critical,CA:TRUE", .by = by});
    }
    for (size_t i = 0; i < TG_MAX_CHAIN_CERTIFICATES; i++) {
        test_append_certificate(&made[i], &chain);
    }
    test_append_key(&made[0], &key);
    assert_ok(parse());
    tg_tls_identity_unref(TG_TAKE(identity));
    test_append_certificate(&made[TG_MAX_CHAIN_CERTIFICATES], &chain);
    refuse(TG_ERR_LIMIT, "certificate chain: more than 8 certificates");
    for (size_t i = 0; i < TG_COUNT(made); i++) {
        test_certificate_done(&made[i]);
    }
}

static void pad(tg_buf *buf, size_t len)
{
    while (tg_buf_len(buf) < len) {
        assert_ok(tg_buf_append_byte(buf, '\n'));
    }
}

static void parse_longest_texts_are_taken_and_a_byte_more_refused(void **state)
{
    (void)state;
    append_leaf();
    pad(&chain, TG_MAX_CHAIN_PEM_BYTES);
    pad(&key, TG_MAX_KEY_PEM_BYTES);
    assert_ok(parse());
    tg_tls_identity_unref(TG_TAKE(identity));
    pad(&key, TG_MAX_KEY_PEM_BYTES + 1);
    refuse(TG_ERR_LIMIT, "private key: longer than 65536 bytes");
    pad(&chain, TG_MAX_CHAIN_PEM_BYTES + 1);
    refuse(TG_ERR_LIMIT, "certificate chain: longer than 65536 bytes");
}

static void write_file(const char *path, const tg_buf *buf)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(tg_buf_slice(buf).ptr, 1, tg_buf_len(buf), file), tg_buf_len(buf));
    assert_int_equal(fclose(file), 0);
}

static void load_files_names_the_one_at_fault(void **state)
{
    (void)state;
    char folder[] = "/tmp/teegate-test-XXXXXX";
    char chain_path[64];
    char key_path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(chain_path, sizeof chain_path, "%s/chain.pem", folder);
    (void)snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    append_leaf();
    write_file(chain_path, &chain);
    assert_code(tg_tls_identity_load(chain_path, key_path, test_now(), &identity, &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, key_path);
    assert_string_equal(detail.reason, "cannot be read: system: No such file or directory");
    write_file(key_path, &key);
    assert_ok(tg_tls_identity_load(chain_path, key_path, test_now(), &identity, &detail));
    tg_tls_identity_unref(TG_TAKE(identity));
    assert_code(tg_tls_identity_load(key_path, key_path, test_now(), &identity, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.file, key_path);
    assert_code(tg_tls_identity_load(chain_path, chain_path, test_now(), &identity, &detail), TG_ERR_SYNTAX);
    assert_string_equal(detail.file, chain_path);
    tg_buf_clear(&key);
    test_append_key(&root, &key);
    write_file(key_path, &key);
    assert_code(tg_tls_identity_load(chain_path, key_path, test_now(), &identity, &detail), TG_ERR_MISMATCH);
    assert_string_equal(detail.file, key_path);
    test_append_certificate(&root, &key); /* both in one file */
    write_file(key_path, &key);
    assert_ok(tg_tls_identity_load(key_path, key_path, test_now(), &identity, &detail));
    pad(&chain, TG_MAX_CHAIN_PEM_BYTES + 1);
    write_file(chain_path, &chain);
    tg_tls_identity *none = NULL;
    assert_code(tg_tls_identity_load(chain_path, key_path, test_now(), &none, &detail), TG_ERR_LIMIT);
    assert_string_equal(detail.file, chain_path);
    assert_string_equal(detail.reason, "longer than 65536 bytes");
    unlink(chain_path);
    unlink(key_path);
    rmdir(folder);
}

static X509 *generated_certificate(void)
{
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    assert_ok(tg_tls_identity_append_pem(identity, &pem));
    BIO *bio = BIO_new_mem_buf(tg_buf_slice(&pem).ptr, (int)tg_buf_len(&pem));
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(certificate);
    BIO_free(bio);
    tg_buf_done(&pem);
    return certificate;
}

static void generate_certificate_has_the_names_and_the_dates(void **state)
{
    (void)state;
    const tg_slice names[] = {TG_LIT("tee-k.example.org"), TG_LIT("*.example.org"), TG_LIT("192.0.2.1"),
                              TG_LIT("2001:db8::1")};
    assert_ok(tg_tls_identity_generate(names, TG_COUNT(names), test_now(), &identity, &detail));
    assert_true(tg_tls_identity_is_generated(identity));
    assert_int_equal(tg_tls_identity_not_after_unix_s(identity) - test_now(), TG_GENERATED_DAYS * TEST_DAY_S);
    assert_int_equal(tg_tls_identity_not_before_unix_s(identity) - test_now(), -3600);
    X509 *certificate = generated_certificate();
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "tee-k.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "other.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "example.net", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.2", 0), 0);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
    assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(certificate)), 256);
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
    assert_in_range(ASN1_STRING_length(X509_get0_serialNumber(certificate)), 8, 20);
    X509_free(certificate);
}

static void generate_twice_shares_nothing(void **state)
{
    (void)state;
    tg_tls_identity *second;
    assert_ok(tg_tls_identity_generate(NULL, 0, test_now(), &identity, NULL));
    assert_ok(tg_tls_identity_generate(NULL, 0, test_now(), &second, NULL));
    X509 *one = generated_certificate();
    assert_false(tg_slice_equal(tg_tls_identity_spki_sha256(identity), tg_tls_identity_spki_sha256(second)));
    tg_tls_identity_unref(identity);
    identity = second;
    X509 *two = generated_certificate();
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
    X509_free(one);
    X509_free(two);
}

static void generate_name_that_is_none_is_refused(void **state)
{
    (void)state;
    char label[65];
    char name[256];
    memset(label, 'a', sizeof label - 1);
    memset(name, 'a', sizeof name);
    for (size_t i = 60; i < sizeof name; i += 60) {
        name[i] = '.';
    }
    const tg_slice bad[] = {
        TG_LIT(""),     TG_LIT("a b"),      TG_LIT("a..b"),          TG_LIT(".a"),           TG_LIT("a."),
        TG_LIT("-a"),   TG_LIT("a-"),       TG_LIT("a.-b"),          TG_LIT("a-.b"),         TG_LIT("*"),
        TG_LIT("*."),   TG_LIT("a.*.b"),    TG_LIT("a*.b"),          TG_LIT("a,DNS:b"),      TG_LIT("[::1]"),
        TG_LIT("a\0b"), TG_LIT("\xc3\xa4"), TG_LIT("192.0.2.1:443"), tg_slice_of(label, 64), tg_slice_of(name, 254),
    };
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        assert_code(tg_tls_identity_generate(&bad[i], 1, test_now(), &identity, &detail), TG_ERR_SYNTAX);
        assert_string_equal(detail.reason, "neither a host name nor an IP address");
        assert_null(identity);
    }
    const tg_slice good[] = {tg_slice_of(label, 63), tg_slice_of(name, 253), TG_LIT("a-b_c.d2"),
                             TG_LIT("xn--bcher-kva")};
    assert_ok(tg_tls_identity_generate(good, TG_COUNT(good), test_now(), &identity, &detail));
}

static void generate_with_one_name_too_many_is_refused(void **state)
{
    (void)state;
    tg_slice names[TG_MAX_GENERATED_NAMES + 1];
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        names[i] = TG_LIT("one.test");
    }
    assert_code(tg_tls_identity_generate(names, TG_COUNT(names), test_now(), &identity, &detail), TG_ERR_LIMIT);
    assert_ok(tg_tls_identity_generate(names, TG_MAX_GENERATED_NAMES, test_now(), &identity, &detail));
}

static void ref_keeps_the_identity_until_the_last_unref(void **state)
{
    (void)state;
    append_leaf();
    assert_ok(parse());
    tg_tls_identity *second = tg_tls_identity_ref(identity);
    tg_tls_identity_unref(identity);
    assert_spki(&leaf);
    assert_ptr_equal(second, identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parse_leaf_alone_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_whole_chain_is_taken_and_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(append_pem_past_the_buffers_maximum_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_text_around_the_certificates_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_key_kinds_are_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_older_form_of_key_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_short_rsa_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_key_of_a_curve_that_tls_has_not_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_encrypted_key_is_refused_with_a_remedy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_key_of_another_certificate_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_key_of_another_kind_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_chain_in_the_wrong_order_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_issuer_first_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_expired_leaf_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_expired_issuer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_certificate_of_tomorrow_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_at_the_ends_of_validity_is_taken_and_past_them_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_nothing_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_every_truncation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_every_damaged_byte_of_a_certificate_leaves_no_leak, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_second_certificate_damaged_says_which, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_longest_chain_is_taken_and_one_more_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_longest_texts_are_taken_and_a_byte_more_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(load_files_names_the_one_at_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generate_certificate_has_the_names_and_the_dates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generate_twice_shares_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generate_name_that_is_none_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generate_with_one_name_too_many_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ref_keeps_the_identity_until_the_last_unref, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
