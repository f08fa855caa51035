#include "proxy/http_extent.h"

#include "base/text.h"
#include "http/target.h"

void tg_http_extent_begin(tg_http_extent *extent, const tg_http_framing *framing)
{
    *extent = (tg_http_extent){.kind = framing->body, .left = framing->length};
    extent->is_whole = framing->body == TG_HTTP_BODY_NONE;
    if (framing->body == TG_HTTP_BODY_CHUNKED) {
        tg_http_chunked_start(&extent->chunked, UINT64_MAX);
    }
}

tg_result tg_http_extent_take(tg_http_extent *extent, tg_slice bytes, size_t *out_len)
{
    size_t len = extent->is_whole ? 0 : bytes.len;
    if (extent->kind == TG_HTTP_BODY_LENGTH) {
        len = (size_t)(extent->left < len ? extent->left : len);
        extent->left -= len;
        extent->is_whole = extent->left == 0;
    } else if (extent->kind == TG_HTTP_BODY_CHUNKED && !extent->is_whole) {
        tg_slice rest = bytes, content;
        tg_result result = tg_ok();
        while (tg_is_ok(result)) {
            result = tg_http_chunked_next(&extent->chunked, &rest, &content);
        }
        if (result.code != TG_ERR_AGAIN && result.code != TG_ERR_EOF) {
            return result;
        }
        extent->is_whole = result.code == TG_ERR_EOF;
        len = bytes.len - rest.len;
    }
    *out_len = len;
    return tg_ok();
}

tg_http_refusal tg_http_route_host(const tg_http_head *head, const tg_http_framing *framing, tg_slice *out_host)
{
    tg_http_target target;
    tg_http_authority authority;
    if (tg_slice_equal(head->method, TG_LIT("CONNECT"))) {
        return TG_HTTP_METHOD_UNSUPPORTED;
    }
    if (!tg_is_ok(tg_http_target_parse(head->target, head->method, &target))) {
        return TG_HTTP_BAD_TARGET;
    }
    if (target.form == TG_HTTP_TARGET_ABSOLUTE && !tg_text_equal_nocase(target.authority, framing->host)) {
        return TG_HTTP_BAD_HOST;
    }
    *out_host = (tg_slice){NULL, 0};
    if (framing->host.len > 0 && tg_is_ok(tg_http_authority_parse(framing->host, &authority)) && !authority.is_ipv6) {
        *out_host = authority.host;
    }
    return TG_HTTP_NOT_REFUSED;
}
