// room: enclave
// A connection's first bytes, written at once and in steps (first byte): it is given on where hello/ reads a header of
// it and its return port, with not a byte behind the header read, and refused otherwise.
#include "enclave/prefaces.h"
#include "hello/proxy_header.h"
#include "hello/return_port.h"
#include "io/peer.h"
#include "io/socket.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 8192, MAX_TURNS = 100000 };

static tg_loop *loop;
static tg_stream *given;
static unsigned num_refused;

static void expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void on_ready(tg_stream *stream, void *owner)
{
    (void)owner;
    given = stream;
}

static void on_refused(const tg_stream *stream, const char *reason, void *owner)
{
    (void)owner;
    expect(stream != NULL && reason[0] != 0);
    num_refused++;
}

static void check(tg_slice bytes)
{
    tg_proxy_header header;
    tg_return_port port = {.port = 0};
    tg_slice value;
    size_t len = 0;
    bool is_good = tg_is_ok(tg_proxy_header_read(bytes, &header, &len));
    if (is_good && tg_proxy_header_tlv(&header, TG_PROXY_TLV_RETURN_PORT, &value)) {
        is_good = tg_is_ok(tg_return_port_read(value, &port));
    }
    expect((given != NULL) == is_good && num_refused == (is_good ? 0 : 1));
    if (!is_good) {
        return;
    }
    expect(tg_stream_peer(given)->return_port == port.port);
    uint8_t byte;
    size_t got;
    tg_result next = tg_stream_read(given, &byte, 1, &got);
    expect(len < bytes.len ? tg_is_ok(next) && byte == bytes.ptr[len] : next.code == TG_ERR_EOF);
    tg_stream_close(TG_TAKE(given));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tg_prefaces_calls calls = {.ready = on_ready, .refused = on_refused};
    static const tg_peer peer = {.kind = TG_ADDRESS_UNIX};
    const tg_prefaces_options options = {.timeout_ms = 60000, .max = 4};
    tg_prefaces *prefaces;
    tg_stream *stream;
    int ends[2];
    if (size < 1 || size > MAX_BYTES) {
        return 0;
    }
    if (loop == NULL) {
        expect(tg_is_ok(tg_loop_new(&loop)));
    }
    size_t step = data[0] == 0 ? size : data[0];
    tg_slice bytes = tg_slice_of(data + 1, size - 1);
    num_refused = 0;
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    expect(tg_is_ok(tg_socket_open(loop, ends[0], &peer, &stream)));
    expect(tg_is_ok(tg_prefaces_new(loop, &options, &calls, NULL, &prefaces)));
    tg_prefaces_take(prefaces, stream);
    for (size_t at = 0; at < bytes.len; at += step) {
        tg_slice piece = tg_slice_first(tg_slice_from(bytes, at), bytes.len - at < step ? bytes.len - at : step);
        (void)!send(ends[1], piece.ptr, piece.len, MSG_NOSIGNAL); /* refused already, perhaps */
        tg_loop_turn(loop);
    }
    shutdown(ends[1], SHUT_WR);
    for (unsigned turns = 0; given == NULL && num_refused == 0; turns++) {
        expect(turns < MAX_TURNS);
        tg_loop_turn(loop);
    }
    check(bytes);
    tg_prefaces_free(prefaces);
    close(ends[1]);
    return 0;
}
