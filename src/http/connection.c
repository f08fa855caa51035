#include "http/connection.h"

#include "http/engine.h"
#include "sys/clock.h"

#include <stdlib.h>

enum { MAX_TAIL_BYTES = 2048 };

#define EDGE(state) (1u << (state))

static const unsigned edges[TG_HTTP_NUM_STATES] = {
    [TG_HTTP_IDLE] = EDGE(TG_HTTP_READS_HEAD) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_READS_HEAD] = EDGE(TG_HTTP_READS_BODY) | EDGE(TG_HTTP_ANSWERS) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_READS_BODY] = EDGE(TG_HTTP_AT_HANDLER) | EDGE(TG_HTTP_ANSWERS) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_AT_HANDLER] = EDGE(TG_HTTP_ANSWERS) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_ANSWERS] = EDGE(TG_HTTP_IDLE) | EDGE(TG_HTTP_DISCARDS) | EDGE(TG_HTTP_LINGERS) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_DISCARDS] = EDGE(TG_HTTP_IDLE) | EDGE(TG_HTTP_CLOSED),
    [TG_HTTP_LINGERS] = EDGE(TG_HTTP_CLOSED),
};

static bool (*const steps[TG_HTTP_NUM_STATES])(tg_http_connection *connection) = {
    [TG_HTTP_IDLE] = tg_http_step_idle,       [TG_HTTP_READS_HEAD] = tg_http_step_head,
    [TG_HTTP_READS_BODY] = tg_http_step_body, [TG_HTTP_AT_HANDLER] = tg_http_step_handler,
    [TG_HTTP_ANSWERS] = tg_http_step_answer,  [TG_HTTP_DISCARDS] = tg_http_step_discard,
    [TG_HTTP_LINGERS] = tg_http_step_linger,
};

void tg_http_connection_go(tg_http_connection *connection, tg_http_connection_state next)
{
    if (connection->state == TG_HTTP_CLOSED) {
        return;
    }
    bool is_edge = (edges[connection->state] & EDGE(next)) != 0;
    connection->state = is_edge ? next : TG_HTTP_CLOSED;
    connection->since_ms = tg_http_server_now_ms(connection->server);
    connection->rate_since_ms = connection->since_ms;
    connection->rate_bytes = 0;
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)stream;
    tg_http_connection *connection = owner;
    if ((events & TG_STREAM_READ) != 0) {
        tg_http_connection_read(connection);
    }
    tg_http_connection_run(connection);
}

tg_result tg_http_connection_new(tg_http_server *server, tg_stream *stream, uint64_t id,
                                 tg_http_connection **out_connection)
{
    tg_http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    connection->server = server;
    connection->stream = stream;
    connection->id = id;
    connection->state = TG_HTTP_IDLE;
    connection->since_ms = tg_http_server_now_ms(server);
    tg_buf_init_wiped(&connection->tail, MAX_TAIL_BYTES);
    tg_stream_own(stream, on_ready, connection);
    tg_stream_watch(stream, TG_STREAM_READ);
    *out_connection = connection;
    return tg_ok();
}

static void destroy(tg_http_connection *connection)
{
    tg_http_block_put(&connection->server->blocks, connection->block);
    connection->block = NULL;
    tg_buf_done(&connection->tail);
    tg_stream_close(connection->stream);
    connection->stream = NULL;
    tg_http_server_left(connection->server, connection); /* frees it, now or when it is no longer due */
}

void tg_http_connection_free(tg_http_connection *connection)
{
    connection->is_running = true; /* what the callbacks call must not make it due again */
    tg_http_connection_break(connection);
    destroy(connection);
}

/* A short head that is not whole waits in a copy, so that slow clients do not hold blocks. */
static void put_block_away(tg_http_connection *connection)
{
    tg_http_block *block = connection->block;
    if (block == NULL || connection->pinned > connection->start) {
        return;
    }
    tg_slice unread = tg_http_connection_unread(connection);
    if (unread.len > 0 && connection->state != TG_HTTP_READS_HEAD) { /* requests that wait for their turn */
        return;
    }
    if (unread.len > MAX_TAIL_BYTES || !tg_is_ok(tg_buf_append(&connection->tail, unread))) {
        if (connection->start > 0) {
            tg_http_block_move_down(block, connection->start);
        }
    } else {
        tg_http_block_put(&connection->server->blocks, block);
        connection->block = NULL;
    }
    connection->start = 0;
    connection->pinned = 0;
    connection->at = 0;
}

