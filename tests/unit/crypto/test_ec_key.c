#include "support/case.h"

#include "base/encode.h"
#include "crypto/ec_key.h"
#include "crypto/init.h"

#include <string.h>

static const char pkcs8_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYOqrr0GHbJlqn5c5\n"
                                "yOghmXPo6zFOVPktLJDak9osjzWhRANCAAR6LDT2FlhSukdMKTbT3fzwMBV4L+xj\n"
                                "LOLVlQ3iuHEmKaftqidABHimCTcOMtmhBetK9XKgsAUNEnIIhIMZB5Qn\n"
                                "-----END PRIVATE KEY-----\n";
static const char sec1_pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MHcCAQEEIGDqq69Bh2yZap+XOcjoIZlz6OsxTlT5LSyQ2pPaLI81oAoGCCqGSM49\n"
                               "AwEHoUQDQgAEeiw09hZYUrpHTCk209388DAVeC/sYyzi1ZUN4rhxJimn7aonQAR4\n"
                               "pgk3DjLZoQXrSvVyoLAFDRJyCISDGQeUJw==\n"
                               "-----END EC PRIVATE KEY-----\n";
static const char public_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeiw09hZYUrpHTCk209388DAVeC/s\n"
                                 "Yyzi1ZUN4rhxJimn7aonQAR4pgk3DjLZoQXrSvVyoLAFDRJyCISDGQeUJw==\n"
                                 "-----END PUBLIC KEY-----\n";
static const char p384_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAqvLDcsSKsPo2AgIMl\n"
                               "Cu5eyQZCpJq2KVpYoLmUppsr+mb9gX/tjtjUequZV42oSGGhZANiAAS1GwDPh6GE\n"
                               "HpiogioBdjpEWGcDZylhllegiPZ+1T9Unvx83ErgC3VJNeuulENGgLJovoyF5qi6\n"
                               "v4LRLJ+GaMlL4fVWC0EhmDNYDozTiVhfeygL7VgRfSoWDppHOgfbVe8=\n"
                               "-----END PRIVATE KEY-----\n";
static const char encrypted_pem[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAivCMNCQOX9zQICCAAw\n"
                                    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELykkOEn6AgarjDfNkWXQ9MEgZCj\n"
                                    "Uvz2RZURBB0UCjZxh235CVsuRp1gLw6pEDFhEKXk1tQxpsC5CuzehsNBq1++MnPM\n"
                                    "7ovF+IjhqOuoPZkOOtHwjBmZOcKzRlk1uqNMjEdmrwGYXUmst2NlqR9Nl7ghNuax\n"
                                    "b0eiZDrz8d1yJdNpz/txeRqXn2xR/JR7TUqYKUd+vnKTYHMdY8tl3W8jFRvkrA0=\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char x25519_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MC4CAQAwBQYDK2VuBCIEIAAcUau3hhPQ51PUC2AwYMydd2QKReKvJIannjexHAtz\n"
                                 "-----END PRIVATE KEY-----\n";

static void decode(const char *text, uint8_t *out)
{
    size_t len;
    assert_ok(tg_base64_decode(TG_BASE64_URL, tg_slice_str(text), out, &len));
}

/* RFC 7515 appendix A.3. */
static tg_ec_key *jws_key(void)
{
    uint8_t d[36];
    tg_ec_key *key;
    decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", d);
    assert_ok(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(d, 32), &key));
    return key;
}

static const tg_slice jws_input = {
    (const uint8_t *)"eyJhbGciOiJFUzI1NiJ9."
                     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    115};

static void tg_ec_key_from_private_rfc_7515_key_has_its_public_half(void **state)
{
    uint8_t expected[TG_P256_PUBLIC_BYTES + 3] = {4};
    tg_ec_key *key = jws_key();
    (void)state;
    decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", expected + 1);
    decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", expected + 33);
    assert_int_equal(tg_ec_key_public(key).len, TG_P256_PUBLIC_BYTES);
    assert_memory_equal(tg_ec_key_public(key).ptr, expected, TG_P256_PUBLIC_BYTES);
    assert_true(tg_ec_key_is_private(key));
    assert_int_equal(tg_ec_key_curve(key), TG_CURVE_P256);
    tg_ec_key_free(key);
}

