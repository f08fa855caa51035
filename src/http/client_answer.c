#include "http/client_engine.h"

static void refuse(tg_http_call *call, tg_code code, tg_http_refusal refusal)
{
    call->outcome.refusal = refusal;
    tg_http_call_fail(call, tg_fail(code), "answer refused: %s", tg_http_refusal_name(refusal));
}

/* The first `len` unread bytes are used. */
static void skip(tg_http_line *line, size_t len)
{
    line->at += len;
    if (line->at == line->block->end) {
        tg_http_block_put(&line->client->blocks, TG_TAKE(line->block));
        line->at = 0;
    }
}

/* The connection ended or broke where more had to come. */
static void cut_off(tg_http_call *call)
{
    const tg_http_line *line = call->line;
    const char *fault = tg_stream_fault(line->stream);
    const char *colon = fault[0] != 0 ? ": " : "";
    tg_result result = tg_fail(line->is_broken ? TG_ERR_CLOSED : TG_ERR_TRUNCATED);
    if (call->has_answer) {
        tg_http_call_fail(call, result, "the answer ends within its body%s%s", colon, fault);
    } else if (tg_http_line_unread(line).len > 0) {
        tg_http_call_fail(call, result, "the answer ends within its head%s%s", colon, fault);
    } else {
        tg_http_call_fail(call, tg_fail(TG_ERR_CLOSED), "closed without an answer%s%s", colon, fault);
    }
}

static bool is_over(const tg_http_line *line)
{
    return line->is_at_end || line->is_broken;
}

/* Headers outlive the block that they were read to. */
static tg_result keep_headers(tg_http_call *call, const tg_http_head *head, tg_slice bytes)
{
    tg_slice copy;
    TG_TRY(tg_arena_copy(&call->arena, tg_slice_first(bytes, head->len), &copy));
    tg_http_header *headers = tg_arena_zalloc(&call->arena, head->num_headers + 1, sizeof *headers);
    if (headers == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < head->num_headers; i++) {
        tg_slice name = head->headers[i].name;
        tg_slice value = head->headers[i].value;
        headers[i].name = tg_slice_of(copy.ptr + (name.ptr - bytes.ptr), name.len);
        headers[i].value = tg_slice_of(copy.ptr + (value.ptr - bytes.ptr), value.len);
    }
    call->answer = (tg_http_answer){.status = head->status, .headers = headers, .num_headers = head->num_headers};
    call->has_answer = true;
    return tg_ok();
}

/* An answer that has no body and says that it has (RFC 9110 §15.3.5, RFC 9112 §6.1): another program might wait for it
 * or take it for the next answer. */
static bool is_doubtful(const tg_http_answer *answer)
{
    tg_slice value;
    if (answer->status != 204) {
        return false;
    }
    return tg_http_headers_find(answer->headers, answer->num_headers, TG_LIT("Transfer-Encoding"), &value) ||
           (tg_http_headers_find(answer->headers, answer->num_headers, TG_LIT("Content-Length"), &value) &&
            !tg_slice_equal(value, TG_LIT("0")));
}

static void done(tg_http_call *call)
{
    call->outcome.stage = TG_HTTP_STAGE_DONE;
    call->outcome.result = tg_ok();
    tg_http_call_go(call, TG_HTTP_CALL_ENDED);
}

static void begin_body(tg_http_call *call)
{
    call->framing.keeps_alive = call->framing.keeps_alive && !is_doubtful(&call->answer);
    tg_http_call_go(call, TG_HTTP_CALL_READS_BODY);
    switch (call->framing.body) {
    case TG_HTTP_BODY_LENGTH:
        call->body_left = call->framing.length;
        if (call->body_left > call->body_max) {
            refuse(call, TG_ERR_LIMIT, TG_HTTP_BODY_TOO_LARGE);
        }
        break;
    case TG_HTTP_BODY_CHUNKED:
        tg_http_chunked_start(&call->chunked, call->body_max);
        break;
    case TG_HTTP_BODY_TO_END:
        call->body_left = call->body_max;
        break;
    case TG_HTTP_BODY_NONE:
    default:
        break;
    }
}

