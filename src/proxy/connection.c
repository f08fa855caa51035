#include "proxy/connection.h"

#include "base/num.h"
#include "proxy/proxy_metrics.h"
#include "proxy/worker.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdlib.h>

enum {
    READ_BYTES = 4096,
    MAX_INTAKE_BYTES = TG_MAX_CLIENT_HELLO_BYTES + TG_PROXY_HEADER_MAX_BYTES,
    LINGER_MS = 1000,
    LINGER_BYTES = 65536
};

static void go(tg_proxy_connection *connection, tg_connection_state next)
{
    static const uint8_t edges[TG_NUM_CONNECTION_STATES] = {
        [TG_CONNECTION_HEADER] = 1u << TG_CONNECTION_READING | 1u << TG_CONNECTION_REFUSING | 1u << TG_CONNECTION_OVER,
        [TG_CONNECTION_READING] =
            1u << TG_CONNECTION_DIALLING | 1u << TG_CONNECTION_REFUSING | 1u << TG_CONNECTION_OVER,
        [TG_CONNECTION_DIALLING] = 1u << TG_CONNECTION_RELAYING | 1u << TG_CONNECTION_OVER,
        [TG_CONNECTION_RELAYING] = 1u << TG_CONNECTION_OVER,
        [TG_CONNECTION_REFUSING] = 1u << TG_CONNECTION_OVER,
    };
    if ((edges[connection->state] & 1u << next) == 0) {
        abort();
    }
    connection->state = (uint8_t)next;
}

static void free_intake(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = TG_TAKE(connection->intake);
    if (intake != NULL) {
        tg_deadline_disarm(&intake->deadline);
        tg_dial_cancel(intake->dial);
        tg_buf_done(&intake->bytes);
        free(intake);
    }
}

static void log_end(const tg_proxy_connection *connection, const char *outcome)
{
    char peer[TG_PEER_TEXT_BYTES];
    const tg_proxy_visit *visit = &connection->visit;
    bool is_relayed = connection->state == TG_CONNECTION_RELAYING;
    uint64_t num_unlogged;
    tg_log_level level = is_relayed ? TG_LOG_INFO : TG_LOG_DEBUG;
    if (!tg_log_is_on(level) || !tg_proxy_worker_may_log(visit->worker, TG_LOG_OF_ENDS, &num_unlogged)) {
        return;
    }
    tg_log(level, "proxy", "connection ended", TG_F_UINT("connection", visit->id),
           TG_F_STR("service", tg_proxy_service_name(visit->door.service)),
           TG_F_STR("peer", tg_peer_format(&visit->peer, peer)), TG_F_SLICE("route", connection->route),
           TG_F_STR("target", connection->target != NULL ? connection->target : ""),
           TG_F_UINT("bytes_in", is_relayed ? tg_relay_bytes(&connection->relay, TG_RELAY_LEFT) : 0),
           TG_F_UINT("bytes_out", is_relayed ? tg_relay_bytes(&connection->relay, TG_RELAY_RIGHT) : 0),
           TG_F_UINT("duration_ms", tg_loop_now_ms(visit->worker->loop) - visit->began_ms), TG_F_STR("end", outcome),
           TG_F_UINT("unlogged", num_unlogged));
}

static void finish(tg_proxy_connection *connection, const char *outcome)
{
    tg_proxy_visit *visit = &connection->visit;
    tg_proxy_visit_leave(visit);
    log_end(connection, outcome);
    go(connection, TG_CONNECTION_OVER);
    free_intake(connection);
    tg_stream_close(TG_TAKE(connection->client));
    tg_slice route = connection->route;
    tg_proxy_visit_end(visit, route, outcome); /* the route's bytes are the configuration's: the last use */
    free(connection->target);
    free(connection);
}

static void on_stop(tg_proxy_visit *visit, const char *outcome)
{
    tg_proxy_connection *connection = TG_OBJECT_OF(visit, tg_proxy_connection, visit);
    if (connection->state == TG_CONNECTION_RELAYING) {
        tg_relay_stop(&connection->relay);
    }
    finish(connection, outcome);
}

void tg_proxy_connection_name(tg_proxy_connection *connection, tg_slice name)
{
    tg_connection_intake *intake = connection->intake;
    size_t len = tg_size_min(name.len, sizeof intake->host - 1);
    memcpy(intake->host, name.ptr != NULL ? name.ptr : (const uint8_t *)"", len);
    intake->host[len] = 0;
}

static void on_relay_ended(tg_relay *relay, tg_relay_end end)
{
    static const char *const outcomes[TG_NUM_RELAY_ENDS] = {
        [TG_RELAY_ENDED] = "ended", [TG_RELAY_LEFT_BROKE] = "client_broke", [TG_RELAY_RIGHT_BROKE] = "target_broke",
        [TG_RELAY_IDLE] = "idle",   [TG_RELAY_TOO_LONG] = "too_long",       [TG_RELAY_NO_MEMORY] = "no_memory",
    };
    finish(TG_OBJECT_OF(relay, tg_proxy_connection, relay), outcomes[end]);
}

