/* Hexadecimal and base64 (RFC 4648), strict: one spelling for each value, so that no two texts mean one byte string. */
#ifndef TG_BASE_ENCODE_H
#define TG_BASE_ENCODE_H

#include "base/buf.h"

typedef enum tg_base64_kind {
    TG_BASE64_PADDED, /* RFC 4648 §4, `+/`, with its padding */
    TG_BASE64_URL     /* RFC 4648 §5, `-_`, without padding */
} tg_base64_kind;

/* tg_base64_encoded_len is the text's length for `len` bytes (len at most SIZE_MAX / 2). */
static inline size_t tg_base64_encoded_len(tg_base64_kind kind, size_t len)
{
    size_t rest = len % 3;
    if (kind == TG_BASE64_PADDED) {
        return (len / 3 + (rest > 0)) * 4;
    }
    return len / 3 * 4 + (rest > 0 ? rest + 1 : 0);
}
/* tg_base64_decoded_max bounds what `len` characters decode to. */
static inline size_t tg_base64_decoded_max(size_t len)
{
    return len / 4 * 3 + 3;
}

/* tg_base64_encode writes tg_base64_encoded_len bytes to out. Without padding, the bytes may end where the text will
 * end: each is read before anything is written there. */
void tg_base64_encode(tg_base64_kind kind, tg_slice bytes, uint8_t *out);

/* tg_base64_decode reads the whole text.
 * out   at most tg_base64_decoded_max(text.len) bytes, and their number; on failure *out_len is untouched and out holds
 *       bytes that mean nothing (of a secret: wipe them)
 * err   TG_ERR_SYNTAX: a character outside the alphabet, missing or surplus padding, or spare bits that are not zero
 */
TG_FOREIGN TG_MUST_USE tg_result tg_base64_decode(tg_base64_kind kind, tg_slice text, uint8_t *out, size_t *out_len);

/* tg_base64_append appends the text of `bytes`.
 * err   TG_ERR_LIMIT past the buffer's maximum, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_base64_append(tg_buf *buf, tg_base64_kind kind, tg_slice bytes);

/* tg_hex_append appends lower-case digits. tg_hex_decode takes either case.
 * out   text.len / 2 bytes
 * err   TG_ERR_SYNTAX: odd length or another character
 */
TG_MUST_USE tg_result tg_hex_append(tg_buf *buf, tg_slice bytes);
TG_FOREIGN TG_MUST_USE tg_result tg_hex_decode(tg_slice text, uint8_t *out);

#endif
