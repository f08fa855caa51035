#include "enclave/forward_api.h"

#include "enclave/clients.h"
#include "enclave/measures.h"
#include "fields/rewrite.h"
#include "gateway/header_policy.h"
#include "sys/clock.h"
#include "sys/log.h"

enum { STEP_BUDGET = 65536, SEALED_VALUE_BYTES = 128 };

static tg_metric_family forwarded = {.name = "teegate_forwarded_requests_total",
                                     .help = "Requests of forward mode that were sealed and sent on, by outcome.",
                                     .kind = TG_METRIC_COUNTER,
                                     .labels = {"outcome"}};

/* One request on its way: sealed in steps, then called, then answered. In the request's arena. */
typedef struct forward_work {
    tg_tick tick;
    tg_site *site;
    tg_http_request *request;
    const tg_forward *forward;
    tg_serving *serving;
    tg_pii_root root;
    const tg_schema *schema;
    tg_rewrite *rewrite;
    bool is_planned;
    tg_http_call *call;
    tg_request_marks marks;
    size_t budgeted; /* of the budget of bodies in flight, until the answer is out */
} forward_work;

static const tg_slice no_pointer = {NULL, 0};

tg_result tg_forward_new(const tg_enclave_settings *settings, tg_loop *loop, tg_applications **out_applications)
{
    const tg_forwards *forwards = settings->forwards;
    tg_http_client_limits limits;
    if (forwards == NULL) {
        *out_applications = NULL;
        return tg_ok();
    }
    tg_http_client_limits_default(&limits);
    limits.body_bytes = settings->max_body_bytes;
    limits.ask_body_bytes =
        2 * (size_t)settings->max_body_bytes + (size_t)settings->max_fields_per_request * SEALED_VALUE_BYTES;
    return tg_applications_new(loop, forwards->has_application ? &forwards->application : NULL, &limits,
                               out_applications);
}

/* Ends the work before the request is given back. */
static void end_work(forward_work *work)
{
    tg_tick_cancel(&work->tick);
    tg_http_call_cancel(TG_TAKE(work->call));
    tg_serving_unref(TG_TAKE(work->serving));
}

static void refuse(forward_work *work, unsigned status, const char *code, const char *message)
{
    tg_http_request *request = work->request;
    end_work(work);
    tg_site_refuse(request, status, code, message, no_pointer);
}

static bool refuse_head(tg_http_request *request, unsigned status, const char *code, const char *message)
{
    tg_site_refuse(request, status, code, message, no_pointer);
    return false;
}

static bool may_call(const tg_site *site, tg_http_request *request)
{
    const tg_setting_list *allowed = &site->settings->encrypt_allowed_clients;
    if (allowed->num_items == 0 ||
        tg_clients_allow(allowed, tg_stream_peer(request->stream), (int64_t)(tg_clock_unix_ms() / 1000))) {
        return true;
    }
    return refuse_head(request, 403, "forbidden", "no client certificate that is allowed to do this");
}

/* What no schema covers is not sent on: a query, a body that is not JSON. */
static bool is_all_covered(tg_http_request *request)
{
    tg_slice type, coding;
    if (request->has_query) {
        return refuse_head(request, 400, "query_not_forwarded",
                           "no schema covers a query, so a request with one is not sent on");
    }
    if (!tg_is_ok(tg_http_request_header(request, TG_LIT("Content-Type"), &type)) || !tg_http_is_json(type) ||
        tg_http_headers_find(request->headers, request->num_headers, TG_LIT("Content-Encoding"), &coding)) {
        return refuse_head(request, 415, "unsupported_media_type",
                           "the Content-Type must be application/json or end in +json, without a Content-Encoding");
    }
    return true;
}

static bool is_among(const tg_setting_list *names, tg_slice name)
{
    for (size_t i = 0; i < names->num_items; i++) {
        if (tg_slice_equal(name, tg_slice_str(names->items[i]))) {
            return true;
        }
    }
    return false;
}

static bool find_schema(const tg_site *site, tg_http_request *request, forward_work *work)
{
    tg_slice name;
    const tg_snapshot *snapshot = tg_serving_snapshot(site->serving);
    tg_result found = tg_http_request_header(request, tg_slice_str(site->settings->schema_header_name), &name);
    if (!tg_is_ok(found)) {
        return refuse_head(request, 400, "schema_missing",
                           found.code == TG_ERR_EXISTS
                               ? "the header that names the schema stands there twice: nothing was sent on"
                               : "the header that names the schema is missing: nothing was sent on");
    }
    if (!is_among(&work->forward->schemas, name)) {
        return refuse_head(request, 400, "schema_not_allowed",
                           "FORWARD_SCHEMAS does not allow this schema at this path: nothing was sent on");
    }
    if (tg_snapshot_num_schemas(snapshot) == 0) {
        return refuse_head(request, 503, "service_unavailable", "no schema has been loaded yet");
    }
    found = tg_schema_set_find(tg_snapshot_schemas(snapshot), name, &work->root, &work->schema);
    tg_measures_schema_lookup(tg_is_ok(found));
    return tg_is_ok(found) || refuse_head(request, 503, "schema_not_loaded",
                                          "the schema is allowed at this path, and not loaded: nothing was sent on");
}

