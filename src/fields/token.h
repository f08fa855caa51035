/* The text that stands in place of a value: `v1.<b64url(nonce)>.<b64url(ciphertext || tag)>`, without padding.
 *
 *   nonce       the first 12 bytes of HMAC-SHA256(DEK, plaintext), the input of JSON values prefixed `json\0`
 *   ciphertext  AES-256-GCM-SIV (RFC 8452) under the DEK; AAD empty for strings, `json` for JSON values
 *
 * Equal values under one key give equal tokens. The token does not say which of the two AADs it was made with: opening
 * tries the empty one and then `json`, first with the current key and then with each other key of the ring.
 */
#ifndef TG_FIELDS_TOKEN_H
#define TG_FIELDS_TOKEN_H

#include "base/detail.h"
#include "base/encode.h"
#include "fields/keys.h"

typedef enum tg_token_kind {
    TG_TOKEN_STRING, /* the plaintext is a string's UTF-8, after unescaping */
    TG_TOKEN_JSON    /* the plaintext is the text of a number, boolean, object or array */
} tg_token_kind;

enum {
    TG_TOKEN_HEAD_BYTES = 20,                      /* `v1.`, 16 characters of nonce, `.` */
    TG_TOKEN_MIN_BYTES = TG_TOKEN_HEAD_BYTES + 22, /* that of an empty plaintext */
};

/* tg_token_len is the length of the token of a plaintext (at most UINT32_MAX bytes). */
static inline size_t tg_token_len(size_t plaintext_len)
{
    return TG_TOKEN_HEAD_BYTES + tg_base64_encoded_len(TG_BASE64_URL, plaintext_len + TG_SIV_TAG_BYTES);
}

/* One value to seal; `out` takes exactly tg_token_len(plaintext.len) bytes and does not overlap the plaintext. */
typedef struct tg_token_job {
    tg_token_kind kind;
    tg_slice plaintext;
    uint8_t *out;
} tg_token_job;

/* tg_token_seal writes the tokens of num_jobs values with the current key. It allocates nothing.
 * err   TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_token_seal(tg_field_keys *keys, const tg_token_job *jobs, size_t num_jobs);

/* tg_token_open_room is how many bytes tg_token_open may write for a text of `text_len`. */
static inline size_t tg_token_open_room(size_t text_len)
{
    return tg_base64_decoded_max(text_len);
}

typedef struct tg_opened {
    tg_token_kind kind;
    size_t len;       /* of the plaintext at the beginning of `out` */
    size_t key_index; /* which key of the ring opened it; 0 is the current one */
} tg_opened;

/* tg_token_open reads a token, decodes it once and decrypts it with one key after the other. For a long one the ring's
 * scratch memory grows (tg_field_keys_scratch): the text must not stand where that may move.
 * text  the whole text
 * out   tg_token_open_room(text.len) bytes, not overlapping the text; holds no plaintext after a failure
 * err   TG_ERR_SYNTAX: no v1 token; TG_ERR_AUTH: no key of the ring opens it; TG_ERR_MEMORY; TG_ERR_LIBRARY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_token_open(tg_field_keys *keys, tg_slice text, uint8_t *out, tg_opened *out_opened);

/* What can be said about a token without a key. */
typedef struct tg_token_facts {
    unsigned version;
    size_t nonce_bytes;
    size_t tag_bytes;
    size_t plaintext_bytes;
} tg_token_facts;

/* tg_token_inspect checks a text as tg_token_open would and says what it shows.
 * err   TG_ERR_SYNTAX: no token; TG_ERR_UNSUPPORTED: begins as a token of another version; `detail` says why
 */
TG_FOREIGN TG_MUST_USE tg_result tg_token_inspect(tg_slice text, tg_token_facts *out_facts, tg_detail *detail);

#endif
