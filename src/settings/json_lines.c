#include "settings/json_lines.h"

#include "base/num.h"
#include "base/text.h"

static size_t skip_blanks(tg_slice json, size_t at)
{
    while (at < json.len &&
           (json.ptr[at] == ' ' || json.ptr[at] == '\t' || json.ptr[at] == '\r' || json.ptr[at] == '\n')) {
        at++;
    }
    return at;
}

/* The index behind the string whose opening quote stands at `at`. */
static size_t skip_string(tg_slice json, size_t at)
{
    for (at++; at < json.len && json.ptr[at] != '"'; at++) {
        at += json.ptr[at] == '\\';
    }
    return tg_size_min(at + 1, json.len);
}

/* The index behind the value that begins at `at`. */
static size_t skip_value(tg_slice json, size_t at)
{
    size_t depth = 0;
    while (at < json.len) {
        uint8_t byte = json.ptr[at];
        if (byte == '"') {
            at = skip_string(json, at);
            if (depth == 0) {
                return at;
            }
            continue;
        }
        if (depth == 0 && (byte == ',' || byte == '}' || byte == ']')) {
            return at;
        }
        depth += byte == '{' || byte == '[';
        depth -= byte == '}' || byte == ']';
        at++;
        if (depth == 0 && (byte == '}' || byte == ']')) {
            return at;
        }
    }
    return at;
}

/* The four digits behind `\u` at the front of *text, which are taken off. */
static uint32_t take_hex4(tg_slice *text)
{
    uint64_t value = 0;
    if (text->len < 4 || !tg_is_ok(tg_num_parse_hex_u64(tg_slice_first(*text, 4), UINT16_MAX, &value))) {
        *text = tg_slice_from(*text, text->len);
        return 0xfffd;
    }
    *text = tg_slice_from(*text, 4);
    return (uint32_t)value;
}

/* Takes one character off the inside of a JSON string as UTF-8 bytes: 1 to 4. */
static size_t take_character(tg_slice *text, uint8_t out[4])
{
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    out[0] = text->ptr[0];
    *text = tg_slice_from(*text, 1);
    if (out[0] != '\\' || text->len == 0) {
        return 1;
    }
    uint8_t escape = text->ptr[0];
    *text = tg_slice_from(*text, 1);
    if (escape == 'u') {
        uint32_t code = take_hex4(text);
        if (code >= 0xd800 && code < 0xdc00 && tg_slice_starts(*text, TG_LIT("\\u"))) {
            *text = tg_slice_from(*text, 2);
            code = 0x10000 + ((code - 0xd800) << 10) + ((take_hex4(text) - 0xdc00) & 0x3ff);
        }
        size_t len = tg_utf8_encode(code, out);
        out[0] = len > 0 ? out[0] : '?';
        return len > 0 ? len : 1;
    }
    out[0] = escape;
    for (size_t i = 0; i + 1 < sizeof escapes; i += 2) {
        out[0] = escape == (uint8_t)escapes[i] ? (uint8_t)escapes[i + 1] : out[0];
    }
    return 1;
}

/* Takes one byte off a pointer's token (RFC 6901 §4: ~0 is a tilde, ~1 a slash). */
static uint8_t take_token_byte(tg_slice *token)
{
    uint8_t byte = token->ptr[0];
    *token = tg_slice_from(*token, 1);
    if (byte == '~' && token->len > 0 && (token->ptr[0] == '0' || token->ptr[0] == '1')) {
        byte = token->ptr[0] == '0' ? '~' : '/';
        *token = tg_slice_from(*token, 1);
    }
    return byte;
}

static bool is_key(tg_slice inside, tg_slice token)
{
    while (inside.len > 0) {
        uint8_t bytes[4];
        size_t len = take_character(&inside, bytes);
        for (size_t i = 0; i < len; i++) {
            if (token.len == 0 || take_token_byte(&token) != bytes[i]) {
                return false;
            }
        }
    }
    return token.len == 0;
}

/* Finds what a token names in the object or array that begins at *value. On success *value is the value's index, and
 * what is returned is where it is said to stand: its key, or itself. SIZE_MAX where it is not there. */
static size_t find(tg_slice json, size_t *value, tg_slice token)
{
    bool is_object = json.ptr[*value] == '{';
    uint64_t index = 0;
    if (!is_object && (json.ptr[*value] != '[' || !tg_is_ok(tg_num_parse_u64(token, UINT32_MAX, &index)))) {
        return SIZE_MAX;
    }
    size_t at = skip_blanks(json, *value + 1);
    while (at < json.len && json.ptr[at] != '}' && json.ptr[at] != ']') {
        size_t place = at;
        bool is_found = !is_object && index-- == 0;
        if (is_object) {
            if (json.ptr[at] != '"') {
                return SIZE_MAX;
            }
            size_t end = skip_string(json, at);
            is_found = end - at >= 2 && is_key(tg_slice_of(json.ptr + at + 1, end - at - 2), token);
            at = skip_blanks(json, end);
            at = skip_blanks(json, at < json.len ? at + 1 : at); /* the colon */
        }
        if (is_found && at < json.len) {
            *value = at;
            return place;
        }
        at = skip_blanks(json, skip_value(json, at));
        if (at < json.len && json.ptr[at] == ',') {
            at = skip_blanks(json, at + 1);
        } else {
            return SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

unsigned tg_json_line_of(tg_slice json, tg_slice pointer)
{
    size_t value = skip_blanks(json, 0);
    size_t place = value;
    tg_slice rest = tg_slice_from(pointer, 1);
    while (pointer.len > 0 && rest.ptr != NULL && value < json.len) {
        size_t found = find(json, &value, tg_slice_split(&rest, '/'));
        if (found == SIZE_MAX) {
            break;
        }
        place = found;
    }
    unsigned line = 1;
    for (size_t i = 0; i < place && i < json.len; i++) {
        line += json.ptr[i] == '\n';
    }
    return line;
}
