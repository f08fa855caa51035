/* The part of an exchange that deals with its backend: what is asked, and what of the answer is taken. */
#include "gateway/exchange_steps.h"

#include "base/num.h"
#include "sys/log.h"

/* A redirect would have the client, or us, send the request to where no route leads. 304 is an answer to conditions,
 * which only a route can let pass that reads nothing. */
static bool is_redirect(const tg_exchange *exchange)
{
    unsigned status = exchange->status;
    bool is_plain = exchange->route->decrypt == TG_CRYPTO_NONE && exchange->route->encrypt == TG_CRYPTO_NONE;
    return status >= 300 && status < 400 && !(status == 304 && is_plain);
}

static tg_result copy_headers(tg_arena *arena, tg_header_list list, tg_header_list *out_list)
{
    tg_http_header *headers = tg_arena_zalloc(arena, list.num_headers + 1, sizeof *headers);
    if (headers == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < list.num_headers; i++) {
        TG_TRY(tg_arena_copy(arena, list.headers[i].name, &headers[i].name));
        TG_TRY(tg_arena_copy(arena, list.headers[i].value, &headers[i].value));
    }
    *out_list = (tg_header_list){.headers = headers, .num_headers = list.num_headers};
    return tg_ok();
}

/* What passes of the answer's head; it outlives the call. */
static tg_result take_headers(tg_exchange *exchange, const tg_http_answer *from)
{
    tg_arena *arena = exchange->request->arena;
    const tg_header_list all = {.headers = from->headers, .num_headers = from->num_headers};
    const tg_slice as_it_came = {NULL, 0};
    tg_header_list passing;
    TG_TRY(tg_header_policy_answer(exchange->route, all, as_it_came, &exchange->marks, arena, &passing));
    TG_TRY(copy_headers(arena, passing, &exchange->headers));
    (void)tg_http_headers_find(exchange->headers.headers, exchange->headers.num_headers, TG_LIT("Content-Type"),
                               &exchange->content_type);
    return tg_ok();
}

static void refuse_head(tg_exchange *exchange, tg_result result)
{
    if (result.code == TG_ERR_MEMORY) {
        tg_exchange_refuse(exchange, &tg_exchange_no_memory);
        return;
    }
    tg_exchange_refuse(exchange,
                       result.code == TG_ERR_UNSUPPORTED
                           ? &(tg_gateway_fault){.status = 502,
                                                 .code = "upstream_media_type",
                                                 .message = "the backend's answer is under a Content-Encoding"}
                           : &(tg_gateway_fault){.status = 502,
                                                 .code = "upstream_bad_answer",
                                                 .message = "the head of the backend's answer contradicts itself"});
}

static uint64_t announced(const tg_http_answer *from)
{
    tg_slice text;
    uint64_t length = 0;
    if (!tg_http_headers_find(from->headers, from->num_headers, TG_LIT("Content-Length"), &text) ||
        !tg_is_ok(tg_num_parse_u64(text, UINT64_MAX, &length))) {
        return 0;
    }
    return length;
}

/* Room for the answer, counted before it is taken. */
static bool make_room(tg_exchange *exchange, size_t len)
{
    size_t cap = exchange->body.cap;
    size_t wanted = cap < len / 2 ? len : cap * 2;
    wanted = tg_size_max(len, tg_size_min(wanted, (size_t)exchange->route->max_answer_bytes));
    if (len <= cap) {
        return true;
    }
    return tg_hold_set(&exchange->answer_hold, wanted) && tg_is_ok(tg_buf_widen(&exchange->body, wanted));
}

static void on_head(tg_http_call *http, const tg_http_answer *from, void *owner)
{
    tg_exchange *exchange = owner;
    (void)http;
    exchange->status = from->status;
    if (is_redirect(exchange)) {
        tg_exchange_refuse(exchange,
                           &(tg_gateway_fault){.status = 502,
                                               .code = "upstream_redirect",
                                               .message = "the backend answers with a redirect, and none is followed"});
        return;
    }
    tg_result result = take_headers(exchange, from);
    if (!tg_is_ok(result)) {
        refuse_head(exchange, result);
        return;
    }
    uint64_t length = exchange->is_head ? 0 : announced(from);
    if (length <= exchange->route->max_answer_bytes && !make_room(exchange, (size_t)length)) {
        tg_exchange_refuse(exchange, &tg_exchange_no_budget);
    }
}

static void on_body(tg_http_call *http, tg_slice piece, void *owner)
{
    tg_exchange *exchange = owner;
    (void)http;
    if (!make_room(exchange, tg_buf_len(&exchange->body) + piece.len) ||
        !tg_is_ok(tg_buf_append(&exchange->body, piece))) {
        tg_exchange_refuse(exchange, &tg_exchange_no_budget);
    }
}

static void log_failure(const tg_exchange *exchange, const tg_http_outcome *outcome, const tg_gateway_fault *fault)
{
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
    uint64_t num_unlogged;
    if (tg_log_rate_take(&exchange->site->upstream_log, TG_EXCHANGE_LOGGED_PER_S, tg_loop_now_ms(exchange->site->loop),
                         &num_unlogged)) {
        tg_log(TG_LOG_WARN, "gateway", "upstream_failed", TG_F_STR("route", exchange->route->label),
               TG_F_STR("code", fault->code), TG_F_STR("reason", tg_http_outcome_format(outcome, text)),
               TG_F_STR("request_id", exchange->seen_id), TG_F_UINT("unlogged", num_unlogged));
    }
}

