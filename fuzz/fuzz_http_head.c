// room: http
// A head, whole and in two parts, as a request or a response (first byte), then its framing and its target.
#include "http/framing.h"
#include "http/head.h"
#include "http/target.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static bool is_inside(tg_slice part, tg_slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.len <= whole.len - (size_t)(part.ptr - whole.ptr));
}

static void check_request(const tg_http_head *head)
{
    tg_http_framing framing;
    tg_http_target target;
    tg_arena arena;
    tg_slice value;
    if (tg_http_frame_request(head, &framing) == TG_HTTP_NOT_REFUSED) {
        expect(framing.body != TG_HTTP_BODY_TO_END);
    }
    tg_arena_init(&arena, 262144, true);
    if (tg_is_ok(tg_http_target_parse(head->target, head->method, &target))) {
        if (tg_is_ok(tg_http_path_decode(&arena, target.path, &value))) {
            expect(value.len <= target.path.len);
        }
        if (tg_is_ok(tg_http_query_get(&arena, target.query, TG_LIT("a"), &value))) {
            expect(target.has_query && value.len < target.query.len);
        }
    }
    for (size_t i = 0; i < head->num_headers; i++) {
        if (tg_http_is_json(head->headers[i].value)) {
            expect(head->headers[i].value.len >= 8);
        }
    }
    tg_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_http_head_parser whole;
    static tg_http_head_parser parts;
    const tg_http_head_limits limits = {4096, 16, 1024};
    if (size < 3) {
        return 0;
    }
    tg_http_head_kind kind = data[0] % 2 == 0 ? TG_HTTP_REQUEST_HEAD : TG_HTTP_RESPONSE_HEAD;
    size_t split = data[1] * 256u + data[2];
    tg_slice bytes = tg_slice_of(data + 3, size - 3);
    tg_http_head head;
    tg_http_head again;
    tg_http_head_start(&whole, kind, &limits);
    tg_result result = tg_http_head_parse(&whole, bytes, &head);
    tg_http_head_start(&parts, kind, &limits);
    tg_result result_in_parts = tg_http_head_parse(&parts, tg_slice_first(bytes, split), &again);
    if (result_in_parts.code == TG_ERR_AGAIN) {
        result_in_parts = tg_http_head_parse(&parts, bytes, &again);
    }
    expect(tg_is_ok(result) == tg_is_ok(result_in_parts));
    expect((result.code == TG_ERR_AGAIN) == (result_in_parts.code == TG_ERR_AGAIN));
    if (!tg_is_ok(result)) {
        expect(result.code == TG_ERR_AGAIN || whole.refusal != TG_HTTP_NOT_REFUSED);
        return 0;
    }
    expect(head.len == again.len && head.len <= bytes.len && head.num_headers == again.num_headers);
    expect(tg_slice_ends(tg_slice_first(bytes, head.len), TG_LIT("\r\n\r\n")));
    for (size_t i = 0; i < head.num_headers; i++) {
        expect(is_inside(head.headers[i].name, bytes) && is_inside(head.headers[i].value, bytes));
        expect(tg_slice_equal(head.headers[i].name, again.headers[i].name));
        expect(tg_slice_equal(head.headers[i].value, again.headers[i].value));
    }
    if (kind == TG_HTTP_REQUEST_HEAD) {
        check_request(&head);
    } else {
        tg_http_framing framing;
        expect(head.status >= 100 && head.status <= 599);
        if (tg_http_frame_response(&head, split % 2 == 0, &framing) == TG_HTTP_NOT_REFUSED) {
            expect(!framing.keeps_alive || framing.body != TG_HTTP_BODY_TO_END);
        }
    }
    return 0;
}
