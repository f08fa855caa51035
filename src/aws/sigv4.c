#include "aws/sigv4.h"

#include "aws/digest.h"
#include "base/encode.h"
#include "base/text.h"
#include "sys/clock.h"

#include <stdlib.h>

enum { MAX_CANONICAL_BYTES = 64 << 10, MAX_SHORT_BYTES = 1024, MAX_SECRET_BYTES = 256, DATE_ONLY_BYTES = 8 };

static const char algorithm[] = "AWS4-HMAC-SHA256";

void tg_sigv4_format_date(uint64_t unix_s, char out[TG_SIGV4_DATE_BYTES])
{
    static const uint64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z */
    char text[25];
    size_t len = 0;
    tg_clock_format((unix_s < last_s ? unix_s : last_s) * 1000, text); /* 2015-08-30T12:36:00.000Z */
    for (size_t i = 0; i < 19; i++) {
        if (text[i] != '-' && text[i] != ':') {
            out[len++] = text[i];
        }
    }
    out[len] = 'Z';
    out[len + 1] = 0;
}

static bool is_unreserved(uint8_t c)
{
    return tg_ascii_is_alpha(c) || tg_ascii_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

tg_result tg_aws_uri_append(tg_slice text, bool keeps_slash, tg_buf *buf)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (is_unreserved(c) || (keeps_slash && c == '/')) {
            TG_TRY(tg_buf_append_byte(buf, c));
            continue;
        }
        const uint8_t encoded[] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
        TG_TRY(tg_buf_append(buf, tg_slice_of(encoded, sizeof encoded)));
    }
    return tg_ok();
}

/* Drops the last segment of the path that `buf` holds from `start` on, with the slash before it. */
static void drop_segment(tg_buf *buf, size_t start)
{
    tg_slice all = tg_buf_slice(buf);
    size_t len = all.len;
    while (len > start && all.ptr[len - 1] != '/') {
        len--;
    }
    tg_buf_truncate(buf, len > start ? len - 1 : start);
}

/* RFC 3986 §5.2.4, and repeated slashes made one, then each segment encoded (again): what AWS signs for all but S3. */
static tg_result append_normalized_path(tg_slice path, tg_buf *buf)
{
    size_t start = tg_buf_len(buf);
    bool ends_with_slash = path.len == 0 || path.ptr[path.len - 1] == '/';
    while (path.ptr != NULL) {
        tg_slice segment = tg_slice_split(&path, '/');
        bool is_dot = tg_slice_equal(segment, TG_LIT(".")), is_up = tg_slice_equal(segment, TG_LIT(".."));
        if (is_up) {
            drop_segment(buf, start);
        }
        ends_with_slash = ends_with_slash || ((is_dot || is_up) && path.ptr == NULL);
        if (segment.len > 0 && !is_dot && !is_up) {
            TG_TRY(tg_buf_append_byte(buf, '/'));
            TG_TRY(tg_aws_uri_append(segment, false, buf));
        }
    }
    if (ends_with_slash || tg_buf_len(buf) == start) {
        TG_TRY(tg_buf_append_byte(buf, '/'));
    }
    return tg_ok();
}

typedef struct pair {
    tg_slice name;
    tg_slice value;
    size_t index; /* qsort is not stable */
} pair;

static int compare_parameters(const void *a, const void *b)
{
    const pair *left = a, *right = b;
    int by_name = tg_slice_compare(left->name, right->name);
    return by_name != 0 ? by_name : tg_slice_compare(left->value, right->value);
}

static tg_result append_query(tg_slice query, tg_buf *buf)
{
    pair pairs[TG_SIGV4_MAX_PARAMETERS];
    size_t num_pairs = 0;
    while (query.len > 0) {
        tg_slice value = tg_slice_split(&query, '&');
        if (num_pairs == TG_COUNT(pairs)) {
            return tg_fail(TG_ERR_LIMIT);
        }
        pairs[num_pairs].name = tg_slice_split(&value, '=');
        pairs[num_pairs++].value = value;
    }
    qsort(pairs, num_pairs, sizeof *pairs, compare_parameters);
    for (size_t i = 0; i < num_pairs; i++) {
        TG_TRY(tg_buf_append_str(buf, i > 0 ? "&" : ""));
        TG_TRY(tg_buf_append(buf, pairs[i].name));
        TG_TRY(tg_buf_append_byte(buf, '='));
        TG_TRY(tg_buf_append(buf, pairs[i].value));
    }
    return tg_ok();
}