static bool take_block(tg_http_connection *connection)
{
    if (connection->block == NULL) {
        connection->block = tg_http_block_take(&connection->server->blocks);
        if (connection->block == NULL) {
            return false;
        }
        tg_slice tail = tg_buf_slice(&connection->tail);
        if (tail.ptr != NULL && tail.len > 0) {
            memcpy(connection->block->bytes, tail.ptr, tail.len);
            tg_http_block_commit(connection->block, tail.len);
            tg_buf_release(&connection->tail);
        }
        connection->start = 0;
        connection->pinned = 0;
        connection->at = 0;
    }
    return true;
}

/* A long collected body is read to its own place; everything else to the block. */
static bool is_read_to_body(const tg_http_connection *connection)
{
    const tg_http_exchange *exchange = connection->exchange;
    return connection->state == TG_HTTP_READS_BODY && exchange != NULL && !exchange->is_streamed &&
           exchange->answer == TG_HTTP_NO_ANSWER && !exchange->is_body_whole && !connection->is_in_block &&
           exchange->framing.body == TG_HTTP_BODY_LENGTH && tg_http_connection_unread(connection).len == 0;
}

static bool find_room(tg_http_connection *connection, uint8_t **out_at, size_t *out_room)
{
    if (is_read_to_body(connection)) {
        tg_http_exchange *exchange = connection->exchange;
        tg_result result = tg_http_exchange_body_room(exchange, exchange->framing.length, out_at, out_room);
        if (!tg_is_ok(result)) {
            tg_http_connection_refuse(connection, result.code == TG_ERR_LIMIT ? TG_HTTP_NO_BUDGET : TG_HTTP_NO_MEMORY);
        }
        return tg_is_ok(result);
    }
    if (!take_block(connection)) {
        tg_http_connection_break(connection);
        return false;
    }
    *out_at = connection->block->bytes + connection->block->end;
    *out_room = tg_http_block_room(connection->block);
    return *out_room > 0;
}

void tg_http_connection_read(tg_http_connection *connection)
{
    uint8_t *at;
    size_t room;
    size_t len;
    if (connection->state == TG_HTTP_CLOSED || connection->is_at_end || !find_room(connection, &at, &room)) {
        return;
    }
    bool is_to_body = is_read_to_body(connection);
    tg_result result = tg_stream_read(connection->stream, at, room, &len);
    if (tg_is_ok(result)) {
        tg_http_count(&connection->server->counters.bytes_in, len);
        if (is_to_body) {
            tg_buf_commit(&connection->exchange->body, len);
            connection->exchange->body_got += len;
            connection->exchange->bytes_in += len;
            connection->rate_bytes += len;
        } else {
            tg_http_block_commit(connection->block, len);
        }
    } else if (result.code == TG_ERR_EOF) {
        connection->is_at_end = true;
    } else if (result.code != TG_ERR_AGAIN) {
        connection->is_broken = true;
    }
}

void tg_http_connection_skip(tg_http_connection *connection, size_t len)
{
    connection->at += len;
    if (connection->at == connection->block->end && connection->at > connection->pinned) {
        tg_http_block_cut(connection->block, connection->pinned);
        connection->at = connection->pinned;
    }
}

/* What the state waits for. */
static unsigned wanted_events(const tg_http_connection *connection)
{
    const tg_http_exchange *exchange = connection->exchange;
    const tg_http_limits *limits = &connection->server->limits;
    unsigned read = connection->is_at_end ? 0 : TG_STREAM_READ;
    bool has_room = connection->block == NULL || tg_http_block_room(connection->block) > 0;
    switch (connection->state) {
    case TG_HTTP_READS_BODY:
        return (exchange->is_paused ? 0 : read) | (tg_buf_len(&exchange->out) > 0 ? TG_STREAM_WRITE : 0);
    case TG_HTTP_AT_HANDLER:
        return (has_room ? read : 0) | (tg_buf_len(&exchange->out) > 0 ? TG_STREAM_WRITE : 0);
    case TG_HTTP_ANSWERS:
        return (has_room && connection->num_dropped <= limits->linger_bytes ? read : 0) |
               (connection->is_blocked ? TG_STREAM_WRITE : 0);
    case TG_HTTP_LINGERS:
        return connection->is_shut ? read : TG_STREAM_WRITE;
    case TG_HTTP_IDLE:
        return has_room ? read : 0;
    case TG_HTTP_READS_HEAD:
    case TG_HTTP_DISCARDS:
    case TG_HTTP_CLOSED:
    case TG_HTTP_NUM_STATES:
    default:
        return read;
    }
}

