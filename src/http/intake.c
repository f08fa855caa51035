/* From bytes to a request at its handler: the steps of IDLE, READS_HEAD, READS_BODY and AT_HANDLER. */
#include "http/connection.h"

#include "base/num.h"
#include "base/text.h"
#include "http/engine.h"
#include "http/target.h"
#include "sys/clock.h"

/* Pipelined requests that one connection may have answered before the others get their turn. */
enum { MAX_REQUESTS_IN_TURN = 16 };

bool tg_http_step_idle(tg_http_connection *connection)
{
    tg_http_server *server = connection->server;
    if (tg_http_connection_unread(connection).len == 0) {
        if (connection->is_at_end || server->is_draining || connection->is_last_request) {
            tg_http_connection_leave(connection);
        }
        return false;
    }
    if (connection->num_in_turn++ == MAX_REQUESTS_IN_TURN) {
        connection->wants_turn = true;
        return false;
    }
    tg_http_exchange *exchange = tg_http_exchange_take(&server->exchanges);
    if (exchange == NULL) {
        tg_http_connection_go(connection, TG_HTTP_CLOSED);
        return false;
    }
    const tg_http_head_limits limits = {server->limits.head_bytes, server->limits.num_headers,
                                        server->limits.target_bytes};
    tg_http_head_start(&exchange->parser, TG_HTTP_REQUEST_HEAD, &limits);
    exchange->connection = connection;
    exchange->started_ns = tg_clock_monotonic_ns();
    exchange->budget = server->budget;
    exchange->body_max = server->limits.body_bytes;
    exchange->request.stream = connection->stream;
    exchange->request.connection_id = connection->id;
    exchange->request.number = ++connection->num_requests;
    connection->exchange = exchange;
    connection->num_dropped = 0;
    connection->may_close_at_once = false;
    tg_http_count(&server->counters.num_requests, 1);
    tg_http_connection_go(connection, TG_HTTP_READS_HEAD);
    return true;
}

/* Fills in the request from its head, its framing and its target. RFC 9112 §3.2.2: the authority of an absolute target
 * goes before Host; one that contradicts it is refused, since two programs could follow different ones. */
static tg_http_refusal make_request(tg_http_exchange *exchange, const tg_http_head *head)
{
    tg_http_request *request = &exchange->request;
    tg_http_target target;
    request->method = tg_http_method_of(head->method);
    request->method_name = head->method;
    request->headers = head->headers;
    request->num_headers = head->num_headers;
    if (!tg_is_ok(tg_http_target_parse(head->target, head->method, &target))) {
        return TG_HTTP_BAD_TARGET;
    }
    request->scheme = target.scheme;
    request->path = target.path;
    request->query = target.query;
    request->has_query = target.has_query;
    tg_http_refusal refusal = tg_http_frame_request(head, &exchange->framing);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        return refusal;
    }
    request->authority = target.authority.len > 0 ? target.authority : exchange->framing.host;
    if (exchange->framing.host.len > 0 && !tg_text_equal_nocase(request->authority, exchange->framing.host)) {
        return TG_HTTP_BAD_HOST;
    }
    request->has_body = exchange->framing.body != TG_HTTP_BODY_NONE;
    request->has_body_length = exchange->framing.body != TG_HTTP_BODY_CHUNKED;
    request->body_length = exchange->framing.length;
    return target.form == TG_HTTP_TARGET_AUTHORITY ? TG_HTTP_METHOD_UNSUPPORTED : TG_HTTP_NOT_REFUSED;
}

/* The handler has seen the head: now it is known where the body goes and how long it may be. */
static void begin_body(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_framing *framing = &exchange->framing;
    if (framing->body == TG_HTTP_BODY_NONE) {
        exchange->is_body_whole = true;
        return;
    }
    if (exchange->answer != TG_HTTP_NO_ANSWER) {
        return;
    }
    if (framing->body == TG_HTTP_BODY_CHUNKED) {
        tg_http_chunked_start(&exchange->chunked, exchange->body_max);
        return;
    }
    if (framing->length > exchange->body_max) {
        tg_http_connection_refuse(connection, TG_HTTP_BODY_TOO_LARGE);
        return;
    }
    connection->is_in_block = !exchange->is_streamed && framing->length <= connection->block->cap - connection->at;
    if (connection->is_in_block && !tg_is_ok(tg_http_exchange_budget_take(exchange, (size_t)framing->length))) {
        tg_http_connection_refuse(connection, TG_HTTP_NO_BUDGET);
    }
}

