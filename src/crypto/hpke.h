/* Hybrid public key encryption (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM or
 * AES-256-GCM, with the exporter. Needs tg_crypto_init before. */
#ifndef TG_CRYPTO_HPKE_H
#define TG_CRYPTO_HPKE_H

#include "crypto/ec_key.h"
#include "crypto/gcm.h"

/* The registry's numbers (RFC 9180 §7). */
enum { TG_HPKE_KEM_P256 = 0x0010, TG_HPKE_KEM_X25519 = 0x0020, TG_HPKE_KDF_SHA256 = 0x0001 };
typedef enum tg_hpke_aead { TG_HPKE_AES_128_GCM = 0x0001, TG_HPKE_AES_256_GCM = 0x0002 } tg_hpke_aead;

enum { TG_HPKE_ENC_BYTES = TG_X25519_PUBLIC_BYTES, TG_MAX_HPKE_KEY_BYTES = 32, TG_HPKE_EXPORTER_BYTES = 32 };

/* One side's context; in the caller's memory, ended with tg_hpke_done, which wipes it. One thread at a time. */
typedef struct tg_hpke {
    tg_hpke_aead aead;
    uint64_t sequence; /* of the next message */
    uint8_t key[TG_MAX_HPKE_KEY_BYTES];
    uint8_t base_nonce[TG_GCM_NONCE_BYTES];
    uint8_t exporter_secret[TG_HPKE_EXPORTER_BYTES];
} tg_hpke;

/* tg_hpke_key_len is the length of the AEAD's key (Nk): 16 or 32. */
size_t tg_hpke_key_len(tg_hpke_aead aead);

/* tg_hpke_send_setup makes the sender's context (RFC 9180 §5.1.1).
 * recipient  X25519 public key, 32 bytes
 * out        what the recipient is sent, and the context
 * err        TG_ERR_AUTH, TG_ERR_RANGE: not a usable public key; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_hpke_send_setup(tg_hpke_aead aead, tg_slice recipient, tg_slice info,
                                         uint8_t out_enc[TG_HPKE_ENC_BYTES], tg_hpke *out_context);

/* tg_hpke_send_setup_with is the same with a given ephemeral key, for known answers: never use one twice. */
TG_MUST_USE tg_result tg_hpke_send_setup_with(tg_hpke_aead aead, const tg_ec_key *ephemeral, tg_slice recipient,
                                              tg_slice info, tg_hpke *out_context);

/* tg_hpke_receive_setup makes the recipient's context.
 * key   X25519, private. enc: what the sender sent
 * err   TG_ERR_RANGE: enc is not 32 bytes; TG_ERR_AUTH: of small order; TG_ERR_UNSUPPORTED: another kind of key;
 *       TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_hpke_receive_setup(tg_hpke_aead aead, const tg_ec_key *key, tg_slice enc,
                                                       tg_slice info, tg_hpke *out_context);
void tg_hpke_done(tg_hpke *context);

/* tg_hpke_seal and tg_hpke_open take one message each, in the order of sending; both count on success only.
 * out   plaintext.len + TG_GCM_TAG_BYTES bytes; sealed.len - TG_GCM_TAG_BYTES bytes. It may begin where the input does
 * err   TG_ERR_AUTH: the tag does not verify; TG_ERR_TRUNCATED: shorter than a tag; TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_hpke_seal(tg_hpke *context, tg_slice aad, tg_slice plaintext, uint8_t *out);
TG_FOREIGN TG_MUST_USE tg_result tg_hpke_open(tg_hpke *context, tg_slice aad, tg_slice sealed, uint8_t *out);

/* tg_hpke_export derives a secret of both sides (RFC 9180 §5.3). err: TG_ERR_RANGE: more than 8160 bytes; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_hpke_export(const tg_hpke *context, tg_slice exporter_context, uint8_t *out, size_t out_len);

/* tg_hpke_derive_key makes the key pair of key material (DeriveKeyPair, RFC 9180 §7.1.3), of either curve.
 * key_material  at least 32 bytes of entropy
 * err           TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_hpke_derive_key(tg_curve curve, tg_slice key_material, tg_ec_key **out_key);

#endif