static void tg_es256_verify_rfc_7515_signature_holds_and_every_change_fails(void **state)
{
    uint8_t signature[TG_ES256_BYTES + 3];
    tg_ec_key *private_key = jws_key(), *key;
    (void)state;
    decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", signature);
    assert_ok(tg_ec_key_from_public(TG_CURVE_P256, tg_ec_key_public(private_key), &key));
    assert_false(tg_ec_key_is_private(key));
    assert_ok(tg_es256_verify(key, jws_input, tg_slice_of(signature, TG_ES256_BYTES)));
    assert_code(tg_es256_verify(key, tg_slice_first(jws_input, 114), tg_slice_of(signature, TG_ES256_BYTES)),
                TG_ERR_AUTH);
    assert_code(tg_es256_verify(key, jws_input, tg_slice_of(signature, TG_ES256_BYTES - 1)), TG_ERR_AUTH);
    for (size_t i = 0; i < TG_ES256_BYTES; i++) {
        signature[i] ^= 1;
        assert_code(tg_es256_verify(key, jws_input, tg_slice_of(signature, TG_ES256_BYTES)), TG_ERR_AUTH);
        signature[i] ^= 1;
    }
    memset(signature, 0, sizeof signature); /* r = s = 0 */
    assert_code(tg_es256_verify(key, jws_input, tg_slice_of(signature, TG_ES256_BYTES)), TG_ERR_AUTH);
    memset(signature, 0xff, sizeof signature);
    assert_code(tg_es256_verify(key, jws_input, tg_slice_of(signature, TG_ES256_BYTES)), TG_ERR_AUTH);
    tg_ec_key_free(private_key);
    tg_ec_key_free(key);
}

static void tg_es256_sign_by_generated_key_verifies(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) { /* short r and s come up among them */
        uint8_t signature[TG_ES256_BYTES];
        tg_ec_key *key;
        assert_ok(tg_ec_key_generate(TG_CURVE_P256, &key));
        assert_ok(tg_es256_sign(key, jws_input, signature));
        assert_ok(tg_es256_verify(key, jws_input, tg_slice_of(signature, sizeof signature)));
        tg_ec_key_free(key);
    }
}

static void tg_es256_sign_with_wrong_kind_of_key_is_unsupported(void **state)
{
    uint8_t signature[TG_ES256_BYTES] = {0}, shared[TG_EC_SHARED_BYTES];
    tg_ec_key *x25519, *private_key = jws_key(), *public_key;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &x25519));
    assert_ok(tg_ec_key_from_public(TG_CURVE_P256, tg_ec_key_public(private_key), &public_key));
    assert_code(tg_es256_sign(x25519, TG_LIT("m"), signature), TG_ERR_UNSUPPORTED);
    assert_code(tg_es256_verify(x25519, TG_LIT("m"), tg_slice_of(signature, 64)), TG_ERR_UNSUPPORTED);
    assert_code(tg_es256_sign(public_key, TG_LIT("m"), signature), TG_ERR_UNSUPPORTED);
    assert_code(tg_ec_key_agree(public_key, tg_ec_key_public(private_key), shared), TG_ERR_UNSUPPORTED);
    tg_ec_key_free(x25519);
    tg_ec_key_free(private_key);
    tg_ec_key_free(public_key);
}

static void tg_ec_key_from_private_outside_the_group_is_out_of_range(void **state)
{
    uint8_t scalar[33] = {0};
    tg_ec_key *key;
    (void)state;
    assert_code(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(scalar, 32), &key), TG_ERR_RANGE);
    assert_ok(tg_hex_decode(TG_LIT("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), scalar));
    assert_code(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(scalar, 32), &key), TG_ERR_RANGE);
    scalar[31]--; /* the order less one is the last */
    assert_ok(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(scalar, 32), &key));
    tg_ec_key_free(key);
    assert_code(tg_ec_key_from_private(TG_CURVE_P256, tg_slice_of(scalar, 31), &key), TG_ERR_RANGE);
    assert_code(tg_ec_key_from_private(TG_CURVE_X25519, tg_slice_of(scalar, 33), &key), TG_ERR_RANGE);
}

