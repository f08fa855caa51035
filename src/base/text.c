#include "base/text.h"

int tg_ascii_hex_value(uint8_t c)
{
    if (tg_ascii_is_digit(c)) {
        return c - '0';
    }
    uint8_t lower = (uint8_t)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool tg_text_equal_nocase(tg_slice a, tg_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (tg_ascii_lower(a.ptr[i]) != tg_ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

size_t tg_utf8_valid_prefix(tg_slice text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t len = tg_utf8_char_len(text.ptr + at, text.len - at);
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

bool tg_utf8_is_valid(tg_slice text)
{
    return tg_utf8_valid_prefix(text) == text.len;
}

size_t tg_utf8_encode(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xc0 | code_point >> 6);
        out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        if (code_point >= 0xd800 && code_point <= 0xdfff) {
            return 0;
        }
        out[0] = (uint8_t)(0xe0 | code_point >> 12);
        out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    if (code_point > 0x10ffff) {
        return 0;
    }
    out[0] = (uint8_t)(0xf0 | code_point >> 18);
    out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}

tg_result tg_text_append_printable(tg_buf *buf, tg_slice foreign, size_t max_bytes)
{
    tg_slice shown = tg_slice_first(foreign, max_bytes);
    for (size_t i = 0; i < shown.len; i++) {
        uint8_t c = shown.ptr[i];
        if (c == '\\') {
            TG_TRY(tg_buf_append_str(buf, "\\\\"));
        } else if (c >= 0x20 && c < 0x7f) {
            TG_TRY(tg_buf_append_byte(buf, c));
        } else {
            TG_TRY(tg_buf_printf(buf, "\\x%02x", c));
        }
    }
    return shown.len < foreign.len ? tg_buf_append_str(buf, "...") : tg_ok();
}

static tg_result append_escaped(tg_buf *buf, uint8_t c)
{
    switch (c) {
    case '"':
        return tg_buf_append_str(buf, "\\\"");
    case '\\':
        return tg_buf_append_str(buf, "\\\\");
    case '\n':
        return tg_buf_append_str(buf, "\\n");
    case '\r':
        return tg_buf_append_str(buf, "\\r");
    case '\t':
        return tg_buf_append_str(buf, "\\t");
    default:
        return tg_buf_printf(buf, "\\u%04x", c);
    }
}

tg_result tg_json_append_string(tg_buf *buf, tg_slice text)
{
    TG_TRY(tg_buf_append_byte(buf, '"'));
    for (size_t at = 0, plain = 0; at <= text.len;) {
        size_t len = at < text.len ? tg_utf8_char_len(text.ptr + at, text.len - at) : 0;
        bool is_plain = len > 0 && text.ptr[at] >= 0x20 && text.ptr[at] != '"' && text.ptr[at] != '\\';
        if (is_plain) {
            at += len;
            continue;
        }
        TG_TRY(tg_buf_append(buf, tg_slice_first(tg_slice_from(text, plain), at - plain)));
        if (at == text.len) {
            break;
        }
        if (len > 0) {
            TG_TRY(append_escaped(buf, text.ptr[at]));
        } else {
            TG_TRY(tg_buf_append_str(buf, "\xef\xbf\xbd"));
        }
        plain = ++at;
    }
    return tg_buf_append_byte(buf, '"');
}
