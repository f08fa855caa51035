// room: proxy http
// A request's head, its host, and where its message ends: the same whole and in two parts.
#include "http/head.h"
#include "proxy/http_extent.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_http_head_parser parser;
    const tg_http_head_limits limits = {.head_bytes = 32768, .num_fields = 128, .target_bytes = 16384};
    tg_slice input = tg_slice_of(data, size);
    tg_http_head head;
    tg_http_framing framing;
    tg_slice host;
    tg_http_head_start(&parser, TG_HTTP_REQUEST_HEAD, &limits);
    if (!tg_is_ok(tg_http_head_parse(&parser, input, &head)) ||
        tg_http_frame_request(&head, &framing) != TG_HTTP_NOT_REFUSED) {
        return 0;
    }
    if (tg_http_route_host(&head, &framing, &host) == TG_HTTP_NOT_REFUSED && host.len > 255) {
        abort();
    }
    tg_slice body = tg_slice_from(input, head.len);
    tg_http_extent whole, parts;
    size_t whole_len = 0, first_len = 0, second_len = 0;
    tg_http_extent_begin(&whole, &framing);
    tg_http_extent_begin(&parts, &framing);
    tg_slice front = tg_slice_first(body, body.len / 2);
    tg_result once = tg_http_extent_take(&whole, body, &whole_len);
    tg_result twice = tg_http_extent_take(&parts, front, &first_len);
    if (tg_is_ok(twice) && !parts.is_whole) {
        twice = tg_http_extent_take(&parts, tg_slice_from(body, front.len), &second_len);
    }
    if (once.code != twice.code || (tg_is_ok(once) && (whole_len != first_len + second_len || whole_len > body.len))) {
        abort();
    }
    return 0;
}