/* Between requests many clients go without a word: nothing was lost, and a busy service would fill its log with it. */
static void tell_fault(tg_http_connection *connection)
{
    const tg_http_handlers *handlers = &connection->server->handlers;
    if (connection->exchange == NULL && connection->num_requests > 0) {
        return;
    }
    const char *fault = tg_stream_fault(connection->stream);
    if (handlers->on_fault != NULL && fault[0] != 0) {
        handlers->on_fault(connection->stream, fault, handlers->context);
    }
}

void tg_http_connection_run(tg_http_connection *connection)
{
    connection->is_running = true;
    connection->num_in_turn = 0;
    if (connection->is_broken) {
        tell_fault(connection);
        tg_http_connection_break(connection);
    }
    while (connection->state != TG_HTTP_CLOSED && steps[connection->state](connection)) {
    }
    connection->is_running = false;
    if (connection->state == TG_HTTP_CLOSED) {
        destroy(connection);
        return;
    }
    put_block_away(connection);
    tg_stream_watch(connection->stream, wanted_events(connection));
    if (connection->wants_turn) {
        connection->wants_turn = false;
        tg_http_connection_due(connection);
    }
}

void tg_http_connection_due(tg_http_connection *connection)
{
    tg_http_server *server = connection->server;
    if (connection->is_running || connection->is_due) {
        return;
    }
    connection->is_due = true;
    connection->next_due = server->first_due;
    server->first_due = connection;
    tg_http_server_wake(server);
}

/* The handler is told that it may drop the request, where it still has it. */
static void cancel(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    bool is_owed =
        exchange->is_handlers && exchange->answer != TG_HTTP_ANSWER_GIVEN && exchange->answer != TG_HTTP_ANSWER_BROKEN;
    exchange->is_handlers = false;
    exchange->answer = TG_HTTP_ANSWER_GIVEN; /* what it calls in its last moment does nothing */
    if (is_owed && handlers->on_cancel != NULL) {
        handlers->on_cancel(&exchange->request, handlers->context);
    }
}

void tg_http_connection_leave(tg_http_connection *connection)
{
    tg_result ignored = tg_stream_shutdown(connection->stream); /* what does not go out at once is not waited for */
    (void)ignored;
    tg_http_connection_go(connection, TG_HTTP_CLOSED);
}

void tg_http_connection_break(tg_http_connection *connection)
{
    if (connection->exchange != NULL) {
        cancel(connection);
        tg_http_connection_end_request(connection, true);
    }
    tg_http_connection_go(connection, TG_HTTP_CLOSED);
}

void tg_http_connection_refuse(tg_http_connection *connection, tg_http_refusal refusal)
{
    tg_http_exchange *exchange = connection->exchange;
    exchange->refusal = refusal;
    cancel(connection);
    exchange->answer = TG_HTTP_NO_ANSWER;
    if (!tg_is_ok(tg_http_answer_refusal(exchange))) {
        tg_http_connection_break(connection);
        return;
    }
    tg_http_connection_go(connection, TG_HTTP_ANSWERS);
}

void tg_http_connection_end_request(tg_http_connection *connection, bool is_aborted)
{
    tg_http_server *server = connection->server;
    tg_http_exchange *exchange = TG_TAKE(connection->exchange);
    tg_http_counters *counters = &server->counters;
    tg_http_count(&counters->num_requests, (uint64_t)-1);
    tg_http_count(&counters->num_handled, 1);
    tg_http_count(&counters->num_refused, exchange->refusal != TG_HTTP_NOT_REFUSED);
    tg_http_count(&counters->num_aborted, is_aborted);
    if (server->handlers.on_end != NULL) {
        const tg_http_record record = {
            .request = &exchange->request,
            .status = exchange->status,
            .refusal = exchange->refusal,
            .is_aborted = is_aborted,
            .bytes_in = exchange->bytes_in,
            .bytes_out = exchange->bytes_out,
            .duration_ns = tg_clock_monotonic_ns() - exchange->started_ns,
        };
        server->handlers.on_end(&record, server->handlers.context);
    }
    tg_http_exchange_put(&server->exchanges, exchange);
    connection->is_in_block = false;
    connection->start = connection->at;
    connection->pinned = connection->at;
    if (connection->block != NULL && connection->at == connection->block->end) {
        tg_http_block_put(&server->blocks, TG_TAKE(connection->block));
        connection->start = 0;
        connection->pinned = 0;
        connection->at = 0;
    }
}

