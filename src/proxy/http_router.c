#include "proxy/http_router.h"

#include "base/num.h"
#include "base/text.h"
#include "http/grammar.h"
#include "http/message.h"
#include "http/refusal.h"
#include "proxy/http_visit.h"
#include "proxy/proxy_metrics.h"
#include "proxy/worker.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

enum { LINGER_MS = 1000, LINGER_BYTES = 65536 };

const tg_http_head_limits tg_http_router_limits = {
    .head_bytes = TG_HTTP_ROUTER_HEAD_BYTES, .num_fields = 128, .target_bytes = 16384};

#define EDGE(state) (1u << TG_HTTP_VISIT_##state)
static const uint16_t edges[TG_NUM_HTTP_VISIT_STATES] = {
    [TG_HTTP_VISIT_HEADER] = EDGE(IDLE),
    [TG_HTTP_VISIT_IDLE] = EDGE(HEAD) | EDGE(LINGER),
    [TG_HTTP_VISIT_HEAD] = EDGE(DIALLING) | EDGE(EXCHANGE) | EDGE(ANSWERING),
    [TG_HTTP_VISIT_DIALLING] = EDGE(EXCHANGE) | EDGE(ANSWERING),
    [TG_HTTP_VISIT_EXCHANGE] = EDGE(IDLE) | EDGE(DIALLING) | EDGE(ANSWERING) | EDGE(UPGRADING) | EDGE(LINGER),
    [TG_HTTP_VISIT_ANSWERING] = EDGE(IDLE) | EDGE(LINGER),
    [TG_HTTP_VISIT_UPGRADING] = EDGE(TUNNEL),
};

void tg_http_visit_go(tg_http_visit *http, tg_http_visit_state next)
{
    const tg_proxy_timeouts *timeouts = &http->visit.config->timeouts;
    if ((edges[http->state] & 1u << next) == 0) {
        abort();
    }
    http->state = (uint8_t)next;
    uint64_t in_ms = next == TG_HTTP_VISIT_IDLE       ? timeouts->keep_ms
                     : next == TG_HTTP_VISIT_HEAD     ? timeouts->hello_ms
                     : next == TG_HTTP_VISIT_EXCHANGE ? timeouts->idle_ms
                     : next == TG_HTTP_VISIT_LINGER   ? LINGER_MS
                     : next == TG_HTTP_VISIT_TUNNEL   ? 0
                                                      : timeouts->hello_ms + timeouts->connect_ms;
    if (in_ms > 0) {
        tg_deadline_arm_in(http->visit.worker->loop, &http->deadline, in_ms);
    } else {
        tg_deadline_disarm(&http->deadline);
    }
}

static tg_slice route_of(const tg_http_visit *http)
{
    return http->domain != NULL ? http->domain->name : TG_LIT("none");
}

void tg_http_visit_log(const tg_http_visit *http, const char *end)
{
    char peer[TG_PEER_TEXT_BYTES], target[TG_MAX_ADDRESS_BYTES] = "";
    uint64_t num_unlogged;
    tg_proxy_count_request(route_of(http), http->status);
    if (!tg_log_is_on(TG_LOG_INFO) || !tg_proxy_worker_may_log(http->visit.worker, TG_LOG_OF_ENDS, &num_unlogged)) {
        return;
    }
    tg_log(TG_LOG_INFO, "proxy", "request", TG_F_UINT("connection", http->visit.id), TG_F_STR("service", "http"),
           TG_F_STR("peer", tg_peer_format(&http->visit.peer, peer)), TG_F_STR("name", http->host),
           TG_F_STR("target", http->domain != NULL ? tg_address_format(&http->domain->http, target) : ""),
           TG_F_UINT("status", http->status), TG_F_UINT("bytes_in", http->up.num_bytes),
           TG_F_UINT("bytes_out", http->down.num_bytes),
           TG_F_UINT("duration_ms", tg_loop_now_ms(http->visit.worker->loop) - http->request_began_ms),
           TG_F_STR("end", end), TG_F_UINT("unlogged", num_unlogged));
}

