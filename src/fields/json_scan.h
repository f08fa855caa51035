/* The inner loops over JSON text (RFC 8259): white space, strings, numbers; and strings' escapes taken off. Each scan
 * works on the whole text in place and stops at `limit`, so that long tokens can be scanned in pieces. */
#ifndef TG_FIELDS_JSON_SCAN_H
#define TG_FIELDS_JSON_SCAN_H

#include "base/result.h"
#include "base/slice.h"

typedef enum tg_scan {
    TG_SCAN_DONE, /* the token ends at *at */
    TG_SCAN_MORE, /* the limit was reached inside it: scan on from *at */
    TG_SCAN_BAD,  /* the byte at *at cannot stand there */
    TG_SCAN_ENDS  /* the text ends inside it */
} tg_scan;

/* tg_json_skip_space is the offset of the first byte from `at` that is no white space, at most `limit`. */
static inline size_t tg_json_skip_space(tg_slice text, size_t at, size_t limit)
{
    while (at < limit &&
           (text.ptr[at] == ' ' || text.ptr[at] == '\n' || text.ptr[at] == '\r' || text.ptr[at] == '\t')) {
        at++;
    }
    return at;
}

/* tg_json_scan_string scans a string's inside and its closing quote.
 * limit        at most text.len; one escape or one character may be read past it
 * at           in: behind the opening quote, or where an earlier call stopped; out: see tg_scan (behind the quote)
 * has_escapes  set to true where a backslash was met, otherwise left as it is
 */
tg_scan tg_json_scan_string(tg_slice text, size_t limit, size_t *at, bool *has_escapes);

/* tg_json_scan_number scans a number (RFC 8259 §6).
 * at     in: its first byte, or where an earlier call stopped; out: behind its last byte
 * state  0 at first, then what the earlier call left
 */
tg_scan tg_json_scan_number(tg_slice text, size_t limit, size_t *at, uint8_t *state);

/* tg_json_plain_prefix is the length of the longest prefix that can stand in a JSON string as it is: well-formed UTF-8
 * without quote, backslash and control characters. */
size_t tg_json_plain_prefix(tg_slice text);

typedef enum tg_lone_surrogates { TG_LONE_REFUSED, TG_LONE_REPLACED } tg_lone_surrogates;

/* tg_json_unescape writes the UTF-8 that a string stands for.
 * inside  what tg_json_scan_string accepted, without the quotes
 * lone    what happens to \uD800 to \uDFFF without their other half: TG_ERR_SYNTAX, or U+FFFD in their place
 * out     at most inside.len bytes
 * err     TG_ERR_SYNTAX; what was written so far is then of no use
 */
TG_MUST_USE tg_result tg_json_unescape(tg_slice inside, tg_lone_surrogates lone, uint8_t *out, size_t *out_len);

#endif
