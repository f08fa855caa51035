#include "fields/json_scan.h"

#include "base/text.h"

#define EVERY_BYTE(value) ((uint64_t)0x0101010101010101u * (value))

/* The high bit of the lowest byte in `word` that is not plain (a control character, quote, backslash, or not ASCII) is
 * set in the answer; bits above that one may be wrong, for the subtractions borrow upwards. */
static inline uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"');
    uint64_t backslash = word ^ EVERY_BYTE('\\');
    uint64_t control = word - EVERY_BYTE(0x20);
    return (((quote - EVERY_BYTE(1)) & ~quote) | ((backslash - EVERY_BYTE(1)) & ~backslash) | (control & ~word) |
            word) &
           EVERY_BYTE(0x80);
}

static inline bool is_plain_ascii(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

size_t tg_json_skip_plain_portably(tg_slice whole, size_t at, size_t limit)
{
    const uint8_t *text = whole.ptr;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (at < limit && limit - at >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        uint64_t special = special_bytes(word);
        if (special != 0) {
            return at + (size_t)__builtin_ctzll(special) / 8;
        }
        at += sizeof word;
    }
#endif
    while (at < limit && is_plain_ascii(text[at])) {
        at++;
    }
    return at;
}

/* escape = "\" ( %x22 / "\" / "/" / "b" / "f" / "n" / "r" / "t" / "u" 4HEXDIG ); *at stands on the backslash */
static tg_scan scan_escape(tg_slice text, size_t *at)
{
    size_t here = *at + 1;
    if (here >= text.len) {
        return TG_SCAN_ENDS;
    }
    size_t num_digits = 0;
    switch (text.ptr[here]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        break;
    case 'u':
        num_digits = 4;
        break;
    default:
        *at = here;
        return TG_SCAN_BAD;
    }
    for (here++; num_digits > 0; num_digits--, here++) {
        if (here >= text.len) {
            return TG_SCAN_ENDS;
        }
        if (tg_ascii_hex_value(text.ptr[here]) < 0) {
            *at = here;
            return TG_SCAN_BAD;
        }
    }
    *at = here;
    return TG_SCAN_DONE;
}

tg_scan tg_json_scan_string(tg_json_index *index, size_t limit, size_t *at, bool *has_escapes)
{
    tg_slice text = index->text;
    size_t here = *at;
    for (;;) {
        here = here < limit ? tg_json_skip_plain(index, here, limit) : here;
        if (here >= limit) {
            *at = here;
            return here >= text.len ? TG_SCAN_ENDS : TG_SCAN_MORE;
        }
        uint8_t c = text.ptr[here];
        if (c == '"') {
            *at = here + 1;
            return TG_SCAN_DONE;
        }
        if (c == '\\') {
            *has_escapes = true;
            tg_scan escape = scan_escape(text, &here);
            if (escape != TG_SCAN_DONE) {
                *at = here;
                return escape;
            }
            continue;
        }
        size_t len = c >= 0x80 ? tg_utf8_char_len(text.ptr + here, text.len - here) : 0;
        if (len == 0) {
            *at = here;
            return TG_SCAN_BAD;
        }
        here += len;
    }
}

/* number = [ "-" ] ( "0" / digit1-9 *DIGIT ) [ "." 1*DIGIT ] [ ( "e" / "E" ) [ "+" / "-" ] 1*DIGIT ]
 * State 0 is before the first byte; no transition leads there, so that 0 in the table says: the number stops. */
enum { BEFORE, MINUS, ZERO, INTEGER, POINT, FRACTION, EXP_MARK, EXP_SIGN, EXPONENT, NUM_STATES };
enum { OTHER, DIGIT_0, DIGIT_1_9, SIGN_MINUS, SIGN_PLUS, FULL_STOP, LETTER_E, NUM_CLASSES };

static const uint8_t number_classes[256] = {
    ['0'] = DIGIT_0,    ['1'] = DIGIT_1_9, ['2'] = DIGIT_1_9, ['3'] = DIGIT_1_9, ['4'] = DIGIT_1_9,
    ['5'] = DIGIT_1_9,  ['6'] = DIGIT_1_9, ['7'] = DIGIT_1_9, ['8'] = DIGIT_1_9, ['9'] = DIGIT_1_9,
    ['-'] = SIGN_MINUS, ['+'] = SIGN_PLUS, ['.'] = FULL_STOP, ['e'] = LETTER_E,  ['E'] = LETTER_E,
};

static const uint8_t number_next[NUM_STATES][NUM_CLASSES] = {
    [BEFORE] = {[DIGIT_0] = ZERO, [DIGIT_1_9] = INTEGER, [SIGN_MINUS] = MINUS},
    [MINUS] = {[DIGIT_0] = ZERO, [DIGIT_1_9] = INTEGER},
    [ZERO] = {[FULL_STOP] = POINT, [LETTER_E] = EXP_MARK},
    [INTEGER] = {[DIGIT_0] = INTEGER, [DIGIT_1_9] = INTEGER, [FULL_STOP] = POINT, [LETTER_E] = EXP_MARK},
    [POINT] = {[DIGIT_0] = FRACTION, [DIGIT_1_9] = FRACTION},
    [FRACTION] = {[DIGIT_0] = FRACTION, [DIGIT_1_9] = FRACTION, [LETTER_E] = EXP_MARK},
    [EXP_MARK] = {[DIGIT_0] = EXPONENT, [DIGIT_1_9] = EXPONENT, [SIGN_MINUS] = EXP_SIGN, [SIGN_PLUS] = EXP_SIGN},
    [EXP_SIGN] = {[DIGIT_0] = EXPONENT, [DIGIT_1_9] = EXPONENT},
    [EXPONENT] = {[DIGIT_0] = EXPONENT, [DIGIT_1_9] = EXPONENT},
};

tg_scan tg_json_scan_number(tg_slice text, size_t limit, size_t *at, uint8_t *state)
{
    size_t end = *state == BEFORE ? tg_json_skip_short_number(text.ptr, *at, limit) : *at;
    if (end > *at) {
        *at = end;
        return TG_SCAN_DONE;
    }
    size_t here = *at;
    uint8_t current = *state;
    uint8_t next;
    while (here < limit && (next = number_next[current][number_classes[text.ptr[here]]]) != BEFORE) {
        current = next;
        here++;
    }
    *at = here;
    *state = current;
    bool is_whole = current == ZERO || current == INTEGER || current == FRACTION || current == EXPONENT;
    if (here < limit || here >= text.len) {
        return is_whole ? TG_SCAN_DONE : here < text.len ? TG_SCAN_BAD : TG_SCAN_ENDS;
    }
    return TG_SCAN_MORE;
}

size_t tg_json_plain_prefix(tg_slice text)
{
    size_t at = 0;
    TG_UNINITIALIZED tg_json_index index;
    tg_json_index_init(&index, text);
    while (at < text.len) {
        at = tg_json_skip_plain(&index, at, text.len);
        size_t len = at < text.len && text.ptr[at] >= 0x80 ? tg_utf8_char_len(text.ptr + at, text.len - at) : 0;
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

/* The value of the 4 digits of \uXXXX; the grammar has been checked. */
static uint32_t unit_at(const uint8_t *digits)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        unit = unit << 4 | (uint32_t)tg_ascii_hex_value(digits[i]);
    }
    return unit;
}

/* Reads \uXXXX, with its low half where it is a high surrogate; 0xd800 stands for a lone surrogate. `at` is the
 * backslash's offset, *out_next behind what was read. */
static uint32_t code_point_at(tg_slice inside, size_t at, size_t *out_next)
{
    uint32_t unit = unit_at(inside.ptr + at + 2);
    *out_next = at + 6;
    if (unit < 0xd800 || unit > 0xdfff) {
        return unit;
    }
    const uint8_t *low_at = inside.ptr + at + 6;
    if (unit > 0xdbff || inside.len - at < 12 || low_at[0] != '\\' || low_at[1] != 'u') {
        return 0xd800;
    }
    uint32_t low = unit_at(low_at + 2);
    if (low < 0xdc00 || low > 0xdfff) {
        return 0xd800;
    }
    *out_next = at + 12;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static uint8_t short_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

tg_result tg_json_unescape(tg_slice inside, tg_lone_surrogates lone, uint8_t *out, size_t *out_len)
{
    size_t len = 0;
    for (size_t at = 0; at < inside.len;) {
        tg_slice rest = tg_slice_from(inside, at);
        size_t plain = tg_slice_find(rest, '\\');
        memcpy(out + len, rest.ptr, plain);
        len += plain;
        at += plain;
        if (at == inside.len) {
            break;
        }
        uint8_t c = inside.ptr[at + 1];
        if (c != 'u') {
            out[len++] = short_escape(c);
            at += 2;
            continue;
        }
        uint32_t code_point = code_point_at(inside, at, &at);
        if (code_point == 0xd800) {
            if (lone == TG_LONE_REFUSED) {
                return tg_fail(TG_ERR_SYNTAX);
            }
            code_point = 0xfffd;
        }
        uint8_t utf8[4];
        size_t utf8_len = tg_utf8_encode(code_point, utf8);
        memcpy(out + len, utf8, utf8_len);
        len += utf8_len;
    }
    *out_len = len;
    return tg_ok();
}
