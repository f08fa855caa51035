#include "http/server.h"

#include "http/engine.h"
#include "sys/clock.h"

#include <stdlib.h>

/* Input blocks hold a head and, mostly, the body behind it. */
enum { BLOCK_BYTES_BEHIND_HEAD = 16384 };

/* How often deadlines are looked at: a quarter of the shortest, within these. */
enum { MIN_CHECK_MS = 5, MAX_CHECK_MS = 500 };

void tg_http_limits_default(tg_http_limits *out_limits)
{
    *out_limits = (tg_http_limits){
        .head_bytes = 16384,
        .num_headers = 100,
        .target_bytes = 8192,
        .body_bytes = 10485760,
        .head_ms = 10000,
        .idle_ms = 60000,
        .rate_grace_ms = 10000,
        .body_bytes_per_second = 1024,
        .answer_bytes_per_second = 1024,
        .handler_ms = 120000,
        .linger_ms = 2000,
        .linger_bytes = 1048576,
        .discard_bytes = 65536,
        .num_connections = 4096,
        .requests_per_connection = 100000,
        .answer_queue_bytes = 65536,
    };
}

static uint32_t find_check_ms(const tg_http_limits *limits)
{
    const uint32_t deadlines[] = {limits->head_ms, limits->idle_ms, limits->rate_grace_ms, limits->handler_ms,
                                  limits->linger_ms};
    uint32_t check_ms = MAX_CHECK_MS;
    for (size_t i = 0; i < TG_COUNT(deadlines); i++) {
        if (deadlines[i] > 0 && deadlines[i] / 4 < check_ms) {
            check_ms = deadlines[i] / 4;
        }
    }
    return check_ms > MIN_CHECK_MS ? check_ms : MIN_CHECK_MS;
}

uint64_t tg_http_server_now_ms(const tg_http_server *server)
{
    return tg_loop_now_ms(server->loop);
}

void tg_http_server_wake(tg_http_server *server)
{
    tg_loop_tick(server->loop, &server->due);
}

tg_slice tg_http_server_date(tg_http_server *server)
{
    uint64_t unix_s = tg_clock_unix_ms() / 1000;
    if (unix_s != server->date_unix_s) {
        tg_http_date_format(unix_s, server->date);
        server->date_unix_s = unix_s;
    }
    return tg_slice_of(server->date, sizeof server->date);
}

static void tell_drained(tg_http_server *server)
{
    if (server->is_draining && server->first == NULL && server->on_drained != NULL) {
        void (*on_drained)(void *context) = server->on_drained;
        server->on_drained = NULL;
        on_drained(server->drained_context);
    }
}

static void tell_room(tg_http_server *server)
{
    if (server->was_full && !tg_http_server_is_full(server)) {
        server->was_full = false;
        if (server->handlers.on_room != NULL) {
            server->handlers.on_room(server->handlers.context);
        }
    }
}

/* Connections that become due meanwhile get their turn after the others of the loop. */
static void run_due(tg_tick *tick)
{
    tg_http_server *server = TG_OBJECT_OF(tick, tg_http_server, due);
    tg_http_connection *due = server->first_due;
    server->first_due = NULL;
    while (due != NULL) {
        tg_http_connection *connection = due;
        due = connection->next_due;
        connection->is_due = false;
        connection->next_due = NULL;
        if (connection->stream == NULL) { /* it ended while it waited */
            free(connection);
            continue;
        }
        if (server->is_draining && connection->state == TG_HTTP_IDLE) {
            tg_http_connection_read(connection); /* what has come already is answered */
        }
        tg_http_connection_run(connection);
    }
    tell_room(server);
    tell_drained(server); /* last: it may free the server */
}

static void check_all(tg_deadline *deadline)
{
    tg_http_server *server = TG_OBJECT_OF(deadline, tg_http_server, check);
    uint64_t now_ms = tg_http_server_now_ms(server);
    for (tg_http_connection *connection = server->first; connection != NULL;) {
        tg_http_connection *next = connection->next;
        tg_http_connection_state before = connection->state;
        tg_http_connection_check(connection, now_ms);
        if (connection->state != before) {
            tg_http_connection_run(connection);
        }
        connection = next;
    }
    if (server->first != NULL) {
        tg_deadline_arm_in(server->loop, &server->check, server->check_ms);
    }
}

