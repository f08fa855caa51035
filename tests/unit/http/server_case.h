/* A server on a real loop, a handler whose behaviour the test chooses, and clients in memory. */
#ifndef TG_TESTS_HTTP_SERVER_CASE_H
#define TG_TESTS_HTTP_SERVER_CASE_H

#include "support/case.h"

#include "http/server.h"
#include "io/loop.h"
#include "support/fake_client.h"
#include "sys/clock.h"

#include <stdio.h>
#include <unistd.h>

/* What the handler does. */
typedef enum handler_mode {
    ECHOES,      /* answers with "METHOD path body" when the request is whole */
    AT_HEAD,     /* answers 403 as soon as the head is known */
    LATER,       /* keeps the request in `kept` */
    STREAMS_IN,  /* takes the body in pieces, then answers with its length */
    PAUSES,      /* takes the body in pieces and pauses at each */
    STREAMS_OUT, /* begins an answer of `answer_len` bytes and writes it as there is room */
    BIG,         /* answers with `answer_len` bytes at once */
    SMALL_LIMIT, /* sets a body limit of 5, then ECHOES */
    IN_BODY,     /* streams, and answers 403 at the first piece */
    EARLY        /* answers with what comes, while it comes */
} handler_mode;

typedef struct server_case {
    tg_loop *loop;
    tg_http_server *server;
    handler_mode mode;
    tg_http_request *kept;
    size_t answer_len;
    uint64_t answer_length; /* announced, or TG_HTTP_UNKNOWN_LENGTH */
    size_t answer_sent;
    tg_buf body; /* pieces of the streamed body of the last request */
    bool is_body_over;
    unsigned num_heads;
    unsigned num_requests;
    unsigned num_cancels;
    unsigned num_ends;
    unsigned num_aborted;
    unsigned num_rooms;
    unsigned num_drained;
    unsigned last_status;
    tg_http_refusal last_refusal;
    uint64_t last_bytes_in;
    uint64_t last_bytes_out;
    char last_path[64];
    char last_fault[64];
} server_case;

static server_case the_case;

static inline void write_more(server_case *at, tg_http_request *request)
{
    static const uint8_t piece[1000] = {'x'};
    while (at->answer_sent < at->answer_len) {
        size_t len = tg_size_min(sizeof piece, at->answer_len - at->answer_sent);
        tg_result result = tg_http_answer_write(request, tg_slice_of(piece, len));
        if (!tg_is_ok(result)) {
            assert_code(result, TG_ERR_AGAIN);
            return;
        }
        at->answer_sent += len;
    }
    tg_http_answer_end(request);
}

/* Passes on what has come: the body holds what found no room yet. */
static inline void write_early(server_case *at, tg_http_request *request)
{
    tg_http_answer_begin(request, 200, NULL, 0, TG_HTTP_UNKNOWN_LENGTH); /* the first time; then it does nothing */
    if (tg_buf_len(&at->body) > 0) {
        tg_result result = tg_http_answer_write(request, tg_buf_slice(&at->body));
        if (result.code == TG_ERR_AGAIN) {
            tg_http_request_pause(request);
            return;
        }
        assert_ok(result);
        tg_buf_clear(&at->body);
    }
    if (at->is_body_over) {
        tg_http_answer_end(request);
    } else {
        tg_http_request_resume(request);
    }
}

static inline void respond_echo(tg_http_request *request)
{
    const tg_http_header type = TG_HTTP_HEADER("Content-Type", "text/plain");
    tg_buf *body = tg_http_answer_buf(request);
    assert_ok(tg_buf_append(body, request->method_name));
    assert_ok(tg_buf_append_byte(body, ' '));
    assert_ok(tg_buf_append(body, request->path));
    assert_ok(tg_buf_append_byte(body, ' '));
    assert_ok(tg_buf_append(body, request->body));
    tg_http_respond(request, 200, &type, 1, body);
}