static bool is_ready(const tg_site *site, tg_http_request *request)
{
    if (tg_serving_keys(site->serving) == NULL) {
        return refuse_head(request, 503, "service_unavailable", "there is no data key yet");
    }
    if (!tg_applications_has(site->applications, tg_stream_peer(request->stream))) {
        return refuse_head(request, 503, "no_application",
                           "the connection told no return port, and APP_ENDPOINT is not set");
    }
    return true;
}

void tg_forward_api_head(tg_site *site, tg_http_request *request)
{
    const tg_forward *forward = tg_forwards_find(site->settings->forwards, request->path);
    request->route = forward->path;
    if (!may_call(site, request) || !is_all_covered(request)) {
        return;
    }
    forward_work *work = tg_arena_zalloc(request->arena, 1, sizeof *work);
    if (work == NULL) {
        tg_site_refuse(request, 503, NULL, "there is no memory for this request", no_pointer);
        return;
    }
    *work = (forward_work){.site = site, .request = request, .forward = forward};
    if (!find_schema(site, request, work) || !is_ready(site, request)) {
        return;
    }
    if (!tg_is_ok(tg_request_marks_take(request->headers, request->num_headers, &work->marks))) {
        tg_site_refuse(request, 503, NULL, "there are no random bytes for this request", no_pointer);
        return;
    }
    work->serving = tg_serving_ref(site->serving);
    request->user = work;
}

static void fail_call(forward_work *work, const tg_http_outcome *outcome)
{
    uint64_t num_unlogged;
    bool is_late = outcome->result.code == TG_ERR_TIMEOUT;
    bool is_down = outcome->stage <= TG_HTTP_STAGE_HANDSHAKE;
    tg_metric_add(tg_metric_of(&forwarded, is_late   ? TG_LIT("timeout")
                                           : is_down ? TG_LIT("down")
                                                     : TG_LIT("failed")),
                  1);
    if (tg_log_rate_take(&work->site->log_rate, 50, tg_loop_now_ms(work->site->loop), &num_unlogged)) {
        tg_log(TG_LOG_WARN, "forward", "not_answered", TG_F_STR("request", work->marks.request_id),
               TG_F_STR("path", work->forward->path), TG_F_STR("stage", tg_http_stage_name(outcome->stage)),
               TG_F_STR("reason", outcome->reason), TG_F_UINT("unlogged", num_unlogged));
    }
    if (is_late) {
        refuse(work, 504, "application_timeout", "the application did not answer in time");
    } else if (is_down) {
        refuse(work, 502, "application_unreachable", "the application cannot be reached");
    } else {
        refuse(work, 502, "application_failed", "the application's answer broke off, or is none");
    }
}

/* What has come of the answer is a body in flight, too: the application stands on the host, which must not decide how
 * much memory is held. It is collected where the sealed body stood. */
static void on_body(tg_http_call *call, tg_slice piece, void *owner)
{
    forward_work *work = owner;
    (void)call;
    if (!tg_http_budget_take(work->site->budget, piece.len, work->budgeted)) {
        tg_metric_add(tg_metric_of(&forwarded, TG_LIT("failed")), 1);
        refuse(work, 503, NULL, "the bodies in flight take all the memory that is set aside for them");
        return;
    }
    work->budgeted += piece.len;
    if (!tg_is_ok(tg_buf_append(tg_http_answer_buf(work->request), piece))) {
        tg_metric_add(tg_metric_of(&forwarded, TG_LIT("failed")), 1);
        refuse(work, 503, NULL, "there is no memory for this request");
    }
}

static void relay(forward_work *work, const tg_http_answer *answer)
{
    tg_http_request *request = work->request;
    tg_header_list from = {answer->headers, answer->num_headers}, list;
    const tg_slice as_it_is = {NULL, 0};
    tg_result passed = tg_header_policy_answer(&work->site->settings->forwards->policy, from, as_it_is, &work->marks,
                                               request->arena, &list);
    if (!tg_is_ok(passed)) {
        tg_metric_add(tg_metric_of(&forwarded, TG_LIT("failed")), 1);
        refuse(work, 502, "application_failed", "the application's answer has a header twice, or too many");
        return;
    }
    tg_metric_add(tg_metric_of(&forwarded, TG_LIT("answered")), 1);
    end_work(work);
    tg_http_respond(request, answer->status, list.headers, list.num_headers, tg_http_answer_buf(request));
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    forward_work *work = owner;
    (void)call;
    work->call = NULL;
    if (tg_is_ok(outcome->result)) {
        relay(work, outcome->answer);
    } else {
        fail_call(work, outcome);
    }
}

