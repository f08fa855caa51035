#include "gateway/exchange_steps.h"

#include <stdlib.h>

enum { MAX_BODY_BYTES = 0x7fffffff };

const tg_gateway_fault tg_exchange_no_budget = {
    .status = 503,
    .code = "service_unavailable",
    .message = "the bodies in flight take all the memory that is set aside for them",
    .retry_after_s = 1};
const tg_gateway_fault tg_exchange_no_memory = {
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

void tg_exchange_go(tg_exchange *exchange, tg_exchange_state next)
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
    tg_exchange_go(exchange, TG_EXCHANGE_OVER);
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
    if (!tg_is_ok(tg_envelope_step_seal_fault(&exchange->envelope, fault, exchange->seen_id, sealed))) {
        return false;
    }
    exchange->site->calls->refused(fault, exchange->site->owner);
    respond_sealed(exchange, sealed);
    return true;
}

void tg_exchange_refuse(tg_exchange *exchange, const tg_gateway_fault *fault)
{
    tg_gateway_fault copy = *fault;
    end_work(exchange);
    tg_buf_done(&exchange->body);
    if (tg_envelope_step_seals(&exchange->envelope)) {
        if (refuse_sealed(exchange, &copy)) {
            return;
        }
        copy = tg_exchange_no_memory;
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
        tg_exchange_refuse(exchange, &tg_exchange_no_budget);
    } else {
        tg_gateway_fault fault = answer_fault(tg_rewrite_fault(exchange->fields.rewrite));
        tg_buf_clear(sealed);
        tg_exchange_refuse(exchange, &fault);
    }
}

static void begin_seal(tg_exchange *exchange)
{
    const tg_rewrite_options options = {
        .root = exchange->parts.answer_root, .mode = TG_REWRITE_ENCRYPT, .max_fields = exchange->site->max_fields};
    if (!tg_http_is_json(exchange->content_type)) {
        tg_exchange_refuse(exchange,
                           &(tg_gateway_fault){.status = 502,
                                               .code = "upstream_media_type",
                                               .message = "the backend's answer is not JSON, so nothing in it could be "
                                                          "encrypted"});
        return;
    }
    if (!tg_is_ok(tg_field_step_begin(&exchange->fields, &options, tg_buf_slice(&exchange->body)))) {
        tg_exchange_refuse(exchange, &tg_exchange_no_memory);
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
        tg_envelope_step_seal(&exchange->envelope, &inside, exchange->seen_id, &exchange->sealed_hold, sealed);
    if (!tg_is_ok(result)) {
        tg_exchange_refuse(exchange, result.code == TG_ERR_LIMIT ? &tg_exchange_no_budget : &tg_exchange_no_memory);
        return;
    }
    tg_buf_done(&exchange->body);
    tg_hold_end(&exchange->answer_hold);
    end_work(exchange);
    respond_sealed(exchange, sealed);
}

/* The call is over, its answer whole. */
void tg_exchange_take_answer(tg_exchange *exchange)
{
    tg_exchange_go(exchange, TG_EXCHANGE_SEALS);
    tg_hold_end(&exchange->request_hold);
    if (tg_envelope_step_seals(&exchange->envelope)) {
        seal_envelope(exchange);
    } else if (exchange->route->encrypt == TG_CRYPTO_FIELDS && tg_buf_len(&exchange->body) > 0) {
        begin_seal(exchange);
    } else {
        answer(exchange, &exchange->body, &exchange->answer_hold);
    }
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
        tg_exchange_call(exchange, tg_buf_slice(&exchange->opened));
    } else if (result.code == TG_ERR_LIMIT) {
        tg_exchange_refuse(exchange, &tg_exchange_no_budget);
    } else {
        tg_gateway_fault fault = request_fault(exchange, tg_rewrite_fault(exchange->fields.rewrite));
        tg_exchange_refuse(exchange, &fault);
    }
}

static void begin_open(tg_exchange *exchange)
{
    const tg_rewrite_options options = {
        .root = exchange->parts.request_root, .mode = TG_REWRITE_DECRYPT, .max_fields = exchange->site->max_fields};
    tg_exchange_go(exchange, TG_EXCHANGE_OPENS);
    if (!tg_is_ok(tg_field_step_begin(&exchange->fields, &options, exchange->request->body))) {
        tg_exchange_refuse(exchange, &tg_exchange_no_memory);
        return;
    }
    run_open(exchange);
}

/* What an OHTTP request says of itself is in what was sealed. */
static tg_result take_inner_marks(tg_exchange *exchange, tg_gateway_fault *out_fault)
{
    const tg_opened_request *opened = &exchange->envelope.opened;
    *out_fault = tg_exchange_no_memory;
    return opened->kind == TG_CRYPTO_OHTTP
               ? tg_request_marks_take(opened->headers, opened->num_headers, &exchange->marks)
               : tg_ok();
}

static tg_result open_envelope(tg_exchange *exchange, tg_gateway_fault *out_fault)
{
    const tg_upstream_target to = tg_exchange_target(exchange->route);
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
    tg_gateway_fault fault = tg_exchange_no_memory;
    tg_exchange_go(exchange, TG_EXCHANGE_OPENS);
    if (!tg_is_ok(open_envelope(exchange, &fault))) {
        tg_exchange_refuse(exchange, &fault);
        return;
    }
    tg_exchange_call(exchange, exchange->envelope.opened.body);
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
    const tg_upstream_target to = tg_exchange_target(exchange->route);
    tg_gateway_fault fault;
    tg_upstream *upstream;
    tg_slice path;
    if (!tg_is_ok(tg_upstreams_find(exchange->site->upstreams, &to, &upstream, &path, &fault))) {
        tg_exchange_refuse(exchange, &fault);
        return false;
    }
    return true;
}

void tg_exchange_run(tg_exchange *exchange)
{
    tg_http_request *request = exchange->request;
    exchange->tick.run = run_tick;
    if (!tg_is_ok(tg_request_marks_take(request->headers, request->num_headers, &exchange->marks))) {
        tg_exchange_refuse(exchange, &tg_exchange_no_memory);
        return;
    }
    memcpy(exchange->seen_id, exchange->marks.request_id, sizeof exchange->seen_id);
    if (!can_call(exchange)) {
        return;
    }
    if (exchange->route->decrypt == TG_CRYPTO_FIELDS) {
        begin_open(exchange);
    } else if (exchange->route->decrypt != TG_CRYPTO_NONE) {
        begin_envelope(exchange);
    } else {
        tg_exchange_call(exchange, request->body);
    }
}
