#include "gateway/exchange.h"

#include "base/num.h"
#include "sys/log.h"

#include <stdlib.h>

enum { MAX_BODY_BYTES = 0x7fffffff };

static const tg_gateway_fault no_budget = {.status = 503,
                                           .code = "service_unavailable",
                                           .message =
                                               "the bodies in flight take all the memory that is set aside for them",
                                           .retry_after_s = 1};
static const tg_gateway_fault no_memory = {
    .status = 503, .code = "service_unavailable", .message = "there is no memory for this request", .retry_after_s = 1};

void tg_exchange_init(tg_exchange *exchange, tg_exchange_site *site, const tg_gateway_route *route,
                      const tg_exchange_parts *parts, tg_http_request *request)
{
    *exchange = (tg_exchange){.site = site,
                              .request = request,
                              .route = route,
                              .parts = *parts,
                              .request_hold.budget = site->budget,
                              .answer_hold.budget = site->budget,
                              .sealed_hold.budget = site->budget};
    tg_buf_init_wiped(&exchange->opened, MAX_BODY_BYTES);
    tg_buf_init_wiped(&exchange->body, (size_t)route->max_answer_bytes);
}

static void go(tg_exchange *exchange, tg_exchange_state next)
{
    static const unsigned edges[TG_NUM_EXCHANGE_STATES] = {
        [TG_EXCHANGE_BEGUN] = 1u << TG_EXCHANGE_OPENS | 1u << TG_EXCHANGE_CALLS | 1u << TG_EXCHANGE_OVER,
        [TG_EXCHANGE_OPENS] = 1u << TG_EXCHANGE_CALLS | 1u << TG_EXCHANGE_OVER,
        [TG_EXCHANGE_CALLS] = 1u << TG_EXCHANGE_SEALS | 1u << TG_EXCHANGE_OVER,
        [TG_EXCHANGE_SEALS] = 1u << TG_EXCHANGE_OVER,
    };
    if ((edges[exchange->state] & 1u << next) == 0) {
        abort(); /* a defect: nothing outside decides about edges */
    }
    exchange->state = next;
}

/* Ends all work; what is still to be answered stays. */
static void end_work(tg_exchange *exchange)
{
    tg_tick_cancel(&exchange->tick);
    tg_upstream_call_cancel(&exchange->call);
    tg_field_step_done(&exchange->fields);
    tg_buf_done(&exchange->opened);
    go(exchange, TG_EXCHANGE_OVER);
}

static void respond_sealed(tg_exchange *exchange, tg_buf *sealed)
{
    tg_http_respond(exchange->request, exchange->envelope.outer_status, exchange->envelope.outer,
                    exchange->envelope.num_outer, sealed);
}

/* False where it could not be sealed: what happened inside is then not said in the clear instead. */
static bool refuse_sealed(tg_exchange *exchange, const tg_gateway_fault *fault)
{
    tg_buf *sealed = tg_http_answer_buf(exchange->request);
    tg_buf_clear(sealed);
    if (!tg_is_ok(tg_envelope_step_seal_fault(&exchange->envelope, fault, exchange->marks.request_id, sealed))) {
        return false;
    }
    exchange->site->calls->refused(fault, exchange->site->owner);
    respond_sealed(exchange, sealed);
    return true;
}

static void refuse(tg_exchange *exchange, const tg_gateway_fault *fault)
{
    tg_gateway_fault copy = *fault;
    end_work(exchange);
    tg_buf_done(&exchange->body);
    if (tg_envelope_step_seals(&exchange->envelope)) {
        if (refuse_sealed(exchange, &copy)) {
            return;
        }
        copy = no_memory;
    }
    exchange->site->calls->refuse(exchange->request, &copy, exchange->pointer, exchange->site->owner);
}

void tg_exchange_cancel(tg_exchange *exchange)
{
    if (exchange->state != TG_EXCHANGE_OVER) {
        end_work(exchange);
    }
    tg_buf_done(&exchange->body);
    tg_envelope_step_done(&exchange->envelope);
}

void tg_exchange_done(tg_exchange *exchange)
{
    tg_exchange_cancel(exchange);
    tg_hold_end(&exchange->request_hold);
    tg_hold_end(&exchange->answer_hold);
    tg_hold_end(&exchange->sealed_hold);
}