void tg_http_visit_close_target(tg_http_visit *http)
{
    tg_dial_cancel(TG_TAKE(http->dial));
    tg_stream_close(TG_TAKE(http->target));
    tg_buf_release(&http->down.bytes);
    tg_buf_release(&http->preface);
    http->down.num_ready = 0;
    http->down.is_ended = http->down.is_broken = false;
}

void tg_http_visit_finish(tg_http_visit *http, const char *outcome)
{
    tg_tick_cancel(&http->tick);
    tg_deadline_disarm(&http->deadline);
    tg_slice route = route_of(http);
    tg_http_visit_close_target(http);
    tg_stream_close(TG_TAKE(http->client));
    tg_buf_done(&http->up.bytes);
    tg_buf_done(&http->down.bytes);
    tg_buf_done(&http->preface);
    tg_buf_done(&http->repeat);
    free(http->parser);
    tg_proxy_visit_end(&http->visit, route, outcome);
    free(http);
}

/* An answer that cannot be finished must not look finished. */
void tg_http_visit_break_off(tg_http_visit *http, const char *outcome)
{
    tg_http_visit_log(http, outcome);
    tg_stream_abort(TG_TAKE(http->client));
    tg_http_visit_finish(http, outcome);
}

static void on_stop(tg_proxy_visit *visit, const char *outcome)
{
    tg_http_visit *http = TG_OBJECT_OF(visit, tg_http_visit, visit);
    if (http->state == TG_HTTP_VISIT_TUNNEL) {
        tg_relay_stop(&http->relay);
    }
    tg_http_visit_finish(http, outcome);
}

static void on_drain(tg_proxy_visit *visit)
{
    tg_http_visit *http = TG_OBJECT_OF(visit, tg_http_visit, visit);
    if (http->state == TG_HTTP_VISIT_IDLE && tg_buf_len(&http->up.bytes) == 0) {
        tg_http_visit_finish(http, "drained");
    }
}

/* An answer of our own. */
void tg_http_visit_answer(tg_http_visit *http, unsigned status, const char *text, bool keeps)
{
    tg_http_visit_close_target(http);
    tg_http_flow_begin(&http->down);
    http->status = status;
    http->keeps_client = keeps && !http->visit.worker->is_draining;
    tg_result result =
        tg_buf_printf(&http->down.bytes,
                      "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      "Content-Length: %zu\r\n%s\r\n%s",
                      status, tg_http_reason(status), strlen(text) + 1,
                      http->keeps_client ? "" : "Connection: close\r\n", http->is_head_request ? "" : text);
    if (tg_is_ok(result) && !http->is_head_request) {
        result = tg_buf_append_byte(&http->down.bytes, '\n');
    }
    if (!tg_is_ok(result)) {
        tg_http_visit_finish(http, "no_memory");
        return;
    }
    http->down.num_ready = tg_buf_len(&http->down.bytes);
    tg_http_visit_go(http, TG_HTTP_VISIT_ANSWERING);
    tg_http_visit_step(http);
}

void tg_http_visit_refuse(tg_http_visit *http, tg_http_refusal refusal)
{
    tg_proxy_visit_refused(&http->visit, "request refused", tg_slice_str(tg_http_refusal_name(refusal)), TG_LIT(""),
                           NULL);
    tg_http_visit_answer(http, tg_http_refusal_status(refusal), tg_http_refusal_message(refusal), false);
}

static void on_relay_ended(tg_relay *relay, tg_relay_end end)
{
    tg_http_visit *http = TG_OBJECT_OF(relay, tg_http_visit, relay);
    http->up.num_bytes += tg_relay_bytes(relay, TG_RELAY_LEFT);
    http->down.num_bytes += tg_relay_bytes(relay, TG_RELAY_RIGHT);
    tg_http_visit_log(http, tg_relay_end_name(end));
    tg_http_visit_finish(http, tg_relay_end_name(end));
}