/* The sealed body goes out; from here on the client's copy is the one that counts. */
static void send_on(forward_work *work, tg_buf *sealed)
{
    static const tg_http_call_handlers handlers = {.on_body = on_body, .on_done = on_done};
    tg_http_request *request = work->request;
    tg_http_client *client;
    tg_header_list from = {request->headers, request->num_headers}, list;
    const tg_slice as_it_is = {NULL, 0};
    tg_rewrite_counts counts = tg_rewrite_get_counts(work->rewrite);
    tg_measures_fields(tg_schema_name(work->schema), true, counts.num_fields, counts.num_old_key);
    tg_result result = tg_header_policy_request(&work->site->settings->forwards->policy, from, as_it_is, &work->marks,
                                                request->arena, &list);
    if (!tg_is_ok(result)) {
        refuse(work, result.code == TG_ERR_UNSUPPORTED ? 415 : 400, NULL,
               "a header stands there twice that may not, or Connection names too many");
        return;
    }
    result = tg_applications_find(work->site->applications, tg_stream_peer(request->stream), &client);
    if (tg_is_ok(result)) {
        const tg_http_ask ask = {.method = request->method_name,
                                 .target = request->path,
                                 .headers = list.headers,
                                 .num_headers = list.num_headers,
                                 .body = tg_buf_slice(sealed)};
        result = tg_http_call_start(client, &ask, &handlers, work, &work->call);
    }
    if (!tg_is_ok(result)) {
        refuse(work, 503, "application_busy", "too many requests wait for the application");
    }
    tg_buf_clear(sealed);
}

static void refuse_body(forward_work *work)
{
    const tg_fault *fault = tg_rewrite_fault(work->rewrite);
    tg_http_request *request = work->request;
    tg_slice pointer = fault->has_pointer ? tg_slice_of(fault->pointer, strlen(fault->pointer)) : no_pointer;
    end_work(work);
    tg_site_refuse(request, tg_fault_status(fault->kind), tg_fault_name(fault->kind), fault->message, pointer);
}

/* The sealed body and the call's copy of it are bodies in flight, too. */
static bool take_budget(forward_work *work)
{
    size_t len = 2 * tg_rewrite_output_max(work->rewrite) + (size_t)work->request->arena->used;
    if (!tg_http_budget_take(work->site->budget, len, 0)) {
        return false;
    }
    work->budgeted = len;
    return true;
}

/* One turn's worth of sealing. */
static void step(forward_work *work)
{
    tg_buf *sealed = tg_http_answer_buf(work->request);
    tg_result result = tg_ok();
    if (!work->is_planned) {
        result = tg_rewrite_plan(work->rewrite, STEP_BUDGET);
        work->is_planned = tg_is_ok(result);
        if (work->is_planned && !take_budget(work)) {
            refuse(work, 503, NULL, "the bodies in flight take all the memory that is set aside for them");
            return;
        }
    }
    if (work->is_planned) {
        result = tg_rewrite_apply(work->rewrite, tg_serving_keys(work->serving), STEP_BUDGET, sealed);
    }
    if (result.code == TG_ERR_AGAIN) {
        tg_loop_tick(work->site->loop, &work->tick);
    } else if (tg_is_ok(result)) {
        send_on(work, sealed);
    } else {
        refuse_body(work);
    }
}

static void run_tick(tg_tick *tick)
{
    step(TG_OBJECT_OF(tick, forward_work, tick));
}

void tg_forward_api_request(tg_site *site, tg_http_request *request)
{
    forward_work *work = request->user;
    const tg_rewrite_options options = {
        .root = work->root, .mode = TG_REWRITE_ENCRYPT, .max_fields = (size_t)site->settings->max_fields_per_request};
    work->tick.run = run_tick;
    if (!tg_is_ok(tg_rewrite_new(request->arena, &options, request->body, &work->rewrite))) {
        refuse(work, 503, NULL, "there is no memory for this request");
        return;
    }
    step(work);
}

void tg_forward_api_cancel(tg_site *site, tg_http_request *request)
{
    (void)site;
    if (request->user != NULL) {
        end_work(request->user);
    }
}

void tg_forward_api_end(const tg_http_request *request)
{
    forward_work *work = request->user;
    if (work != NULL && work->budgeted > 0) {
        tg_http_budget_give(work->site->budget, work->budgeted);
        work->budgeted = 0;
    }
}