/* The answer: what holds its bytes from now on is the connection. */
static void answer(tg_exchange *exchange, tg_buf *body, tg_hold *hold)
{
    end_work(exchange);
    (void)tg_hold_set(hold, body->cap); /* at most what was held */
    if (exchange->request->method == TG_HTTP_HEAD) {
        tg_http_answer_begin(exchange->request, exchange->status, exchange->headers.headers,
                             exchange->headers.num_headers, TG_HTTP_UNKNOWN_LENGTH);
        tg_http_answer_end(exchange->request);
        return;
    }
    tg_http_respond(exchange->request, exchange->status, exchange->headers.headers, exchange->headers.num_headers,
                    body);
}

/* The backend's answer does not go through the route's schema. */
static tg_gateway_fault answer_fault(const tg_fault *fault)
{
    if (fault->kind == TG_FAULT_PAYLOAD_TOO_LARGE) {
        return (tg_gateway_fault){.status = 502,
                                  .code = "upstream_too_large",
                                  .message = "the backend's answer holds too many values to be encrypted"};
    }
    if (fault->kind == TG_FAULT_SERVICE_UNAVAILABLE || fault->kind == TG_FAULT_INTERNAL_ERROR) {
        return (tg_gateway_fault){
            .status = tg_fault_status(fault->kind), .code = tg_fault_name(fault->kind), .message = fault->message};
    }
    return (tg_gateway_fault){.status = 502,
                              .code = "upstream_schema",
                              .message = "the backend's answer is not what the route's response schema encrypts"};
}

static tg_gateway_fault request_fault(tg_exchange *exchange, const tg_fault *fault)
{
    if (fault->kind == TG_FAULT_BAD_TOKEN) {
        exchange->site->calls->missed_key(exchange->site->owner);
    }
    tg_gateway_fault refused = {
        .status = tg_fault_status(fault->kind), .code = tg_fault_name(fault->kind), .message = fault->message};
    if (fault->has_pointer) {
        tg_slice pointer = {NULL, 0};
        (void)!tg_is_ok(tg_arena_copy(exchange->request->arena, tg_slice_str(fault->pointer), &pointer));
        exchange->pointer = pointer;
    }
    return refused;
}

static void rewritten(tg_exchange *exchange, const tg_schema *schema, bool is_encrypt)
{
    tg_rewrite_counts counts = tg_rewrite_get_counts(exchange->fields.rewrite);
    exchange->site->calls->rewritten(schema, is_encrypt, &counts, exchange->site->owner);
}

static void run_seal(tg_exchange *exchange)
{
    tg_buf *sealed = tg_http_answer_buf(exchange->request);
    tg_result result = tg_field_step_run(&exchange->fields, exchange->parts.keys, &exchange->sealed_hold, sealed);
    if (result.code == TG_ERR_AGAIN) {
        tg_loop_tick(exchange->site->loop, &exchange->tick);
    } else if (tg_is_ok(result)) {
        rewritten(exchange, exchange->parts.answer_schema, true);
        tg_field_step_done(&exchange->fields);
        tg_buf_done(&exchange->body);
        tg_hold_end(&exchange->answer_hold);
        answer(exchange, sealed, &exchange->sealed_hold);
    } else if (result.code == TG_ERR_LIMIT) {
        refuse(exchange, &no_budget);
    } else {
        tg_gateway_fault fault = answer_fault(tg_rewrite_fault(exchange->fields.rewrite));
        tg_buf_clear(sealed);
        refuse(exchange, &fault);
    }
}

static void begin_seal(tg_exchange *exchange)
{
    const tg_rewrite_options options = {
        .root = exchange->parts.answer_root, .mode = TG_REWRITE_ENCRYPT, .max_fields = exchange->site->max_fields};
    if (!tg_http_is_json(exchange->content_type)) {
        refuse(exchange, &(tg_gateway_fault){.status = 502,
                                             .code = "upstream_media_type",
                                             .message = "the backend's answer is not JSON, so nothing in it could be "
                                                        "encrypted"});
        return;
    }
    if (!tg_is_ok(tg_field_step_begin(&exchange->fields, &options, tg_buf_slice(&exchange->body)))) {
        refuse(exchange, &no_memory);
        return;
    }
    run_seal(exchange);
}