static void start_tunnel(tg_http_visit *http)
{
    const tg_proxy_timeouts *timeouts = &http->visit.config->timeouts;
    tg_relay_options options = {.idle_ms = timeouts->idle_ms, .total_ms = timeouts->total_ms};
    options.byte_counters[0] = http->byte_counters[0];
    options.byte_counters[1] = http->byte_counters[1];
    tg_result result = tg_relay_start(&http->relay, http->visit.worker->pool, http->client, http->target,
                                      tg_buf_slice(&http->up.bytes), &options, on_relay_ended);
    if (!tg_is_ok(result)) {
        tg_http_visit_break_off(http, "no_memory");
        return;
    }
    http->client = http->target = NULL;
    tg_buf_release(&http->up.bytes);
    free(TG_TAKE(http->parser));
    tg_http_visit_go(http, TG_HTTP_VISIT_TUNNEL);
}

static void begin_exchange(tg_http_visit *http)
{
    tg_http_flow_begin(&http->down);
    tg_http_head_start(http->parser, TG_HTTP_RESPONSE_HEAD, &tg_http_router_limits);
    tg_http_visit_go(http, TG_HTTP_VISIT_EXCHANGE);
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    tg_http_visit *http = owner;
    if ((events & TG_STREAM_READ) != 0) {
        tg_http_flow_read(http, stream == http->client ? &http->up : &http->down, stream);
    }
    tg_http_visit_step(http);
}

static void on_dialled(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    tg_http_visit *http = owner;
    http->dial = NULL;
    tg_proxy_count_dial(TG_SERVICE_HTTP, tg_clock_monotonic_ns() - http->dial_began_ns, stream != NULL);
    if (stream == NULL) {
        tg_proxy_log_dial(&http->visit, &http->domain->http, route_of(http), outcome);
        tg_http_visit_answer(http, 502, "Service unavailable", http->keeps_client && tg_http_flow_is_whole(&http->up));
        return;
    }
    http->target = stream;
    tg_stream_own(stream, on_ready, http);
    begin_exchange(http);
    tg_http_visit_step(http);
}

static void dial(tg_http_visit *http, const tg_proxy_domain *domain)
{
    const tg_dial_options options = {.timeout_ms = http->visit.config->timeouts.connect_ms,
                                     .lane =
                                         tg_lookup_lanes_find(http->visit.worker->lookup_lanes, &domain->http, NULL)};
    tg_http_visit_close_target(http);
    http->domain = domain;
    tg_proxy_byte_counters(TG_SERVICE_HTTP, domain->name, http->byte_counters);
    tg_http_visit_go(http, TG_HTTP_VISIT_DIALLING);
    http->dial_began_ns = tg_clock_monotonic_ns();
    tg_result result = tg_ok();
    if (http->visit.door.sends_proxy) {
        result = tg_proxy_visit_header(&http->visit, &http->source, http->client, TG_LIT(""), &http->preface);
    }
    if (tg_is_ok(result)) {
        result = tg_dial_start(http->visit.worker->loop, &domain->http, &options, on_dialled, http, &http->dial);
    }
    if (!tg_is_ok(result)) {
        tg_http_visit_answer(http, 502, "Service unavailable", false);
    }
}

static void note_host(tg_http_visit *http, tg_slice host)
{
    size_t len = tg_size_min(host.len, sizeof http->host - 1);
    memcpy(http->host, host.len > 0 ? host.ptr : (const uint8_t *)"", len);
    http->host[len] = 0;
}

/* Asked once more whether the enclave has ended it meanwhile: what is not idempotent cannot be sent twice. */
static bool is_kept_for(tg_http_visit *http, const tg_proxy_domain *domain)
{
    if (http->target == NULL || http->domain != domain) {
        return false;
    }
    tg_http_flow_read(http, &http->down, http->target);
    return !http->down.is_ended && tg_buf_len(&http->down.bytes) == 0;
}