/* What the client sent, behind the PROXY header where one is to go first. */
static tg_result compose_prefix(tg_proxy_connection *connection, tg_buf *prefix)
{
    tg_connection_intake *intake = connection->intake;
    if (intake->decision.is_announced) {
        TG_TRY(tg_proxy_visit_header(&connection->visit, &intake->source, connection->client, intake->decision.tlvs,
                                     prefix));
    }
    return tg_buf_append(prefix, tg_slice_from(tg_buf_slice(&intake->bytes), intake->decision.num_taken));
}

static void start_relay(tg_proxy_connection *connection, tg_stream *target)
{
    tg_proxy_visit *visit = &connection->visit;
    const tg_proxy_timeouts *timeouts = &visit->config->timeouts;
    tg_relay_options options = {.idle_ms = timeouts->idle_ms, .total_ms = timeouts->total_ms};
    tg_buf prefix;
    tg_buf_init(&prefix, MAX_INTAKE_BYTES + TG_PROXY_HEADER_MAX_BYTES);
    tg_proxy_byte_counters(visit->door.service, connection->route, options.byte_counters);
    tg_result result = compose_prefix(connection, &prefix);
    if (tg_is_ok(result)) {
        result = tg_relay_start(&connection->relay, visit->worker->pool, connection->client, target,
                                tg_buf_slice(&prefix), &options, on_relay_ended);
    }
    tg_buf_done(&prefix);
    if (!tg_is_ok(result)) {
        tg_stream_close(target);
        finish(connection, "no_memory");
        return;
    }
    connection->client = NULL; /* the relay's now */
    go(connection, TG_CONNECTION_RELAYING);
    free_intake(connection);
    tg_log(TG_LOG_DEBUG, "proxy", "routed", TG_F_UINT("connection", visit->id),
           TG_F_STR("service", tg_proxy_service_name(visit->door.service)), TG_F_SLICE("route", connection->route),
           TG_F_STR("target", connection->target != NULL ? connection->target : ""));
}

/* Says what failed in the words that docs/proxy.md explains. */
static void report_dial(const tg_proxy_connection *connection, const tg_dial_outcome *outcome)
{
    const tg_connection_intake *intake = connection->intake;
    const tg_proxy_visit *visit = &connection->visit;
    if (outcome->stage == TG_DIAL_FILTER) {
        tg_proxy_visit_refused(visit, "egress refused", tg_slice_str(intake->refusal), tg_slice_str(intake->host),
                               "a rule in the domain's \"egress\" list would allow it");
        return;
    }
    tg_proxy_log_dial(visit, &intake->decision.target, connection->route, outcome);
}

static void on_dialled(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    tg_proxy_connection *connection = owner;
    tg_connection_intake *intake = connection->intake;
    intake->dial = NULL;
    tg_proxy_count_dial(connection->visit.door.service, tg_clock_monotonic_ns() - intake->dial_began_ns,
                        stream != NULL);
    if (stream != NULL) {
        start_relay(connection, stream);
        return;
    }
    report_dial(connection, outcome);
    finish(connection, outcome->stage == TG_DIAL_FILTER ? "refused" : "dial_failed");
}

static void dial(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = connection->intake;
    tg_proxy_visit *visit = &connection->visit;
    char text[TG_MAX_ADDRESS_BYTES];
    tg_dial_options options = {.timeout_ms = visit->config->timeouts.connect_ms};
    bool is_chosen = intake->decision.is_checked; /* by the client, not by the configuration */
    options.filter = is_chosen ? connection->service->filter : NULL;
    options.lane =
        tg_lookup_lanes_find(visit->worker->lookup_lanes, &intake->decision.target, is_chosen ? &visit->peer : NULL);
    connection->route = intake->decision.route;
    connection->target = strdup(tg_address_format(&intake->decision.target, text));
    tg_proxy_visit_settle(visit);
    tg_deadline_disarm(&intake->deadline);
    tg_stream_watch(connection->client, 0);
    go(connection, TG_CONNECTION_DIALLING);
    intake->dial_began_ns = tg_clock_monotonic_ns();
    tg_result result =
        tg_dial_start(visit->worker->loop, &intake->decision.target, &options, on_dialled, connection, &intake->dial);
    if (!tg_is_ok(result)) {
        finish(connection, "no_memory");
    }
}

/* An answer of a few bytes always fits an empty send queue. The end is ours first, so that the answer is read. */
static void refuse(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = connection->intake;
    const tg_proxy_decision *decision = &intake->decision;
    size_t len;
    tg_proxy_visit_refused(&connection->visit, decision->refused, decision->rule, tg_slice_str(intake->host),
                           decision->remedy);
    if (decision->answer.len == 0 || !tg_is_ok(tg_stream_write(connection->client, decision->answer, &len)) ||
        !tg_is_ok(tg_stream_shutdown(connection->client))) {
        finish(connection, "refused");
        return;
    }
    go(connection, TG_CONNECTION_REFUSING);
    tg_deadline_arm_in(connection->visit.worker->loop, &intake->deadline, LINGER_MS);
    tg_stream_watch(connection->client, TG_STREAM_READ);
}

