#include "gateway/upstreams.h"

#include "crypto/random.h"
#include "gateway/upstream_guards.h"
#include "outbound/trust.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/metric.h"

#include <stdio.h>
#include <stdlib.h>

/* Node and uvicorn close what was idle for 5 s: a request that crosses that close could not be sent again. */
enum { KEEP_MS = 4000, MAX_AGE_MS = 600000, MISSING_BYTES = TG_MAX_SECRET_NAME_BYTES + 128 };

struct tg_upstream {
    tg_link link; /* in upstreams->current or ->retired */
    tg_upstreams *owner;
    tg_outbound *outbound; /* NULL: the connector is a test's */
    tg_http_client *client;
    tg_breaker breaker;
    bool is_tls, may_be_common_name, is_retired;
    size_t num_calls;
    tg_metric *answered, *durations;
    size_t authority_len;
    char authority[sizeof((tg_origin *)0)->authority];
};

struct tg_upstreams {
    tg_loop *loop;
    tg_upstreams_settings settings;
    tg_address egress;
    tg_secrets *secrets;
    tg_tls_context *tls; /* of these secrets, made when it is first needed */
    tg_link current;
    tg_link retired; /* of older secrets */
    tg_tick sweep;   /* frees those that are done */
    size_t num_current, num_retired;
    bool is_ending;
    char missing[MISSING_BYTES];
};

static tg_metric_family calls = {.name = "teegate_upstream_calls_total",
                                 .help = "Calls of backends ended, by outcome (`answered`, or an error's code).",
                                 .kind = TG_METRIC_COUNTER,
                                 .labels = {"upstream", "outcome"},
                                 .max_children = 512};
static tg_metric_family durations = {.name = "teegate_upstream_call_duration_seconds",
                                     .help = "From a call's start to its answer's last byte, connecting included.",
                                     .kind = TG_METRIC_HISTOGRAM,
                                     .unit = TG_METRIC_IN_NANOSECONDS,
                                     .labels = {"upstream"}};
static tg_metric_family open_circuits = {.name = "teegate_upstream_open_circuits",
                                         .help = "Workers that leave a backend alone because calls of it failed.",
                                         .kind = TG_METRIC_GAUGE,
                                         .labels = {"upstream"}};

static tg_result refused(tg_gateway_fault *out_fault, tg_code code, tg_gateway_fault fault)
{
    *out_fault = fault;
    return tg_fail(code);
}

static tg_slice authority_of(const tg_upstream *upstream)
{
    return tg_slice_of(upstream->authority, upstream->authority_len);
}

tg_slice tg_upstream_authority(const tg_upstream *upstream)
{
    return authority_of(upstream);
}

