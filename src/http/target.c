#include "http/target.h"

#include "base/num.h"
#include "base/text.h"
#include "http/grammar.h"

#include <arpa/inet.h>

/* pct-encoded = "%" HEXDIG HEXDIG */
static bool is_escape(tg_slice text, size_t at)
{
    return text.len - at >= 3 && tg_ascii_hex_value(text.ptr[at + 1]) >= 0 && tg_ascii_hex_value(text.ptr[at + 2]) >= 0;
}

static bool has_whole_escapes(tg_slice text)
{
    for (size_t at = tg_slice_find(text, '%'); at < text.len;) {
        if (!is_escape(text, at)) {
            return false;
        }
        at += 3;
        at += tg_slice_find(tg_slice_from(text, at), '%');
    }
    return true;
}

/* absolute-path = 1*( "/" segment ); query = *( pchar / "/" / "?" ) */
static tg_result read_path_and_query(tg_slice text, tg_http_target *target)
{
    size_t mark = tg_slice_find(text, '?');
    target->has_query = mark < text.len;
    target->path = tg_slice_first(text, mark);
    target->query = tg_slice_from(text, mark + (target->has_query ? 1 : 0));
    bool is_right = tg_http_all_are(target->path, TG_HTTP_PCHAR) && tg_http_all_are(target->query, TG_HTTP_QUERY) &&
                    has_whole_escapes(text);
    return tg_fail(is_right ? TG_OK : TG_ERR_SYNTAX);
}

