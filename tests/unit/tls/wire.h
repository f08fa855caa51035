/* A TLS stream on a wire in memory, and at the wire's other end a peer that is OpenSSL alone. The test decides how many
 * bytes pass at once. Included by one test program at a time. */
#ifndef TG_TESTS_UNIT_TLS_WIRE_H
#define TG_TESTS_UNIT_TLS_WIRE_H

#include "base/num.h"
#include "io/loop.h"
#include "io/peer.h"
#include "io/stream.h"
#include "unit/tls/issuer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* A case that runs a second time, with a set-up for TLS 1.2. */
#define TEST_12(test, set_up, tear_down) ((struct CMUnitTest){#test " (TLS 1.2)", test, set_up, tear_down, NULL})

typedef struct test_wire {
    tg_stream face; /* what the TLS stream stands on */
    tg_peer peer;
    tg_buf in;     /* on its way to the stream */
    tg_buf out;    /* written by the stream */
    size_t step;   /* bytes that one read gives at most; 0: all */
    size_t window; /* bytes that the stream may still write; SIZE_MAX: any */
    bool is_at_end;
    bool is_broken; /* reads, once `in` is empty, and writes fail */
    bool is_write_broken;
    bool is_shut; /* by the stream */
    bool is_closed;
    unsigned watched;
    unsigned num_reads;
    unsigned num_writes;
} test_wire;

static inline test_wire *test_wire_of(const tg_stream *stream)
{
    return TG_OBJECT_OF(stream, test_wire, face);
}

static inline tg_result test_wire_read(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len)
{
    test_wire *wire = test_wire_of(stream);
    size_t len = tg_size_min(tg_buf_len(&wire->in), cap);
    len = wire->step > 0 ? tg_size_min(len, wire->step) : len;
    if (len == 0) {
        return tg_fail(wire->is_broken ? TG_ERR_CLOSED : wire->is_at_end ? TG_ERR_EOF : TG_ERR_AGAIN);
    }
    wire->num_reads++;
    memcpy(out, tg_buf_slice(&wire->in).ptr, len);
    tg_buf_consume(&wire->in, len);
    *out_len = len;
    return tg_ok();
}

static inline tg_result test_wire_write(tg_stream *stream, tg_slice bytes, size_t *out_len)
{
    test_wire *wire = test_wire_of(stream);
    size_t len = tg_size_min(bytes.len, wire->window);
    if (wire->is_broken || wire->is_write_broken || wire->is_shut) {
        return tg_fail(TG_ERR_CLOSED);
    }
    if (len == 0) {
        return tg_fail(TG_ERR_AGAIN);
    }
    wire->num_writes++;
    assert_ok(tg_buf_append(&wire->out, tg_slice_first(bytes, len)));
    wire->window -= wire->window == SIZE_MAX ? 0 : len;
    *out_len = len;
    return tg_ok();
}

static inline tg_result test_wire_shutdown(tg_stream *stream)
{
    test_wire_of(stream)->is_shut = true;
    return tg_ok();
}

static inline void test_wire_watch(tg_stream *stream, unsigned events)
{
    test_wire_of(stream)->watched = events;
}

static inline void test_wire_close(tg_stream *stream)
{
    test_wire_of(stream)->is_closed = true;
}

static inline int test_wire_raw_fd(const tg_stream *stream)
{
    (void)stream;
    return 77;
}

static inline const tg_peer *test_wire_peer(const tg_stream *stream)
{
    return &test_wire_of(stream)->peer;
}

static const tg_stream_ops test_wire_ops = {
    .read = test_wire_read,
    .write = test_wire_write,
    .shutdown = test_wire_shutdown,
    .watch = test_wire_watch,
    .close = test_wire_close,
    .raw_fd = test_wire_raw_fd,
    .peer = test_wire_peer,
};

static inline void test_wire_init(test_wire *wire)
{
    *wire = (test_wire){
        .face.ops = &test_wire_ops,
        .peer = {.kind = TG_ADDRESS_VSOCK, .has_cid = true, .cid = 16, .port = 5},
        .window = SIZE_MAX,
    };
    tg_buf_init(&wire->in, (size_t)64 << 20);
    tg_buf_init(&wire->out, (size_t)64 << 20);
}

static inline void test_wire_done(test_wire *wire)
{
    tg_buf_done(&wire->in);
    tg_buf_done(&wire->out);
}

/* What holds below and is watched is told, once. */
static inline bool test_wire_tell(test_wire *wire)
{
    bool is_over = wire->is_at_end || wire->is_broken;
    unsigned ready = tg_buf_len(&wire->in) > 0 || is_over ? TG_STREAM_READ : 0;
    ready |= wire->window > 0 || is_over || wire->is_write_broken ? TG_STREAM_WRITE : 0;
    unsigned events = ready & wire->watched;
    if (events == 0 || wire->is_closed) {
        return false;
    }
    wire->face.ready(&wire->face, events, wire->face.owner);
    return true;
}

/* OpenSSL at the other end, between two memory BIOs. */
typedef struct test_far {
    SSL *ssl;
    BIO *in;  /* to it */
    BIO *out; /* from it */
} test_far;

static inline test_far test_far_new(SSL_CTX *context, bool is_server)
{
    test_far far = {SSL_new(context), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    assert_non_null(far.ssl);
    SSL_set_bio(far.ssl, far.in, far.out);
    if (is_server) {
        SSL_set_accept_state(far.ssl);
    } else {
        SSL_set_connect_state(far.ssl);
    }
    return far;
}

/* OpenSSL's macro for it drops a const. */
static inline void test_far_ask_for(test_far *far, const char *server_name)
{
    assert_int_equal(
        SSL_ctrl(far->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)server_name), 1);
}

static inline void test_far_free(test_far *far)
{
    if (far->ssl != NULL) {
        SSL_set_shutdown(far->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or its session is no good any more */
    }
    SSL_free(far->ssl);
    *far = (test_far){NULL, NULL, NULL};
}

/* Carries what waits to the other side, in both directions; says whether anything did. */
static inline bool test_carry(test_wire *wire, test_far *far)
{
    char *bytes;
    long len = BIO_get_mem_data(far->out, &bytes);
    bool is_any = false;
    if (len > 0) {
        assert_ok(tg_buf_append(&wire->in, tg_slice_of(bytes, (size_t)len)));
        (void)BIO_reset(far->out);
        is_any = true;
    }
    tg_slice out = tg_buf_slice(&wire->out);
    if (out.len > 0) {
        assert_int_equal(BIO_write(far->in, out.ptr, (int)out.len), (int)out.len);
        tg_buf_clear(&wire->out);
        is_any = true;
    }
    return is_any;
}

/* One turn of the loop: its ticks run. */
static inline void test_turn(tg_loop *loop)
{
    tg_loop_turn(loop);
}

#endif