bool tg_http_visit_repeat(tg_http_visit *http)
{
    tg_http_flow *up = &http->up;
    size_t head_len = tg_buf_len(&http->repeat);
    if (head_len == 0 || tg_buf_len(&http->down.bytes) > 0) {
        return false;
    }
    tg_buf_consume(&up->bytes, up->num_ready);
    if (!tg_is_ok(tg_buf_append(&http->repeat, tg_buf_slice(&up->bytes)))) { /* what came behind it */
        up->num_ready = 0;
        return false;
    }
    tg_buf both = http->repeat;
    http->repeat = up->bytes;
    up->bytes = both;
    up->num_ready = head_len;
    up->num_bytes = 0;
    up->is_dropped = false;
    tg_buf_release(&http->repeat);
    tg_log(TG_LOG_DEBUG, "proxy", "request repeated", TG_F_UINT("connection", http->visit.id),
           TG_F_SLICE("route", route_of(http)));
    dial(http, http->domain);
    return true;
}

/* Upgrade, and `upgrade` in Connection (RFC 9110 §7.8); HTTP/1.0 knows neither. */
static bool asks_for_upgrade(const tg_http_head *head)
{
    bool has_protocol = false, is_named = false;
    for (size_t i = 0; i < head->num_headers; i++) {
        tg_slice value = head->headers[i].value, option;
        has_protocol = has_protocol || tg_text_equal_nocase(head->headers[i].name, TG_LIT("Upgrade"));
        if (tg_text_equal_nocase(head->headers[i].name, TG_LIT("Connection"))) {
            while (tg_http_list_next(&value, &option)) {
                is_named = is_named || tg_text_equal_nocase(option, TG_LIT("upgrade"));
            }
        }
    }
    return has_protocol && is_named && head->minor_version > 0;
}

/* A whole head: which domain is it for, and is its enclave at hand? */
static void route(tg_http_visit *http, const tg_http_head *head)
{
    tg_http_framing framing;
    tg_slice host = {NULL, 0};
    tg_http_refusal refusal = tg_http_frame_request(head, &framing);
    http->is_head_request = tg_slice_equal(head->method, TG_LIT("HEAD"));
    if (refusal == TG_HTTP_NOT_REFUSED) {
        refusal = tg_http_route_host(head, &framing, &host);
    }
    if (refusal != TG_HTTP_NOT_REFUSED) {
        tg_http_visit_refuse(http, refusal);
        return;
    }
    tg_proxy_visit_settle(&http->visit);
    tg_http_extent_begin(&http->up.extent, &framing);
    http->up.has_head = true;
    http->up.num_ready = head->len;
    http->keeps_client = framing.keeps_alive;
    http->wants_upgrade = asks_for_upgrade(head);
    const tg_proxy_domain *domain = tg_proxy_config_find(http->visit.config, host);
    note_host(http, host.len > 0 ? host : framing.host);
    if (domain == NULL) {
        bool is_whole = http->up.extent.is_whole;
        tg_http_visit_close_target(http);
        http->domain = NULL;
        tg_proxy_visit_refused(&http->visit, "domain not found", TG_LIT("no_domain"), tg_slice_str(http->host),
                               "add the name to \"domains\", exactly or under a wildcard");
        tg_buf_consume(&http->up.bytes, http->up.num_ready);
        http->up.num_ready = 0;
        tg_http_visit_answer(http, 404, "Domain not found", http->keeps_client && is_whole);
        return;
    }
    if (is_kept_for(http, domain)) {
        tg_http_visit_keep_for_repeat(http, head);
        begin_exchange(http);
        tg_http_visit_step(http);
    } else {
        dial(http, domain);
    }
}

static void read_head(tg_http_visit *http)
{
    tg_http_head head;
    if (http->parser == NULL) {
        http->parser = malloc(sizeof *http->parser);
        if (http->parser == NULL) {
            tg_http_visit_finish(http, "no_memory");
            return;
        }
        tg_http_head_start(http->parser, TG_HTTP_REQUEST_HEAD, &tg_http_router_limits);
    }
    tg_result result = tg_http_head_parse(http->parser, tg_buf_slice(&http->up.bytes), &head);
    if (tg_is_ok(result)) {
        route(http, &head);
    } else if (result.code != TG_ERR_AGAIN) {
        tg_http_visit_refuse(http, http->parser->refusal);
    } else if (http->up.is_ended) {
        tg_http_visit_finish(http, "client_left");
    }
}

