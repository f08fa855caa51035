#include "enclave/gateway_api.h"

#include "enclave/clients.h"
#include "enclave/measures.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_UPSTREAM_CONNECTIONS = 64 /* of a worker, to one backend */, MAX_ERROR_BYTES = 1024 };

struct tg_gateway {
    tg_site *site;
    tg_upstreams *upstreams;
    tg_exchange_site exchanges;
};

/* One request's; in its arena. */
typedef struct gateway_work {
    tg_exchange exchange;
    tg_serving *serving;
} gateway_work;

static const tg_slice no_pointer = {NULL, 0};

static void answer_problem(tg_http_request *request, const tg_gateway_fault *fault)
{
    tg_buf body;
    char seconds[24];
    tg_http_header headers[2] = {
        {TG_LIT("Content-Type"), tg_slice_str(tg_gateway_fault_content_type(fault))},
    };
    size_t num_headers = 1;
    if (fault->retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)fault->retry_after_s);
        headers[num_headers++] = (tg_http_header){TG_LIT("Retry-After"), tg_slice_str(seconds)};
    }
    tg_buf_init(&body, MAX_ERROR_BYTES);
    if (tg_is_ok(tg_gateway_fault_append_json(fault, &body))) {
        tg_http_respond_text(request, fault->status, headers, num_headers, tg_buf_slice(&body));
    } else {
        tg_http_respond_error(request, fault->status, fault->code, fault->message, no_pointer);
    }
    tg_buf_done(&body);
}

static void refuse(tg_http_request *request, const tg_gateway_fault *fault, tg_slice pointer, void *owner)
{
    (void)owner;
    if (pointer.ptr != NULL) {
        tg_site_refuse(request, fault->status, fault->code, fault->message, pointer);
        return;
    }
    tg_measures_refused(fault->code);
    answer_problem(request, fault);
}

static void refused(const tg_gateway_fault *fault, void *owner)
{
    (void)owner;
    tg_measures_refused(fault->code);
}

static void rewritten(const tg_schema *schema, bool is_encrypt, const tg_rewrite_counts *counts, void *owner)
{
    (void)owner;
    tg_measures_fields(tg_schema_name(schema), is_encrypt, counts->num_fields, counts->num_old_key);
}

static void missed_key(void *owner)
{
    const tg_gateway *gateway = owner;
    tg_key_service_ask(gateway->site->keys);
}

static const tg_exchange_calls exchange_calls = {
    .refuse = refuse, .refused = refused, .rewritten = rewritten, .missed_key = missed_key};

static tg_result open_upstreams(tg_gateway *gateway)
{
    const tg_enclave_settings *settings = gateway->site->settings;
    tg_address egress;
    tg_upstreams_settings upstreams = {.plain =
                                           settings->is_local_mode ? TG_OUTBOUND_PLAIN_LOOPBACK : TG_OUTBOUND_TLS_ONLY,
                                       .allowed_hosts = settings->upstream_allowed_hosts,
                                       .ca_sha256 = settings->upstream_ca_sha256,
                                       .num_connections = MAX_UPSTREAM_CONNECTIONS,
                                       .max_ask_bytes = (size_t)settings->max_inflight_bytes};
    if (settings->egress_address != NULL) {
        TG_TRY(tg_address_parse(tg_slice_str(settings->egress_address), &egress, NULL));
        upstreams.egress = &egress;
    }
    return tg_upstreams_new(gateway->site->loop, &upstreams, &gateway->upstreams);
}

tg_result tg_gateway_new(tg_site *site, tg_gateway **out_gateway)
{
    *out_gateway = NULL;
    if (site->settings->routes == NULL) {
        return tg_ok();
    }
    tg_gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    gateway->site = site;
    tg_result opened = open_upstreams(gateway);
    if (!tg_is_ok(opened)) {
        tg_gateway_free(gateway);
        return opened;
    }
    gateway->exchanges = (tg_exchange_site){.loop = site->loop,
                                            .budget = site->budget,
                                            .upstreams = gateway->upstreams,
                                            .replay = site->replay,
                                            .max_fields = (size_t)site->settings->max_fields_per_request,
                                            .calls = &exchange_calls,
                                            .owner = gateway};
    *out_gateway = gateway;
    return tg_ok();
}

void tg_gateway_free(tg_gateway *gateway)
{
    if (gateway != NULL) {
        tg_upstreams_free(gateway->upstreams);
        free(gateway);
    }
}

void tg_gateway_set_secrets(tg_gateway *gateway, tg_secrets *secrets)
{
    if (gateway != NULL) {
        tg_upstreams_set_secrets(gateway->upstreams, secrets);
    }
}

uint64_t tg_gateway_longest_ms(const tg_routes *routes)
{
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < tg_routes_len(routes); i++) {
        uint64_t timeout_ms = tg_routes_at(routes, i)->timeout_ms;
        longest_ms = timeout_ms > longest_ms ? timeout_ms : longest_ms;
    }
    return longest_ms;
}

static bool check_client(const tg_gateway_route *route, tg_http_request *request)
{
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    if (route->clients.num_items == 0 ||
        tg_clients_allow(&route->clients, tg_stream_peer(request->stream), now_unix_s)) {
        return true;
    }
    tg_site_refuse(request, 403, "forbidden", "no client certificate that is allowed to do this", no_pointer);
    return false;
}