static void decide(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = connection->intake;
    tg_proxy_decision decision = {.refused = NULL};
    tg_result result = connection->service->decide(connection, tg_buf_slice(&intake->bytes), &decision);
    if (result.code == TG_ERR_AGAIN) {
        return;
    }
    intake->decision = decision;
    if (!tg_is_ok(result)) {
        finish(connection, "no_memory");
    } else if (decision.refused != NULL) {
        refuse(connection);
    } else {
        dial(connection);
    }
}

/* The PROXY header; true where the client's own bytes may be looked at. */
static bool read_header(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = connection->intake;
    tg_proxy_header header;
    size_t len;
    tg_result result = tg_proxy_header_read(tg_buf_slice(&intake->bytes), &header, &len);
    if (result.code == TG_ERR_AGAIN) {
        return false;
    }
    if (!tg_is_ok(result)) {
        tg_proxy_visit_refused(&connection->visit, "bad PROXY header", tg_slice_str(tg_code_name(result.code)),
                               TG_LIT(""),
                               "the listener says accept_proxy: is a balancer in front that sends version 2?");
        finish(connection, "refused");
        return false;
    }
    if (!tg_proxy_visit_learn(&connection->visit, &header, &intake->source)) {
        finish(connection, "refused");
        return false;
    }
    tg_buf_consume(&intake->bytes, len);
    go(connection, TG_CONNECTION_READING);
    return true;
}

static void look(tg_proxy_connection *connection)
{
    if (connection->state == TG_CONNECTION_HEADER && !read_header(connection)) {
        return;
    }
    decide(connection);
}

static void read_intake(tg_proxy_connection *connection)
{
    tg_connection_intake *intake = connection->intake;
    uint8_t *at;
    size_t len, cap = tg_size_min(READ_BYTES, tg_buf_space(&intake->bytes));
    if (cap == 0 || !tg_is_ok(tg_buf_reserve(&intake->bytes, cap, &at))) {
        finish(connection, cap == 0 ? "refused" : "no_memory"); /* no service wants so much */
        return;
    }
    tg_result result = tg_stream_read(connection->client, at, cap, &len);
    if (tg_is_ok(result)) {
        tg_buf_commit(&intake->bytes, len);
        look(connection);
    } else if (result.code != TG_ERR_AGAIN) {
        finish(connection, "client_left");
    }
}

static void discard(tg_proxy_connection *connection)
{
    uint8_t bytes[READ_BYTES];
    size_t len;
    tg_result result = tg_stream_read(connection->client, bytes, sizeof bytes, &len);
    if (tg_is_ok(result)) {
        connection->intake->num_discarded += len;
    }
    if ((!tg_is_ok(result) && result.code != TG_ERR_AGAIN) || connection->intake->num_discarded > LINGER_BYTES) {
        finish(connection, "refused");
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    tg_proxy_connection *connection = owner;
    (void)stream;
    (void)events;
    if (connection->state == TG_CONNECTION_REFUSING) {
        discard(connection);
    } else {
        read_intake(connection);
    }
}

static void on_deadline(tg_deadline *deadline)
{
    tg_connection_intake *intake = TG_OBJECT_OF(deadline, tg_connection_intake, deadline);
    tg_proxy_connection *connection = intake->connection;
    if (connection->state != TG_CONNECTION_REFUSING) {
        tg_proxy_visit_refused(&connection->visit, "client too slow", TG_LIT("hello_ms"), TG_LIT(""), NULL);
    }
    finish(connection, connection->state == TG_CONNECTION_REFUSING ? "refused" : "hello_timeout");
}

void tg_proxy_connection_open(tg_proxy_worker *worker, const tg_proxy_door *door, const tg_connection_service *service,
                              tg_stream *stream)
{
    tg_proxy_connection *connection = calloc(1, sizeof *connection);
    tg_connection_intake *intake = calloc(1, sizeof *intake);
    if (connection == NULL || intake == NULL || !tg_proxy_visit_begin(&connection->visit, worker, door, stream)) {
        free(connection);
        free(intake);
        tg_stream_close(stream);
        return;
    }
    connection->visit.stop = on_stop;
    connection->service = service;
    connection->client = stream;
    connection->intake = intake;
    connection->route = TG_LIT("none");
    connection->state = door->accepts_proxy ? TG_CONNECTION_HEADER : TG_CONNECTION_READING;
    tg_buf_init(&intake->bytes, MAX_INTAKE_BYTES);
    intake->connection = connection;
    intake->deadline.run = on_deadline;
    tg_stream_own(stream, on_ready, connection);
    if (door->accepts_proxy || service->reads) {
        tg_deadline_arm_in(worker->loop, &intake->deadline, connection->visit.config->timeouts.hello_ms);
        tg_stream_watch(stream, TG_STREAM_READ);
    } else {
        decide(connection);
    }
}
