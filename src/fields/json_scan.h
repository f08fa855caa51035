/* The inner loops over JSON text (RFC 8259): white space, strings, numbers; and strings' escapes taken off. Each scan
 * works on the whole text in place and stops at `limit`, so that long tokens can be scanned in pieces. */
#ifndef TG_FIELDS_JSON_SCAN_H
#define TG_FIELDS_JSON_SCAN_H

#include "base/result.h"
#include "base/slice.h"
#include "fields/json_index.h"

typedef enum tg_scan {
    TG_SCAN_DONE, /* the token ends at *at */
    TG_SCAN_MORE, /* the limit was reached inside it: scan on from *at */
    TG_SCAN_BAD,  /* the byte at *at cannot stand there */
    TG_SCAN_ENDS  /* the text ends inside it */
} tg_scan;

static inline bool tg_json_is_space(uint8_t c)
{
    const uint64_t spaces = (uint64_t)1 << ' ' | (uint64_t)1 << '\n' | (uint64_t)1 << '\r' | (uint64_t)1 << '\t';
    return c <= ' ' && (spaces >> c & 1) != 0;
}

/* tg_json_skip_space is the offset of the first byte from `at` that is no white space, at most `limit`. Short runs are
 * walked: the processor foresees their end, while it would wait for one that is computed. */
static inline size_t tg_json_skip_space(tg_json_index *index, size_t at, size_t limit)
{
    if (at >= limit) {
        return at;
    }
    const uint8_t *text = index->text.ptr;
    size_t near = tg_json_index_is_used(index) && limit - at > 16 ? at + 16 : limit;
    while (at < near && tg_json_is_space(text[at])) {
        at++;
    }
    return at < limit && at == near ? tg_json_index_dark(index, at, limit) : at;
}

/* tg_json_skip_plain is the offset of the first byte from `at` that ends what can stand in a string as it is, or has to
 * be looked at whether it does; at most `limit`. */
size_t tg_json_skip_plain_portably(tg_slice text, size_t at, size_t limit);
static inline size_t tg_json_skip_plain(tg_json_index *index, size_t at, size_t limit)
{
    return tg_json_index_is_used(index) ? tg_json_index_special(index, at, limit)
                                        : tg_json_skip_plain_portably(index->text, at, limit);
}

/* tg_json_scan_string scans a string's inside and its closing quote.
 * index        of the whole text
 * limit        at most its length; one escape or one character may be read past it
 * at           in: behind the opening quote, or where an earlier call stopped; out: see tg_scan (behind the quote)
 * has_escapes  set to true where a backslash was met, otherwise left as it is
 */
tg_scan tg_json_scan_string(tg_json_index *index, size_t limit, size_t *at, bool *has_escapes);

static inline size_t tg_json_skip_digits(const uint8_t *text, size_t at, size_t limit)
{
    while (at < limit && (uint8_t)(text[at] - '0') < 10) {
        at++;
    }
    return at;
}

/* tg_json_skip_short_number is where a number without an exponent ends that ends before `limit`; `at` itself where it
 * is another, or none. */
static inline size_t tg_json_skip_short_number(const uint8_t *text, size_t at, size_t limit)
{
    size_t first = at < limit && text[at] == '-' ? at + 1 : at;
    size_t end = tg_json_skip_digits(text, first, limit);
    bool is_whole = end > first && (text[first] != '0' || end == first + 1);
    if (is_whole && end < limit && text[end] == '.') {
        size_t fraction = end + 1;
        end = tg_json_skip_digits(text, fraction, limit);
        is_whole = end > fraction;
    }
    return is_whole && end < limit && (text[end] | 0x20) != 'e' ? end : at;
}

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
