#include "enclave/site.h"

#include "enclave/admin_api.h"
#include "enclave/attestation_api.h"
#include "enclave/clients.h"
#include "enclave/envelope_api.h"
#include "enclave/field_api.h"
#include "enclave/forward_api.h"
#include "enclave/gateway_api.h"
#include "enclave/health_api.h"
#include "enclave/measures.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_LOGGED_PER_S = 50 };

static const tg_route routes[] = {
    {"/encrypt", "/encrypt", "POST", TG_METHOD_BIT(TG_HTTP_POST), .head = tg_field_api_head,
     .request = tg_field_api_encrypt, .cancel = tg_field_api_cancel, .end = tg_field_api_end},
    {"/decrypt", "/decrypt", "POST", TG_METHOD_BIT(TG_HTTP_POST), .head = tg_field_api_head,
     .request = tg_field_api_decrypt, .cancel = tg_field_api_cancel, .end = tg_field_api_end},
    {"/attestation", "/attestation", "GET, HEAD", TG_READ_METHODS, .request = tg_attestation_api_document},
    {"/.well-known/jwks.json", "/.well-known/jwks.json", "GET, HEAD", TG_READ_METHODS, .request = tg_envelope_api_jwks},
    {"/.well-known/ohttp-gateway", "/.well-known/ohttp-gateway", "GET, HEAD", TG_READ_METHODS,
     .request = tg_envelope_api_ohttp_keys},
    {"/health", "/health", "GET, HEAD", TG_READ_METHODS, .is_for_both = true, .request = tg_health_api_health},
    {"/live", "/live", "GET, HEAD", TG_READ_METHODS, .is_for_both = true, .request = tg_health_api_live},
    {"/ready", "/ready", "GET, HEAD", TG_READ_METHODS, .is_for_both = true, .request = tg_health_api_ready},
    {"/metrics", "/metrics", "GET, HEAD", TG_READ_METHODS, .is_for_admin = true, .request = tg_admin_api_metrics},
    {"/version", "/version", "GET, HEAD", TG_READ_METHODS, .is_for_admin = true, .request = tg_admin_api_version},
    {"/status", "/status", "GET, HEAD", TG_READ_METHODS, .is_for_admin = true, .request = tg_admin_api_status},
};

/* What routes of ROUTES_PATH lead to; their paths are none of the above. */
static const tg_route gateway = {
    .request = tg_gateway_api_request, .cancel = tg_gateway_api_cancel, .end = tg_gateway_api_end};

/* What FORWARD_SCHEMAS names; its label is the path. */
static const tg_route forward = {.allow = "POST, PUT, PATCH",
                                 .methods = TG_METHOD_BIT(TG_HTTP_POST) | TG_METHOD_BIT(TG_HTTP_PUT) |
                                            TG_METHOD_BIT(TG_HTTP_PATCH),
                                 .head = tg_forward_api_head,
                                 .request = tg_forward_api_request,
                                 .cancel = tg_forward_api_cancel,
                                 .end = tg_forward_api_end};

static const tg_route *find_route(const tg_site *site, tg_slice path)
{
    for (size_t i = 0; i < TG_COUNT(routes); i++) {
        const tg_route *route = &routes[i];
        if ((route->is_for_both || route->is_for_admin == site->is_admin) &&
            tg_slice_equal(path, tg_slice_str(route->path))) {
            return route;
        }
    }
    if (!site->is_admin && site->gateway != NULL && tg_routes_find(site->settings->routes, path) != NULL) {
        return &gateway;
    }
    return site->applications != NULL && tg_forwards_find(site->settings->forwards, path) != NULL ? &forward : NULL;
}

bool tg_site_has_path(tg_slice path)
{
    for (size_t i = 0; i < TG_COUNT(routes); i++) {
        if (tg_slice_equal(path, tg_slice_str(routes[i].path))) {
            return true;
        }
    }
    return false;
}

bool tg_site_can_answer(const tg_site *site)
{
    return tg_snapshot_is_ready(tg_serving_snapshot(site->serving)) &&
           (site->are_workers_ready == NULL || atomic_load_explicit(site->are_workers_ready, memory_order_relaxed));
}

bool tg_site_is_ready(const tg_site *site)
{
    return !atomic_load_explicit(site->is_draining, memory_order_relaxed) && tg_site_can_answer(site);
}

void tg_site_refuse(tg_http_request *request, unsigned status, const char *code, const char *message, tg_slice pointer)
{
    tg_measures_refused(code != NULL ? code : tg_http_error_code(status));
    tg_http_respond_error(request, status, code, message, pointer);
}