/* The headers that pass are sealed too where the envelope has a place for them. */
static void seal_envelope(tg_exchange *exchange)
{
    tg_buf *sealed = tg_http_answer_buf(exchange->request);
    const tg_gateway_answer inside = {.status = exchange->status,
                                      .content_type = exchange->content_type,
                                      .headers = exchange->headers.headers,
                                      .num_headers = exchange->headers.num_headers,
                                      .body = tg_buf_slice(&exchange->body)};
    tg_result result =
        tg_envelope_step_seal(&exchange->envelope, &inside, exchange->marks.request_id, &exchange->sealed_hold, sealed);
    if (!tg_is_ok(result)) {
        refuse(exchange, result.code == TG_ERR_LIMIT ? &no_budget : &no_memory);
        return;
    }
    tg_buf_done(&exchange->body);
    tg_hold_end(&exchange->answer_hold);
    end_work(exchange);
    respond_sealed(exchange, sealed);
}

/* The call is over, its answer whole. */
static void take_answer(tg_exchange *exchange)
{
    go(exchange, TG_EXCHANGE_SEALS);
    tg_hold_end(&exchange->request_hold);
    if (tg_envelope_step_seals(&exchange->envelope)) {
        seal_envelope(exchange);
    } else if (exchange->route->encrypt == TG_CRYPTO_FIELDS && tg_buf_len(&exchange->body) > 0) {
        begin_seal(exchange);
    } else {
        answer(exchange, &exchange->body, &exchange->answer_hold);
    }
}

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
        refuse(exchange, &no_memory);
        return;
    }
    refuse(exchange, result.code == TG_ERR_UNSUPPORTED
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
    wanted = wanted < len ? len : wanted;
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
        refuse(exchange, &(tg_gateway_fault){.status = 502,
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
        refuse(exchange, &no_budget);
    }
}

static void on_body(tg_http_call *http, tg_slice piece, void *owner)
{
    tg_exchange *exchange = owner;
    (void)http;
    if (!make_room(exchange, tg_buf_len(&exchange->body) + piece.len) ||
        !tg_is_ok(tg_buf_append(&exchange->body, piece))) {
        refuse(exchange, &no_budget);
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
               TG_F_STR("request_id", exchange->marks.request_id), TG_F_UINT("unlogged", num_unlogged));
    }
}

static void on_done(tg_http_call *http, const tg_http_outcome *outcome, void *owner)
{
    tg_exchange *exchange = owner;
    (void)http;
    if (tg_is_ok(outcome->result)) {
        take_answer(exchange);
        return;
    }
    tg_gateway_fault fault = tg_upstream_fault_of(outcome);
    log_failure(exchange, outcome, &fault);
    refuse(exchange, &fault);
}

static const tg_http_call_handlers call_handlers = {.on_head = on_head, .on_body = on_body, .on_done = on_done};

static tg_upstream_target target_of(const tg_gateway_route *route)
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
        *out_fault = no_memory;
    } else if (!tg_is_ok(result)) {
        *out_fault = (tg_gateway_fault){
            .status = 400, .code = "bad_request", .message = "the request's headers contradict each other"};
    }
    return result;
}

static tg_result call_upstream(tg_exchange *exchange, tg_slice body, tg_gateway_fault *out_fault)
{
    const tg_upstream_target to = target_of(exchange->route);
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
    *out_fault = no_memory;
    TG_TRY(make_target(exchange, path, &ask.target));
    return tg_upstream_call_start(upstream, &ask, &call_handlers, exchange, &exchange->call, out_fault);
}

static void begin_call(tg_exchange *exchange, tg_slice body)
{
    tg_gateway_fault fault = no_memory;
    go(exchange, TG_EXCHANGE_CALLS);
    if (!tg_hold_set(&exchange->request_hold, body.len)) {
        refuse(exchange, &no_budget);
        return;
    }
    if (!tg_is_ok(call_upstream(exchange, body, &fault))) {
        refuse(exchange, &fault);
        return;
    }
    tg_buf_done(&exchange->opened); /* the call has a copy of its own */
    tg_opened_request_forget(&exchange->envelope.opened);
    exchange->marks.tracestate = (tg_slice){NULL, 0}; /* it may have stood in there */
}

