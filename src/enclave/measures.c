#include "enclave/measures.h"

#include "sys/clock.h"

#include <pthread.h>
#include <stdio.h>

static tg_metric_family requests = {.name = "teegate_http_requests_total",
                                    .help = "Requests ended, by route and status (0: nothing was answered).",
                                    .kind = TG_METRIC_COUNTER,
                                    .labels = {"route", "status"},
                                    .max_children = 256};
static tg_metric_family durations = {.name = "teegate_http_request_duration_seconds",
                                     .help = "From a request's first byte read to its answer's last byte written.",
                                     .kind = TG_METRIC_HISTOGRAM,
                                     .unit = TG_METRIC_IN_NANOSECONDS,
                                     .labels = {"route"}};
static tg_metric_family bytes = {.name = "teegate_http_bytes_total",
                                 .help = "Bytes of heads and bodies inside TLS, by direction.",
                                 .kind = TG_METRIC_COUNTER,
                                 .unit = TG_METRIC_IN_BYTES,
                                 .labels = {"direction"}};
static tg_metric_family aborted = {.name = "teegate_http_requests_aborted_total",
                                   .help = "Requests whose answer did not go out whole.",
                                   .kind = TG_METRIC_COUNTER};
static tg_metric_family refused = {.name = "teegate_requests_refused_total",
                                   .help = "Requests refused, by reason.",
                                   .kind = TG_METRIC_COUNTER,
                                   .labels = {"reason"}};
static tg_metric_family fields = {.name = "teegate_fields_total",
                                  .help = "PII values sealed or opened, by schema.",
                                  .kind = TG_METRIC_COUNTER,
                                  .labels = {"operation", "schema"},
                                  .max_children = 512};
static tg_metric_family old_key = {.name = "teegate_fields_old_key_total",
                                   .help = "Values opened with another key than the current one.",
                                   .kind = TG_METRIC_COUNTER};
static tg_metric_family lookups = {.name = "teegate_schema_lookups_total",
                                   .help = "Schema names asked for, by result.",
                                   .kind = TG_METRIC_COUNTER,
                                   .labels = {"result"}};
static tg_metric_family refreshes = {.name = "teegate_schema_refreshes_total",
                                     .help = "Readings of the schema source, by outcome.",
                                     .kind = TG_METRIC_COUNTER,
                                     .labels = {"outcome"}};
static tg_metric_family tls_faults = {.name = "teegate_tls_faults_total",
                                      .help = "Connections that broke in TLS: handshakes that failed, truncations.",
                                      .kind = TG_METRIC_COUNTER};
static tg_metric_family accept_faults = {.name = "teegate_accept_faults_total",
                                         .help = "Connections that could not be accepted.",
                                         .kind = TG_METRIC_COUNTER};
static tg_metric_family dek_age = {.name = "teegate_dek_age_seconds",
                                   .help = "Since the data keys were read; -1 without any.",
                                   .kind = TG_METRIC_GAUGE};
static tg_metric_family num_keys = {.name = "teegate_deks",
                                    .help = "Data keys in force: the current one and those that may still open.",
                                    .kind = TG_METRIC_GAUGE};
static tg_metric_family schema_age = {.name = "teegate_schema_set_age_seconds",
                                      .help = "Since the schemas were last read with success; -1 before.",
                                      .kind = TG_METRIC_GAUGE};
static tg_metric_family schemas = {.name = "teegate_schemas",
                                   .help = "Schemas in force (loaded), older than their file (kept), refused files.",
                                   .kind = TG_METRIC_GAUGE,
                                   .labels = {"state"}};
static tg_metric_family is_ready = {
    .name = "teegate_ready", .help = "1 while requests can be answered.", .kind = TG_METRIC_GAUGE};
static tg_metric_family connections = {
    .name = "teegate_http_connections", .help = "Connections open now.", .kind = TG_METRIC_GAUGE};
static tg_metric_family accepted = {
    .name = "teegate_http_connections_accepted", .help = "Connections taken since the start.", .kind = TG_METRIC_GAUGE};

