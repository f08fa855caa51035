#include "proxy/proxy_metrics.h"

enum { MAX_ROUTES = TG_MAX_DOMAINS * 4 };

static tg_metric_family open_connections = {.name = "teegate_proxy_connections",
                                            .help = "Connections that are open, by service.",
                                            .kind = TG_METRIC_GAUGE,
                                            .labels = {"service"}};
static tg_metric_family ended_connections = {
    .name = "teegate_proxy_connections_total",
    .help = "Connections that have ended, by service, route and outcome.",
    .kind = TG_METRIC_COUNTER,
    .labels = {"service", "route", "outcome"},
    .max_children = MAX_ROUTES,
};
static tg_metric_family refusals = {.name = "teegate_proxy_refusals_total",
                                    .help = "Connections and requests refused, by service and rule.",
                                    .kind = TG_METRIC_COUNTER,
                                    .labels = {"service", "rule"}};
static tg_metric_family bytes = {
    .name = "teegate_proxy_relayed_bytes_total",
    .help = "Bytes carried, by service, route and the side that they came from.",
    .kind = TG_METRIC_COUNTER,
    .unit = TG_METRIC_IN_BYTES,
    .labels = {"service", "route", "from"},
    .max_children = MAX_ROUTES,
};
static tg_metric_family dials = {.name = "teegate_proxy_dial_seconds",
                                 .help = "How long resolving and connecting took, by service and outcome.",
                                 .kind = TG_METRIC_HISTOGRAM,
                                 .unit = TG_METRIC_IN_NANOSECONDS,
                                 .labels = {"service", "outcome"}};
static tg_metric_family requests = {
    .name = "teegate_proxy_requests_total",
    .help = "Requests of the HTTP router, by route and status.",
    .kind = TG_METRIC_COUNTER,
    .labels = {"route", "status"},
    .max_children = MAX_ROUTES,
};

static tg_metric_family unlogged = {.name = "teegate_proxy_unlogged_total",
                                    .help = "Log lines left out because clients caused too many in a second.",
                                    .kind = TG_METRIC_COUNTER};

static tg_metric_family kms_calls = {.name = "teegate_proxy_kms_calls_total",
                                     .help = "Calls of the KMS proxy, by domain, operation and outcome.",
                                     .kind = TG_METRIC_COUNTER,
                                     .labels = {"domain", "operation", "outcome"},
                                     .max_children = MAX_ROUTES};
static tg_metric_family kms_seconds = {.name = "teegate_proxy_kms_call_seconds",
                                       .help = "How long calls took that went to KMS, by operation.",
                                       .kind = TG_METRIC_HISTOGRAM,
                                       .unit = TG_METRIC_IN_NANOSECONDS,
                                       .labels = {"operation"}};

void tg_proxy_count_kms(tg_slice domain, const char *operation, const char *outcome, uint64_t duration_ns)
{
    tg_metric_add(tg_metric_of(&kms_calls, domain, tg_slice_str(operation), tg_slice_str(outcome)), 1);
    if (duration_ns > 0) {
        tg_metric_observe(tg_metric_of(&kms_seconds, tg_slice_str(operation)), duration_ns);
    }
}

void tg_proxy_count_unlogged(void)
{
    tg_metric_add(tg_metric_only(&unlogged), 1);
}

static tg_slice name_of(tg_proxy_service service)
{
    return tg_slice_str(tg_proxy_service_name(service));
}

void tg_proxy_count_open(tg_proxy_service service, int change)
{
    static _Atomic(tg_metric *) children[TG_NUM_PROXY_SERVICES];
    tg_metric *gauge = atomic_load_explicit(&children[service], memory_order_acquire);
    if (gauge == NULL) {
        gauge = tg_metric_of(&open_connections, name_of(service));
        atomic_store_explicit(&children[service], gauge, memory_order_release);
    }
    tg_metric_move(gauge, change);
}

void tg_proxy_count_end(tg_proxy_service service, tg_slice route, const char *outcome)
{
    tg_metric_add(tg_metric_of(&ended_connections, name_of(service), route, tg_slice_str(outcome)), 1);
}

void tg_proxy_count_refusal(tg_proxy_service service, tg_slice rule)
{
    tg_metric_add(tg_metric_of(&refusals, name_of(service), rule), 1);
}

void tg_proxy_count_dial(tg_proxy_service service, uint64_t duration_ns, bool is_good)
{
    tg_metric_observe(tg_metric_of(&dials, name_of(service), is_good ? TG_LIT("ok") : TG_LIT("failed")), duration_ns);
}

void tg_proxy_count_request(tg_slice route, unsigned status)
{
    char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10), 0};
    tg_metric_add(tg_metric_of(&requests, route, tg_slice_str(digits)), 1);
}

void tg_proxy_byte_counters(tg_proxy_service service, tg_slice route, tg_metric *out_counters[2])
{
    out_counters[0] = tg_metric_of(&bytes, name_of(service), route, TG_LIT("client"));
    out_counters[1] = tg_metric_of(&bytes, name_of(service), route, TG_LIT("target"));
}