static inline void case_on_head(tg_http_request *request, void *context)
{
    server_case *at = context;
    at->num_heads++;
    request->route = "test";
    switch (at->mode) {
    case AT_HEAD:
        tg_http_respond_error(request, 403, NULL, "No.", (tg_slice){NULL, 0});
        break;
    case STREAMS_IN:
    case PAUSES:
    case IN_BODY:
        tg_http_request_stream_body(request);
        break;
    case EARLY:
        at->is_body_over = false;
        tg_http_request_stream_body(request);
        tg_http_request_answer_early(request);
        break;
    case SMALL_LIMIT:
        tg_http_request_limit_body(request, 5);
        break;
    case ECHOES:
    case LATER:
    case STREAMS_OUT:
    case BIG:
    default:
        break;
    }
}

static inline void case_on_body(tg_http_request *request, tg_slice piece, void *context)
{
    server_case *at = context;
    assert_ok(tg_buf_append(&at->body, piece));
    if (at->mode == PAUSES) {
        tg_http_request_pause(request);
        at->kept = request;
    } else if (at->mode == EARLY) {
        write_early(at, request);
    } else if (at->mode == IN_BODY) {
        tg_http_respond_error(request, 403, NULL, "No.", (tg_slice){NULL, 0});
    }
}

static inline void case_on_request(tg_http_request *request, void *context)
{
    server_case *at = context;
    char text[64];
    tg_buf big;
    at->num_requests++;
    switch (at->mode) {
    case LATER:
        at->kept = request;
        break;
    case STREAMS_IN:
    case PAUSES:
        snprintf(text, sizeof text, "%zu", tg_buf_len(&at->body));
        tg_http_respond_text(request, 200, NULL, 0, tg_slice_str(text));
        break;
    case EARLY:
        at->is_body_over = true;
        write_early(at, request);
        break;
    case STREAMS_OUT:
        at->answer_sent = 0;
        tg_http_answer_begin(request, 200, NULL, 0, at->answer_length);
        write_more(at, request);
        break;
    case BIG:
        tg_buf_init(&big, (size_t)1 << 30);
        for (size_t i = 0; i < at->answer_len; i++) {
            assert_ok(tg_buf_append_byte(&big, (uint8_t)('a' + i % 26)));
        }
        tg_http_respond(request, 200, NULL, 0, &big);
        assert_int_equal(tg_buf_len(&big), 0);
        tg_buf_done(&big);
        break;
    case ECHOES:
    case AT_HEAD:
    case SMALL_LIMIT:
    case IN_BODY:
    default:
        respond_echo(request);
        break;
    }
}

static inline void case_on_writable(tg_http_request *request, void *context)
{
    server_case *at = context;
    if (at->mode == EARLY) {
        write_early(at, request);
    } else {
        write_more(at, request);
    }
}

static inline void case_on_cancel(tg_http_request *request, void *context)
{
    server_case *at = context;
    at->num_cancels++;
    at->kept = NULL;
    tg_http_respond_text(request, 200, NULL, 0, TG_LIT("too late")); /* must do nothing */
}

static inline void case_on_end(const tg_http_record *record, void *context)
{
    server_case *at = context;
    at->num_ends++;
    at->num_aborted += record->is_aborted;
    at->last_status = record->status;
    at->last_refusal = record->refusal;
    at->last_bytes_in = record->bytes_in;
    at->last_bytes_out = record->bytes_out;
    snprintf(at->last_path, sizeof at->last_path, "%.*s", (int)record->request->path.len,
             (const char *)record->request->path.ptr);
}

static inline void case_on_room(void *context)
{
    server_case *at = context;
    at->num_rooms++;
}

static inline void case_on_drained(void *context)
{
    server_case *at = context;
    at->num_drained++;
}

static inline void case_on_fault(const tg_stream *stream, const char *fault, void *context)
{
    (void)stream;
    server_case *at = context;
    snprintf(at->last_fault, sizeof at->last_fault, "%s", fault);
}