static void run_open(tg_exchange *exchange)
{
    tg_result result =
        tg_field_step_run(&exchange->fields, exchange->parts.keys, &exchange->request_hold, &exchange->opened);
    if (result.code == TG_ERR_AGAIN) {
        tg_loop_tick(exchange->site->loop, &exchange->tick);
    } else if (tg_is_ok(result)) {
        rewritten(exchange, exchange->parts.request_schema, false);
        tg_field_step_done(&exchange->fields);
        begin_call(exchange, tg_buf_slice(&exchange->opened));
    } else if (result.code == TG_ERR_LIMIT) {
        refuse(exchange, &no_budget);
    } else {
        tg_gateway_fault fault = request_fault(exchange, tg_rewrite_fault(exchange->fields.rewrite));
        refuse(exchange, &fault);
    }
}

static void begin_open(tg_exchange *exchange)
{
    const tg_rewrite_options options = {
        .root = exchange->parts.request_root, .mode = TG_REWRITE_DECRYPT, .max_fields = exchange->site->max_fields};
    go(exchange, TG_EXCHANGE_OPENS);
    if (!tg_is_ok(tg_field_step_begin(&exchange->fields, &options, exchange->request->body))) {
        refuse(exchange, &no_memory);
        return;
    }
    run_open(exchange);
}

/* What an OHTTP request says of itself is in what was sealed. */
static tg_result take_inner_marks(tg_exchange *exchange, tg_gateway_fault *out_fault)
{
    const tg_opened_request *opened = &exchange->envelope.opened;
    *out_fault = no_memory;
    return opened->kind == TG_CRYPTO_OHTTP
               ? tg_request_marks_take(opened->headers, opened->num_headers, &exchange->marks)
               : tg_ok();
}

static tg_result open_envelope(tg_exchange *exchange, tg_gateway_fault *out_fault)
{
    const tg_upstream_target to = target_of(exchange->route);
    tg_envelope_context context = {.keys = exchange->parts.envelope_keys,
                                   .replay = exchange->site->replay,
                                   .own_authority = exchange->request->authority};
    tg_upstream *upstream;
    TG_TRY(tg_upstreams_find(exchange->site->upstreams, &to, &upstream, &context.upstream_target, out_fault));
    context.upstream_authority = tg_upstream_authority(upstream);
    TG_TRY(tg_envelope_step_open(&exchange->envelope, &context, exchange->route, exchange->request,
                                 &exchange->request_hold, out_fault));
    return take_inner_marks(exchange, out_fault);
}

static void begin_envelope(tg_exchange *exchange)
{
    tg_gateway_fault fault = no_memory;
    go(exchange, TG_EXCHANGE_OPENS);
    if (!tg_is_ok(open_envelope(exchange, &fault))) {
        refuse(exchange, &fault);
        return;
    }
    begin_call(exchange, exchange->envelope.opened.body);
}

static void run_tick(tg_tick *tick)
{
    tg_exchange *exchange = TG_OBJECT_OF(tick, tg_exchange, tick);
    if (exchange->state == TG_EXCHANGE_OPENS) {
        run_open(exchange);
    } else {
        run_seal(exchange);
    }
}

/* Nothing is opened for a backend that cannot be called. */
static bool can_call(tg_exchange *exchange)
{
    const tg_upstream_target to = target_of(exchange->route);
    tg_gateway_fault fault;
    tg_upstream *upstream;
    tg_slice path;
    if (!tg_is_ok(tg_upstreams_find(exchange->site->upstreams, &to, &upstream, &path, &fault))) {
        refuse(exchange, &fault);
        return false;
    }
    return true;
}

void tg_exchange_run(tg_exchange *exchange)
{
    tg_http_request *request = exchange->request;
    exchange->tick.run = run_tick;
    if (!tg_is_ok(tg_request_marks_take(request->headers, request->num_headers, &exchange->marks))) {
        refuse(exchange, &no_memory);
    } else if (!can_call(exchange)) {
        return;
    } else if (exchange->route->decrypt == TG_CRYPTO_FIELDS) {
        begin_open(exchange);
    } else if (exchange->route->decrypt != TG_CRYPTO_NONE) {
        begin_envelope(exchange);
    } else {
        begin_call(exchange, request->body);
    }
}