static void tg_ec_key_from_public_not_a_point_is_refused(void **state)
{
    uint8_t point[TG_P256_PUBLIC_BYTES];
    tg_ec_key *key = jws_key(), *other;
    (void)state;
    memcpy(point, tg_ec_key_public(key).ptr, sizeof point);
    point[64] ^= 1; /* off the curve */
    assert_code(tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(point, sizeof point), &other), TG_ERR_AUTH);
    point[64] ^= 1;
    for (unsigned form = 0; form < 8; form++) {
        point[0] = (uint8_t)form;
        if (form != 4) { /* infinity, compressed, hybrid */
            assert_code(tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(point, sizeof point), &other), TG_ERR_AUTH);
        }
    }
    point[0] = 4;
    memset(point + 1, 0xff, 64); /* coordinates above the field's prime */
    assert_code(tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(point, sizeof point), &other), TG_ERR_AUTH);
    assert_code(tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(point, 64), &other), TG_ERR_RANGE);
    assert_code(tg_ec_key_from_public(TG_CURVE_P256, TG_LIT(""), &other), TG_ERR_RANGE);
    assert_code(tg_ec_key_from_public(TG_CURVE_X25519, tg_slice_of(point, 33), &other), TG_ERR_RANGE);
    tg_ec_key_free(key);
}

static void tg_ec_key_agree_from_both_sides_gives_one_secret(void **state)
{
    (void)state;
    for (int curve = TG_CURVE_P256; curve <= TG_CURVE_X25519; curve++) {
        tg_ec_key *a, *b;
        uint8_t from_a[TG_EC_SHARED_BYTES], from_b[TG_EC_SHARED_BYTES];
        assert_ok(tg_ec_key_generate((tg_curve)curve, &a));
        assert_ok(tg_ec_key_generate((tg_curve)curve, &b));
        assert_ok(tg_ec_key_agree(a, tg_ec_key_public(b), from_a));
        assert_ok(tg_ec_key_agree(b, tg_ec_key_public(a), from_b));
        assert_memory_equal(from_a, from_b, sizeof from_a);
        tg_ec_key_free(a);
        tg_ec_key_free(b);
    }
}

/* RFC 7748 §6.1: zero and one lead to a secret that everybody knows. */
static void tg_ec_key_agree_with_small_order_point_is_refused(void **state)
{
    uint8_t point[TG_X25519_PUBLIC_BYTES] = {0}, shared[TG_EC_SHARED_BYTES];
    tg_ec_key *key;
    (void)state;
    assert_ok(tg_ec_key_generate(TG_CURVE_X25519, &key));
    memset(shared, 0x55, sizeof shared);
    for (uint8_t first = 0; first < 2; first++) {
        point[0] = first;
        assert_code(tg_ec_key_agree(key, tg_slice_of(point, sizeof point), shared), TG_ERR_AUTH);
        assert_int_equal(shared[0], 0x55);
    }
    tg_ec_key_free(key);
}

static void tg_ec_key_from_pem_every_form_of_one_key_agrees(void **state)
{
    tg_ec_key *pkcs8, *sec1, *public_key;
    (void)state;
    assert_ok(tg_ec_key_from_pem(tg_slice_str(pkcs8_pem), &pkcs8));
    assert_ok(tg_ec_key_from_pem(tg_slice_str(sec1_pem), &sec1));
    assert_ok(tg_ec_key_from_pem(tg_slice_str(public_pem), &public_key));
    assert_true(tg_ec_key_is_private(pkcs8) && tg_ec_key_is_private(sec1) && !tg_ec_key_is_private(public_key));
    assert_memory_equal(tg_ec_key_public(pkcs8).ptr, tg_ec_key_public(public_key).ptr, TG_P256_PUBLIC_BYTES);
    assert_memory_equal(tg_ec_key_public(sec1).ptr, tg_ec_key_public(public_key).ptr, TG_P256_PUBLIC_BYTES);
    tg_ec_key_free(pkcs8);
    tg_ec_key_free(sec1);
    tg_ec_key_free(public_key);
}