tg_result tg_upstreams_new(tg_loop *loop, const tg_upstreams_settings *settings, tg_upstreams **out_upstreams)
{
    tg_upstreams *upstreams = calloc(1, sizeof *upstreams);
    if (upstreams == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    upstreams->loop = loop;
    upstreams->settings = *settings;
    if (settings->egress != NULL) {
        upstreams->egress = *settings->egress;
        upstreams->settings.egress = &upstreams->egress;
    }
    tg_link_init_head(&upstreams->current);
    tg_link_init_head(&upstreams->retired);
    *out_upstreams = upstreams;
    return tg_ok();
}

static void free_upstream(tg_upstream *upstream)
{
    tg_link_remove(&upstream->link);
    tg_http_client_free(upstream->client);
    tg_outbound_unref(upstream->outbound);
    free(upstream);
}

static void free_list(tg_link *list)
{
    while (!tg_link_is_empty(list)) {
        free_upstream(TG_OBJECT_OF(list->next, tg_upstream, link));
    }
}

void tg_upstreams_free(tg_upstreams *upstreams)
{
    if (upstreams == NULL) {
        return;
    }
    upstreams->is_ending = true;
    tg_tick_cancel(&upstreams->sweep);
    free_list(&upstreams->current);
    free_list(&upstreams->retired);
    tg_tls_context_unref(upstreams->tls);
    tg_secrets_unref(upstreams->secrets);
    free(upstreams);
}

static void log_circuit(const tg_upstream *upstream, bool is_open)
{
    tg_metric_move(tg_metric_of(&open_circuits, authority_of(upstream)), is_open ? 1 : -1);
    tg_log(is_open ? TG_LOG_WARN : TG_LOG_INFO, "gateway", is_open ? "circuit_opened" : "circuit_closed",
           TG_F_SLICE("upstream", authority_of(upstream)));
}

/* Not from within a call of a client's. */
static void run_sweep(tg_tick *tick)
{
    tg_upstreams *upstreams = TG_OBJECT_OF(tick, tg_upstreams, sweep);
    tg_link *next;
    for (tg_link *link = upstreams->retired.next; link != &upstreams->retired; link = next) {
        tg_upstream *upstream = TG_OBJECT_OF(link, tg_upstream, link);
        next = link->next;
        if (upstream->num_calls == 0) {
            upstreams->num_retired--;
            free_upstream(upstream);
        }
    }
}

static void sweep_soon(tg_upstreams *upstreams)
{
    if (!upstreams->is_ending) {
        upstreams->sweep.run = run_sweep;
        tg_loop_tick(upstreams->loop, &upstreams->sweep);
    }
}

static void retire(tg_upstream *upstream)
{
    if (upstream->breaker.state != TG_BREAKER_CLOSED) {
        log_circuit(upstream, false); /* with other secrets it may well answer */
    }
    upstream->breaker = (tg_breaker){0};
    upstream->is_retired = true;
    tg_http_client_close_kept(upstream->client);
}

void tg_upstreams_set_secrets(tg_upstreams *upstreams, tg_secrets *secrets)
{
    if (upstreams->secrets == secrets) {
        return;
    }
    for (tg_link *link = upstreams->current.next; link != &upstreams->current; link = link->next) {
        retire(TG_OBJECT_OF(link, tg_upstream, link));
    }
    upstreams->num_retired += upstreams->num_current;
    upstreams->num_current = 0;
    tg_link_move_all(&upstreams->current, &upstreams->retired);
    sweep_soon(upstreams);
    tg_tls_context_unref(TG_TAKE(upstreams->tls));
    tg_secrets_unref(upstreams->secrets);
    upstreams->secrets = secrets != NULL ? tg_secrets_ref(secrets) : NULL;
}

static tg_result missing(tg_upstreams *upstreams, const char *name, tg_gateway_fault *out_fault)
{
    (void)snprintf(upstreams->missing, sizeof upstreams->missing,
                   "%s has not been delivered yet: without it the backend cannot be called", name);
    return refused(out_fault, TG_ERR_NOT_FOUND,
                   (tg_gateway_fault){
                       .status = 503, .code = "secrets_missing", .message = upstreams->missing, .retry_after_s = 1});
}

static tg_result find_url(tg_upstreams *upstreams, const tg_upstream_target *target, tg_slice *out_url,
                          tg_gateway_fault *out_fault)
{
    if (target->url.len > 0) {
        *out_url = target->url;
        return tg_ok();
    }
    const tg_secret *value =
        upstreams->secrets != NULL ? tg_secrets_value(upstreams->secrets, target->value_name) : NULL;
    if (value == NULL) {
        return missing(upstreams, target->value_name, out_fault);
    }
    *out_url = tg_slice_of(tg_secret_bytes(value), tg_secret_len(value));
    return tg_ok();
}

static const tg_gateway_fault out_of_memory = {
    .status = 503, .code = "service_unavailable", .message = "there is no memory for this call", .retry_after_s = 1};

/* Whom the secrets in force show and believe. */
static tg_result make_tls(tg_upstreams *upstreams, tg_gateway_fault *out_fault)
{
    tg_detail detail = {0};
    tg_secrets *secrets = upstreams->secrets;
    if (upstreams->tls != NULL) {
        return tg_ok();
    }
    if (secrets == NULL || tg_secrets_client(secrets) == NULL || tg_secrets_ca(secrets) == NULL) {
        return missing(upstreams, "MTLS_CLIENT_CERT_JSON", out_fault);
    }
    if (!tg_upstream_ca_is_allowed(&upstreams->settings.ca_sha256, tg_secrets_ca(secrets))) {
        return refused(out_fault, TG_ERR_DENIED,
                       (tg_gateway_fault){.status = 502,
                                          .code = "upstream_denied",
                                          .message = "the delivered ca_cert is not among UPSTREAM_CA_SHA256"});
    }
    const tg_tls_client_settings settings = {.issuers = tg_secrets_ca(secrets), .identity = tg_secrets_client(secrets)};
    tg_result made = tg_tls_context_new_client(&settings, &upstreams->tls, &detail);
    if (!tg_is_ok(made)) {
        tg_log_fault(TG_LOG_ERROR, "gateway", "identity_not_usable", &detail);
        return refused(out_fault, made.code, out_of_memory);
    }
    return tg_ok();
}

static tg_http_client_limits limits_of(const tg_upstreams *upstreams)
{
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_connections = upstreams->settings.num_connections;
    limits.num_kept = upstreams->settings.num_connections;
    limits.keep_ms = KEEP_MS;
    limits.max_age_ms = MAX_AGE_MS;
    limits.ask_body_bytes = upstreams->settings.max_ask_bytes;
    return limits;
}

static tg_result connect_upstream(tg_upstreams *upstreams, tg_upstream *upstream, tg_slice url, tg_detail *detail)
{
    const tg_upstreams_settings *settings = &upstreams->settings;
    const tg_outbound_settings outbound = {.url = url,
                                           .carrier = settings->egress,
                                           .is_egress = settings->egress != NULL,
                                           .plain = settings->plain,
                                           .tls = upstream->is_tls ? upstreams->tls : NULL,
                                           .is_mutual = true,
                                           .may_be_common_name = upstream->may_be_common_name};
    tg_http_connector *connector = NULL;
    TG_TRY(tg_outbound_new(&outbound, &upstream->outbound, detail));
    connector = settings->connector_of != NULL ? settings->connector_of(&outbound, settings->owner)
                                               : tg_outbound_connector(upstream->outbound);
    const tg_http_client_limits limits = limits_of(upstreams);
    return tg_http_client_new(upstreams->loop, connector, authority_of(upstream), &limits, &upstream->client);
}

static tg_result add_upstream(tg_upstreams *upstreams, const tg_origin *origin, tg_slice url, bool may_be_common_name,
                              tg_upstream **out_upstream, tg_gateway_fault *out_fault)
{
    tg_detail detail = {0};
    if (origin->is_tls) {
        TG_TRY(make_tls(upstreams, out_fault));
    }
    tg_upstream *upstream = upstreams->num_current < TG_MAX_UPSTREAMS ? calloc(1, sizeof *upstream) : NULL;
    if (upstream == NULL) {
        return refused(out_fault, TG_ERR_MEMORY, out_of_memory);
    }
    *upstream = (tg_upstream){.owner = upstreams, .is_tls = origin->is_tls, .may_be_common_name = may_be_common_name};
    upstream->authority_len = strlen(origin->authority);
    memcpy(upstream->authority, origin->authority, sizeof upstream->authority);
    upstream->answered = tg_metric_of(&calls, authority_of(upstream), TG_LIT("answered"));
    upstream->durations = tg_metric_of(&durations, authority_of(upstream));
    tg_result made = connect_upstream(upstreams, upstream, url, &detail);
    if (!tg_is_ok(made)) {
        free_upstream(upstream);
        return refused(out_fault, made.code,
                       made.code != TG_ERR_DENIED
                           ? out_of_memory
                           : (tg_gateway_fault){.status = 502,
                                                .code = "upstream_denied",
                                                .message = "the backend's URL must begin with https://"});
    }
    tg_link_append(&upstreams->current, &upstream->link);
    upstreams->num_current++;
    *out_upstream = upstream;
    return tg_ok();
}

static tg_result pick_upstream(tg_upstreams *upstreams, const tg_origin *origin, tg_slice url, bool may_be_common_name,
                               tg_upstream **out_upstream, tg_gateway_fault *out_fault)
{
    for (tg_link *link = upstreams->current.next; link != &upstreams->current; link = link->next) {
        tg_upstream *upstream = TG_OBJECT_OF(link, tg_upstream, link);
        if (upstream->is_tls == origin->is_tls && upstream->may_be_common_name == may_be_common_name &&
            strcmp(upstream->authority, origin->authority) == 0) {
            *out_upstream = upstream;
            return tg_ok();
        }
    }
    return add_upstream(upstreams, origin, url, may_be_common_name, out_upstream, out_fault);
}

tg_result tg_upstreams_find(tg_upstreams *upstreams, const tg_upstream_target *target, tg_upstream **out_upstream,
                            tg_slice *out_path, tg_gateway_fault *out_fault)
{
    tg_slice url;
    tg_origin origin;
    tg_upstream *upstream = NULL;
    TG_TRY(find_url(upstreams, target, &url, out_fault));
    tg_result parsed = tg_origin_parse(url, &origin, NULL);
    if (!tg_is_ok(parsed)) {
        return refused(out_fault, parsed.code,
                       (tg_gateway_fault){.status = 502,
                                          .code = "upstream_denied",
                                          .message = "the backend's URL is not https://HOST[:PORT][/PATH]"});
    }
    if (!tg_upstream_host_is_allowed(&upstreams->settings.allowed_hosts, &origin)) {
        return refused(out_fault, TG_ERR_DENIED,
                       (tg_gateway_fault){.status = 502,
                                          .code = "upstream_denied",
                                          .message = "the backend's host is not among UPSTREAM_ALLOWED_HOSTS"});
    }
    tg_result picked = pick_upstream(upstreams, &origin, url, target->may_be_common_name, &upstream, out_fault);
    if (upstream == NULL) {
        return picked;
    }
    uint64_t wait_ms = tg_breaker_wait_ms(&upstream->breaker, tg_loop_now_ms(upstreams->loop));
    if (wait_ms > 0) {
        return refused(out_fault, TG_ERR_AGAIN,
                       (tg_gateway_fault){.status = 503,
                                          .code = "circuit_open",
                                          .message = "calls of this backend have failed, so it is left alone for now",
                                          .retry_after_s = wait_ms / 1000 + 1});
    }
    *out_upstream = upstream;
    *out_path = origin.path;
    return tg_ok();
}

/* An answer that we do not take is one all the same: the backend is there. */
static tg_breaker_verdict verdict_of(const tg_http_outcome *outcome)
{
    if (tg_is_ok(outcome->result)) {
        return TG_BREAKER_ANSWERED;
    }
    tg_code code = outcome->result.code;
    if (code == TG_ERR_CANCELLED || code == TG_ERR_MEMORY || outcome->stage == TG_HTTP_STAGE_QUEUE) {
        return TG_BREAKER_UNKNOWN;
    }
    return code == TG_ERR_LIMIT && outcome->answer != NULL ? TG_BREAKER_ANSWERED : TG_BREAKER_FAILED;
}

static uint16_t chance(void)
{
    uint8_t bytes[2] = {0, 0};
    (void)!tg_is_ok(tg_random_fill(bytes, sizeof bytes)); /* without entropy there is no jitter */
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The call is over: nothing of it is touched afterwards. */
static void end_call(tg_upstream_call *call, tg_breaker_verdict verdict)
{
    tg_upstream *upstream = TG_TAKE(call->upstream);
    tg_upstreams *upstreams = upstream->owner;
    call->http = NULL;
    upstream->num_calls--;
    if (upstream->is_retired) {
        sweep_soon(upstreams);
        return;
    }
    if (tg_breaker_report(&upstream->breaker, call->is_probe, verdict, tg_loop_now_ms(upstreams->loop), chance())) {
        log_circuit(upstream, upstream->breaker.state == TG_BREAKER_OPEN);
    }
}

static void on_done(tg_http_call *http, const tg_http_outcome *outcome, void *owner)
{
    tg_upstream_call *call = owner;
    const tg_http_call_handlers handlers = call->handlers;
    const tg_upstream *upstream = call->upstream;
    if (tg_is_ok(outcome->result)) {
        tg_metric_add(upstream->answered, 1);
    } else {
        const char *code = tg_upstream_fault_of(outcome).code;
        tg_metric_add(tg_metric_of(&calls, authority_of(upstream), tg_slice_str(code)), 1);
    }
    tg_metric_observe(upstream->durations, (tg_loop_now_ms(upstream->owner->loop) - call->began_ms) * 1000000);
    end_call(call, verdict_of(outcome));
    handlers.on_done(http, outcome, call->owner);
}

static void on_head(tg_http_call *http, const tg_http_answer *answer, void *owner)
{
    tg_upstream_call *call = owner;
    call->handlers.on_head(http, answer, call->owner);
}

static void on_body(tg_http_call *http, tg_slice piece, void *owner)
{
    tg_upstream_call *call = owner;
    call->handlers.on_body(http, piece, call->owner);
}

tg_result tg_upstream_call_start(tg_upstream *upstream, const tg_http_ask *ask, const tg_http_call_handlers *handlers,
                                 void *owner, tg_upstream_call *call, tg_gateway_fault *out_fault)
{
    const tg_http_call_handlers ours = {
        .on_head = on_head, .on_body = handlers->on_body != NULL ? on_body : NULL, .on_done = on_done};
    *call = (tg_upstream_call){
        .upstream = upstream, .handlers = *handlers, .owner = owner, .began_ms = tg_loop_now_ms(upstream->owner->loop)};
    tg_result started = tg_http_call_start(upstream->client, ask, &ours, call, &call->http);
    if (!tg_is_ok(started)) {
        call->upstream = NULL;
        return refused(out_fault, started.code,
                       started.code == TG_ERR_LIMIT
                           ? (tg_gateway_fault){.status = 503,
                                                .code = "upstream_busy",
                                                .message = "too many calls wait for this backend",
                                                .retry_after_s = 1}
                           : out_of_memory);
    }
    upstream->num_calls++;
    call->is_probe = tg_breaker_admit(&upstream->breaker);
    return tg_ok();
}

void tg_upstream_call_cancel(tg_upstream_call *call)
{
    if (call->upstream != NULL) {
        tg_http_call_cancel(TG_TAKE(call->http));
        end_call(call, TG_BREAKER_UNKNOWN);
    }
}

tg_upstreams_counts tg_upstreams_counts_of(const tg_upstreams *upstreams)
{
    return (tg_upstreams_counts){.num_upstreams = upstreams->num_current, .num_retired = upstreams->num_retired};
}