static void on_done(tg_http_call *http, const tg_http_outcome *outcome, void *owner)
{
    tg_exchange *exchange = owner;
    (void)http;
    if (tg_is_ok(outcome->result)) {
        tg_exchange_take_answer(exchange);
        return;
    }
    tg_gateway_fault fault = tg_upstream_fault_of(outcome);
    log_failure(exchange, outcome, &fault);
    tg_exchange_refuse(exchange, &fault);
}

static const tg_http_call_handlers call_handlers = {.on_head = on_head, .on_body = on_body, .on_done = on_done};

tg_upstream_target tg_exchange_target(const tg_gateway_route *route)
{
    return (tg_upstream_target){.url = route->upstream_url,
                                .value_name = (const char *)route->upstream_value.ptr,
                                .may_be_common_name = route->may_be_common_name};
}

/* The URL's path, with the query of the request where it has one. */
static tg_result make_target(const tg_exchange *exchange, tg_slice path, tg_slice *out_target)
{
    const tg_http_request *request = exchange->request;
    uint8_t *text = tg_arena_alloc(request->arena, path.len + 1 + request->query.len);
    if (text == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t len = path.len;
    memcpy(text, path.ptr, path.len);
    if (request->has_query) {
        text[len++] = '?';
    }
    if (request->query.len > 0) {
        memcpy(text + len, request->query.ptr, request->query.len);
        len += request->query.len;
    }
    *out_target = tg_slice_of(text, len);
    return tg_ok();
}

static tg_result ask_headers(tg_exchange *exchange, tg_header_list *out_headers, tg_gateway_fault *out_fault)
{
    const tg_http_request *request = exchange->request;
    const tg_opened_request *opened = &exchange->envelope.opened;
    bool are_inside = opened->kind == TG_CRYPTO_OHTTP;
    const tg_header_list all = {.headers = are_inside ? opened->headers : request->headers,
                                .num_headers = are_inside ? opened->num_headers : request->num_headers};
    tg_slice type = {NULL, 0}; /* as it came */
    if (opened->kind == TG_CRYPTO_JWE) {
        type = opened->content_type;
    }
    tg_result result =
        tg_header_policy_request(exchange->route, all, type, &exchange->marks, request->arena, out_headers);
    if (result.code == TG_ERR_UNSUPPORTED) {
        *out_fault = (tg_gateway_fault){.status = 415,
                                        .code = "unsupported_media_type",
                                        .message = "the body must come without a Content-Encoding"};
    } else if (result.code == TG_ERR_MEMORY) {
        *out_fault = tg_exchange_no_memory;
    } else if (!tg_is_ok(result)) {
        *out_fault = (tg_gateway_fault){
            .status = 400, .code = "bad_request", .message = "the request's headers contradict each other"};
    }
    return result;
}

static tg_result call_upstream(tg_exchange *exchange, tg_slice body, tg_gateway_fault *out_fault)
{
    const tg_upstream_target to = tg_exchange_target(exchange->route);
    const tg_http_deadlines deadlines = {.whole_ms = exchange->route->timeout_ms};
    tg_upstream *upstream;
    tg_header_list headers;
    tg_slice path;
    tg_slice inner_method = exchange->envelope.opened.method;
    tg_http_ask ask = {.method = inner_method.len > 0 ? inner_method : exchange->request->method_name,
                       .body = body,
                       .max_answer_bytes = exchange->route->max_answer_bytes,
                       .deadlines = &deadlines};
    TG_TRY(tg_upstreams_find(exchange->site->upstreams, &to, &upstream, &path, out_fault));
    TG_TRY(ask_headers(exchange, &headers, out_fault));
    exchange->is_head = tg_http_method_of(ask.method) == TG_HTTP_HEAD;
    ask.headers = headers.headers;
    ask.num_headers = headers.num_headers;
    *out_fault = tg_exchange_no_memory;
    TG_TRY(make_target(exchange, path, &ask.target));
    return tg_upstream_call_start(upstream, &ask, &call_handlers, exchange, &exchange->call, out_fault);
}

void tg_exchange_call(tg_exchange *exchange, tg_slice body)
{
    tg_gateway_fault fault = tg_exchange_no_memory;
    tg_exchange_go(exchange, TG_EXCHANGE_CALLS);
    if (!tg_hold_set(&exchange->request_hold, body.len)) {
        tg_exchange_refuse(exchange, &tg_exchange_no_budget);
        return;
    }
    if (!tg_is_ok(call_upstream(exchange, body, &fault))) {
        tg_exchange_refuse(exchange, &fault);
        return;
    }
    tg_buf_done(&exchange->opened); /* the call has a copy of its own */
    tg_opened_request_forget(&exchange->envelope.opened);
    exchange->marks.tracestate = (tg_slice){NULL, 0}; /* it may have stood in there */
}