static void tg_ec_key_from_pem_anything_else_is_refused(void **state)
{
    tg_ec_key *key;
    (void)state;
    assert_code(tg_ec_key_from_pem(tg_slice_str(p384_pem), &key), TG_ERR_UNSUPPORTED);
    assert_code(tg_ec_key_from_pem(tg_slice_str(x25519_pem), &key), TG_ERR_UNSUPPORTED);
    assert_code(tg_ec_key_from_pem(tg_slice_str(encrypted_pem), &key), TG_ERR_SYNTAX);
    assert_code(tg_ec_key_from_pem(TG_LIT(""), &key), TG_ERR_SYNTAX);
    assert_code(tg_ec_key_from_pem(TG_LIT("no key\0-----BEGIN"), &key), TG_ERR_SYNTAX);
    assert_code(tg_ec_key_from_pem(tg_slice_first(tg_slice_str(pkcs8_pem), 100), &key), TG_ERR_SYNTAX);
}

/* As `openssl pkey -pubout -outform DER` writes it. */
static void tg_p256_spki_is_what_openssl_writes_and_reads_back(void **state)
{
    tg_ec_key *key;
    uint8_t spki[TG_P256_SPKI_BYTES], text[256];
    tg_slice pem = tg_slice_str(public_pem), point;
    size_t len = 0, text_len = 0;
    (void)state;
    assert_ok(tg_ec_key_from_pem(pem, &key));
    tg_p256_spki(tg_ec_key_public(key).ptr, spki);
    for (tg_slice line; (line = tg_slice_split(&pem, '\n')).len > 0;) {
        if (!tg_slice_starts(line, TG_LIT("-----"))) {
            memcpy(text + text_len, line.ptr, line.len);
            text_len += line.len;
        }
    }
    uint8_t der[256];
    assert_ok(tg_base64_decode(TG_BASE64_PADDED, tg_slice_of(text, text_len), der, &len));
    assert_int_equal(len, sizeof spki);
    assert_memory_equal(der, spki, sizeof spki);
    assert_ok(tg_p256_from_spki(tg_slice_of(spki, sizeof spki), &point));
    assert_true(tg_slice_equal(point, tg_ec_key_public(key)));
    assert_code(tg_p256_from_spki(tg_slice_of(spki, sizeof spki - 1), &point), TG_ERR_SYNTAX);
    spki[20] ^= 1;
    assert_code(tg_p256_from_spki(tg_slice_of(spki, sizeof spki), &point), TG_ERR_SYNTAX);
    tg_ec_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_ec_key_from_private_rfc_7515_key_has_its_public_half),
        cmocka_unit_test(tg_es256_verify_rfc_7515_signature_holds_and_every_change_fails),
        cmocka_unit_test(tg_es256_sign_by_generated_key_verifies),
        cmocka_unit_test(tg_es256_sign_with_wrong_kind_of_key_is_unsupported),
        cmocka_unit_test(tg_ec_key_from_private_outside_the_group_is_out_of_range),
        cmocka_unit_test(tg_ec_key_from_public_not_a_point_is_refused),
        cmocka_unit_test(tg_ec_key_agree_from_both_sides_gives_one_secret),
        cmocka_unit_test(tg_ec_key_agree_with_small_order_point_is_refused),
        cmocka_unit_test(tg_ec_key_from_pem_every_form_of_one_key_agrees),
        cmocka_unit_test(tg_ec_key_from_pem_anything_else_is_refused),
        cmocka_unit_test(tg_p256_spki_is_what_openssl_writes_and_reads_back),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
