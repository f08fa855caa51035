/* A client on a real loop, and origins in memory that the test plays. */
#ifndef TG_TESTS_HTTP_CLIENT_CASE_H
#define TG_TESTS_HTTP_CLIENT_CASE_H

#include "support/case.h"

#include "http/client.h"
#include "support/fake_client.h"
#include "sys/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_ORIGINS = 16 };

struct tg_http_attempt {
    tg_tick tick;
    tg_http_connected_fn *done;
    void *owner;
};

typedef struct client_case {
    tg_http_connector connector; /* first */
    tg_loop *loop;
    tg_http_client *client;
    tg_http_attempt attempt; /* one at a time */
    bool is_connecting;
    bool never_connects;
    tg_code refuses_at_once;
    tg_code connect_code; /* of the attempts */
    const char *connect_reason;
    tg_http_stage connect_stage;
    size_t step; /* of origins made from now on */
    size_t window;
    tg_slice greeting; /* they say this unasked */
    fake_client *origins[MAX_ORIGINS];
    size_t num_origins;
    unsigned num_cancels;

    /* what the last call saw */
    unsigned num_heads;
    unsigned num_done;
    unsigned num_rooms;
    tg_code code;
    tg_http_stage stage;
    tg_http_refusal refusal;
    unsigned status;
    bool may_be_processed;
    bool is_reused;
    uint64_t bytes_out;
    char text[TG_HTTP_OUTCOME_TEXT_BYTES];
    char header[64]; /* X-Test */
    tg_buf body;
    bool pauses;
    bool cancels_at_head;
    bool cancels_at_body;
    bool cancels_at_done;
    bool asks_again; /* from on_done */
} client_case;

static client_case the_case;

static inline void on_attempt(tg_tick *tick)
{
    (void)tick;
    tg_http_connected connected = {
        .result = tg_fail(the_case.connect_code), .stage = the_case.connect_stage, .reason = the_case.connect_reason};
    tg_stream *stream = NULL;
    the_case.is_connecting = false;
    if (the_case.connect_code == TG_OK) {
        assert_true(the_case.num_origins < MAX_ORIGINS);
        fake_client *origin = fake_client_new();
        origin->step = the_case.step;
        origin->window = the_case.window;
        assert_ok(tg_buf_append(&origin->in, the_case.greeting));
        the_case.origins[the_case.num_origins++] = origin;
        stream = &origin->stream;
    }
    the_case.attempt.done(stream, &connected, the_case.attempt.owner);
}

static inline tg_result case_connect(tg_http_connector *connector, tg_loop *loop, tg_http_connected_fn *done,
                                     void *owner, tg_http_attempt **out_attempt)
{
    client_case *at = (client_case *)(void *)connector;
    if (at->refuses_at_once != TG_OK) {
        return tg_fail(at->refuses_at_once);
    }
    assert_false(at->is_connecting);
    at->attempt = (tg_http_attempt){.tick = {.run = on_attempt}, .done = done, .owner = owner};
    at->is_connecting = true;
    if (!at->never_connects) {
        tg_loop_tick(loop, &at->attempt.tick);
    }
    *out_attempt = &at->attempt;
    return tg_ok();
}

static inline void case_cancel(tg_http_connector *connector, tg_http_attempt *attempt)
{
    client_case *at = (client_case *)(void *)connector;
    assert_ptr_equal(attempt, &at->attempt);
    assert_true(at->is_connecting);
    tg_tick_cancel(&attempt->tick);
    at->is_connecting = false;
    at->num_cancels++;
}

static inline void case_on_head(tg_http_call *call, const tg_http_answer *answer, void *owner)
{
    client_case *at = owner;
    at->num_heads++;
    at->status = answer->status;
    if (at->cancels_at_head) {
        tg_http_call_cancel(call);
    }
}

static inline void case_on_body(tg_http_call *call, tg_slice piece, void *owner)
{
    client_case *at = owner;
    if (at->cancels_at_body) {
        tg_http_call_cancel(call);
    }
    assert_ok(tg_buf_append(&at->body, piece));
    if (at->pauses) {
        tg_http_call_pause(call);
    }
}

static inline void case_on_writable(tg_http_call *call, void *owner)
{
    (void)call;
    client_case *at = owner;
    at->num_rooms++;
}

static inline tg_http_call *ask_with(client_case *at, const tg_http_ask *ask);