static void take_head(tg_http_call *call, const tg_http_head *head, tg_slice bytes)
{
    tg_http_refusal refusal = tg_http_frame_response(head, call->is_head_method, &call->framing);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        refuse(call, refusal == TG_HTTP_CODING_UNSUPPORTED ? TG_ERR_UNSUPPORTED : TG_ERR_SYNTAX, refusal);
        return;
    }
    if (head->status == 101) {
        tg_http_call_fail(call, tg_fail(TG_ERR_UNSUPPORTED), "the origin switches protocols unasked");
        return;
    }
    if (head->status < 200) {
        const tg_http_client_limits *limits = &call->client->limits;
        const tg_http_head_limits head_limits = {.head_bytes = limits->head_bytes, .num_fields = limits->num_fields};
        skip(call->line, head->len);
        tg_http_head_start(&call->parser, TG_HTTP_RESPONSE_HEAD, &head_limits);
        if (call->num_interim++ == limits->num_interim) {
            tg_http_call_fail(call, tg_fail(TG_ERR_LIMIT), "too many interim answers");
        }
        return;
    }
    tg_result result = keep_headers(call, head, bytes);
    if (!tg_is_ok(result)) {
        tg_http_call_fail(call, result, "no memory for the answer's head");
        return;
    }
    skip(call->line, head->len);
    begin_body(call);
    if (call->state != TG_HTTP_CALL_ENDED && call->handlers.on_head != NULL) {
        call->handlers.on_head(call, &call->answer, call->owner);
    }
}

bool tg_http_call_read_head(tg_http_call *call)
{
    tg_slice unread = tg_http_line_unread(call->line);
    tg_http_head head;
    if (unread.len > 0 && call->outcome.bytes_out == 0) { /* an answer to nothing is an answer to somebody else */
        tg_http_call_fail(call, tg_fail(TG_ERR_SYNTAX), "the origin spoke before it was asked");
        return false;
    }
    tg_result result = tg_http_head_parse(&call->parser, unread, &head);
    if (tg_is_ok(result)) {
        take_head(call, &head, unread);
        return true;
    }
    if (result.code != TG_ERR_AGAIN) {
        refuse(call, result.code, call->parser.refusal);
    } else if (is_over(call->line)) {
        cut_off(call);
    }
    return false;
}

/* A piece of content goes to the owner, or to what is collected. */
static void take_content(tg_http_call *call, tg_slice piece)
{
    call->has_progressed = true;
    if (call->handlers.on_body != NULL) {
        call->handlers.on_body(call, piece, call->owner);
        return;
    }
    tg_result result = tg_buf_append(&call->body, piece);
    if (!tg_is_ok(result)) {
        tg_http_call_fail(call, result, "no memory for the answer's body");
    }
}

static bool read_counted(tg_http_call *call, tg_slice unread)
{
    bool is_to_end = call->framing.body == TG_HTTP_BODY_TO_END;
    if (!is_to_end && call->body_left == 0) {
        done(call);
        return false;
    }
    if (unread.len == 0) {
        if (is_to_end && call->line->is_at_end && !call->line->is_broken) {
            done(call);
        } else if (is_over(call->line)) {
            cut_off(call);
        }
        return false;
    }
    if (is_to_end && unread.len > call->body_left) {
        refuse(call, TG_ERR_LIMIT, TG_HTTP_BODY_TOO_LARGE);
        return false;
    }
    tg_slice piece = tg_slice_first(unread, (size_t)(call->body_left < unread.len ? call->body_left : unread.len));
    call->body_left -= piece.len;
    take_content(call, piece);
    skip(call->line, piece.len);
    return true;
}

static bool read_chunked(tg_http_call *call, tg_slice unread)
{
    tg_slice rest = unread;
    tg_slice piece;
    tg_result result = tg_http_chunked_next(&call->chunked, &rest, &piece);
    if (tg_is_ok(result)) {
        take_content(call, piece);
    }
    if (unread.len > rest.len) {
        skip(call->line, unread.len - rest.len);
    }
    if (result.code == TG_ERR_EOF) {
        done(call);
    } else if (result.code == TG_ERR_AGAIN && is_over(call->line)) {
        cut_off(call);
    } else if (!tg_is_ok(result) && result.code != TG_ERR_AGAIN) {
        refuse(call, result.code, call->chunked.refusal);
    }
    return tg_is_ok(result);
}

bool tg_http_call_read_body(tg_http_call *call)
{
    if (call->is_paused) {
        return false;
    }
    tg_slice unread = tg_http_line_unread(call->line);
    switch (call->framing.body) {
    case TG_HTTP_BODY_CHUNKED:
        return read_chunked(call, unread);
    case TG_HTTP_BODY_LENGTH:
    case TG_HTTP_BODY_TO_END:
        return read_counted(call, unread);
    case TG_HTTP_BODY_NONE:
    default:
        done(call);
        return false;
    }
}
