/* ASCII without the locale, UTF-8, and foreign text made fit for a log or a message. */
#ifndef TG_BASE_TEXT_H
#define TG_BASE_TEXT_H

#include "base/buf.h"

static inline bool tg_ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}
static inline bool tg_ascii_is_alpha(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
static inline uint8_t tg_ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}
static inline uint8_t tg_ascii_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c & 0xdf) : c;
}
/* tg_ascii_hex_value is 0 to 15, or -1 for a byte that is no hexadecimal digit. */
int tg_ascii_hex_value(uint8_t c);

/* tg_text_equal_nocase compares ASCII letters without case, all other bytes as they are. */
bool tg_text_equal_nocase(tg_slice a, tg_slice b);

/* tg_utf8_char_len is the length (1 to 4) of the well-formed character at the beginning of `left` >= 1 bytes (RFC 3629
 * §4, UTF8-char), 0 where there is none. */
static inline size_t tg_utf8_char_len(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < len) {
        return 0;
    }
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* tg_utf8_is_valid checks for well-formed UTF-8 (RFC 3629 §4: no overlong form, no surrogate, at most U+10FFFF). */
TG_FOREIGN bool tg_utf8_is_valid(tg_slice text);
/* tg_utf8_valid_prefix is the length of the longest well-formed prefix. */
TG_FOREIGN size_t tg_utf8_valid_prefix(tg_slice text);
/* tg_utf8_encode writes a code point (at most U+10FFFF, no surrogate: 0 is returned) as 1 to 4 bytes. */
size_t tg_utf8_encode(uint32_t code_point, uint8_t out[4]);

/* tg_text_append_printable appends foreign bytes for people: printable ASCII as it is, backslash doubled, all else
 * as \xNN; what goes past `max_bytes` of input is cut and shown as `...`.
 */
TG_FOREIGN TG_MUST_USE tg_result tg_text_append_printable(tg_buf *buf, tg_slice foreign, size_t max_bytes);

/* tg_json_append_string appends a JSON string with its quotes (RFC 8259 §7): quote, backslash and control characters
 * escaped, bytes that are not UTF-8 replaced by U+FFFD.
 */
TG_FOREIGN TG_MUST_USE tg_result tg_json_append_string(tg_buf *buf, tg_slice text);

#endif
