/* JWE in compact form (RFC 7516), exactly one kind: ECDH-ES on P-256 (RFC 7518 §4.6) with A256GCM, to a named key. */
#ifndef TG_ENVELOPE_JWE_H
#define TG_ENVELOPE_JWE_H

#include "envelope/jose.h"

enum {
    TG_MAX_PARTY_BYTES = 512,   /* apu, apv */
    TG_MAX_JWE_PATH_BYTES = 256 /* path */
};

/* What stands in the clear of a JWE. The slices point into the text. */
typedef struct tg_jwe {
    tg_slice header_text; /* base64url, as it came: it is the AAD */
    tg_slice iv_text, ciphertext_text, tag_text;
    char kid[TG_MAX_KID_BYTES + 1];
    uint8_t ephemeral[TG_P256_PUBLIC_BYTES]; /* epk; tg_jwe_open checks that it is on the curve */
    uint8_t party_u[TG_MAX_PARTY_BYTES], party_v[TG_MAX_PARTY_BYTES];
    size_t party_u_len, party_v_len;
    char content_type[TG_MAX_CTY_BYTES + 1]; /* cty; "" where there is none */
    char path[TG_MAX_JWE_PATH_BYTES + 1];    /* path: where alone it is to be taken; "" where there is none */
    bool has_issued;
    uint64_t issued_unix_s; /* iat */
    bool has_reply;
    uint8_t reply[TG_P256_PUBLIC_BYTES];  /* reply_jwk, a point of the curve */
    char reply_kid[TG_MAX_KID_BYTES + 1]; /* "" where the JWK has none */
} tg_jwe;

/* Whom a JWE is for, and what its header says besides. */
typedef struct tg_jwe_recipient {
    tg_slice point;           /* P-256, uncompressed */
    const char *kid;          /* printable; NULL or "": none is named */
    const char *content_type; /* cty; NULL */
    const char *path;         /* path; NULL */
    uint64_t issued_unix_s;   /* iat; 0: none */
    tg_slice reply;           /* reply_jwk: a point; empty: none */
    const char *reply_kid;    /* its name, which the answer's `kid` will be; NULL: none */
} tg_jwe_recipient;

/* tg_jwe_parse reads everything that is not sealed, and nothing that the sender did not have to say: `alg`, `enc`,
 * `kid`, `epk`; `apu`, `apv`, `cty`, `path`, `iat` and `reply_jwk` where they are there.
 * err   those of tg_jose_header_read; TG_ERR_SYNTAX: not five parts, an encrypted key, a nonce or tag of another
 *       length; TG_ERR_UNSUPPORTED: another algorithm or curve; TG_ERR_AUTH: reply_jwk is no point of the curve;
 *       TG_ERR_LIMIT: apu or apv too long. detail.field names the member, never a value
 * keep  `compact` must live while out_jwe is used
 */
TG_FOREIGN TG_MUST_USE tg_result tg_jwe_parse(tg_slice compact, tg_jwe *out_jwe, tg_detail *detail);

/* tg_jwe_open decrypts with the key that the JWE's kid names, and appends to plaintext (a wiped buffer).
 * err   TG_ERR_AUTH: epk is no point of the curve, or the tag does not verify; TG_ERR_SYNTAX: the ciphertext is not
 *       base64url; TG_ERR_LIMIT: longer than the buffer takes; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_jwe_open(const tg_jwe *jwe, const tg_ec_key *key, tg_buf *plaintext);

/* tg_jwe_seal appends a JWE under a new ephemeral key.
 * err   TG_ERR_AUTH, TG_ERR_RANGE: the point is none; TG_ERR_LIMIT, TG_ERR_MEMORY, TG_ERR_LIBRARY; what was appended
 *       is then taken back
 */
TG_MUST_USE tg_result tg_jwe_seal(const tg_jwe_recipient *recipient, tg_slice plaintext, tg_buf *out);

#endif
