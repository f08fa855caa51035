/* Oblivious HTTP (RFC 9458): key configurations, encapsulated requests and responses, of HPKE with X25519,
 * HKDF-SHA256 and AES-128-GCM or AES-256-GCM. What is inside is binary HTTP (envelope/bhttp.h). */
#ifndef TG_ENVELOPE_OHTTP_H
#define TG_ENVELOPE_OHTTP_H

#include "base/buf.h"
#include "crypto/hpke.h"

enum {
    TG_OHTTP_HEADER_BYTES = 7, /* key id, KEM, KDF, AEAD */
    TG_OHTTP_REQUEST_OVERHEAD_BYTES = TG_OHTTP_HEADER_BYTES + TG_HPKE_ENC_BYTES + TG_GCM_TAG_BYTES,
    TG_MAX_OHTTP_NONCE_BYTES = 32, /* of a response */
    TG_MAX_OHTTP_CONFIGS = 16      /* read of an application/ohttp-keys */
};

/* A key that clients encrypt to, as its configuration says (§3.1). */
typedef struct tg_ohttp_config {
    uint8_t key_id;
    tg_hpke_aead aead; /* read: the first listed that we have; written: both are listed */
    uint8_t public_key[TG_X25519_PUBLIC_BYTES];
} tg_ohttp_config;

/* What stands in the clear of an encapsulated request. The slices point into the message. */
typedef struct tg_ohttp_request {
    uint8_t key_id;
    tg_hpke_aead aead;
    tg_slice header, enc, sealed;
} tg_ohttp_request;

/* What a response is sealed by and opened by: both sides have it. Ended with tg_ohttp_reply_done, which wipes it. */
typedef struct tg_ohttp_reply {
    tg_hpke_aead aead;
    uint8_t enc[TG_HPKE_ENC_BYTES];
    uint8_t secret[TG_MAX_OHTTP_NONCE_BYTES]; /* as long as the AEAD's key */
} tg_ohttp_reply;

/* tg_ohttp_config_append writes one configuration with its length before it, as application/ohttp-keys has them (§3.2).
 * err: those of tg_buf_append */
TG_MUST_USE tg_result tg_ohttp_config_append(tg_buf *out, uint8_t key_id, tg_slice public_key);

/* tg_ohttp_config_read finds the first configuration that we can use.
 * err   TG_ERR_NOT_FOUND: none has our KEM, KDF and AEADs; TG_ERR_TRUNCATED, TG_ERR_SYNTAX: damaged; TG_ERR_LIMIT
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ohttp_config_read(tg_slice keys, tg_ohttp_config *out_config);

/* tg_ohttp_request_parse reads the header (§4.3).
 * err   TG_ERR_TRUNCATED: shorter than an empty request; TG_ERR_UNSUPPORTED: another KEM, KDF or AEAD
 * keep  `message` must live while *out is used
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ohttp_request_parse(tg_slice message, tg_ohttp_request *out_request);

/* tg_ohttp_request_open decrypts with a key of the request's id and appends the binary HTTP request.
 * plaintext  a wiped buffer
 * err        TG_ERR_AUTH: not sealed to this key, or changed; TG_ERR_LIMIT: longer than the buffer takes; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ohttp_request_open(const tg_ohttp_request *request, const tg_ec_key *key,
                                                       tg_buf *plaintext, tg_ohttp_reply *out_reply);
void tg_ohttp_reply_done(tg_ohttp_reply *reply);

/* tg_ohttp_response_seal appends an encapsulated response (§4.4); tg_ohttp_response_seal_with does so with a given
 * nonce of tg_hpke_key_len bytes, for known answers. One reply seals one response.
 * err   TG_ERR_LIMIT, TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_ohttp_response_seal(const tg_ohttp_reply *reply, tg_slice plaintext, tg_buf *out);
TG_MUST_USE tg_result tg_ohttp_response_seal_with(const tg_ohttp_reply *reply, const uint8_t *nonce, tg_slice plaintext,
                                                  tg_buf *out);

/* tg_ohttp_request_seal is the client's side; _with takes the ephemeral key, for known answers.
 * err   TG_ERR_AUTH: the configuration's key is none; TG_ERR_LIMIT, TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_ohttp_request_seal(const tg_ohttp_config *config, tg_slice plaintext, tg_buf *out,
                                            tg_ohttp_reply *out_reply);
TG_MUST_USE tg_result tg_ohttp_request_seal_with(const tg_ohttp_config *config, const tg_ec_key *ephemeral,
                                                 tg_slice plaintext, tg_buf *out, tg_ohttp_reply *out_reply);

/* tg_ohttp_response_open decrypts and appends the binary HTTP response.
 * err   TG_ERR_AUTH, TG_ERR_TRUNCATED, TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ohttp_response_open(const tg_ohttp_reply *reply, tg_slice sealed,
                                                        tg_buf *plaintext);

#endif