bool tg_http_step_head(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    tg_http_head head;
    if (connection->block == NULL) { /* nothing has come since the last look */
        return false;
    }
    tg_result result = tg_http_head_parse(&exchange->parser, tg_http_connection_unread(connection), &head);
    if (result.code == TG_ERR_AGAIN) {
        if (connection->is_at_end) {
            tg_http_connection_refuse(connection, TG_HTTP_HEAD_TRUNCATED);
        }
        return connection->is_at_end;
    }
    if (!tg_is_ok(result)) {
        tg_http_connection_refuse(connection, exchange->parser.refusal);
        return true;
    }
    connection->at = connection->start + head.len;
    connection->pinned = connection->at;
    exchange->bytes_in = head.len;
    tg_http_refusal refusal = make_request(exchange, &head);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        tg_http_connection_refuse(connection, refusal);
        return true;
    }
    tg_http_connection_go(connection, TG_HTTP_READS_BODY);
    exchange->owes_continue = exchange->framing.expects_continue && tg_http_connection_unread(connection).len == 0;
    exchange->is_handlers = true;
    if (handlers->on_head != NULL) {
        handlers->on_head(&exchange->request, handlers->context);
    }
    begin_body(connection);
    return true;
}

/* One piece of content, as it stands in the block. */
static tg_http_refusal take_content(tg_http_connection *connection, tg_slice piece)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    exchange->body_got += piece.len;
    if (exchange->is_streamed) {
        if (handlers->on_body != NULL) {
            handlers->on_body(&exchange->request, piece, handlers->context);
        }
        return TG_HTTP_NOT_REFUSED;
    }
    uint64_t expected = exchange->framing.body == TG_HTTP_BODY_LENGTH ? exchange->framing.length : UINT64_MAX;
    while (piece.len > 0) {
        uint8_t *at;
        size_t room;
        tg_result result = tg_http_exchange_body_room(exchange, expected, &at, &room);
        if (!tg_is_ok(result)) {
            return result.code == TG_ERR_LIMIT ? TG_HTTP_NO_BUDGET : TG_HTTP_NO_MEMORY;
        }
        size_t len = tg_size_min(room, piece.len);
        memcpy(at, piece.ptr, len);
        tg_buf_commit(&exchange->body, len);
        piece = tg_slice_from(piece, len);
    }
    return TG_HTTP_NOT_REFUSED;
}

/* Counts and uses up bytes of the body as they were carried. */
static void use(tg_http_connection *connection, size_t len)
{
    connection->exchange->bytes_in += len;
    connection->rate_bytes += len;
    tg_http_connection_skip(connection, len);
}

static bool is_answering_early(const tg_http_exchange *exchange)
{
    return exchange->answers_early && exchange->answer == TG_HTTP_ANSWER_BEGUN;
}

static bool takes_more(const tg_http_exchange *exchange)
{
    bool is_wanted = exchange->answer == TG_HTTP_NO_ANSWER || is_answering_early(exchange);
    return is_wanted && !exchange->is_paused && !exchange->is_body_whole;
}

static tg_http_refusal take_length(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    uint64_t left = exchange->framing.length - exchange->body_got;
    tg_slice unread = tg_http_connection_unread(connection);
    if (connection->is_in_block) { /* it stays where it is */
        uint64_t have = unread.len < exchange->framing.length ? unread.len : exchange->framing.length;
        connection->rate_bytes += have - exchange->body_got;
        exchange->body_got = have;
        if (have == exchange->framing.length) {
            exchange->request.body = tg_slice_first(unread, (size_t)have);
            exchange->is_body_whole = true;
            exchange->bytes_in += have;
            connection->at += (size_t)have;
            connection->pinned = connection->at;
        }
        return TG_HTTP_NOT_REFUSED;
    }
    tg_slice piece = tg_slice_first(unread, left < unread.len ? (size_t)left : unread.len);
    tg_http_refusal refusal = TG_HTTP_NOT_REFUSED;
    if (piece.len > 0) {
        refusal = take_content(connection, piece);
        use(connection, piece.len);
    }
    exchange->is_body_whole = exchange->body_got == exchange->framing.length;
    return refusal;
}

static tg_http_refusal take_chunked(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    tg_http_refusal refusal = TG_HTTP_NOT_REFUSED;
    while (takes_more(exchange) && refusal == TG_HTTP_NOT_REFUSED) {
        tg_slice unread = tg_http_connection_unread(connection);
        tg_slice rest = unread;
        tg_slice piece;
        tg_result result = tg_http_chunked_next(&exchange->chunked, &rest, &piece);
        if (tg_is_ok(result)) {
            refusal = take_content(connection, piece);
        } else if (result.code == TG_ERR_EOF) {
            exchange->is_body_whole = true;
        } else if (result.code != TG_ERR_AGAIN) {
            refusal = exchange->chunked.refusal;
        }
        if (unread.len > 0) {
            use(connection, unread.len - rest.len);
        }
        if (result.code == TG_ERR_AGAIN) {
            break;
        }
    }
    return refusal;
}

