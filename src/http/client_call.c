#include "http/client_ask.h"
#include "http/client_engine.h"

#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ASK_HEAD_BYTES = 65536, MAX_ARENA_BYTES = 2 * TG_HTTP_MAX_HEAD_BYTES };

#define EDGE(state) (1u << (state))

static const unsigned edges[TG_HTTP_NUM_CALL_STATES] = {
    [TG_HTTP_CALL_WAITS] = EDGE(TG_HTTP_CALL_CONNECTS) | EDGE(TG_HTTP_CALL_READS_HEAD) | EDGE(TG_HTTP_CALL_ENDED),
    [TG_HTTP_CALL_CONNECTS] = EDGE(TG_HTTP_CALL_READS_HEAD) | EDGE(TG_HTTP_CALL_ENDED),
    [TG_HTTP_CALL_READS_HEAD] = EDGE(TG_HTTP_CALL_READS_BODY) | EDGE(TG_HTTP_CALL_WAITS) | EDGE(TG_HTTP_CALL_ENDED),
    [TG_HTTP_CALL_READS_BODY] = EDGE(TG_HTTP_CALL_ENDED),
};

void tg_http_call_go(tg_http_call *call, tg_http_call_state next)
{
    bool is_edge = (edges[call->state] & EDGE(next)) != 0;
    call->state = is_edge ? next : TG_HTTP_CALL_ENDED;
}

static tg_slice unsent(const tg_http_call *call)
{
    return tg_slice_from(tg_buf_slice(&call->out), call->out_at);
}

tg_http_stage tg_http_call_stage(const tg_http_call *call)
{
    switch (call->state) {
    case TG_HTTP_CALL_CONNECTS:
        return TG_HTTP_STAGE_DIAL;
    case TG_HTTP_CALL_READS_HEAD:
        return !call->is_ask_whole || unsent(call).len > 0 || call->line->is_write_broken ? TG_HTTP_STAGE_SEND
                                                                                          : TG_HTTP_STAGE_HEAD;
    case TG_HTTP_CALL_READS_BODY:
        return TG_HTTP_STAGE_BODY;
    case TG_HTTP_CALL_ENDED:
        return call->outcome.stage;
    case TG_HTTP_CALL_WAITS:
    case TG_HTTP_NUM_CALL_STATES:
    default:
        return TG_HTTP_STAGE_QUEUE;
    }
}

void tg_http_call_fail(tg_http_call *call, tg_result result, const char *format, ...)
{
    if (call->state == TG_HTTP_CALL_ENDED) {
        return;
    }
    call->outcome.stage = tg_http_call_stage(call);
    call->outcome.result = result;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(call->reason, sizeof call->reason, format, args);
    va_end(args);
    tg_http_call_go(call, TG_HTTP_CALL_ENDED);
}

/* Nothing may be left on either side: what comes later could be taken for the next answer. */
static bool may_line_be_used_again(const tg_http_call *call)
{
    const tg_http_line *line = call->line;
    return tg_is_ok(call->outcome.result) && call->framing.keeps_alive && call->is_ask_whole && unsent(call).len == 0 &&
           !line->is_write_broken && !line->is_at_end && !line->is_broken && tg_http_line_unread(line).len == 0;
}

void tg_http_call_over(tg_http_call *call)
{
    tg_http_client *client = call->client;
    tg_http_client_let_go(client, call);
    tg_tick_cancel(&call->tick);
    tg_deadline_disarm(&call->deadline);
    if (call->attempt != NULL) {
        client->connector->cancel(client->connector, TG_TAKE(call->attempt));
        client->counts.num_connections--;
        tg_http_client_wake(client);
    }
    if (call->line != NULL) {
        bool may_be_used = may_line_be_used_again(call);
        tg_http_line *line = TG_TAKE(call->line);
        if (may_be_used) {
            tg_http_line_put(line);
        } else {
            tg_http_line_drop(line);
        }
    }
    if (!call->is_cancelled) {
        call->answer.body = tg_buf_slice(&call->body);
        call->outcome.reason = call->reason;
        call->outcome.answer = call->has_answer ? &call->answer : NULL;
        call->outcome.may_be_processed = call->is_head_sent;
        call->handlers.on_done(call, &call->outcome, call->owner);
    }
    tg_buf_done(&call->out);
    tg_buf_done(&call->body);
    tg_arena_done(&call->arena);
    free(call);
}