void tg_http_visit_end_client(tg_http_visit *http)
{
    tg_http_visit_close_target(http);
    tg_buf_release(&http->up.bytes);
    if (!tg_is_ok(tg_stream_shutdown(http->client)) || http->up.is_ended) {
        tg_http_visit_finish(http, "ended");
        return;
    }
    http->up.num_ready = 0;
    tg_http_visit_go(http, TG_HTTP_VISIT_LINGER);
    tg_stream_watch(http->client, TG_STREAM_READ);
}

void tg_http_visit_next(tg_http_visit *http)
{
    tg_http_flow_begin(&http->up);
    tg_http_flow_begin(&http->down);
    tg_buf_release(&http->repeat);
    http->status = 0;
    http->host[0] = 0;
    free(TG_TAKE(http->parser));
    if (!http->keeps_target) {
        tg_http_visit_close_target(http);
    }
    tg_proxy_visit_unsettle(&http->visit);
    tg_http_visit_go(http, TG_HTTP_VISIT_IDLE);
    if (http->visit.worker->is_draining && tg_buf_len(&http->up.bytes) == 0) {
        tg_http_visit_finish(http, "drained");
        return;
    }
    tg_loop_tick(http->visit.worker->loop, &http->tick); /* a pipelined request may be there already */
}

static void step_answering(tg_http_visit *http)
{
    if (!tg_http_flow_write(http, &http->down, http->client)) {
        tg_stream_watch(http->client, TG_STREAM_WRITE);
        return;
    }
    tg_http_visit_log(http, "ended");
    if (http->up.is_broken || http->down.is_dropped) {
        tg_http_visit_finish(http, "client_broke");
    } else if (http->keeps_client) {
        tg_buf_consume(&http->up.bytes, http->up.num_ready); /* the head that could not be passed on */
        http->up.num_ready = 0;
        tg_http_visit_next(http);
    } else {
        tg_http_visit_end_client(http);
    }
}

static void step_idle(tg_http_visit *http)
{
    if (http->target != NULL && (http->down.is_ended || tg_buf_len(&http->down.bytes) > 0)) {
        tg_http_visit_close_target(http); /* it had enough, or says what nobody asked for */
    }
    if (tg_buf_len(&http->up.bytes) > 0) {
        http->request_began_ms = tg_loop_now_ms(http->visit.worker->loop);
        tg_http_visit_go(http, TG_HTTP_VISIT_HEAD);
        tg_http_visit_step(http);
        return;
    }
    if (http->up.is_ended) {
        tg_http_visit_finish(http, "ended");
        return;
    }
    tg_stream_watch(http->client, TG_STREAM_READ);
    if (http->target != NULL) {
        tg_stream_watch(http->target, TG_STREAM_READ);
    }
}

static void step_header(tg_http_visit *http)
{
    tg_proxy_header header;
    size_t len;
    tg_result result = tg_proxy_header_read(tg_buf_slice(&http->up.bytes), &header, &len);
    if (result.code == TG_ERR_AGAIN && !http->up.is_ended) {
        tg_stream_watch(http->client, TG_STREAM_READ);
        return;
    }
    if (!tg_is_ok(result)) {
        tg_proxy_visit_refused(&http->visit, "bad PROXY header", tg_slice_str(tg_code_name(result.code)), TG_LIT(""),
                               "the listener says accept_proxy: is a balancer in front that sends version 2?");
        tg_http_visit_finish(http, "refused");
    } else if (!tg_proxy_visit_learn(&http->visit, &header, &http->source)) {
        tg_http_visit_finish(http, "refused");
    } else {
        tg_buf_consume(&http->up.bytes, len);
        tg_http_visit_go(http, TG_HTTP_VISIT_IDLE);
        tg_http_visit_step(http);
    }
}

static void step_linger(tg_http_visit *http)
{
    http->num_discarded += tg_buf_len(&http->up.bytes);
    tg_buf_clear(&http->up.bytes);
    if (http->up.is_ended || http->num_discarded > LINGER_BYTES) {
        tg_http_visit_finish(http, "ended");
    }
}