/* The servers of the workers, for the gauges of connections. */
static struct {
    pthread_mutex_t lock;
    const tg_http_server *servers[TG_MAX_SUBSCRIBERS];
    size_t num_servers;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t age_s(uint64_t since_unix_ms)
{
    uint64_t now = tg_clock_unix_ms();
    return now > since_unix_ms ? (int64_t)((now - since_unix_ms) / 1000) : 0;
}

static void collect_connections(void)
{
    uint64_t num_now = 0, num_ever = 0;
    pthread_mutex_lock(&known.lock);
    for (size_t i = 0; i < known.num_servers; i++) {
        tg_http_counts counts = tg_http_server_counts(known.servers[i]);
        num_now += counts.num_connections;
        num_ever += counts.num_adopted;
    }
    pthread_mutex_unlock(&known.lock);
    tg_metric_set(tg_metric_only(&connections), (int64_t)num_now);
    tg_metric_set(tg_metric_only(&accepted), (int64_t)num_ever);
}

static void collect(void *owner)
{
    tg_publisher *publisher = owner;
    tg_snapshot *snapshot = tg_publisher_current(publisher);
    const tg_key_ring *ring = tg_snapshot_ring(snapshot);
    const tg_schema_set *set = tg_snapshot_schemas(snapshot);
    uint64_t read_unix_ms = tg_snapshot_schemas_unix_ms(snapshot);
    tg_metric_set(tg_metric_only(&dek_age), ring != NULL ? age_s(tg_key_ring_created_unix_ms(ring)) : -1);
    tg_metric_set(tg_metric_only(&num_keys), ring != NULL ? (int64_t)tg_key_ring_len(ring) : 0);
    tg_metric_set(tg_metric_only(&schema_age), read_unix_ms > 0 ? age_s(read_unix_ms) : -1);
    tg_metric_set(tg_metric_of(&schemas, TG_LIT("loaded")), (int64_t)tg_snapshot_num_schemas(snapshot));
    tg_metric_set(tg_metric_of(&schemas, TG_LIT("kept")), set != NULL ? (int64_t)tg_schema_set_num_kept(set) : 0);
    tg_metric_set(tg_metric_of(&schemas, TG_LIT("refused")), set != NULL ? (int64_t)tg_schema_set_num_refused(set) : 0);
    tg_snapshot_unref(snapshot);
    collect_connections();
}

tg_result tg_measures_start(tg_publisher *publisher)
{
    tg_measures_set_ready(false);
    return tg_metric_on_collect(collect, publisher);
}

void tg_measures_set_ready(bool is_serving)
{
    tg_metric_set(tg_metric_only(&is_ready), is_serving ? 1 : 0);
}

void tg_measures_add_server(const tg_http_server *server)
{
    pthread_mutex_lock(&known.lock);
    if (known.num_servers < TG_COUNT(known.servers)) {
        known.servers[known.num_servers++] = server;
    }
    pthread_mutex_unlock(&known.lock);
}

void tg_measures_stop(void)
{
    pthread_mutex_lock(&known.lock);
    known.num_servers = 0;
    pthread_mutex_unlock(&known.lock);
}

void tg_measures_request(const tg_http_record *record)
{
    const char *route = record->request->route != NULL ? record->request->route : "none";
    char status[8];
    snprintf(status, sizeof status, "%u", record->status);
    tg_metric_add(tg_metric_of(&requests, tg_slice_str(route), tg_slice_str(status)), 1);
    tg_metric_observe(tg_metric_of(&durations, tg_slice_str(route)), record->duration_ns);
    tg_metric_add(tg_metric_of(&bytes, TG_LIT("in")), record->bytes_in);
    tg_metric_add(tg_metric_of(&bytes, TG_LIT("out")), record->bytes_out);
    if (record->is_aborted) {
        tg_metric_add(tg_metric_only(&aborted), 1);
    }
    if (record->refusal != TG_HTTP_NOT_REFUSED) {
        tg_measures_refused(tg_http_refusal_name(record->refusal));
    }
}

void tg_measures_refused(const char *code)
{
    tg_metric_add(tg_metric_of(&refused, tg_slice_str(code)), 1);
}

void tg_measures_fields(tg_slice schema, bool is_encrypt, size_t num_fields, size_t num_old_key)
{
    tg_metric_add(tg_metric_of(&fields, is_encrypt ? TG_LIT("encrypt") : TG_LIT("decrypt"), schema), num_fields);
    if (num_old_key > 0) {
        tg_metric_add(tg_metric_only(&old_key), num_old_key);
    }
}

void tg_measures_schema_lookup(bool is_hit)
{
    tg_metric_add(tg_metric_of(&lookups, is_hit ? TG_LIT("hit") : TG_LIT("miss")), 1);
}

void tg_measures_schema_refresh(const char *outcome)
{
    tg_metric_add(tg_metric_of(&refreshes, tg_slice_str(outcome)), 1);
}

void tg_measures_tls_fault(void)
{
    tg_metric_add(tg_metric_only(&tls_faults), 1);
}

void tg_measures_accept_fault(uint64_t num_refused)
{
    tg_metric_add(tg_metric_only(&accept_faults), num_refused > 0 ? num_refused : 1);
}
