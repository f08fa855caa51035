/* From an answer to bytes on the stream, and how a connection ends: the steps of ANSWERS, DISCARDS and LINGERS. */
#include "http/connection.h"

#include "base/num.h"
#include "http/engine.h"

/* A short answer leaves in one piece: head and content together, at most what one TLS record carries. */
enum { WHOLE_RECORD_BYTES = 16384 };
/* No connection keeps the loop for more than this at a time. */
enum { MAX_TURN_BYTES = 262144 };

static tg_result write_from(tg_http_connection *connection, tg_buf *buf)
{
    tg_http_exchange *exchange = connection->exchange;
    for (size_t num_written = 0; tg_buf_len(buf) > 0;) {
        if (num_written >= MAX_TURN_BYTES) {
            return tg_fail(TG_ERR_AGAIN);
        }
        size_t len;
        TG_TRY(tg_stream_write(connection->stream, tg_buf_slice(buf), &len));
        tg_buf_consume(buf, len);
        num_written += len;
        exchange->bytes_out += len;
        connection->rate_bytes += len;
        connection->taken_ms = tg_http_server_now_ms(connection->server);
        tg_http_count(&connection->server->counters.bytes_out, len);
    }
    return tg_ok();
}

tg_result tg_http_connection_flush(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    size_t out_len = tg_buf_len(&exchange->out);
    size_t content_len = tg_buf_len(&exchange->content);
    if (out_len > 0 && out_len < WHOLE_RECORD_BYTES && content_len > 0) {
        size_t len = tg_size_min(WHOLE_RECORD_BYTES - out_len, content_len);
        TG_TRY(tg_buf_append(&exchange->out, tg_slice_first(tg_buf_slice(&exchange->content), len)));
        tg_buf_consume(&exchange->content, len);
    }
    tg_result result = write_from(connection, &exchange->out);
    if (tg_is_ok(result)) {
        result = write_from(connection, &exchange->content);
    }
    if (result.code == TG_ERR_AGAIN && !connection->is_blocked) {
        connection->rate_since_ms = tg_http_server_now_ms(connection->server);
        connection->rate_bytes = 0;
        connection->taken_ms = connection->rate_since_ms;
    }
    connection->is_blocked = result.code == TG_ERR_AGAIN;
    return result;
}

static void drop_unread(tg_http_connection *connection, size_t len)
{
    if (len > 0) {
        connection->num_dropped += len;
        tg_http_connection_skip(connection, len);
    }
}

/* The answer goes out while its request's body still comes: what comes is dropped, so that a client that sends all
 * before it reads is not waited for in vain. */
static void drop_body(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    size_t unread_len = tg_http_connection_unread(connection).len;
    if (exchange->is_body_whole || unread_len == 0) {
        return;
    }
    if (exchange->framing.body != TG_HTTP_BODY_LENGTH) { /* the connection ends with this answer */
        drop_unread(connection, unread_len);
        return;
    }
    if (connection->is_in_block) { /* what was counted was not used up */
        connection->is_in_block = false;
        exchange->body_got = 0;
    }
    uint64_t left = exchange->framing.length - exchange->body_got;
    size_t len = left < unread_len ? (size_t)left : unread_len;
    drop_unread(connection, len);
    exchange->body_got += len;
    exchange->is_body_whole = exchange->body_got == exchange->framing.length;
}

/* The answer is written whole. */
static void end_answer(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    drop_body(connection);
    bool is_body_whole = exchange->is_body_whole;
    bool keeps_alive = exchange->keeps_alive && (is_body_whole || exchange->framing.body == TG_HTTP_BODY_LENGTH);
    connection->discard_left = exchange->framing.length - exchange->body_got;
    connection->may_close_at_once =
        is_body_whole && !exchange->framing.keeps_alive && exchange->refusal == TG_HTTP_NOT_REFUSED;
    tg_http_connection_end_request(connection, false);
    if (!keeps_alive) {
        tg_http_connection_go(connection, TG_HTTP_LINGERS);
    } else if (!is_body_whole) {
        tg_http_connection_go(connection, TG_HTTP_DISCARDS);
    } else {
        tg_http_connection_go(connection, TG_HTTP_IDLE);
    }
}

bool tg_http_step_answer(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    if (exchange->answer == TG_HTTP_ANSWER_BROKEN) {
        tg_http_connection_break(connection);
        return false;
    }
    if (exchange->answer ==
        TG_HTTP_ANSWER_GIVEN) { /* the handler is done: a slow reader holds no more than its answer */
        tg_http_exchange_drop_body(exchange);
    }
    tg_result result = tg_http_connection_flush(connection);
    if (!tg_is_ok(result) && result.code != TG_ERR_AGAIN) {
        tg_http_connection_break(connection);
        return false;
    }
    if (tg_is_ok(result) && exchange->answer == TG_HTTP_ANSWER_GIVEN) {
        end_answer(connection);
        return true;
    }
    drop_body(connection);
    if (exchange->wants_room && tg_buf_len(&exchange->out) <= connection->server->limits.answer_queue_bytes / 2) {
        exchange->wants_room = false;
        if (handlers->on_writable != NULL) {
            handlers->on_writable(&exchange->request, handlers->context);
        }
        connection->wants_turn = tg_is_ok(result); /* not at once: a fast client would keep the loop */
    }
    return false;
}

bool tg_http_step_discard(tg_http_connection *connection)
{
    size_t unread_len = tg_http_connection_unread(connection).len;
    size_t len = connection->discard_left < unread_len ? (size_t)connection->discard_left : unread_len;
    drop_unread(connection, len);
    connection->discard_left -= len;
    if (connection->discard_left > 0) {
        if (connection->is_at_end) {
            tg_http_connection_go(connection, TG_HTTP_CLOSED);
        }
        return false;
    }
    connection->start = connection->at;
    connection->pinned = connection->at;
    tg_http_connection_go(connection, TG_HTTP_IDLE);
    return true;
}

/* Our side ends first; then the client's bytes are read for a while, so that the kernel does not answer them with a
 * reset that would overtake our answer (RFC 9112 §9.6). */
bool tg_http_step_linger(tg_http_connection *connection)
{
    if (!connection->is_shut) {
        tg_result result = tg_stream_shutdown(connection->stream);
        if (result.code == TG_ERR_AGAIN) {
            return false;
        }
        if (!tg_is_ok(result)) {
            tg_http_connection_go(connection, TG_HTTP_CLOSED);
            return false;
        }
        connection->is_shut = true;
    }
    size_t unread_len = tg_http_connection_unread(connection).len;
    bool is_over = connection->is_at_end || (connection->may_close_at_once && unread_len == 0);
    drop_unread(connection, unread_len);
    if (is_over || connection->num_dropped > connection->server->limits.linger_bytes) {
        tg_http_connection_go(connection, TG_HTTP_CLOSED);
    }
    return false;
}
