#include "gateway/header_policy.h"

#include "base/text.h"
#include "http/grammar.h"

enum { MAX_FIXED = 8 };

/* One list in the making. */
typedef struct filter {
    tg_header_list from;
    const tg_slice *listed;
    size_t num_listed;
    tg_slice options[TG_MAX_CONNECTION_OPTIONS]; /* what Connection names */
    size_t num_options;
    bool is_answer;
    tg_http_header *headers;
    size_t num_headers;
} filter;

static tg_result read_options(filter *it)
{
    for (size_t i = 0; i < it->from.num_headers; i++) {
        tg_slice rest = it->from.headers[i].value;
        tg_slice option;
        if (!tg_text_equal_nocase(it->from.headers[i].name, TG_LIT("connection"))) {
            continue;
        }
        while (tg_http_list_next(&rest, &option)) {
            if (it->num_options == TG_COUNT(it->options)) {
                return tg_fail(TG_ERR_LIMIT);
            }
            it->options[it->num_options++] = option;
        }
    }
    return tg_ok();
}

static bool is_named(const tg_slice *names, size_t num_names, tg_slice name)
{
    for (size_t i = 0; i < num_names; i++) {
        if (tg_text_equal_nocase(names[i], name)) {
            return true;
        }
    }
    return false;
}

static tg_result start(filter *it, tg_header_list from, const tg_slice *listed, size_t num_listed, tg_arena *arena)
{
    *it = (filter){.from = from, .listed = listed, .num_listed = num_listed};
    TG_TRY(read_options(it));
    it->headers = tg_arena_zalloc(arena, from.num_headers + MAX_FIXED, sizeof *it->headers);
    return it->headers != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
}

static void put(filter *it, tg_slice name, tg_slice value)
{
    it->headers[it->num_headers++] = (tg_http_header){name, value};
}

/* A header that may stand there once; `name` is a literal. */
static tg_result put_only(filter *it, tg_slice name)
{
    tg_slice value;
    tg_result found = tg_http_headers_find_only(it->from.headers, it->from.num_headers, name, &value);
    if (tg_is_ok(found) && !is_named(it->options, it->num_options, name)) {
        put(it, name, value);
    }
    return found.code == TG_ERR_NOT_FOUND ? tg_ok() : found;
}

/* What says how to read the body. A body that is opened or sealed here has no coding: nobody could tell the end of the
 * work from its middle. */
static tg_result put_body_headers(filter *it, tg_slice content_type, bool is_as_it_came)
{
    tg_slice coding;
    if (content_type.ptr != NULL) {
        put(it, TG_LIT("Content-Type"), content_type);
    } else {
        TG_TRY(put_only(it, TG_LIT("Content-Type")));
    }
    if (is_as_it_came) {
        return put_only(it, TG_LIT("Content-Encoding"));
    }
    tg_result found =
        tg_http_headers_find_only(it->from.headers, it->from.num_headers, TG_LIT("content-encoding"), &coding);
    bool is_coded =
        found.code != TG_ERR_NOT_FOUND && !(tg_is_ok(found) && tg_text_equal_nocase(coding, TG_LIT("identity")));
    return is_coded ? tg_fail(TG_ERR_UNSUPPORTED) : tg_ok();
}

/* Of an answer the Date is the server's: it writes its own, and takes no other. */
static void put_listed(filter *it)
{
    for (size_t i = 0; i < it->from.num_headers; i++) {
        const tg_http_header *header = &it->from.headers[i];
        bool is_servers = it->is_answer && tg_text_equal_nocase(header->name, TG_LIT("date"));
        if (!is_servers && is_named(it->listed, it->num_listed, header->name) &&
            !is_named(it->options, it->num_options, header->name)) {
            put(it, header->name, header->value);
        }
    }
}

tg_result tg_header_policy_request(const tg_gateway_route *route, tg_header_list headers, tg_slice content_type,
                                   const tg_request_marks *marks, tg_arena *arena, tg_header_list *out_list)
{
    static const tg_slice accept[] = {{(const uint8_t *)"accept", 6}};
    filter it;
    TG_TRY(start(&it, headers, route->request_headers, route->num_request_headers, arena));
    TG_TRY(put_body_headers(&it, content_type, route->decrypt == TG_CRYPTO_NONE));
    put(&it, TG_LIT("X-Request-Id"), tg_slice_str(marks->request_id));
    put(&it, TG_LIT("traceparent"), tg_slice_str(marks->traceparent));
    if (marks->tracestate.len > 0) {
        put(&it, TG_LIT("tracestate"), marks->tracestate);
    }
    put_listed(&it);
    if (!is_named(it.listed, it.num_listed, accept[0])) {
        it.listed = accept;
        it.num_listed = TG_COUNT(accept);
        put_listed(&it);
    }
    *out_list = (tg_header_list){it.headers, it.num_headers};
    return tg_ok();
}

tg_result tg_header_policy_answer(const tg_gateway_route *route, tg_header_list headers, tg_slice content_type,
                                  const tg_request_marks *marks, tg_arena *arena, tg_header_list *out_list)
{
    filter it;
    TG_TRY(start(&it, headers, route->response_headers, route->num_response_headers, arena));
    it.is_answer = true;
    TG_TRY(put_body_headers(&it, content_type, route->encrypt == TG_CRYPTO_NONE));
    put(&it, TG_LIT("X-Request-Id"), tg_slice_str(marks->request_id));
    put_listed(&it);
    tg_slice cached;
    if (!tg_http_headers_find(it.headers, it.num_headers, TG_LIT("cache-control"), &cached)) {
        put(&it, TG_LIT("Cache-Control"), TG_LIT("no-store"));
    }
    *out_list = (tg_header_list){it.headers, it.num_headers};
    return tg_ok();
}