static void arm(tg_http_call *call)
{
    uint64_t at_ms = call->whole_at_ms;
    if (call->phase_at_ms != 0 && (at_ms == 0 || call->phase_at_ms < at_ms)) {
        at_ms = call->phase_at_ms;
    }
    if (at_ms == 0) {
        tg_deadline_disarm(&call->deadline);
    } else if (call->deadline.at_ms != at_ms) {
        tg_deadline_arm(call->client->loop, &call->deadline, at_ms);
    }
}

void tg_http_call_time(tg_http_call *call)
{
    tg_http_stage stage = tg_http_call_stage(call);
    uint64_t wait_ms = 0;
    if (stage == TG_HTTP_STAGE_SEND && (unsent(call).len > 0 || call->line->is_write_broken)) {
        wait_ms = call->deadlines.send_ms;
    } else if (stage == TG_HTTP_STAGE_HEAD) {
        wait_ms = call->deadlines.head_ms;
    } else if (stage == TG_HTTP_STAGE_BODY && !call->is_paused) {
        wait_ms = call->deadlines.body_ms;
    }
    if (wait_ms == 0) {
        call->phase_at_ms = 0;
    } else if (call->timed != stage || call->has_progressed || call->phase_at_ms == 0) {
        call->phase_at_ms = tg_loop_now_ms(call->client->loop) + wait_ms;
    }
    call->has_progressed = false;
    call->timed = stage;
    arm(call);
}

static void on_deadline(tg_deadline *deadline)
{
    tg_http_call *call = TG_OBJECT_OF(deadline, tg_http_call, deadline);
    uint64_t now_ms = tg_loop_now_ms(call->client->loop);
    if (call->whole_at_ms != 0 && now_ms >= call->whole_at_ms) {
        tg_http_call_fail(call, tg_fail(TG_ERR_TIMEOUT), "not done within %llu ms",
                          (unsigned long long)call->deadlines.whole_ms);
    } else if (call->timed == TG_HTTP_STAGE_HEAD) {
        tg_http_call_fail(call, tg_fail(TG_ERR_TIMEOUT), "no answer within %llu ms",
                          (unsigned long long)call->deadlines.head_ms);
    } else {
        tg_http_call_fail(call, tg_fail(TG_ERR_TIMEOUT), "no byte within %llu ms",
                          (unsigned long long)(call->timed == TG_HTTP_STAGE_SEND ? call->deadlines.send_ms
                                                                                 : call->deadlines.body_ms));
    }
    tg_http_call_over(call);
}

/* Nothing of it reached the origin: it goes once more, over a connection made for it. */
static bool try_anew(tg_http_call *call)
{
    if (call->line->num_calls < 2 || call->is_head_sent || call->outcome.bytes_in > 0 || call->wants_fresh) {
        return false;
    }
    tg_http_client *client = call->client;
    tg_http_line *line = TG_TAKE(call->line);
    line->call = NULL;
    line->is_broken = true;
    tg_http_line_drop(line);
    client->counts.num_stale++;
    client->counts.num_retried++;
    call->wants_fresh = true;
    call->out_at = 0;
    call->outcome.bytes_out = 0;
    call->outcome.is_reused = false;
    tg_http_call_go(call, TG_HTTP_CALL_WAITS);
    tg_http_client_let_wait(client, call, true); /* in front of the others: it has waited already */
    return true;
}

static void count_sent(tg_http_call *call, size_t len)
{
    call->outcome.bytes_out += len;
    call->has_progressed = true;
    call->out_at += len;
    call->is_head_sent = call->is_head_sent || call->out_at >= call->head_len;
    if (call->is_head_sent) {
        tg_buf_consume(&call->out, call->out_at);
        call->out_at = 0;
    }
}

