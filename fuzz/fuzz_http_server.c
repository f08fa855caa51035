// room: http io
// A client's whole conversation with the server, at once and in steps (second byte), while the handler behaves as the
// first byte says. The same requests must reach the handler, and nothing may be left behind.
#include "../tests/support/fake_client.h"
#include "http/server.h"
#include "io/loop.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_AT_ONCE = 0, STREAMS_IN = 1, STREAMS_OUT = 2, ANSWERS_AT_HEAD = 4, ANSWERS_LATER = 8 };

typedef struct conversation {
    unsigned behaviour;
    uint64_t hash;     /* of what was asked and how it ended */
    unsigned num_open; /* requests that the handler has */
    tg_http_request *kept;
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

static void on_head(tg_http_request *request, void *context)
{
    conversation *at = context;
    at->num_open++;
    if ((at->behaviour & STREAMS_IN) != 0) {
        tg_http_request_stream_body(request);
    }
    if ((at->behaviour & ANSWERS_AT_HEAD) != 0 && request->method != TG_HTTP_GET) {
        at->num_open--;
        tg_http_respond_error(request, 403, NULL, "No.", (tg_slice){NULL, 0});
    }
}

static void on_body(tg_http_request *request, tg_slice piece, void *context)
{
    (void)request;
    hash_bytes(context, piece);
}

static void answer(conversation *at, tg_http_request *request)
{
    at->num_open--;
    if ((at->behaviour & STREAMS_OUT) != 0) {
        tg_http_answer_begin(request, 200, NULL, 0, TG_HTTP_UNKNOWN_LENGTH);
        expect(tg_is_ok(tg_http_answer_write(request, TG_LIT("answer"))));
        tg_http_answer_end(request);
    } else {
        tg_buf *body = tg_http_answer_buf(request);
        expect(tg_is_ok(tg_buf_append(body, request->body)));
        tg_http_respond(request, 200, NULL, 0, body);
    }
}

static void on_request(tg_http_request *request, void *context)
{
    conversation *at = context;
    hash_bytes(at, request->method_name);
    hash_bytes(at, request->authority);
    hash_bytes(at, request->path);
    hash_bytes(at, request->query);
    hash_bytes(at, request->body);
    for (size_t i = 0; i < request->num_headers; i++) {
        hash_bytes(at, request->headers[i].name);
        hash_bytes(at, request->headers[i].value);
    }
    if ((at->behaviour & ANSWERS_LATER) != 0) {
        expect(at->kept == NULL);
        at->kept = request;
    } else {
        answer(at, request);
    }
}

static void on_cancel(tg_http_request *request, void *context)
{
    conversation *at = context;
    if (at->kept == request) {
        at->kept = NULL;
    }
    at->num_open--;
}

static void on_end(const tg_http_record *record, void *context)
{
    uint8_t class = (uint8_t)(record->status / 100 == 5 ? 4 : record->status / 100);
    hash_bytes(context, tg_slice_of(&class, 1));
}

static uint64_t talk(unsigned behaviour, tg_slice bytes, size_t step)
{
    conversation at = {.behaviour = behaviour, .hash = 14695981039346656037u};
    const tg_http_handlers handlers = {
        .on_head = on_head,
        .on_body = on_body,
        .on_request = on_request,
        .on_cancel = on_cancel,
        .on_end = on_end,
        .context = &at,
    };
    tg_http_budget budget;
    tg_http_limits limits;
    tg_http_server *server;
    fake_client *client = fake_client_new();
    tg_http_budget_init(&budget, 1 << 20);
    tg_http_limits_default(&limits);
    limits.body_bytes = 100000;
    limits.head_bytes = 1024;
    expect(tg_is_ok(tg_http_server_new(loop, &limits, &handlers, &budget, &server)));
    expect(tg_is_ok(tg_buf_append(&client->in, bytes)));
    expect(tg_is_ok(tg_http_server_adopt(server, &client->stream)));
    client->step = step;
    client->is_at_end = true;
    for (unsigned quiet = 0; quiet < 3 && !client->is_closed;) {
        quiet = fake_client_turn(client) ? 0 : quiet + 1;
        if (at.kept != NULL) {
            answer(&at, TG_TAKE(at.kept));
            quiet = 0;
        }
        uint64_t num_handled = tg_http_server_counts(server).num_handled;
        tg_loop_turn(loop);
        quiet = tg_http_server_counts(server).num_handled != num_handled ? 0 : quiet;
    }
    expect(client->is_closed);
    expect(at.num_open == 0 && budget.used == 0);
    expect(tg_http_server_counts(server).num_connections == 0 && tg_http_server_counts(server).num_requests == 0);
    tg_http_server_free(server);
    fake_client_free(client);
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
    uint64_t whole = talk(behaviour, bytes, 0);
    uint64_t in_steps = talk(behaviour, bytes, data[1] % 64 + 1u);
    /* An answer at the head ends the connection or not by how much of the body has come, and pieces of a body that is
     * refused later differ. */
    if ((behaviour & (ANSWERS_AT_HEAD | STREAMS_IN)) == 0) {
        expect(whole == in_steps);
    }
    return 0;
}