/* absolute-form = absolute-URI; http-URI = "http" "://" authority path-abempty [ "?" query ] (RFC 9110 §4.2) */
static tg_result read_absolute(tg_slice text, tg_slice method, tg_http_target *target)
{
    size_t colon = tg_slice_find(text, ':');
    tg_slice scheme = tg_slice_first(text, colon);
    tg_slice rest = tg_slice_from(text, colon);
    if ((!tg_text_equal_nocase(scheme, TG_LIT("http")) && !tg_text_equal_nocase(scheme, TG_LIT("https"))) ||
        !tg_slice_starts(rest, TG_LIT("://"))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    rest = tg_slice_from(rest, 3);
    size_t end = tg_size_min(tg_slice_find(rest, '/'), tg_slice_find(rest, '?'));
    tg_http_authority authority;
    TG_TRY(tg_http_authority_parse(tg_slice_first(rest, end), &authority));
    target->form = TG_HTTP_TARGET_ABSOLUTE;
    target->scheme = scheme;
    target->authority = tg_slice_first(rest, end);
    TG_TRY(read_path_and_query(tg_slice_from(rest, end), target));
    if (target->path.len == 0) { /* RFC 9112 §3.2.4: OPTIONS of an empty path is asked of the server as a whole */
        bool is_server = !target->has_query && tg_slice_equal(method, TG_LIT("OPTIONS"));
        target->path = is_server ? TG_LIT("*") : TG_LIT("/");
    }
    return tg_ok();
}

/* request-target = origin-form / absolute-form / authority-form / asterisk-form */
tg_result tg_http_target_parse(tg_slice text, tg_slice method, tg_http_target *out_target)
{
    tg_http_target target = {.form = TG_HTTP_TARGET_PATH};
    if (tg_slice_equal(method, TG_LIT("CONNECT"))) {
        tg_http_authority authority;
        TG_TRY(tg_http_authority_parse(text, &authority));
        if (authority.port == 0) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        target.form = TG_HTTP_TARGET_AUTHORITY;
        target.authority = text;
    } else if (tg_slice_equal(text, TG_LIT("*")) && tg_slice_equal(method, TG_LIT("OPTIONS"))) {
        target.form = TG_HTTP_TARGET_SERVER;
        target.path = text;
    } else if (text.len > 0 && text.ptr[0] == '/') {
        TG_TRY(read_path_and_query(text, &target));
    } else {
        TG_TRY(read_absolute(text, method, &target));
    }
    *out_target = target;
    return tg_ok();
}

static tg_result check_ipv6(tg_slice text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    if (text.len >= sizeof address || !tg_http_all_are(text, TG_HTTP_IPV6)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(address, text.ptr, text.len);
    address[text.len] = 0;
    return tg_fail(inet_pton(AF_INET6, address, &ignored) == 1 ? TG_OK : TG_ERR_SYNTAX);
}

/* uri-host [ ":" port ]; host = IP-literal / IPv4address / reg-name
 * We take no percent-encoded name, no IPvFuture and no empty port: nobody sends them in good faith. */
tg_result tg_http_authority_parse(tg_slice text, tg_http_authority *out_authority)
{
    tg_http_authority authority = {.port = 0};
    tg_slice rest;
    if (text.len > 0 && text.ptr[0] == '[') {
        size_t end = tg_slice_find(text, ']');
        if (end == text.len) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        authority.is_ipv6 = true;
        authority.host = tg_slice_of(text.ptr + 1, end - 1);
        rest = tg_slice_from(text, end + 1);
        TG_TRY(check_ipv6(authority.host));
    } else {
        size_t end = tg_slice_find(text, ':');
        authority.host = tg_slice_first(text, end);
        rest = tg_slice_from(text, end);
        if (end == 0 || !tg_http_all_are(authority.host, TG_HTTP_REG_NAME)) {
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    if (authority.host.len > TG_HTTP_MAX_HOST_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    if (rest.len > 0) {
        uint64_t port;
        if (rest.ptr[0] != ':') {
            return tg_fail(TG_ERR_SYNTAX);
        }
        TG_TRY(tg_num_parse_u64(tg_slice_from(rest, 1), 65535, &port));
        if (port == 0) {
            return tg_fail(TG_ERR_RANGE);
        }
        authority.port = (unsigned)port;
    }
    *out_authority = authority;
    return tg_ok();
}

tg_result tg_http_percent_decode(tg_slice text, uint8_t *out, size_t *out_len)
{
    if (!has_whole_escapes(text)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    size_t len = 0;
    for (size_t at = 0; at < text.len; at++) {
        uint8_t byte = text.ptr[at];
        if (byte == '%') {
            byte = (uint8_t)(tg_ascii_hex_value(text.ptr[at + 1]) << 4 | tg_ascii_hex_value(text.ptr[at + 2]));
            at += 2;
        }
        out[len++] = byte;
    }
    *out_len = len;
    return tg_ok();
}

static tg_result decode_to_arena(tg_arena *arena, tg_slice text, tg_slice *out_text)
{
    uint8_t *at = tg_arena_alloc(arena, text.len);
    if (at == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t len;
    TG_TRY(tg_http_percent_decode(text, at, &len));
    *out_text = tg_slice_of(at, len);
    return tg_ok();
}

tg_result tg_http_path_decode(tg_arena *arena, tg_slice path, tg_slice *out_path)
{
    tg_slice decoded;
    TG_TRY(decode_to_arena(arena, path, &decoded));
    size_t num_slashes = 0;
    for (size_t i = 0; i < path.len; i++) {
        num_slashes += path.ptr[i] == '/';
    }
    for (size_t i = 0; i < decoded.len; i++) {
        num_slashes -= decoded.ptr[i] == '/'; /* an encoded slash is one too many */
        if (decoded.ptr[i] < 0x20 || decoded.ptr[i] == 0x7f || decoded.ptr[i] == '\\') {
            return tg_fail(TG_ERR_DENIED);
        }
    }
    if (num_slashes != 0) {
        return tg_fail(TG_ERR_DENIED);
    }
    for (tg_slice rest = decoded; rest.ptr != NULL;) {
        tg_slice segment = tg_slice_split(&rest, '/');
        if (tg_slice_equal(segment, TG_LIT(".")) || tg_slice_equal(segment, TG_LIT(".."))) {
            return tg_fail(TG_ERR_DENIED);
        }
    }
    *out_path = decoded;
    return tg_ok();
}

/* True where the encoded text stands for `name`. The text's escapes are whole. */
static bool decodes_to(tg_slice text, tg_slice name)
{
    size_t at = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (at == text.len) {
            return false;
        }
        uint8_t byte = text.ptr[at];
        if (byte == '%') {
            byte = (uint8_t)(tg_ascii_hex_value(text.ptr[at + 1]) << 4 | tg_ascii_hex_value(text.ptr[at + 2]));
            at += 2;
        }
        at++;
        if (byte != name.ptr[i]) {
            return false;
        }
    }
    return at == text.len;
}

tg_result tg_http_query_get(tg_arena *arena, tg_slice query, tg_slice name, tg_slice *out_value)
{
    tg_slice found = {NULL, 0};
    bool is_found = false;
    if (!has_whole_escapes(query)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (tg_slice rest = query; rest.ptr != NULL;) {
        tg_slice value = tg_slice_split(&rest, '&');
        tg_slice key = tg_slice_split(&value, '=');
        if (!decodes_to(key, name)) {
            continue;
        }
        if (is_found) {
            return tg_fail(TG_ERR_EXISTS);
        }
        is_found = true;
        found = value;
    }
    return is_found ? decode_to_arena(arena, found, out_value) : tg_fail(TG_ERR_NOT_FOUND);
}