/* RFC 9110 §10.1.1: 100 is sent when the body is wanted and has not begun to come. */
static tg_result send_continue(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    if (exchange->owes_continue) {
        exchange->owes_continue = false;
        TG_TRY(tg_buf_append(&exchange->out, TG_LIT("HTTP/1.1 100 Continue\r\n\r\n")));
    }
    tg_result result = tg_http_connection_flush(connection);
    return tg_fail(result.code == TG_ERR_AGAIN ? TG_OK : result.code);
}

/* The body cannot be had: that is answered, or breaks the answer that has begun. */
static bool refuse_body(tg_http_connection *connection, tg_http_refusal refusal)
{
    if (is_answering_early(connection->exchange)) {
        tg_http_connection_break(connection);
        return false;
    }
    tg_http_connection_refuse(connection, refusal);
    return true;
}

/* Writes what an early answer has queued; false where the connection broke. */
static bool write_early(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    tg_result result = tg_http_connection_flush(connection);
    if (!tg_is_ok(result) && result.code != TG_ERR_AGAIN) {
        tg_http_connection_break(connection);
        return false;
    }
    if (exchange->wants_room && tg_buf_len(&exchange->out) <= connection->server->limits.answer_queue_bytes / 2) {
        exchange->wants_room = false;
        if (handlers->on_writable != NULL) {
            handlers->on_writable(&exchange->request, handlers->context);
        }
        connection->wants_turn = true;
    }
    return true;
}

bool tg_http_step_body(tg_http_connection *connection)
{
    tg_http_exchange *exchange = connection->exchange;
    const tg_http_handlers *handlers = &connection->server->handlers;
    if (is_answering_early(exchange) && !write_early(connection)) {
        return false;
    }
    if (exchange->answer != TG_HTTP_NO_ANSWER && !is_answering_early(exchange)) {
        tg_http_connection_go(connection, TG_HTTP_ANSWERS);
        return true;
    }
    if (exchange->is_paused) {
        return false;
    }
    if ((exchange->owes_continue || tg_buf_len(&exchange->out) > 0) && !tg_is_ok(send_continue(connection))) {
        tg_http_connection_break(connection);
        return false;
    }
    tg_http_refusal refusal = TG_HTTP_NOT_REFUSED;
    if (!exchange->is_body_whole) {
        refusal = exchange->framing.body == TG_HTTP_BODY_CHUNKED ? take_chunked(connection) : take_length(connection);
    }
    if (exchange->answer != TG_HTTP_NO_ANSWER && !is_answering_early(exchange)) { /* by on_body */
        return true;
    }
    if (refusal != TG_HTTP_NOT_REFUSED) {
        return refuse_body(connection, refusal);
    }
    if (exchange->is_paused) {
        return false;
    }
    if (!exchange->is_body_whole) {
        if (connection->is_at_end) {
            return refuse_body(connection, TG_HTTP_BODY_TRUNCATED);
        }
        if (is_answering_early(exchange)) {
            (void)write_early(connection);
        }
        return false;
    }
    if (!exchange->is_streamed && !connection->is_in_block) {
        exchange->request.body = tg_buf_slice(&exchange->body);
    }
    tg_http_connection_go(connection, TG_HTTP_AT_HANDLER);
    handlers->on_request(&exchange->request, handlers->context);
    return true;
}

bool tg_http_step_handler(tg_http_connection *connection)
{
    if (connection->exchange->answer == TG_HTTP_NO_ANSWER) {
        if (tg_buf_len(&connection->exchange->out) > 0 && !tg_is_ok(send_continue(connection))) {
            tg_http_connection_break(connection);
        }
        return false;
    }
    tg_http_connection_go(connection, TG_HTTP_ANSWERS);
    return true;
}

void tg_http_request_limit_body(tg_http_request *request, uint64_t max_bytes)
{
    tg_http_exchange_of(request)->body_max = max_bytes;
}

void tg_http_request_stream_body(tg_http_request *request)
{
    tg_http_exchange_of(request)->is_streamed = true;
}

void tg_http_request_answer_early(tg_http_request *request)
{
    tg_http_exchange_of(request)->answers_early = true;
}

void tg_http_request_pause(tg_http_request *request)
{
    tg_http_exchange_of(request)->is_paused = true;
}

void tg_http_request_resume(tg_http_request *request)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (exchange->is_paused) {
        exchange->is_paused = false;
        exchange->connection->rate_since_ms = tg_http_server_now_ms(exchange->connection->server);
        exchange->connection->rate_bytes = 0;
        tg_http_connection_due(exchange->connection);
    }
}
