#include "crypto/ec_key.h"

#include "base/buf.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct tg_ec_key {
    EVP_PKEY *pkey;
    tg_curve curve;
    bool is_private;
    uint8_t public_key[TG_MAX_EC_PUBLIC_BYTES];
};

enum { MAX_DER_SIGNATURE_BYTES = 72, MAX_PEM_BYTES = 65536 };

static size_t public_len(tg_curve curve)
{
    return curve == TG_CURVE_P256 ? (size_t)TG_P256_PUBLIC_BYTES : (size_t)TG_X25519_PUBLIC_BYTES;
}

/* What a call into OpenSSL left in the error queue belongs to nobody else. */
static tg_result fail(tg_code code)
{
    bool is_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error();
    return tg_fail(is_memory ? TG_ERR_MEMORY : code);
}

void tg_ec_key_free(tg_ec_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

tg_curve tg_ec_key_curve(const tg_ec_key *key)
{
    return key->curve;
}

bool tg_ec_key_is_private(const tg_ec_key *key)
{
    return key->is_private;
}

tg_slice tg_ec_key_public(const tg_ec_key *key)
{
    return tg_slice_of(key->public_key, public_len(key->curve));
}

/* Takes pkey, on failure too. */
static tg_result wrap(tg_curve curve, EVP_PKEY *pkey, bool is_private, tg_ec_key **out_key)
{
    tg_ec_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return tg_fail(TG_ERR_MEMORY);
    }
    *key = (tg_ec_key){.pkey = pkey, .curve = curve, .is_private = is_private};
    size_t len = 0;
    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, key->public_key,
                                        sizeof key->public_key, &len) != 1 ||
        len != public_len(curve) || (curve == TG_CURVE_P256 && key->public_key[0] != 4)) {
        tg_ec_key_free(key);
        return fail(TG_ERR_UNSUPPORTED);
    }
    *out_key = key;
    return tg_ok();
}

tg_result tg_ec_key_generate(tg_curve curve, tg_ec_key **out_key)
{
    EVP_PKEY *pkey = curve == TG_CURVE_P256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    return pkey != NULL ? wrap(curve, pkey, true, out_key) : fail(TG_ERR_LIBRARY);
}

/* fromdata checks that the point is on the curve; of a private key it takes the public half as it is. */
static EVP_PKEY *import_p256(tg_slice public_key, const BIGNUM *private_key)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (context != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, public_key.ptr, public_key.len) == 1 &&
        (private_key == NULL || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private_key) == 1) &&
        (params = OSSL_PARAM_BLD_to_param(builder)) != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        (void)EVP_PKEY_fromdata(context, &pkey, private_key != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return pkey;
}

static tg_result p256_from_private(tg_slice private_key, EVP_PKEY **out_pkey)
{
    uint8_t public_key[TG_P256_PUBLIC_BYTES];
    BN_CTX *numbers = BN_CTX_secure_new();
    BIGNUM *scalar = BN_secure_new();
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    tg_result result = tg_fail(TG_ERR_LIBRARY);
    if (numbers != NULL && scalar != NULL && point != NULL &&
        BN_bin2bn(private_key.ptr, (int)private_key.len, scalar) != NULL) {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
        if (BN_is_zero(scalar) || BN_cmp(scalar, EC_GROUP_get0_order(group)) >= 0) {
            result = tg_fail(TG_ERR_RANGE);
        } else if (EC_POINT_mul(group, point, scalar, NULL, NULL, numbers) == 1 &&
                   EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key, sizeof public_key,
                                      numbers) == sizeof public_key) {
            *out_pkey = import_p256(tg_slice_of(public_key, sizeof public_key), scalar);
            result = *out_pkey != NULL ? tg_ok() : result;
        }
    }
    EC_POINT_free(point);
    EC_GROUP_free(group);
    BN_clear_free(scalar);
    BN_CTX_free(numbers);
    return tg_is_ok(result) ? result : fail(result.code);
}

tg_result tg_ec_key_from_private(tg_curve curve, tg_slice private_key, tg_ec_key **out_key)
{
    EVP_PKEY *pkey = NULL;
    if (private_key.len != TG_EC_PRIVATE_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (curve == TG_CURVE_P256) {
        TG_TRY(p256_from_private(private_key, &pkey));
    } else {
        pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key.ptr, private_key.len);
        if (pkey == NULL) {
            return fail(TG_ERR_LIBRARY);
        }
    }
    return wrap(curve, pkey, true, out_key);
}

static tg_result import_public(tg_curve curve, tg_slice public_key, EVP_PKEY **out_pkey)
{
    if (public_key.len != public_len(curve)) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (curve == TG_CURVE_P256 && public_key.ptr[0] != 4) { /* OpenSSL would take the hybrid form too */
        return tg_fail(TG_ERR_AUTH);
    }
    *out_pkey = curve == TG_CURVE_P256
                    ? import_p256(public_key, NULL)
                    : EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key.ptr, public_key.len);
    return *out_pkey != NULL ? tg_ok() : fail(TG_ERR_AUTH);
}

tg_result tg_ec_key_from_public(tg_curve curve, tg_slice public_key, tg_ec_key **out_key)
{
    EVP_PKEY *pkey = NULL;
    TG_TRY(import_public(curve, public_key, &pkey));
    return wrap(curve, pkey, false, out_key);
}

/* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }, up to the point. */
static const uint8_t spki_head[TG_P256_SPKI_BYTES - TG_P256_PUBLIC_BYTES] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

void tg_p256_spki(const uint8_t point[TG_P256_PUBLIC_BYTES], uint8_t out_spki[TG_P256_SPKI_BYTES])
{
    memcpy(out_spki, spki_head, sizeof spki_head);
    memcpy(out_spki + sizeof spki_head, point, TG_P256_PUBLIC_BYTES);
}

tg_result tg_p256_from_spki(tg_slice spki, tg_slice *out_point)
{
    if (spki.len != TG_P256_SPKI_BYTES || !tg_slice_starts(spki, tg_slice_of(spki_head, sizeof spki_head))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_point = tg_slice_from(spki, sizeof spki_head);
    return tg_ok();
}

/* OpenSSL would ask for a pass phrase on the terminal. */
static int refuse_pass_phrase(char *out, int cap, int is_writing, void *owner)
{
    (void)out;
    (void)cap;
    (void)is_writing;
    (void)owner;
    return -1;
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(pkey, "EC") == 1 && EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

tg_result tg_ec_key_from_pem(tg_slice pem, tg_ec_key **out_key)
{
    if (pem.len == 0 || pem.len > MAX_PEM_BYTES) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    if (bio == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    bool is_private = true;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, NULL);
    if (pkey == NULL) {
        is_private = false;
        ERR_clear_error();
        (void)BIO_reset(bio);
        pkey = PEM_read_bio_PUBKEY(bio, NULL, refuse_pass_phrase, NULL);
    }
    BIO_free(bio);
    if (pkey == NULL) {
        return fail(TG_ERR_SYNTAX);
    }
    if (!is_p256(pkey)) {
        EVP_PKEY_free(pkey);
        return fail(TG_ERR_UNSUPPORTED);
    }
    return wrap(TG_CURVE_P256, pkey, is_private, out_key);
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out_shared[TG_EC_SHARED_BYTES])
{
    size_t len = TG_EC_SHARED_BYTES;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool is_done = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                   EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1 && /* import_public has checked it */
                   EVP_PKEY_derive(context, out_shared, &len) == 1 && len == TG_EC_SHARED_BYTES;
    EVP_PKEY_CTX_free(context);
    return is_done;
}

tg_result tg_ec_key_agree(const tg_ec_key *key, tg_slice peer, uint8_t out_shared[TG_EC_SHARED_BYTES])
{
    EVP_PKEY *other = NULL;
    uint8_t shared[TG_EC_SHARED_BYTES] = {0};
    if (!key->is_private) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(import_public(key->curve, peer, &other));
    bool is_done = derive(key->pkey, other, shared);
    EVP_PKEY_free(other);
    uint8_t any = 0;
    for (size_t i = 0; i < sizeof shared; i++) {
        any |= shared[i];
    }
    if (!is_done || (key->curve == TG_CURVE_X25519 && any == 0)) { /* OpenSSL refuses zeros itself; so do we */
        tg_wipe(shared, sizeof shared);
        return fail(TG_ERR_AUTH);
    }
    memcpy(out_shared, shared, sizeof shared);
    tg_wipe(shared, sizeof shared);
    return tg_ok();
}

/* JOSE writes r and s side by side, 32 bytes each; OpenSSL writes DER. */
static bool to_pair(const uint8_t *der, size_t der_len, uint8_t out_signature[TG_ES256_BYTES])
{
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    bool is_done =
        pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out_signature, TG_P256_COORDINATE_BYTES) > 0 &&
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), out_signature + TG_P256_COORDINATE_BYTES, TG_P256_COORDINATE_BYTES) > 0;
    ECDSA_SIG_free(pair);
    return is_done;
}

static size_t to_der(const uint8_t *signature, uint8_t out_der[MAX_DER_SIGNATURE_BYTES])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, TG_P256_COORDINATE_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(signature + TG_P256_COORDINATE_BYTES, TG_P256_COORDINATE_BYTES, NULL);
    int len = 0;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        uint8_t *at = out_der;
        len = i2d_ECDSA_SIG(pair, NULL) <= MAX_DER_SIGNATURE_BYTES ? i2d_ECDSA_SIG(pair, &at) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

tg_result tg_es256_sign(const tg_ec_key *key, tg_slice message, uint8_t out_signature[TG_ES256_BYTES])
{
    if (key->curve != TG_CURVE_P256 || !key->is_private) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    uint8_t der[MAX_DER_SIGNATURE_BYTES];
    size_t der_len = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_done =
        context != NULL && EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
        EVP_DigestSign(context, der, &der_len, message.ptr, message.len) == 1 && to_pair(der, der_len, out_signature);
    EVP_MD_CTX_free(context);
    return is_done ? tg_ok() : fail(TG_ERR_LIBRARY);
}

tg_result tg_es256_verify(const tg_ec_key *key, tg_slice message, tg_slice signature)
{
    if (key->curve != TG_CURVE_P256) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    if (signature.len != TG_ES256_BYTES) {
        return tg_fail(TG_ERR_AUTH);
    }
    uint8_t der[MAX_DER_SIGNATURE_BYTES];
    size_t der_len = to_der(signature.ptr, der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = der_len > 0 && context != NULL &&
                   EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
                   EVP_DigestVerify(context, der, der_len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(context);
    return is_good ? tg_ok() : fail(TG_ERR_AUTH);
}