static void on_head(tg_http_request *request, void *context)
{
    tg_site *site = context;
    const tg_slice none = {NULL, 0};
    if (!site->is_admin &&
        !tg_server_names_match(&site->settings->server_names, tg_stream_peer(request->stream), request->authority)) {
        tg_site_refuse(request, 421, "misdirected", "this server does not answer to that name", none);
        return;
    }
    const tg_route *route = find_route(site, request->path);
    if (route == NULL) {
        tg_site_refuse(request, 404, "not_found", "there is nothing at this path", none);
        return;
    }
    if (route == &gateway) {
        (void)tg_gateway_api_head(site, request);
        return;
    }
    request->route = route->label;
    request->user = NULL;
    if ((route->methods & TG_METHOD_BIT(request->method)) == 0) {
        tg_measures_refused("method_not_allowed");
        tg_http_respond_not_allowed(request, route->allow);
        return;
    }
    if (route->head != NULL) {
        route->head(site, request);
    }
}

static void on_request(tg_http_request *request, void *context)
{
    tg_site *site = context;
    const tg_route *route = find_route(site, request->path);
    route->request(site, request);
}

/* Only streams of lines are read, and answered, in pieces. */
static void on_body(tg_http_request *request, tg_slice piece, void *context)
{
    (void)context;
    tg_field_api_body(request, piece);
}

static void on_writable(tg_http_request *request, void *context)
{
    (void)context;
    tg_field_api_writable(request);
}

static void on_cancel(tg_http_request *request, void *context)
{
    tg_site *site = context;
    const tg_route *route = find_route(site, request->path);
    if (route != NULL && route->cancel != NULL) {
        route->cancel(site, request);
    }
}

/* A client can end thousands of requests a second: past a bound, they are only counted. */
static bool may_log(tg_site *site, uint64_t *out_num_unlogged)
{
    return tg_log_rate_take(&site->log_rate, MAX_LOGGED_PER_S, tg_loop_now_ms(site->loop), out_num_unlogged);
}

static void on_end(const tg_http_record *record, void *context)
{
    static const char *const methods[TG_HTTP_NUM_METHODS] = {"other",  "GET",     "HEAD",    "POST",  "PUT",
                                                             "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    tg_site *site = context;
    const tg_http_request *request = record->request;
    const tg_route *route = find_route(site, request->path);
    if (request->user != NULL && route != NULL && route->end != NULL) {
        route->end(request);
    }
    tg_measures_request(record);
    bool is_fine = record->status >= 200 && record->status < 400 && !record->is_aborted;
    tg_log_level level = is_fine ? TG_LOG_DEBUG : record->status >= 500 ? TG_LOG_WARN : TG_LOG_INFO;
    uint64_t num_unlogged = 0;
    if (!tg_log_is_on(level) || !may_log(site, &num_unlogged)) {
        return;
    }
    char id[48], peer[TG_PEER_TEXT_BYTES];
    snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu32, request->connection_id, request->number);
    tg_log(level, site->is_admin ? "admin" : "http", "request", TG_F_STR("request", id),
           TG_F_STR("peer", tg_peer_format(tg_stream_peer(request->stream), peer)),
           TG_F_STR("method", methods[request->method]),
           TG_F_STR("route", request->route != NULL ? request->route : "none"), TG_F_UINT("status", record->status),
           TG_F_STR("refusal", record->refusal != TG_HTTP_NOT_REFUSED ? tg_http_refusal_name(record->refusal) : ""),
           TG_F_BOOL("aborted", record->is_aborted), TG_F_UINT("bytes_in", record->bytes_in),
           TG_F_UINT("bytes_out", record->bytes_out), TG_F_UINT("duration_us", record->duration_ns / 1000),
           TG_F_UINT("unlogged", num_unlogged));
}

static void on_fault(const tg_stream *stream, const char *fault, void *context)
{
    tg_site *site = context;
    uint64_t num_unlogged = 0;
    tg_measures_tls_fault();
    if (tg_log_is_on(TG_LOG_INFO) && may_log(site, &num_unlogged)) {
        char peer[TG_PEER_TEXT_BYTES];
        tg_log(TG_LOG_INFO, "tls", "connection_fault", TG_F_STR("peer", tg_peer_format(tg_stream_peer(stream), peer)),
               TG_F_STR("fault", fault), TG_F_UINT("unlogged", num_unlogged));
    }
}

tg_http_handlers tg_site_handlers(tg_site *site)
{
    return (tg_http_handlers){.on_head = on_head,
                              .on_body = on_body,
                              .on_writable = on_writable,
                              .on_request = on_request,
                              .on_cancel = on_cancel,
                              .on_end = on_end,
                              .on_fault = on_fault,
                              .context = site};
}