static int compare_nocase(tg_slice a, tg_slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int difference = tg_ascii_lower(a.ptr[i]) - tg_ascii_lower(b.ptr[i]);
        if (difference != 0) {
            return difference;
        }
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static int compare_headers(const void *a, const void *b)
{
    const pair *left = a, *right = b;
    int by_name = compare_nocase(left->name, right->name);
    return by_name != 0 ? by_name : left->index < right->index ? -1 : 1;
}

static tg_result sort_headers(const tg_sigv4_request *request, pair pairs[TG_SIGV4_MAX_HEADERS])
{
    if (request->num_headers > TG_SIGV4_MAX_HEADERS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    for (size_t i = 0; i < request->num_headers; i++) {
        pairs[i] = (pair){request->headers[i].name, request->headers[i].value, i};
    }
    if (request->num_headers > 0) {
        qsort(pairs, request->num_headers, sizeof *pairs, compare_headers);
    }
    return tg_ok();
}

static tg_result append_lower(tg_slice name, tg_buf *buf)
{
    for (size_t i = 0; i < name.len; i++) {
        TG_TRY(tg_buf_append_byte(buf, tg_ascii_lower(name.ptr[i])));
    }
    return tg_ok();
}

/* Without blanks at its ends, runs of blanks made one. */
static tg_result append_value(tg_slice value, tg_buf *buf)
{
    value = tg_slice_trim(value, " \t");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ') {
            TG_TRY(tg_buf_append_byte(buf, value.ptr[i]));
        }
    }
    return tg_ok();
}

static bool is_same_name(const pair *pairs, size_t index)
{
    return index > 0 && tg_text_equal_nocase(pairs[index - 1].name, pairs[index].name);
}

static tg_result append_headers(const tg_sigv4_request *request, tg_buf *buf)
{
    pair pairs[TG_SIGV4_MAX_HEADERS];
    TG_TRY(sort_headers(request, pairs));
    for (size_t i = 0; i < request->num_headers; i++) {
        if (is_same_name(pairs, i)) {
            TG_TRY(tg_buf_append_byte(buf, ','));
        } else {
            TG_TRY(tg_buf_append_str(buf, i > 0 ? "\n" : ""));
            TG_TRY(append_lower(pairs[i].name, buf));
            TG_TRY(tg_buf_append_byte(buf, ':'));
        }
        TG_TRY(append_value(pairs[i].value, buf));
    }
    return tg_buf_append_str(buf, request->num_headers > 0 ? "\n" : "");
}

tg_result tg_sigv4_append_signed_names(const tg_sigv4_request *request, tg_buf *buf)
{
    pair pairs[TG_SIGV4_MAX_HEADERS];
    TG_TRY(sort_headers(request, pairs));
    for (size_t i = 0; i < request->num_headers; i++) {
        if (!is_same_name(pairs, i)) {
            TG_TRY(tg_buf_append_str(buf, i > 0 ? ";" : ""));
            TG_TRY(append_lower(pairs[i].name, buf));
        }
    }
    return tg_ok();
}

tg_result tg_sigv4_append_canonical(const tg_sigv4_request *request, tg_buf *buf)
{
    TG_TRY(tg_buf_append(buf, request->method));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    if (request->is_path_verbatim) {
        TG_TRY(tg_buf_append(buf, request->path));
    } else {
        TG_TRY(append_normalized_path(request->path, buf));
    }
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    TG_TRY(append_query(request->query, buf));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    TG_TRY(append_headers(request, buf));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    TG_TRY(tg_sigv4_append_signed_names(request, buf));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    return tg_buf_append(buf, request->payload_hash);
}