/* Does what the state can do with what has come, then watches for what it waits for. It may free the visit. */
void tg_http_visit_step(tg_http_visit *http)
{
    switch ((tg_http_visit_state)http->state) {
    case TG_HTTP_VISIT_HEADER:
        step_header(http);
        break;
    case TG_HTTP_VISIT_IDLE:
        step_idle(http);
        break;
    case TG_HTTP_VISIT_HEAD:
        tg_stream_watch(http->client, TG_STREAM_READ);
        read_head(http);
        break;
    case TG_HTTP_VISIT_DIALLING:
        tg_stream_watch(http->client, 0);
        break;
    case TG_HTTP_VISIT_EXCHANGE:
        tg_http_visit_exchange(http);
        break;
    case TG_HTTP_VISIT_ANSWERING:
        step_answering(http);
        break;
    case TG_HTTP_VISIT_UPGRADING: /* what the target said already goes out first */
        http->down.num_ready = tg_buf_len(&http->down.bytes);
        tg_stream_watch(http->target, 0);
        tg_stream_watch(http->client, TG_STREAM_WRITE);
        if (tg_http_flow_write(http, &http->down, http->client)) {
            start_tunnel(http);
        }
        break;
    case TG_HTTP_VISIT_LINGER:
        step_linger(http);
        break;
    case TG_HTTP_VISIT_TUNNEL:
    case TG_NUM_HTTP_VISIT_STATES:
        break;
    }
}

static void on_tick(tg_tick *tick)
{
    tg_http_visit_step(TG_OBJECT_OF(tick, tg_http_visit, tick));
}

static void on_deadline(tg_deadline *deadline)
{
    tg_http_visit *http = TG_OBJECT_OF(deadline, tg_http_visit, deadline);
    switch ((tg_http_visit_state)http->state) {
    case TG_HTTP_VISIT_HEAD:
        tg_proxy_visit_refused(&http->visit, "client too slow", TG_LIT("hello_ms"), TG_LIT(""), NULL);
        tg_http_visit_answer(http, 408, "Request timeout", false);
        break;
    case TG_HTTP_VISIT_EXCHANGE:
        tg_http_visit_break_off(http, "idle");
        break;
    case TG_HTTP_VISIT_HEADER:
    case TG_HTTP_VISIT_IDLE:
    case TG_HTTP_VISIT_DIALLING:
    case TG_HTTP_VISIT_ANSWERING:
    case TG_HTTP_VISIT_UPGRADING:
    case TG_HTTP_VISIT_LINGER:
    case TG_HTTP_VISIT_TUNNEL:
    case TG_NUM_HTTP_VISIT_STATES:
        tg_http_visit_finish(http, "idle");
        break;
    }
}

void tg_proxy_http_open(tg_proxy_worker *worker, const tg_proxy_door *door, tg_stream *stream)
{
    tg_http_visit *http = calloc(1, sizeof *http);
    if (http == NULL || !tg_proxy_visit_begin(&http->visit, worker, door, stream)) {
        free(http);
        tg_stream_close(stream);
        return;
    }
    http->visit.stop = on_stop;
    http->visit.drain = on_drain;
    http->client = stream;
    http->state = door->accepts_proxy ? TG_HTTP_VISIT_HEADER : TG_HTTP_VISIT_IDLE;
    http->deadline.run = on_deadline;
    http->tick.run = on_tick;
    tg_buf_init(&http->up.bytes, TG_HTTP_FLOW_BYTES);
    tg_buf_init(&http->down.bytes, TG_HTTP_FLOW_BYTES);
    tg_buf_init(&http->preface, TG_PROXY_HEADER_MAX_BYTES);
    tg_buf_init(&http->repeat, TG_HTTP_FLOW_BYTES);
    tg_stream_own(stream, on_ready, http);
    tg_deadline_arm_in(worker->loop, &http->deadline, http->visit.config->timeouts.hello_ms);
    tg_stream_watch(stream, TG_STREAM_READ);
}
