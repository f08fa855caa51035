// room: http io
// What an origin says to one call of the client, at once and in steps (second byte), while the caller behaves as the
// first byte says. The call must end once and the same way, and a connection that is kept must have nothing on it.
#include "../tests/support/fake_client.h"
#include "http/client.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS = 1, ASKS_HEAD = 2, SENDS_BODY = 4, PAUSES = 8 };

struct tg_http_attempt {
    tg_tick tick;
    tg_http_connected_fn *done;
    void *owner;
};

typedef struct conversation {
    tg_http_connector connector; /* first */
    tg_http_attempt attempt;
    fake_client *origin;
    unsigned behaviour;
    uint64_t hash; /* of what was answered and how it ended */
    unsigned num_done;
    bool is_paused;
} conversation;

static tg_loop *loop;

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void hash_bytes(conversation *at, tg_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        at->hash = (at->hash ^ bytes.ptr[i]) * UINT64_C(1099511628211);
    }
}

static void on_attempt(tg_tick *tick)
{
    conversation *at = TG_OBJECT_OF(tick, conversation, attempt.tick);
    const tg_http_connected connected = {.result = tg_ok(), .reason = ""};
    at->attempt.done(&at->origin->stream, &connected, at->attempt.owner);
}

static tg_result begin(tg_http_connector *connector, tg_loop *on, tg_http_connected_fn *done, void *owner,
                       tg_http_attempt **out_attempt)
{
    conversation *at = (conversation *)(void *)connector;
    at->attempt = (tg_http_attempt){.tick = {.run = on_attempt}, .done = done, .owner = owner};
    tg_loop_tick(on, &at->attempt.tick);
    *out_attempt = &at->attempt;
    return tg_ok();
}

static void cancel(tg_http_connector *connector, tg_http_attempt *attempt)
{
    (void)connector;
    tg_tick_cancel(&attempt->tick);
}

static void on_body(tg_http_call *call, tg_slice piece, void *owner)
{
    conversation *at = owner;
    expect(piece.len > 0 && !at->is_paused);
    hash_bytes(at, piece);
    if ((at->behaviour & PAUSES) != 0) {
        at->is_paused = true;
        tg_http_call_pause(call);
    }
}

static void on_done(tg_http_call *call, const tg_http_outcome *outcome, void *owner)
{
    (void)call;
    conversation *at = owner;
    uint8_t code = tg_is_ok(outcome->result); /* which fault of several is met first turns on the steps */
    at->num_done++;
    hash_bytes(at, tg_slice_of(&code, 1));
    if (outcome->answer != NULL) {
        expect(outcome->answer->status >= 200 && outcome->answer->status <= 599);
        hash_bytes(at, outcome->answer->body);
        for (size_t i = 0; i < outcome->answer->num_headers; i++) {
            hash_bytes(at, outcome->answer->headers[i].name);
            hash_bytes(at, outcome->answer->headers[i].value);
        }
    }
    expect(tg_is_ok(outcome->result) == (outcome->stage == TG_HTTP_STAGE_DONE));
    expect(!tg_is_ok(outcome->result) || outcome->answer != NULL);
}

static uint64_t talk(unsigned behaviour, tg_slice bytes, size_t step)
{
    conversation at = {.connector = {begin, cancel}, .behaviour = behaviour, .hash = 14695981039346656037u};
    tg_http_client *client;
    tg_http_call *call;
    tg_http_client_limits limits;
    const tg_http_ask ask = {.method = (behaviour & ASKS_HEAD) != 0    ? TG_LIT("HEAD")
                                       : (behaviour & SENDS_BODY) != 0 ? TG_LIT("POST")
                                                                       : TG_LIT("GET"),
                             .target = TG_LIT("/"),
                             .body = TG_LIT("body")};
    const tg_http_call_handlers handlers = {.on_body = (behaviour & STREAMS) != 0 ? on_body : NULL, .on_done = on_done};
    tg_http_client_limits_default(&limits);
    limits.body_bytes = 100000;
    limits.head_bytes = 1024;
    limits.deadlines = (tg_http_deadlines){0};
    at.origin = fake_client_new();
    expect(tg_is_ok(tg_http_client_new(loop, &at.connector, TG_LIT("h"), &limits, &client)));
    expect(tg_is_ok(tg_http_call_start(client, &ask, &handlers, &at, &call)));
    at.origin->step = step;
    bool has_bytes = false;
    for (unsigned quiet = 0; quiet < 4;) {
        quiet = fake_client_turn(at.origin) ? 0 : quiet + 1;
        tg_loop_turn(loop);
        if (!has_bytes && tg_buf_len(&at.origin->out) > 0) { /* it was asked */
            has_bytes = true;
            expect(tg_is_ok(tg_buf_append(&at.origin->in, bytes)));
            at.origin->is_at_end = true;
        }
        if (at.is_paused && at.num_done == 0) {
            at.is_paused = false;
            tg_http_call_resume(call);
            quiet = 0;
        }
    }
    expect(at.num_done == 1);
    expect(tg_http_client_counts_of(client).num_connections == 0 && at.origin->is_closed); /* its end was seen */
    tg_http_client_free(client);
    fake_client_free(at.origin);
    return at.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (loop == NULL) {
        expect(tg_is_ok(tg_loop_new(&loop)));
    }
    unsigned behaviour = data[0] % 16;
    tg_slice bytes = tg_slice_of(data + 2, size - 2);
    expect(talk(behaviour, bytes, 0) == talk(behaviour, bytes, data[1] % 64 + 1u));
    return 0;
}