/* date/region/service/aws4_request */
static tg_result append_scope(const tg_sigv4_scope *scope, tg_buf *buf)
{
    char date[TG_SIGV4_DATE_BYTES];
    tg_sigv4_format_date(scope->unix_s, date);
    const tg_slice parts[] = {tg_slice_of(date, DATE_ONLY_BYTES),
                              TG_LIT("/"),
                              scope->region,
                              TG_LIT("/"),
                              scope->service,
                              TG_LIT("/aws4_request")};
    for (size_t i = 0; i < TG_COUNT(parts); i++) {
        TG_TRY(tg_buf_append(buf, parts[i]));
    }
    return tg_ok();
}

tg_result tg_sigv4_append_string_to_sign(const tg_sigv4_scope *scope, tg_slice canonical, tg_buf *buf)
{
    char date[TG_SIGV4_DATE_BYTES];
    tg_sigv4_format_date(scope->unix_s, date);
    TG_TRY(tg_buf_printf(buf, "%s\n%s\n", algorithm, date));
    TG_TRY(append_scope(scope, buf));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    return tg_aws_sha256_append(canonical, buf);
}

static tg_result derive(const tg_sigv4_scope *scope, tg_slice secret, uint8_t key[TG_AWS_DIGEST_BYTES])
{
    char date[TG_SIGV4_DATE_BYTES];
    tg_buf prefixed;
    tg_slice own = tg_slice_of(key, TG_AWS_DIGEST_BYTES);
    tg_sigv4_format_date(scope->unix_s, date);
    tg_buf_init_wiped(&prefixed, MAX_SECRET_BYTES);
    tg_result result = tg_buf_append(&prefixed, TG_LIT("AWS4"));
    if (tg_is_ok(result)) {
        result = tg_buf_append(&prefixed, secret);
    }
    if (tg_is_ok(result)) {
        result = tg_aws_hmac(tg_buf_slice(&prefixed), tg_slice_of(date, DATE_ONLY_BYTES), key);
    }
    tg_buf_done(&prefixed);
    TG_TRY(result);
    TG_TRY(tg_aws_hmac(own, scope->region, key));
    TG_TRY(tg_aws_hmac(own, scope->service, key));
    return tg_aws_hmac(own, TG_LIT("aws4_request"), key);
}

static tg_result append_authorization(const tg_aws_keys *keys, const tg_sigv4_scope *scope,
                                      const tg_sigv4_request *request, tg_slice string_to_sign, tg_buf *buf)
{
    uint8_t key[TG_AWS_DIGEST_BYTES], signature[TG_AWS_DIGEST_BYTES];
    tg_result result = derive(scope, keys->secret_access_key, key);
    if (tg_is_ok(result)) {
        result = tg_aws_hmac(tg_slice_of(key, sizeof key), string_to_sign, signature);
    }
    tg_wipe(key, sizeof key);
    TG_TRY(result);
    TG_TRY(tg_buf_printf(buf, "%s Credential=", algorithm));
    TG_TRY(tg_buf_append(buf, keys->access_key_id));
    TG_TRY(tg_buf_append_byte(buf, '/'));
    TG_TRY(append_scope(scope, buf));
    TG_TRY(tg_buf_append_str(buf, ", SignedHeaders="));
    TG_TRY(tg_sigv4_append_signed_names(request, buf));
    TG_TRY(tg_buf_append_str(buf, ", Signature="));
    return tg_hex_append(buf, tg_slice_of(signature, sizeof signature));
}

tg_result tg_sigv4_sign(const tg_aws_keys *keys, const tg_sigv4_scope *scope, const tg_sigv4_request *request,
                        tg_buf *buf)
{
    tg_buf canonical, string_to_sign;
    tg_buf_init_wiped(&canonical, MAX_CANONICAL_BYTES); /* it holds the session token */
    tg_buf_init(&string_to_sign, MAX_SHORT_BYTES);
    tg_result result = tg_sigv4_append_canonical(request, &canonical);
    if (tg_is_ok(result)) {
        result = tg_sigv4_append_string_to_sign(scope, tg_buf_slice(&canonical), &string_to_sign);
    }
    if (tg_is_ok(result)) {
        result = append_authorization(keys, scope, request, tg_buf_slice(&string_to_sign), buf);
    }
    tg_buf_done(&canonical);
    tg_buf_done(&string_to_sign);
    return result;
}