static bool check_media_type(const tg_gateway_route *route, tg_http_request *request)
{
    tg_slice type;
    if (route->decrypt != TG_CRYPTO_FIELDS ||
        (tg_is_ok(tg_http_request_header(request, TG_LIT("Content-Type"), &type)) && tg_http_is_json(type))) {
        return true;
    }
    tg_site_refuse(request, 415, "unsupported_media_type",
                   "the Content-Type must be application/json or end in +json, in UTF-8", no_pointer);
    return false;
}

static bool find_schema(const tg_snapshot *snapshot, tg_slice name, tg_pii_root *out_root, const tg_schema **out_schema)
{
    bool is_known = tg_snapshot_num_schemas(snapshot) > 0 &&
                    tg_is_ok(tg_schema_set_find(tg_snapshot_schemas(snapshot), name, out_root, out_schema));
    tg_measures_schema_lookup(is_known);
    return is_known;
}

/* The route names it, or the request does. */
static bool find_request_schema(tg_site *site, const tg_gateway_route *route, tg_http_request *request,
                                tg_exchange_parts *parts)
{
    tg_slice name = route->request_schema;
    bool is_routes = name.len > 0;
    tg_result found =
        is_routes ? tg_ok() : tg_http_request_header(request, tg_slice_str(site->settings->schema_header_name), &name);
    if (!tg_is_ok(found)) {
        tg_site_refuse(request, 400, "bad_request",
                       found.code == TG_ERR_EXISTS ? "the header that names the schema stands there twice"
                                                   : "the header that names the schema is missing",
                       no_pointer);
        return false;
    }
    const tg_snapshot *snapshot = tg_serving_snapshot(site->serving);
    if (find_schema(snapshot, name, &parts->request_root, &parts->request_schema)) {
        return true;
    }
    if (is_routes || tg_snapshot_num_schemas(snapshot) == 0) {
        tg_site_refuse(request, 503, "service_unavailable", "the schema of this route's requests is not loaded",
                       no_pointer);
    } else {
        tg_site_refuse(request, 400, "bad_request", "the schema that the header names is not known", no_pointer);
    }
    return false;
}

static bool find_parts(tg_site *site, const tg_gateway_route *route, tg_http_request *request, tg_exchange_parts *parts)
{
    bool opens = route->decrypt == TG_CRYPTO_FIELDS;
    bool seals = route->encrypt == TG_CRYPTO_FIELDS;
    parts->keys = tg_serving_keys(site->serving);
    parts->envelope_keys = tg_snapshot_envelope_keys(tg_serving_snapshot(site->serving));
    if ((opens || seals) && parts->keys == NULL) {
        tg_site_refuse(request, 503, "service_unavailable", "there is no data key yet", no_pointer);
        return false;
    }
    if (opens && !find_request_schema(site, route, request, parts)) {
        return false;
    }
    if (seals && !find_schema(tg_serving_snapshot(site->serving), route->response_schema, &parts->answer_root,
                              &parts->answer_schema)) {
        tg_site_refuse(request, 503, "service_unavailable", "the schema of this route's answers is not loaded",
                       no_pointer);
        return false;
    }
    return true;
}

/* Of what travels; the routes' bound is of what is inside. */
static uint64_t max_body(const tg_gateway_route *route)
{
    bool is_sealed = route->decrypt == TG_CRYPTO_JWE || route->decrypt == TG_CRYPTO_OHTTP;
    return is_sealed ? tg_opening_max_body(route) : route->max_request_bytes;
}

static void begin(tg_site *site, const tg_gateway_route *route, tg_http_request *request)
{
    tg_exchange_parts parts = {0};
    if (!check_client(route, request) || !check_media_type(route, request) ||
        !find_parts(site, route, request, &parts)) {
        return;
    }
    gateway_work *work = tg_arena_zalloc(request->arena, 1, sizeof *work);
    if (work == NULL) {
        tg_site_refuse(request, 503, NULL, "there is no memory for this request", no_pointer);
        return;
    }
    tg_http_request_limit_body(request, max_body(route));
    tg_exchange_init(&work->exchange, &site->gateway->exchanges, route, &parts, request);
    work->serving = tg_serving_ref(site->serving);
    request->user = work;
}

bool tg_gateway_api_head(tg_site *site, tg_http_request *request)
{
    const tg_gateway_route *route =
        site->gateway != NULL ? tg_routes_find(site->settings->routes, request->path) : NULL;
    if (route == NULL) {
        return false;
    }
    request->route = route->label;
    request->user = NULL;
    /* RFC 9458 §5: what carries ohttp is a POST; the route's methods are those inside. */
    bool is_inside = route->decrypt == TG_CRYPTO_OHTTP;
    unsigned methods = is_inside ? TG_METHOD_BIT(TG_HTTP_POST) : route->methods;
    if ((methods & TG_METHOD_BIT(request->method)) == 0) {
        tg_measures_refused("method_not_allowed");
        tg_http_respond_not_allowed(request, is_inside ? "POST" : route->allow);
    } else {
        begin(site, route, request);
    }
    return true;
}

void tg_gateway_api_request(tg_site *site, tg_http_request *request)
{
    gateway_work *work = request->user;
    (void)site;
    tg_exchange_run(&work->exchange);
}

void tg_gateway_api_cancel(tg_site *site, tg_http_request *request)
{
    gateway_work *work = request->user;
    (void)site;
    if (work != NULL) {
        tg_exchange_cancel(&work->exchange);
    }
}

void tg_gateway_api_end(const tg_http_request *request)
{
    gateway_work *work = request->user;
    if (work != NULL) {
        tg_exchange_done(&work->exchange);
        tg_serving_unref(TG_TAKE(work->serving));
    }
}