/* What came or went above the rate counts once more in the next span, and no longer: a client that sends most of a body
 * at once and then stops, or takes most of an answer, would hold its memory for as long as the rest might take. */
static bool is_slow(tg_http_connection *connection, uint32_t bytes_per_second, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - connection->rate_since_ms;
    if (bytes_per_second == 0 || elapsed_ms <= connection->server->limits.rate_grace_ms) {
        return false;
    }
    uint64_t needed = elapsed_ms * bytes_per_second / 1000;
    if (connection->rate_bytes < needed) {
        return true;
    }
    uint64_t surplus = connection->rate_bytes - needed;
    connection->rate_bytes = surplus < needed ? surplus : needed;
    connection->rate_since_ms = now_ms;
    return false;
}

static bool is_over(uint64_t since_ms, uint32_t limit_ms, uint64_t now_ms)
{
    return limit_ms > 0 && now_ms - since_ms >= limit_ms;
}

/* Between requests and behind the last. */
static void check_without_request(tg_http_connection *connection, uint64_t now_ms)
{
    const tg_http_limits *limits = &connection->server->limits;
    if (connection->state != TG_HTTP_IDLE) { /* DISCARDS, LINGERS */
        if (is_over(connection->since_ms, limits->linger_ms, now_ms)) {
            tg_http_connection_go(connection, TG_HTTP_CLOSED);
        }
        return;
    }
    if (is_over(connection->since_ms, connection->num_requests > 0 ? limits->idle_ms : limits->head_ms, now_ms)) {
        tg_http_count(&connection->server->counters.num_idle_closed, 1);
        tg_http_connection_leave(connection);
    }
}

static void check_answer(tg_http_connection *connection, uint64_t now_ms)
{
    const tg_http_limits *limits = &connection->server->limits;
    if (connection->is_blocked && (is_slow(connection, limits->answer_bytes_per_second, now_ms) ||
                                   is_over(connection->taken_ms, limits->idle_ms, now_ms))) {
        tg_http_connection_break(connection);
    }
}

static tg_http_refusal check_request(tg_http_connection *connection, uint64_t now_ms)
{
    const tg_http_limits *limits = &connection->server->limits;
    uint64_t since_ms = connection->since_ms;
    if (connection->state == TG_HTTP_READS_HEAD) {
        return is_over(since_ms, limits->head_ms, now_ms) ? TG_HTTP_HEAD_TIMEOUT : TG_HTTP_NOT_REFUSED;
    }
    if (connection->state == TG_HTTP_AT_HANDLER) {
        return is_over(since_ms, limits->handler_ms, now_ms) ? TG_HTTP_HANDLER_TIMEOUT : TG_HTTP_NOT_REFUSED;
    }
    bool is_too_slow = !connection->exchange->is_paused && is_slow(connection, limits->body_bytes_per_second, now_ms);
    return is_too_slow ? TG_HTTP_BODY_TIMEOUT : TG_HTTP_NOT_REFUSED;
}

/* The body comes and the answer goes: whichever the client owes. */
static void check_early(tg_http_connection *connection, uint64_t now_ms)
{
    check_answer(connection, now_ms);
    bool is_waiting =
        connection->state == TG_HTTP_READS_BODY && !connection->is_blocked && !connection->exchange->is_paused;
    if (is_waiting && is_slow(connection, connection->server->limits.body_bytes_per_second, now_ms)) {
        tg_http_connection_break(connection);
    }
}

void tg_http_connection_check(tg_http_connection *connection, uint64_t now_ms)
{
    if (connection->exchange == NULL) {
        check_without_request(connection, now_ms);
    } else if (connection->state == TG_HTTP_ANSWERS) {
        check_answer(connection, now_ms);
    } else if (connection->exchange->answers_early && connection->exchange->answer == TG_HTTP_ANSWER_BEGUN) {
        check_early(connection, now_ms);
    } else if (connection->exchange->answer == TG_HTTP_NO_ANSWER) { /* else its next step is due */
        tg_http_refusal refusal = check_request(connection, now_ms);
        if (refusal != TG_HTTP_NOT_REFUSED) {
            tg_http_connection_refuse(connection, refusal);
        }
    }
}
