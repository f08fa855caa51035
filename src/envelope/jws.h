/* JWS in compact form (RFC 7515), exactly ES256, by a named key: what a gateway's answers and sealed deliveries carry
 * inside their JWE. */
#ifndef TG_ENVELOPE_JWS_H
#define TG_ENVELOPE_JWS_H

#include "crypto/sha256.h"
#include "envelope/jose.h"

/* What the protected header says besides `alg`. */
typedef struct tg_jws_claims {
    char kid[TG_MAX_KID_BYTES + 1];
    char content_type[TG_MAX_CTY_BYTES + 1]; /* `cty`: the payload's; "" where there is none */
    bool has_request;
    uint8_t request_sha256[TG_SHA256_BYTES]; /* `req`: the request that this answers */
    bool has_status;
    uint64_t status; /* `status`: the answer's HTTP status */
    bool has_issued;
    uint64_t issued_unix_s; /* `iat` */
    bool has_version;
    uint64_t version; /* `version`, of a delivery: rises */
} tg_jws_claims;

typedef struct tg_jws {
    tg_slice signed_text; /* header and payload, as they came */
    tg_slice payload_text, signature_text;
    tg_jws_claims claims; /* nobody's word before tg_jws_verify */
} tg_jws;

/* tg_jws_parse reads the header. err: those of tg_jose_header_read; TG_ERR_SYNTAX: not three parts, a claim that is
 * none; TG_ERR_UNSUPPORTED: another algorithm. keep: `compact` must live while out_jws is used
 */
TG_FOREIGN TG_MUST_USE tg_result tg_jws_parse(tg_slice compact, tg_jws *out_jws, tg_detail *detail);

/* tg_jws_verify checks the signature by the key that claims.kid names, and appends the payload.
 * err   TG_ERR_AUTH; TG_ERR_SYNTAX: no base64url; TG_ERR_LIMIT: longer than the buffer takes; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_jws_verify(const tg_jws *jws, const tg_ec_key *key, tg_buf *payload);

/* tg_jws_sign appends a JWS. out: a wiped buffer where the payload is secret. err: TG_ERR_LIMIT, TG_ERR_MEMORY,
 * TG_ERR_UNSUPPORTED: not a private P-256 key; what was appended is then taken back
 */
TG_MUST_USE tg_result tg_jws_sign(const tg_ec_key *key, const tg_jws_claims *claims, tg_slice payload, tg_buf *out);

#endif