tg_result tg_http_server_new(tg_loop *loop, const tg_http_limits *limits, const tg_http_handlers *handlers,
                             tg_http_budget *budget, tg_http_server **out_server)
{
    tg_http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    server->loop = loop;
    if (limits != NULL) {
        server->limits = *limits;
    } else {
        tg_http_limits_default(&server->limits);
    }
    server->handlers = *handlers;
    server->budget = budget;
    size_t head_bytes =
        server->limits.head_bytes < TG_HTTP_MAX_HEAD_BYTES ? server->limits.head_bytes : TG_HTTP_MAX_HEAD_BYTES;
    tg_http_block_store_init(&server->blocks, head_bytes + BLOCK_BYTES_BEHIND_HEAD);
    server->due.run = run_due;
    server->check.run = check_all;
    server->check_ms = find_check_ms(&server->limits);
    *out_server = server;
    return tg_ok();
}

void tg_http_server_free(tg_http_server *server)
{
    if (server == NULL) {
        return;
    }
    server->on_drained = NULL;
    server->handlers.on_room = NULL;
    while (server->first != NULL) {
        tg_http_connection_free(server->first);
    }
    while (server->first_due != NULL) {
        tg_http_connection *connection = server->first_due;
        server->first_due = connection->next_due;
        free(connection);
    }
    tg_tick_cancel(&server->due);
    tg_deadline_disarm(&server->check);
    tg_http_exchange_store_done(&server->exchanges);
    tg_http_block_store_done(&server->blocks);
    free(server);
}

bool tg_http_server_is_full(const tg_http_server *server)
{
    return server->is_draining || tg_http_counted(&server->counters.num_connections) >= server->limits.num_connections;
}

tg_result tg_http_server_adopt(tg_http_server *server, tg_stream *stream)
{
    static _Atomic uint64_t last_id;
    tg_http_connection *connection;
    if (tg_http_server_is_full(server)) {
        server->was_full = !server->is_draining;
        tg_http_count(&server->counters.num_full, 1);
        tg_stream_close(stream);
        return tg_fail(TG_ERR_LIMIT);
    }
    uint64_t id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    tg_result result = tg_http_connection_new(server, stream, id, &connection);
    if (!tg_is_ok(result)) {
        tg_stream_close(stream);
        return result;
    }
    connection->next = server->first;
    if (server->first != NULL) {
        server->first->previous = connection;
    }
    server->first = connection;
    if (!tg_deadline_is_armed(&server->check)) {
        tg_deadline_arm_in(server->loop, &server->check, server->check_ms);
    }
    tg_http_count(&server->counters.num_connections, 1);
    tg_http_count(&server->counters.num_adopted, 1);
    server->was_full = tg_http_server_is_full(server);
    return tg_ok();
}

void tg_http_server_left(tg_http_server *server, tg_http_connection *connection)
{
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    tg_http_count(&server->counters.num_connections, (uint64_t)-1);
    if (!connection->is_due) {
        free(connection);
    }
    if (server->was_full || (server->is_draining && server->first == NULL)) {
        tg_http_server_wake(server);
    }
}

void tg_http_server_drain(tg_http_server *server, void (*on_drained)(void *context), void *context)
{
    server->is_draining = true;
    server->was_full = false;
    server->on_drained = on_drained;
    server->drained_context = context;
    for (tg_http_connection *connection = server->first; connection != NULL; connection = connection->next) {
        if (connection->state == TG_HTTP_IDLE) {
            tg_http_connection_due(connection);
        }
    }
    tg_http_server_wake(server);
}

void tg_http_server_renew(tg_http_server *server)
{
    for (tg_http_connection *connection = server->first; connection != NULL; connection = connection->next) {
        connection->is_last_request = true;
        if (connection->state == TG_HTTP_IDLE) {
            tg_http_connection_due(connection);
        }
    }
}

tg_http_counts tg_http_server_counts(const tg_http_server *server)
{
    const tg_http_counters *counters = &server->counters;
    return (tg_http_counts){
        .num_connections = tg_http_counted(&counters->num_connections),
        .num_requests = tg_http_counted(&counters->num_requests),
        .num_adopted = tg_http_counted(&counters->num_adopted),
        .num_full = tg_http_counted(&counters->num_full),
        .num_handled = tg_http_counted(&counters->num_handled),
        .num_refused = tg_http_counted(&counters->num_refused),
        .num_aborted = tg_http_counted(&counters->num_aborted),
        .num_idle_closed = tg_http_counted(&counters->num_idle_closed),
        .bytes_in = tg_http_counted(&counters->bytes_in),
        .bytes_out = tg_http_counted(&counters->bytes_out),
    };
}