/* A refused write is not the end: an origin may answer and stop reading. What it said is then there to be read. */
static void send_ask(tg_http_call *call)
{
    tg_http_line *line = call->line;
    while (!line->is_write_broken && unsent(call).len > 0) {
        size_t len = 0;
        tg_result result = tg_stream_write(line->stream, unsent(call), &len);
        if (result.code == TG_ERR_AGAIN) {
            return;
        }
        if (tg_is_ok(result)) {
            count_sent(call, len);
        } else if (try_anew(call)) {
            return;
        } else {
            line->is_write_broken = true;
            tg_buf_clear(&call->out);
            call->out_at = 0;
        }
    }
    if (call->wants_room) {
        call->wants_room = false;
        if (call->handlers.on_writable != NULL) {
            call->handlers.on_writable(call, call->owner);
        }
    }
}

static void watch(const tg_http_call *call)
{
    const tg_http_line *line = call->line;
    bool is_full = line->block != NULL && line->at == 0 && tg_http_block_room(line->block) == 0;
    bool reads = !line->is_at_end && !line->is_broken && !is_full &&
                 !(call->is_paused && call->state == TG_HTTP_CALL_READS_BODY);
    bool writes = unsent(call).len > 0 && !line->is_write_broken;
    tg_stream_watch(line->stream, (reads ? TG_STREAM_READ : 0u) | (writes ? TG_STREAM_WRITE : 0u));
}

static bool is_exchanging(const tg_http_call *call)
{
    return call->state == TG_HTTP_CALL_READS_HEAD || call->state == TG_HTTP_CALL_READS_BODY;
}

void tg_http_call_run(tg_http_call *call)
{
    call->is_running = true;
    tg_tick_cancel(&call->tick);
    if (is_exchanging(call)) {
        send_ask(call);
    }
    bool goes_on = true;
    while (goes_on && is_exchanging(call)) {
        goes_on = call->state == TG_HTTP_CALL_READS_HEAD ? tg_http_call_read_head(call) : tg_http_call_read_body(call);
    }
    if (is_exchanging(call) && unsent(call).len > 0 && !call->line->is_write_broken) {
        send_ask(call); /* what handlers have written */
    }
    call->is_running = false;
    if (call->state == TG_HTTP_CALL_ENDED) {
        tg_http_call_over(call);
        return;
    }
    if (is_exchanging(call)) {
        watch(call);
    }
    tg_http_call_time(call);
}

void tg_http_call_begin(tg_http_call *call, tg_http_line *line)
{
    const tg_http_client_limits *limits = &call->client->limits;
    const tg_http_head_limits head_limits = {.head_bytes = limits->head_bytes, .num_fields = limits->num_fields};
    tg_http_head_start(&call->parser, TG_HTTP_RESPONSE_HEAD, &head_limits);
    call->line = line;
    line->call = call;
    call->outcome.is_reused = line->num_calls++ > 0;
    tg_http_call_go(call, TG_HTTP_CALL_READS_HEAD);
    tg_http_call_run(call);
}

static void on_tick(tg_tick *tick)
{
    tg_http_call_run(TG_OBJECT_OF(tick, tg_http_call, tick));
}

static void ask_for_run(tg_http_call *call)
{
    if (!call->is_running && is_exchanging(call)) {
        tg_loop_tick(call->client->loop, &call->tick);
    }
}

static tg_result fill_in(tg_http_call *call, const tg_http_ask *ask)
{
    const tg_http_client *client = call->client;
    TG_TRY(
        tg_http_ask_append(&call->out, ask, tg_slice_of(client->authority, client->authority_len), &call->is_chunked));
    call->head_len = tg_buf_len(&call->out);
    if (!ask->is_streamed) {
        return tg_buf_append(&call->out, ask->body);
    }
    return tg_ok();
}

