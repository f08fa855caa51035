/* The handlers' side of an answer. Everything here only stages bytes: they are written by the connection's step, from
 * the loop, so that no callback comes out of these calls. */
#include "http/connection.h"

#include "base/num.h"
#include "http/engine.h"

/* Content up to this length is copied behind its head, so that both leave together. */
enum { MAX_COPIED_BYTES = 16384 };

static bool can_begin(const tg_http_exchange *exchange)
{
    return exchange->connection != NULL && exchange->answer == TG_HTTP_NO_ANSWER;
}

/* Whether another request may follow: the client and the server want it, and what is left of this request's body is
 * known and short enough to be read for it. */
static bool decide_keep_alive(const tg_http_exchange *exchange)
{
    const tg_http_connection *connection = exchange->connection;
    const tg_http_server *server = connection->server;
    if (!exchange->framing.keeps_alive || server->is_draining || exchange->refusal != TG_HTTP_NOT_REFUSED ||
        connection->is_last_request || connection->num_requests >= server->limits.requests_per_connection) {
        return false;
    }
    if (exchange->is_body_whole || exchange->framing.body == TG_HTTP_BODY_NONE || exchange->answers_early) {
        return true; /* an early answer ends behind its body, or breaks */
    }
    if (exchange->framing.body != TG_HTTP_BODY_LENGTH || exchange->owes_continue) {
        return false; /* a client that waits for 100 may send its body or not: what follows could not be told apart */
    }
    uint64_t left = exchange->framing.length - (connection->is_in_block ? 0 : exchange->body_got);
    size_t unread_len = tg_http_connection_unread(connection).len;
    return left <= unread_len || left - unread_len <= server->limits.discard_bytes;
}

static tg_result stage_head(tg_http_exchange *exchange, unsigned status, const tg_http_header *headers,
                            size_t num_headers, uint64_t length)
{
    const tg_http_connection *connection = exchange->connection;
    bool is_old = exchange->parser.head.minor_version == 0;
    bool has_no_content = status == 204 || status == 304;
    bool keeps_alive = decide_keep_alive(exchange);
    tg_http_response_head head = {
        .status = status,
        .headers = headers,
        .num_headers = num_headers,
        .date = tg_http_server_date(connection->server),
        .framing = TG_HTTP_SAYS_LENGTH,
        .length = length,
    };
    if (has_no_content) {
        head.framing = TG_HTTP_SAYS_NO_LENGTH;
    } else if (length == TG_HTTP_UNKNOWN_LENGTH) {
        head.framing = is_old ? TG_HTTP_SAYS_NO_LENGTH : TG_HTTP_SAYS_CHUNKED;
        keeps_alive = keeps_alive && !is_old;
    }
    head.connection = !keeps_alive ? TG_HTTP_SAYS_CLOSE : is_old ? TG_HTTP_SAYS_KEEP_ALIVE : TG_HTTP_SAYS_NOTHING;
    TG_TRY(tg_http_response_head_append(&exchange->out, &head));
    exchange->status = status;
    exchange->keeps_alive = keeps_alive;
    exchange->drops_content = has_no_content || exchange->request.method == TG_HTTP_HEAD;
    exchange->is_chunked_out = head.framing == TG_HTTP_SAYS_CHUNKED && !exchange->drops_content;
    exchange->answer_left = length;
    return tg_ok();
}

static void give(tg_http_exchange *exchange, tg_http_answer_state state)
{
    exchange->answer = state;
    tg_http_connection_due(exchange->connection);
}

/* The answer cannot be made: a 500 says so, or, where not even that can be, the connection breaks. */
static void give_failure(tg_http_exchange *exchange)
{
    static const char text[] = "{\"code\":\"internal_error\",\"message\":\"The answer could not be made.\"}";
    const tg_http_header header = TG_HTTP_HEADER("Content-Type", "application/json");
    tg_result result = stage_head(exchange, 500, &header, 1, sizeof text - 1);
    if (tg_is_ok(result) && !exchange->drops_content) {
        result = tg_buf_append(&exchange->out, tg_slice_of(text, sizeof text - 1));
    }
    give(exchange, tg_is_ok(result) ? TG_HTTP_ANSWER_GIVEN : TG_HTTP_ANSWER_BROKEN);
}

static tg_result stage_content(tg_http_exchange *exchange, tg_buf *body)
{
    bool is_wiped = body->is_wiped;
    if (tg_buf_len(body) <= MAX_COPIED_BYTES) {
        return tg_buf_append(&exchange->out, tg_buf_slice(body));
    }
    exchange->content = *body;
    exchange->content.is_wiped = true;
    tg_buf_init(body, exchange->content.max);
    body->is_wiped = is_wiped;
    return tg_ok();
}

void tg_http_respond(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                     tg_buf *body)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    size_t len = body != NULL ? tg_buf_len(body) : 0;
    if (!can_begin(exchange)) {
        return;
    }
    if (!tg_is_ok(stage_head(exchange, status, headers, num_headers, len))) {
        give_failure(exchange);
    } else if (!exchange->drops_content && len > 0 && !tg_is_ok(stage_content(exchange, body))) {
        give(exchange, TG_HTTP_ANSWER_BROKEN); /* its head may not be followed by another */
    } else {
        give(exchange, TG_HTTP_ANSWER_GIVEN);
    }
    if (body != NULL) {
        tg_buf_clear(body);
    }
}

void tg_http_respond_text(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                          tg_slice body)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (!can_begin(exchange)) {
        return;
    }
    tg_buf_clear(&exchange->handlers_buf);
    if (!tg_is_ok(tg_buf_append(&exchange->handlers_buf, body))) {
        give_failure(exchange);
        return;
    }
    tg_http_respond(request, status, headers, num_headers, &exchange->handlers_buf);
}

