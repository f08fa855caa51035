#include "schema/uri.h"

#include "base/text.h"

typedef struct uri_parts {
    tg_slice scheme; /* with its colon; empty where none */
    tg_slice authority;
    tg_slice path;
    tg_slice query; /* with its question mark */
    bool has_authority;
} uri_parts;

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":" ; the result counts the colon */
static size_t scheme_len(tg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == ':') {
            return i > 0 ? i + 1 : 0;
        }
        if (!tg_ascii_is_alpha(c) && (i == 0 || (!tg_ascii_is_digit(c) && c != '+' && c != '-' && c != '.'))) {
            return 0;
        }
    }
    return 0;
}

static uri_parts split_uri(tg_slice text)
{
    uri_parts parts = {.scheme = tg_slice_first(text, scheme_len(text))};
    text = tg_slice_from(text, parts.scheme.len);
    size_t query = tg_slice_find(text, '?');
    parts.query = tg_slice_from(text, query);
    text = tg_slice_first(text, query);
    parts.has_authority = tg_slice_starts(text, TG_LIT("//"));
    if (parts.has_authority) {
        text = tg_slice_from(text, 2);
        parts.authority = tg_slice_first(text, tg_slice_find(text, '/'));
        text = tg_slice_from(text, parts.authority.len);
    }
    parts.path = text;
    return parts;
}

bool tg_uri_is_local(tg_slice address)
{
    uri_parts parts = split_uri(address);
    return parts.scheme.len == 0 && !parts.has_authority;
}

/* How much of a path stands before its last slash; 0 without one. */
static size_t parent_len(tg_slice path)
{
    size_t len = path.len;
    while (len > 0 && path.ptr[len - 1] != '/') {
        len--;
    }
    return len > 0 ? len - 1 : 0;
}

/* Appends path without its `.` and `..` segments (RFC 3986 §5.2.4). */
static tg_result append_path(tg_slice path, bool is_local, tg_buf *buf)
{
    size_t floor = tg_buf_len(buf);
    while (path.len > 0) {
        size_t start = path.ptr[0] == '/';
        tg_slice segment = tg_slice_from(path, start);
        segment = tg_slice_first(segment, tg_slice_find(segment, '/'));
        path = tg_slice_from(path, start + segment.len);
        bool is_last = path.len == 0;
        bool is_up = tg_slice_equal(segment, TG_LIT(".."));
        if (is_up) {
            if (is_local && tg_buf_len(buf) == floor) {
                return tg_fail(TG_ERR_DENIED);
            }
            tg_slice path_so_far = tg_slice_from(tg_buf_slice(buf), floor);
            buf->end = buf->start + floor + parent_len(path_so_far);
        }
        if (is_up || tg_slice_equal(segment, TG_LIT("."))) {
            if (is_last) {
                TG_TRY(tg_buf_append_byte(buf, '/'));
            }
            continue;
        }
        if (start > 0) {
            TG_TRY(tg_buf_append_byte(buf, '/'));
        }
        TG_TRY(tg_buf_append(buf, segment));
    }
    return tg_ok();
}

static tg_result append_origin(uri_parts parts, tg_buf *buf)
{
    TG_TRY(tg_buf_append(buf, parts.scheme));
    if (parts.has_authority) {
        TG_TRY(tg_buf_append_str(buf, "//"));
        TG_TRY(tg_buf_append(buf, parts.authority));
    }
    return tg_ok();
}

/* The base's path up to its last slash, and the reference's behind it (RFC 3986 §5.2.3). */
static tg_result append_merged(uri_parts base, tg_slice path, bool is_local, tg_buf *buf)
{
    tg_buf merged;
    tg_buf_init(&merged, TG_MAX_URI_BYTES);
    size_t len = base.path.len;
    while (len > 0 && base.path.ptr[len - 1] != '/') {
        len--;
    }
    tg_result result = len == 0 ? tg_buf_append_byte(&merged, '/') : tg_ok();
    if (tg_is_ok(result)) {
        result = tg_buf_append(&merged, tg_slice_first(base.path, len));
    }
    if (tg_is_ok(result)) {
        result = tg_buf_append(&merged, path);
    }
    if (tg_is_ok(result)) {
        result = append_path(tg_buf_slice(&merged), is_local, buf);
    }
    tg_buf_done(&merged);
    return result;
}

tg_result tg_uri_resolve(tg_slice base_text, tg_slice reference, tg_buf *out_address)
{
    uri_parts ref = split_uri(reference);
    uri_parts base = split_uri(base_text);
    uri_parts origin = ref.scheme.len > 0 || ref.has_authority ? ref : base;
    if (ref.scheme.len == 0) {
        origin.scheme = base.scheme;
    }
    bool is_local = origin.scheme.len == 0 && !origin.has_authority;
    TG_TRY(append_origin(origin, out_address));
    if (ref.scheme.len > 0 || ref.has_authority || (ref.path.len > 0 && ref.path.ptr[0] == '/')) {
        TG_TRY(append_path(ref.path, is_local, out_address));
    } else if (ref.path.len == 0) {
        TG_TRY(tg_buf_append(out_address, base.path));
        return tg_buf_append(out_address, ref.query.len > 0 ? ref.query : base.query);
    } else {
        TG_TRY(append_merged(base, ref.path, is_local, out_address));
    }
    return tg_buf_append(out_address, ref.query);
}

tg_result tg_uri_unescape(tg_slice text, tg_buf *out_text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? tg_ascii_hex_value(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? tg_ascii_hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return tg_fail(TG_ERR_SYNTAX);
            }
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        TG_TRY(tg_buf_append_byte(out_text, c));
    }
    return tg_ok();
}
