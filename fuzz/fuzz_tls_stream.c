// room: tls
// What a peer sends before it has proved anything, to our server (first byte even) or our client (odd); the second bit
// asks for client certificates. It comes at once and in steps (second byte): both must end alike, and nobody who knows
// no key gets through.
#include "../tests/support/fake_client.h"
#include "io/peer.h"
#include "tls/hello_guard.h"
#include "tls/stream.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_CLIENT = 1, HAS_ISSUERS = 2, NOW_UNIX_S = 1800000000 };

static const char too_long[] = "tls: client hello too long";

static tg_loop *loop;
static tg_tls_context *contexts[2]; /* of servers */
static tg_tls_context *client;

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void set_up(void)
{
    tg_tls_identity *identity;
    tg_tls_authorities *issuers;
    tg_tls_tickets *tickets;
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    expect(tg_is_ok(tg_loop_new(&loop)));
    expect(tg_is_ok(tg_tls_identity_generate(NULL, 0, NOW_UNIX_S, &identity, NULL)));
    expect(tg_is_ok(tg_tls_identity_append_pem(identity, &pem)));
    expect(tg_is_ok(tg_tls_authorities_parse(tg_buf_slice(&pem), NOW_UNIX_S, &issuers, NULL)));
    expect(tg_is_ok(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &tickets)));
    for (size_t i = 0; i < 2; i++) {
        const tg_tls_server_settings settings = {
            .identity = identity, .client_issuers = i > 0 ? issuers : NULL, .tickets = tickets};
        expect(tg_is_ok(tg_tls_context_new_server(&settings, &contexts[i], NULL)));
    }
    expect(tg_is_ok(tg_tls_context_new_client(&(tg_tls_client_settings){.issuers = issuers}, &client, NULL)));
    tg_tls_tickets_unref(tickets);
    tg_tls_authorities_unref(issuers);
    tg_tls_identity_unref(identity);
    tg_buf_done(&pem);
}

typedef struct ending {
    tg_code code;
    char fault[160];
} ending;

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)events;
    ending *end = owner;
    uint8_t bytes[64];
    size_t len = 0;
    tg_result result = tg_stream_read(stream, bytes, sizeof bytes, &len);
    expect(!tg_is_ok(result) && tg_stream_peer(stream)->tls == NULL);
    if (result.code != TG_ERR_AGAIN) {
        end->code = result.code;
        tg_stream_watch(stream, 0);
    }
}

static ending talk(unsigned how, tg_slice bytes, size_t step)
{
    ending end = {TG_OK, ""};
    tg_stream *stream = NULL;
    fake_client *peer = fake_client_new();
    if ((how & IS_CLIENT) != 0) {
        const tg_tls_target target = {.name = TG_LIT("localhost")};
        expect(tg_is_ok(tg_tls_connect(client, &peer->stream, loop, &target, &stream)));
    } else {
        expect(tg_is_ok(tg_tls_accept(contexts[(how & HAS_ISSUERS) != 0], &peer->stream, loop, &stream)));
    }
    tg_stream_own(stream, on_ready, &end);
    tg_stream_watch(stream, TG_STREAM_READ);
    expect(tg_is_ok(tg_buf_append(&peer->in, bytes)));
    peer->step = step;
    peer->is_at_end = true;
    for (size_t turns = 0; end.code == TG_OK; turns++) {
        expect(turns < 2 * bytes.len + 100);
        (void)fake_client_turn(peer);
        tg_loop_turn(loop);
    }
    expect(end.code == TG_ERR_CLOSED && peer->is_shut);
    (void)snprintf(end.fault, sizeof end.fault, "%s", tg_stream_fault(stream));
    tg_stream_close(stream);
    expect(peer->is_closed);
    fake_client_free(peer);
    return end;
}

static void check_guard(tg_slice bytes, size_t step)
{
    tg_tls_hello_guard once = {0};
    tg_tls_hello_guard in_steps = {0};
    tg_result whole = tg_tls_hello_guard_take(&once, bytes, 300);
    tg_result part = tg_ok();
    for (tg_slice rest = bytes; rest.len > 0 && tg_is_ok(part); rest = tg_slice_from(rest, step)) {
        part = tg_tls_hello_guard_take(&in_steps, tg_slice_first(rest, step), 300);
    }
    expect(whole.code == part.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (loop == NULL) {
        set_up();
    }
    tg_slice bytes = tg_slice_of(data + 2, size - 2);
    size_t step = data[1] % 64 + 1u;
    check_guard(bytes, step);
    ending whole = talk(data[0], bytes, 0);
    ending in_steps = talk(data[0], bytes, step);
    /* The guard looks at all that has come, OpenSSL at a record: with two faults, either may be the first. */
    expect(strcmp(whole.fault, in_steps.fault) == 0 || strcmp(whole.fault, too_long) == 0 ||
           strcmp(in_steps.fault, too_long) == 0);
    return 0;
}