tg_buf *tg_http_answer_buf(tg_http_request *request)
{
    return &tg_http_exchange_of(request)->handlers_buf;
}

static const tg_http_header json_type = {{(const uint8_t *)"Content-Type", 12},
                                         {(const uint8_t *)"application/json", 16}};

void tg_http_respond_error(tg_http_request *request, unsigned status, const char *code, const char *message,
                           tg_slice pointer)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    const tg_http_header headers[] = {json_type, TG_HTTP_HEADER("Retry-After", "1")};
    if (!can_begin(exchange)) {
        return;
    }
    tg_buf_clear(&exchange->handlers_buf);
    if (!tg_is_ok(tg_http_error_append(&exchange->handlers_buf, code != NULL ? code : tg_http_error_code(status),
                                       message, pointer))) {
        give_failure(exchange);
        return;
    }
    tg_http_respond(request, status, headers, status == 503 || status == 429 ? 2 : 1, &exchange->handlers_buf);
}

void tg_http_respond_not_allowed(tg_http_request *request, const char *allow)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    const tg_http_header headers[] = {json_type, {TG_LIT("Allow"), tg_slice_str(allow)}};
    if (!can_begin(exchange)) {
        return;
    }
    tg_buf_clear(&exchange->handlers_buf);
    if (!tg_is_ok(tg_http_error_append(&exchange->handlers_buf, tg_http_error_code(405),
                                       "This path does not take this method.", (tg_slice){NULL, 0}))) {
        give_failure(exchange);
        return;
    }
    tg_http_respond(request, 405, headers, TG_COUNT(headers), &exchange->handlers_buf);
}

tg_result tg_http_answer_refusal(tg_http_exchange *exchange)
{
    unsigned status = tg_http_refusal_status(exchange->refusal);
    const tg_http_header headers[] = {json_type, TG_HTTP_HEADER("Retry-After", "1")};
    tg_buf *body = &exchange->handlers_buf;
    tg_buf_clear(body); /* but not exchange->out: the rest of a 100 may stand there */
    TG_TRY(tg_http_error_append(body, tg_http_error_code(status), tg_http_refusal_message(exchange->refusal),
                                (tg_slice){NULL, 0}));
    TG_TRY(stage_head(exchange, status, headers, status == 503 ? 2 : 1, tg_buf_len(body)));
    if (!exchange->drops_content) {
        TG_TRY(tg_buf_append(&exchange->out, tg_buf_slice(body)));
    }
    exchange->answer = TG_HTTP_ANSWER_GIVEN;
    return tg_ok();
}

void tg_http_answer_begin(tg_http_request *request, unsigned status, const tg_http_header *headers, size_t num_headers,
                          uint64_t length)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (!can_begin(exchange)) {
        return;
    }
    if (tg_is_ok(stage_head(exchange, status, headers, num_headers, length))) {
        give(exchange, TG_HTTP_ANSWER_BEGUN);
    } else {
        give(exchange, TG_HTTP_ANSWER_BROKEN);
    }
}

/* chunk = chunk-size CRLF chunk-data CRLF; an empty piece would be the last chunk, so none is written */
static tg_result stage_piece(tg_http_exchange *exchange, tg_slice piece)
{
    uint8_t *at;
    if (!exchange->is_chunked_out) {
        return tg_buf_append(&exchange->out, piece);
    }
    TG_TRY(tg_buf_reserve(&exchange->out, piece.len + 24, &at)); /* so that the appends below cannot fail */
    TG_TRY(tg_buf_printf(&exchange->out, "%zx\r\n", piece.len));
    TG_TRY(tg_buf_append(&exchange->out, piece));
    return tg_buf_append(&exchange->out, TG_LIT("\r\n"));
}

tg_result tg_http_answer_write(tg_http_request *request, tg_slice piece)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (exchange->answer != TG_HTTP_ANSWER_BEGUN) {
        return tg_fail(TG_ERR_CANCELLED);
    }
    if (exchange->answer_left != TG_HTTP_UNKNOWN_LENGTH && piece.len > exchange->answer_left) {
        return tg_fail(TG_ERR_RANGE);
    }
    size_t queued = tg_buf_len(&exchange->out);
    size_t max = exchange->connection->server->limits.answer_queue_bytes;
    if (queued > 0 && (queued >= max || piece.len > max - queued)) {
        exchange->wants_room = true;
        return tg_fail(TG_ERR_AGAIN);
    }
    if (piece.len > 0 && !exchange->drops_content) {
        TG_TRY(stage_piece(exchange, piece));
    }
    if (exchange->answer_left != TG_HTTP_UNKNOWN_LENGTH) {
        exchange->answer_left -= piece.len;
    }
    tg_http_connection_due(exchange->connection);
    return tg_ok();
}

void tg_http_answer_end(tg_http_request *request)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (exchange->answer != TG_HTTP_ANSWER_BEGUN) {
        return;
    }
    bool is_short =
        exchange->answer_left != TG_HTTP_UNKNOWN_LENGTH && exchange->answer_left > 0 && !exchange->drops_content;
    tg_result result = tg_ok();
    if (exchange->is_chunked_out) {
        result = tg_buf_append(&exchange->out, TG_LIT("0\r\n\r\n"));
    }
    give(exchange, is_short || !tg_is_ok(result) ? TG_HTTP_ANSWER_BROKEN : TG_HTTP_ANSWER_GIVEN);
}

void tg_http_answer_abort(tg_http_request *request)
{
    tg_http_exchange *exchange = tg_http_exchange_of(request);
    if (exchange->answer == TG_HTTP_NO_ANSWER || exchange->answer == TG_HTTP_ANSWER_BEGUN) {
        give(exchange, TG_HTTP_ANSWER_BROKEN);
    }
}
