#include "base/encode.h"

#include "base/base64_x86.h"
#include "base/text.h"

static const uint8_t alphabets[2][65] = {
    [TG_BASE64_PADDED] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [TG_BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static void encode(const uint8_t *alphabet, tg_slice bytes, uint8_t *out)
{
    const uint8_t *in = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, in += 3, out += 4) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[0] = alphabet[group >> 18];
        out[1] = alphabet[group >> 12 & 63];
        out[2] = alphabet[group >> 6 & 63];
        out[3] = alphabet[group & 63];
    }
    if (left == 0) {
        return;
    }
    uint32_t group = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0);
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    if (left == 2) {
        *out = alphabet[group >> 6 & 63];
    }
}

static void encode_by_level(const uint8_t *alphabet, tg_slice bytes, uint8_t *out)
{
#if TG_CPU_X86
    tg_cpu_level level = tg_cpu_get_level();
    if (level == TG_CPU_AVX512) {
        tg_base64_encode_avx512(alphabet, bytes, out);
        return;
    }
    size_t done = level == TG_CPU_AVX2 ? tg_base64_encode_avx2(alphabet, bytes, out) : 0;
    bytes = tg_slice_from(bytes, done);
    out += done / 3 * 4;
#endif
    encode(alphabet, bytes, out);
}

void tg_base64_encode(tg_base64_kind kind, tg_slice bytes, uint8_t *out)
{
    encode_by_level(alphabets[kind], bytes, out);
    size_t rest = bytes.len % 3;
    if (kind == TG_BASE64_PADDED && rest > 0) {
        memset(out + tg_base64_encoded_len(kind, bytes.len) - (3 - rest), '=', 3 - rest);
    }
}

/* 0 to 63, or 64 for a character outside the alphabet. */
static uint32_t sextet(tg_base64_kind kind, uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0' + 52);
    }
    if (c == alphabets[kind][62]) {
        return 62;
    }
    return c == alphabets[kind][63] ? 63 : 64;
}

/* All of a text without padding, its length none that base64 cannot have. */
static tg_result decode(tg_base64_kind kind, tg_slice text, uint8_t *out)
{
    uint32_t bad = 0;
    size_t at = 0;
    for (; at + 4 <= text.len; at += 4) {
        uint32_t a = sextet(kind, text.ptr[at]), b = sextet(kind, text.ptr[at + 1]);
        uint32_t c = sextet(kind, text.ptr[at + 2]), d = sextet(kind, text.ptr[at + 3]);
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        bad |= a | b | c | d;
        *out++ = (uint8_t)(group >> 16);
        *out++ = (uint8_t)(group >> 8);
        *out++ = (uint8_t)group;
    }
    size_t rest = text.len % 4;
    if (rest > 0) {
        uint32_t a = sextet(kind, text.ptr[at]), b = sextet(kind, text.ptr[at + 1]);
        uint32_t c = rest == 3 ? sextet(kind, text.ptr[at + 2]) : 0;
        bad |= a | b | c;
        bad |= (rest == 2 ? (b & 15) : (c & 3)) << 6; /* spare bits */
        *out++ = (uint8_t)(a << 2 | b >> 4);
        if (rest == 3) {
            *out = (uint8_t)(b << 4 | c >> 2);
        }
    }
    return bad < 64 ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

static tg_result decode_by_level(tg_base64_kind kind, tg_slice text, uint8_t *out)
{
#if TG_CPU_X86
    tg_cpu_level level = tg_cpu_get_level();
    if (level == TG_CPU_AVX512) {
        return tg_base64_decode_avx512(alphabets[kind], text, out) ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
    }
    size_t done = level == TG_CPU_AVX2 ? tg_base64_decode_avx2(alphabets[kind], text, out) : 0;
    text = tg_slice_from(text, done);
    out += done / 4 * 3;
#endif
    return decode(kind, text, out);
}

tg_result tg_base64_decode(tg_base64_kind kind, tg_slice text, uint8_t *out, size_t *out_len)
{
    if (kind == TG_BASE64_PADDED) {
        if (text.len % 4 != 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++) {
            text.len--;
        }
    }
    if (text.len % 4 == 1) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(decode_by_level(kind, text, out));
    *out_len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    return tg_ok();
}

tg_result tg_base64_append(tg_buf *buf, tg_base64_kind kind, tg_slice bytes)
{
    size_t len = tg_base64_encoded_len(kind, bytes.len);
    uint8_t *at;
    TG_TRY(tg_buf_reserve(buf, len, &at));
    if (len > 0) {
        tg_base64_encode(kind, bytes, at);
        tg_buf_commit(buf, len);
    }
    return tg_ok();
}

tg_result tg_hex_append(tg_buf *buf, tg_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at;
    if (bytes.len > SIZE_MAX / 2) {
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(tg_buf_reserve(buf, bytes.len * 2, &at));
    for (size_t i = 0; i < bytes.len; i++) {
        at[2 * i] = (uint8_t)digits[bytes.ptr[i] >> 4];
        at[2 * i + 1] = (uint8_t)digits[bytes.ptr[i] & 15];
    }
    if (bytes.len > 0) {
        tg_buf_commit(buf, bytes.len * 2);
    }
    return tg_ok();
}

tg_result tg_hex_decode(tg_slice text, uint8_t *out)
{
    if (text.len % 2 != 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (tg_ascii_hex_value(text.ptr[i]) < 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    for (size_t i = 0; i < text.len; i += 2) {
        out[i / 2] = (uint8_t)(tg_ascii_hex_value(text.ptr[i]) << 4 | tg_ascii_hex_value(text.ptr[i + 1]));
    }
    return tg_ok();
}
