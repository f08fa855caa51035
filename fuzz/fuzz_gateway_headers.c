// room: gateway
// Of any headers, only what the gateway lets pass comes out, and what it makes itself is of its own grammar. Lines of
// `name:value`; the first byte says what the route does.
#include "crypto/init.h"
#include "gateway/header_policy.h"

#include <stdlib.h>

enum { MAX_HEADERS = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tg_header_list *list, const tg_request_marks *marks)
{
    static const tg_slice never[] = {{(const uint8_t *)"connection", 10},
                                     {(const uint8_t *)"host", 4},
                                     {(const uint8_t *)"cookie", 6},
                                     {(const uint8_t *)"content-length", 14}};
    tg_slice value;
    for (size_t i = 0; i < TG_COUNT(never); i++) {
        if (tg_http_headers_find(list->headers, list->num_headers, never[i], &value)) {
            abort();
        }
    }
    if (!tg_is_ok(tg_http_headers_find_only(list->headers, list->num_headers, TG_LIT("x-request-id"), &value)) ||
        !tg_slice_equal(value, tg_slice_str(marks->request_id)) || value.len == 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tg_slice listed[] = {{(const uint8_t *)"x-tenant", 8}, {(const uint8_t *)"cache-control", 13}};
    static bool is_started;
    tg_http_header headers[MAX_HEADERS];
    size_t num_headers = 0;
    if (data == NULL || size == 0 || (!is_started && !tg_is_ok(tg_crypto_init(1)))) {
        return 0;
    }
    is_started = true;
    const uint8_t ways = *data;
    tg_slice rest = tg_slice_of(data + 1, size - 1);
    while (rest.ptr != NULL && num_headers < MAX_HEADERS) {
        tg_slice line = tg_slice_split(&rest, '\n');
        tg_slice name = tg_slice_split(&line, ':');
        headers[num_headers++] = (tg_http_header){name, line};
    }
    const tg_gateway_route route = {.decrypt = (tg_route_crypto)(ways & 3),
                                    .encrypt = (tg_route_crypto)(ways >> 2 & 3),
                                    .request_headers = listed,
                                    .num_request_headers = TG_COUNT(listed),
                                    .response_headers = listed,
                                    .num_response_headers = TG_COUNT(listed)};
    const tg_header_list from = {headers, num_headers};
    const tg_slice content_type = (ways & 16) != 0 ? TG_LIT("application/json") : (tg_slice){NULL, 0};
    tg_arena arena;
    tg_request_marks marks;
    tg_header_list list;
    tg_arena_init(&arena, 1 << 20, false);
    if (tg_is_ok(tg_request_marks_take(headers, num_headers, &marks))) {
        if (tg_is_ok(tg_header_policy_request(&route, from, content_type, &marks, &arena, &list))) {
            check(&list, &marks);
        }
        if (tg_is_ok(tg_header_policy_answer(&route, from, content_type, &marks, &arena, &list))) {
            check(&list, &marks);
        }
    }
    tg_arena_done(&arena);
    return 0;
}
