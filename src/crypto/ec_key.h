/* Keys of P-256 (FIPS 186-5) and X25519 (RFC 7748), over OpenSSL's EVP: agreement by both, ES256 by P-256. A private
 * key's copies in OpenSSL's memory are wiped when they are freed (crypto/openssl_heap.h). Needs tg_crypto_init before.
 */
#ifndef TG_CRYPTO_EC_KEY_H
#define TG_CRYPTO_EC_KEY_H

#include "base/result.h"
#include "base/slice.h"

typedef enum tg_curve { TG_CURVE_P256, TG_CURVE_X25519 } tg_curve;

enum {
    TG_EC_PRIVATE_BYTES = 32,
    TG_EC_SHARED_BYTES = 32,
    TG_P256_COORDINATE_BYTES = 32,
    TG_P256_PUBLIC_BYTES = 65, /* 0x04, x, y (SEC 1 §2.3.3, uncompressed) */
    TG_X25519_PUBLIC_BYTES = 32,
    TG_MAX_EC_PUBLIC_BYTES = TG_P256_PUBLIC_BYTES,
    TG_P256_SPKI_BYTES = 91,
    TG_ES256_BYTES = 64 /* r, s (RFC 7518 §3.4) */
};

/* Immutable: any number of threads may use one. */
typedef struct tg_ec_key tg_ec_key;

/* tg_ec_key_generate makes a new pair. err: TG_ERR_MEMORY, TG_ERR_LIBRARY */
TG_MUST_USE tg_result tg_ec_key_generate(tg_curve curve, tg_ec_key **out_key);

/* tg_ec_key_from_private makes the pair of a private key: P-256 a big-endian scalar, X25519 as RFC 7748 §5.
 * in    TG_EC_PRIVATE_BYTES; the caller wipes them
 * err   TG_ERR_RANGE: another length, or a scalar that is 0 or not below the group's order; TG_ERR_MEMORY,
 * TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_ec_key_from_private(tg_curve curve, tg_slice private_key, tg_ec_key **out_key);

/* tg_ec_key_from_public reads another's public key.
 * err   TG_ERR_RANGE: not of the curve's length; TG_ERR_AUTH: not an uncompressed point on the curve; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ec_key_from_public(tg_curve curve, tg_slice public_key, tg_ec_key **out_key);

/* tg_ec_key_from_pem reads a P-256 key from PEM: a private one (PKCS #8, SEC 1) or a public one (SPKI).
 * err   TG_ERR_SYNTAX: no such PEM; TG_ERR_UNSUPPORTED: another kind of key; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ec_key_from_pem(tg_slice pem, tg_ec_key **out_key);

void tg_ec_key_free(tg_ec_key *key);

tg_curve tg_ec_key_curve(const tg_ec_key *key);
bool tg_ec_key_is_private(const tg_ec_key *key);
/* The public half, 65 or 32 bytes, living as long as the key. */
tg_slice tg_ec_key_public(const tg_ec_key *key);

/* tg_p256_spki writes the SubjectPublicKeyInfo (DER, RFC 5480) of an uncompressed point; tg_p256_from_spki reads
 * exactly that form, and gives the point, which lies inside `spki`. Whether it is on the curve is for
 * tg_ec_key_from_public. err: TG_ERR_SYNTAX
 */
void tg_p256_spki(const uint8_t point[TG_P256_PUBLIC_BYTES], uint8_t out_spki[TG_P256_SPKI_BYTES]);
TG_FOREIGN TG_MUST_USE tg_result tg_p256_from_spki(tg_slice spki, tg_slice *out_point);

/* tg_ec_key_agree gives what both sides of a Diffie-Hellman exchange know: the x coordinate, or X25519's output.
 * key   private. peer: a public key of the same curve
 * err   TG_ERR_AUTH: peer is no point of the curve, or one of small order (an all-zero secret, RFC 7748 §6.1);
 *       TG_ERR_RANGE: of another length; TG_ERR_UNSUPPORTED: key is a public one; TG_ERR_MEMORY
 * keep  the caller wipes out_shared
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ec_key_agree(const tg_ec_key *key, tg_slice peer,
                                                 uint8_t out_shared[TG_EC_SHARED_BYTES]);

/* tg_es256_sign signs with a private P-256 key (ECDSA with SHA-256, RFC 7518 §3.4).
 * err   TG_ERR_UNSUPPORTED: a key of another kind; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_es256_sign(const tg_ec_key *key, tg_slice message, uint8_t out_signature[TG_ES256_BYTES]);

/* tg_es256_verify checks one. err: TG_ERR_AUTH: not a signature of this message by this key; TG_ERR_UNSUPPORTED: a key
 * of another kind; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_es256_verify(const tg_ec_key *key, tg_slice message, tg_slice signature);

#endif