static inline void case_on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    client_case *at = owner;
    tg_slice value;
    at->num_done++;
    at->code = outcome->result.code;
    at->stage = outcome->stage;
    at->refusal = outcome->refusal;
    at->may_be_processed = outcome->may_be_processed;
    at->is_reused = outcome->is_reused;
    at->bytes_out = outcome->bytes_out;
    at->status = outcome->answer != NULL ? outcome->answer->status : 0;
    tg_http_outcome_format(outcome, at->text);
    if (outcome->answer != NULL) {
        assert_ok(tg_buf_append(&at->body, outcome->answer->body));
        if (tg_http_headers_find(outcome->answer->headers, outcome->answer->num_headers, TG_LIT("X-Test"), &value)) {
            snprintf(at->header, sizeof at->header, "%.*s", (int)value.len, (const char *)value.ptr);
        }
    }
    if (at->cancels_at_done) {
        tg_http_call_cancel(call);
    }
    if (at->asks_again) {
        at->asks_again = false;
        ask_with(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/again")});
    }
}

static const tg_http_call_handlers collecting = {
    .on_head = case_on_head,
    .on_writable = case_on_writable,
    .on_done = case_on_done,
};
static const tg_http_call_handlers streaming = {
    .on_head = case_on_head,
    .on_body = case_on_body,
    .on_writable = case_on_writable,
    .on_done = case_on_done,
};

static inline client_case *open_case(const tg_http_client_limits *limits)
{
    the_case = (client_case){
        .connector = {.connect = case_connect, .cancel = case_cancel}, .connect_reason = "", .window = SIZE_MAX};
    tg_buf_init(&the_case.body, (size_t)1 << 30);
    assert_ok(tg_loop_new(&the_case.loop));
    assert_ok(
        tg_http_client_new(the_case.loop, &the_case.connector, TG_LIT("api.test:8443"), limits, &the_case.client));
    return &the_case;
}

static inline void close_case(client_case *at)
{
    tg_http_client_free(at->client);
    assert_false(at->is_connecting);
    for (size_t i = 0; i < at->num_origins; i++) {
        assert_true(at->origins[i]->is_closed);
        fake_client_free(at->origins[i]);
    }
    tg_buf_done(&at->body);
    tg_loop_free(at->loop);
}

static inline void case_settle(client_case *at)
{
    for (unsigned quiet = 0; quiet < 4;) {
        unsigned before = at->num_done + (unsigned)at->num_origins;
        bool has_moved = false;
        for (size_t i = 0; i < at->num_origins; i++) {
            has_moved = fake_client_turn(at->origins[i]) || has_moved;
        }
        tg_loop_turn(at->loop);
        quiet = has_moved || before != at->num_done + (unsigned)at->num_origins ? 0 : quiet + 1;
    }
}

/* Until a call is done, for deadlines. */
static inline void case_wait(client_case *at)
{
    uint64_t until = tg_clock_monotonic_ms() + 10000;
    for (unsigned before = at->num_done; at->num_done == before && tg_clock_monotonic_ms() < until;) {
        case_settle(at);
        usleep(1000);
    }
}

static inline tg_http_call *ask_by(client_case *at, const tg_http_ask *ask, const tg_http_call_handlers *handlers)
{
    tg_http_call *call = NULL;
    assert_ok(tg_http_call_start(at->client, ask, handlers, at, &call));
    assert_non_null(call);
    return call;
}

static inline tg_http_call *ask_with(client_case *at, const tg_http_ask *ask)
{
    return ask_by(at, ask, &collecting);
}

static inline tg_http_call *get(client_case *at)
{
    tg_buf_clear(&at->body);
    tg_http_call *call = ask_with(at, &(tg_http_ask){.method = TG_LIT("GET"), .target = TG_LIT("/")});
    case_settle(at);
    return call;
}

static inline void say(client_case *at, size_t origin, tg_slice bytes)
{
    assert_true(origin < at->num_origins);
    assert_ok(tg_buf_append(&at->origins[origin]->in, bytes));
    case_settle(at);
}

/* The origin's last word. */
static inline void say_last(client_case *at, size_t origin, tg_slice bytes)
{
    at->origins[origin]->is_at_end = true;
    say(at, origin, bytes);
}

static inline tg_slice heard(const client_case *at, size_t origin)
{
    assert_true(origin < at->num_origins);
    return tg_buf_slice(&at->origins[origin]->out);
}

#endif