static const tg_http_handlers case_handlers = {
    .on_head = case_on_head,
    .on_body = case_on_body,
    .on_request = case_on_request,
    .on_writable = case_on_writable,
    .on_cancel = case_on_cancel,
    .on_end = case_on_end,
    .on_fault = case_on_fault,
    .on_room = case_on_room,
    .context = &the_case,
};

static inline server_case *start_with(handler_mode mode, const tg_http_limits *limits, tg_http_budget *budget)
{
    the_case = (server_case){.mode = mode, .answer_length = TG_HTTP_UNKNOWN_LENGTH};
    tg_buf_init(&the_case.body, (size_t)1 << 30);
    assert_ok(tg_loop_new(&the_case.loop));
    assert_ok(tg_http_server_new(the_case.loop, limits, &case_handlers, budget, &the_case.server));
    return &the_case;
}

static inline server_case *start(handler_mode mode)
{
    return start_with(mode, NULL, NULL);
}

static inline void stop(server_case *at)
{
    tg_http_server_free(at->server);
    tg_buf_done(&at->body);
    tg_loop_free(at->loop);
}

static inline fake_client *connect_client(server_case *at)
{
    fake_client *client = fake_client_new();
    assert_ok(tg_http_server_adopt(at->server, &client->stream));
    return client;
}

static inline void case_turn(tg_loop *loop)
{
    tg_loop_turn(loop);
}

/* Readiness and turns of the loop, until nothing moves any more. */
static inline void settle(server_case *at, fake_client *client)
{
    for (unsigned quiet = 0; quiet < 3;) {
        unsigned num_ends = at->num_ends;
        quiet = fake_client_turn(client) ? 0 : quiet + 1;
        case_turn(at->loop);
        quiet = at->num_ends != num_ends ? 0 : quiet;
    }
}

/* Lets real time pass, for deadlines. */
static inline void settle_ms(server_case *at, fake_client *client, uint64_t ms)
{
    uint64_t until = tg_clock_monotonic_ms() + ms;
    do {
        fake_client_turn(client);
        case_turn(at->loop);
        usleep(500);
    } while (tg_clock_monotonic_ms() < until);
}

static inline void give(fake_client *client, tg_slice bytes)
{
    assert_ok(tg_buf_append(&client->in, bytes));
}

/* The answers with their Date lines taken out, for comparison with a literal. */
static inline tg_slice answers(fake_client *client)
{
    static uint8_t text[1 << 20];
    tg_slice out = tg_buf_slice(&client->out);
    size_t len = 0;
    while (out.len > 0) {
        if (tg_slice_starts(out, TG_LIT("Date: ")) && len > 0 && text[len - 1] == '\n') {
            assert_true(out.len >= 37);
            out = tg_slice_from(out, 37);
            continue;
        }
        assert_true(len < sizeof text);
        text[len++] = out.ptr[0];
        out = tg_slice_from(out, 1);
    }
    return tg_slice_of(text, len);
}

static inline bool answer_starts(fake_client *client, const char *text)
{
    return tg_slice_starts(tg_buf_slice(&client->out), tg_slice_str(text));
}

static inline bool answer_ends(fake_client *client, const char *text)
{
    return tg_slice_ends(tg_buf_slice(&client->out), tg_slice_str(text));
}

/* The client goes without a word. */
static inline void leave(server_case *at, fake_client *client)
{
    client->is_broken = true;
    tg_buf_clear(&client->in);
    settle(at, client);
    fake_client_turn(client);
    settle(at, client);
    assert_true(client->is_closed);
    fake_client_free(client);
}

/* Gives all bytes at once and settles. */
static inline fake_client *ask(server_case *at, tg_slice bytes)
{
    fake_client *client = connect_client(at);
    give(client, bytes);
    settle(at, client);
    return client;
}

#endif
