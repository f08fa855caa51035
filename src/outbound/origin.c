#include "outbound/origin.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

static void classify_v4(tg_origin *origin, const uint8_t bytes[4])
{
    origin->is_loopback = bytes[0] == 127;
    origin->is_on_link = bytes[0] == 169 && bytes[1] == 254;
}

static void classify(tg_origin *origin)
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t metadata[4] = {0xfd, 0x00, 0x0e, 0xc2};
    uint8_t bytes[16];
    const char *name = origin->target.name;
    origin->is_literal = origin->target.is_numeric;
    if (!origin->is_literal) {
        origin->is_loopback = tg_slice_equal(tg_slice_str(name), TG_LIT("localhost"));
    } else if (inet_pton(AF_INET, name, bytes) == 1) {
        classify_v4(origin, bytes);
    } else if (inet_pton(AF_INET6, name, bytes) == 1) {
        origin->is_loopback = memcmp(bytes, loopback, sizeof bytes) == 0;
        origin->is_on_link = (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || memcmp(bytes, metadata, 4) == 0;
    }
}

static void to_lower(char *text)
{
    for (size_t i = 0; text[i] != 0; i++) {
        text[i] = (char)tg_ascii_lower((uint8_t)text[i]);
    }
}

tg_result tg_origin_append_host_port(const tg_origin *origin, tg_buf *buf)
{
    bool is_ipv6 = strchr(origin->target.name, ':') != NULL;
    TG_TRY(tg_buf_printf(buf, is_ipv6 ? "[%s]:%u" : "%s:%u", origin->target.name, (unsigned)origin->target.port));
    return tg_ok();
}

/* The text goes through the parser of addresses too, so that no URL names what no address can. */
static tg_result set_target(const tg_http_authority *authority, tg_origin *origin, tg_detail *detail)
{
    char text[TG_HTTP_MAX_HOST_BYTES + 10];
    unsigned own_port = origin->is_tls ? HTTPS_PORT : HTTP_PORT;
    unsigned port = authority->port != 0 ? authority->port : own_port;
    int host_len = snprintf(text, sizeof text, authority->is_ipv6 ? "[%.*s]" : "%.*s", (int)authority->host.len,
                            (const char *)authority->host.ptr);
    (void)snprintf(text + host_len, sizeof text - (size_t)host_len, ":%u", port);
    TG_TRY(tg_address_parse_host_port(tg_slice_str(text), &origin->target, detail));
    to_lower(origin->target.name);
    to_lower(text);
    if (port == own_port) {
        text[host_len] = 0;
    }
    memcpy(origin->authority, text, strlen(text) + 1);
    return tg_ok();
}

tg_result tg_origin_parse(tg_slice url, tg_origin *out_origin, tg_detail *detail)
{
    tg_http_target target;
    tg_http_authority authority;
    tg_origin origin = {.is_tls = false};
    tg_result result = tg_http_target_parse(url, TG_LIT("GET"), &target);
    if (tg_is_ok(result) && (target.form != TG_HTTP_TARGET_ABSOLUTE || target.has_query)) {
        result = tg_fail(TG_ERR_SYNTAX);
    }
    if (tg_is_ok(result)) {
        result = tg_http_authority_parse(target.authority, &authority);
    }
    if (!tg_is_ok(result)) {
        tg_detail_set_place(detail, tg_slice_str(""), 0, url);
        tg_detail_set_reason(detail, "this is no URL of an origin");
        tg_detail_set_remedy(detail, "write https://HOST[:PORT][/PATH]");
        return result;
    }
    origin.is_tls = tg_text_equal_nocase(target.scheme, TG_LIT("https"));
    origin.path = target.path;
    TG_TRY(set_target(&authority, &origin, detail));
    classify(&origin);
    *out_origin = origin;
    return tg_ok();
}