tg_result tg_http_call_start(tg_http_client *client, const tg_http_ask *ask, const tg_http_call_handlers *handlers,
                             void *owner, tg_http_call **out_call)
{
    const tg_http_client_limits *limits = &client->limits;
    if (client->counts.num_waiting >= limits->num_waiting || client->is_ending ||
        (!ask->is_streamed && ask->body.len > limits->ask_body_bytes)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_http_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    call->client = client;
    call->outcome.result = tg_fail(TG_ERR_LIBRARY); /* until something says how it ends */
    call->handlers = *handlers;
    call->owner = owner;
    call->tick.run = on_tick;
    call->deadline.run = on_deadline;
    call->deadlines = ask->deadlines != NULL ? *ask->deadlines : limits->deadlines;
    call->is_streamed = ask->is_streamed;
    call->is_ask_whole = !ask->is_streamed;
    call->ask_left = ask->body_length;
    call->is_head_method = tg_slice_equal(ask->method, TG_LIT("HEAD"));
    call->body_max = ask->max_answer_bytes != 0 ? ask->max_answer_bytes : limits->body_bytes;
    tg_buf_init_wiped(&call->out, SIZE_MAX / 2);
    tg_buf_init_wiped(&call->body, (size_t)(call->body_max < SIZE_MAX / 2 ? call->body_max : SIZE_MAX / 2));
    tg_arena_init(&call->arena, MAX_ARENA_BYTES, true);
    tg_result result = fill_in(call, ask);
    if (tg_is_ok(result) && call->head_len > MAX_ASK_HEAD_BYTES) {
        result = tg_fail(TG_ERR_LIMIT);
    }
    if (!tg_is_ok(result)) {
        tg_buf_done(&call->out);
        free(call);
        return result;
    }
    if (call->deadlines.whole_ms != 0) {
        call->whole_at_ms = tg_loop_now_ms(client->loop) + call->deadlines.whole_ms;
    }
    client->counts.num_calls++;
    tg_http_client_let_wait(client, call, false);
    tg_http_call_time(call);
    if (out_call != NULL) {
        *out_call = call;
    }
    return tg_ok();
}

void tg_http_call_cancel(tg_http_call *call)
{
    if (call == NULL || call->state == TG_HTTP_CALL_ENDED) {
        return;
    }
    call->is_cancelled = true;
    tg_http_call_fail(call, tg_fail(TG_ERR_CANCELLED), "given up");
    if (!call->is_running) {
        tg_http_call_over(call);
    }
}

void tg_http_call_pause(tg_http_call *call)
{
    call->is_paused = true;
}

void tg_http_call_resume(tg_http_call *call)
{
    call->has_progressed = call->has_progressed || call->is_paused;
    call->is_paused = false;
    ask_for_run(call);
}

tg_result tg_http_call_write(tg_http_call *call, tg_slice piece)
{
    size_t queued =
        unsent(call).len - (call->is_head_sent ? 0 : tg_size_min(call->head_len - call->out_at, unsent(call).len));
    if (call->is_ask_whole || (!call->is_chunked && piece.len > call->ask_left)) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (piece.len == 0 || (call->line != NULL && call->line->is_write_broken)) { /* nobody takes it any more */
        call->ask_left -= call->is_chunked ? 0 : piece.len;
        return tg_ok();
    }
    if (queued > 0 &&
        (queued >= call->client->limits.queue_bytes || piece.len > call->client->limits.queue_bytes - queued)) {
        call->wants_room = true;
        return tg_fail(TG_ERR_AGAIN);
    }
    TG_TRY(call->is_chunked ? tg_http_chunk_append(&call->out, piece) : tg_buf_append(&call->out, piece));
    if (!call->is_chunked) {
        call->ask_left -= piece.len;
    }
    ask_for_run(call);
    return tg_ok();
}

tg_result tg_http_call_end(tg_http_call *call)
{
    if (call->is_ask_whole || (!call->is_chunked && call->ask_left > 0)) {
        return tg_fail(TG_ERR_RANGE);
    }
    if (call->is_chunked && !(call->line != NULL && call->line->is_write_broken)) {
        TG_TRY(tg_http_chunk_append(&call->out, (tg_slice){NULL, 0}));
    }
    call->is_ask_whole = true;
    ask_for_run(call);
    return tg_ok();
}

void tg_http_call_take_body(tg_http_call *call, tg_buf *out_body)
{
    *out_body = call->body;
    tg_buf_init_wiped(&call->body, 0);
}

const char *tg_http_outcome_format(const tg_http_outcome *outcome, char out[TG_HTTP_OUTCOME_TEXT_BYTES])
{
    bool has_reason = outcome->reason != NULL && outcome->reason[0] != 0;
    (void)snprintf(out, TG_HTTP_OUTCOME_TEXT_BYTES, "%s%s%s", tg_http_stage_name(outcome->stage),
                   has_reason ? ": " : "", has_reason ? outcome->reason : "");
    return out;
}
