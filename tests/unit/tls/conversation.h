/* Two ends that talk: a TLS stream of ours with an owner that reads all and writes what the test gives it, and OpenSSL
 * at the other end. Included by one test program at a time. */
#ifndef TG_TESTS_UNIT_TLS_CONVERSATION_H
#define TG_TESTS_UNIT_TLS_CONVERSATION_H

#include "tls/stream.h"
#include "unit/tls/wire.h"

typedef struct conversation {
    tg_loop *loop;
    test_wire wire;
    test_far far;
    tg_stream *stream;
    tg_buf got;       /* by our owner */
    tg_buf to_write;  /* by our owner */
    size_t read_cap;  /* of one read; 0: does not read */
    size_t num_calls; /* of the owner */
    tg_code end;      /* of reading; TG_OK before */
    tg_code write_end;
    bool is_inside;  /* a call of the stream runs: no callback may come */
    bool closes;     /* the owner closes the stream when it is called */
    bool is_passive; /* it does nothing but count */
    tg_buf far_got;
    tg_buf far_to_write;
    int far_error; /* SSL_get_error of the other end's first call that ended it; SSL_ERROR_NONE before */
    unsigned long far_reason;
} conversation;

static conversation at;

static inline void conversation_watch(void)
{
    unsigned events = at.end == TG_OK && at.read_cap > 0 ? TG_STREAM_READ : 0;
    events |= tg_buf_len(&at.to_write) > 0 && at.write_end == TG_OK ? TG_STREAM_WRITE : 0;
    at.is_inside = true;
    tg_stream_watch(at.stream, events);
    at.is_inside = false;
}

static inline void conversation_read(void)
{
    uint8_t bytes[32768];
    size_t len = 0;
    at.is_inside = true;
    tg_result result = tg_stream_read(at.stream, bytes, at.read_cap, &len);
    at.is_inside = false;
    if (tg_is_ok(result)) {
        assert_in_range(len, 1, at.read_cap);
        assert_ok(tg_buf_append(&at.got, tg_slice_of(bytes, len)));
    } else if (result.code != TG_ERR_AGAIN) {
        assert_int_equal(len, 0);
        at.end = result.code;
    }
}

static inline void conversation_write(void)
{
    size_t len = 0;
    while (tg_buf_len(&at.to_write) > 0 && at.write_end == TG_OK) {
        at.is_inside = true;
        tg_result result = tg_stream_write(at.stream, tg_buf_slice(&at.to_write), &len);
        at.is_inside = false;
        if (result.code == TG_ERR_AGAIN) {
            break;
        }
        if (!tg_is_ok(result)) {
            at.write_end = result.code;
            break;
        }
        tg_buf_consume(&at.to_write, len);
    }
}

static inline void conversation_on_ready(tg_stream *stream, unsigned events, void *owner)
{
    assert_ptr_equal(owner, &at);
    assert_ptr_equal(stream, at.stream);
    assert_false(at.is_inside);
    at.num_calls++;
    if (at.closes) {
        tg_stream_close(TG_TAKE(at.stream));
        return;
    }
    if (at.is_passive) {
        return;
    }
    if ((events & TG_STREAM_READ) != 0 && at.end == TG_OK && at.read_cap > 0) {
        conversation_read();
    }
    if ((events & TG_STREAM_WRITE) != 0) {
        conversation_write();
    }
    conversation_watch();
}

static inline void conversation_note_far(int answer)
{
    int error = SSL_get_error(at.far.ssl, answer);
    if (at.far_error == SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ) {
        at.far_error = error;
        at.far_reason = ERR_peek_error();
    }
}

/* The other end: handshake, writes what it has, reads what comes. */
static inline bool conversation_far(void)
{
    uint8_t bytes[16384];
    size_t len = 0;
    bool is_any = false;
    for (;;) {
        tg_slice out = tg_slice_first(tg_buf_slice(&at.far_to_write), 100000);
        if (out.len == 0) {
            break;
        }
        ERR_clear_error();
        int answer = SSL_write_ex(at.far.ssl, out.ptr, out.len, &len);
        if (answer != 1) {
            conversation_note_far(answer);
            break;
        }
        tg_buf_consume(&at.far_to_write, len);
        is_any = true;
    }
    for (;;) {
        ERR_clear_error();
        int answer = SSL_read_ex(at.far.ssl, bytes, sizeof bytes, &len);
        if (answer != 1) {
            conversation_note_far(answer);
            ERR_clear_error();
            return is_any;
        }
        assert_ok(tg_buf_append(&at.far_got, tg_slice_of(bytes, len)));
        is_any = true;
    }
}

static inline bool conversation_step(void)
{
    bool is_any = conversation_far();
    is_any = test_carry(&at.wire, &at.far) || is_any;
    size_t num_calls = at.num_calls;
    is_any = test_wire_tell(&at.wire) || is_any;
    test_turn(at.loop);
    return is_any || at.num_calls != num_calls;
}

/* Until nothing moves any more. */
static inline void conversation_talk(void)
{
    for (unsigned quiet = 0, turns = 0; quiet < 3; turns++) {
        assert_in_range(turns, 0, 2000000);
        quiet = conversation_step() ? 0 : quiet + 1;
    }
}

static inline void conversation_init(void)
{
    at = (conversation){.read_cap = 16384};
    assert_ok(tg_loop_new(&at.loop));
    test_wire_init(&at.wire);
    tg_buf_init(&at.got, (size_t)64 << 20);
    tg_buf_init(&at.to_write, (size_t)64 << 20);
    tg_buf_init(&at.far_got, (size_t)64 << 20);
    tg_buf_init(&at.far_to_write, (size_t)64 << 20);
}

static inline void conversation_own(void)
{
    tg_stream_own(at.stream, conversation_on_ready, &at);
    conversation_watch();
}

static inline void conversation_accept(tg_tls_context *context, SSL_CTX *client)
{
    assert_ok(tg_tls_accept(context, &at.wire.face, at.loop, &at.stream));
    at.far = test_far_new(client, false);
    conversation_own();
}

static inline void conversation_done(void)
{
    tg_stream_close(TG_TAKE(at.stream));
    assert_true(at.wire.is_closed || at.wire.face.ready == NULL);
    test_far_free(&at.far);
    test_wire_done(&at.wire);
    tg_buf_done(&at.got);
    tg_buf_done(&at.to_write);
    tg_buf_done(&at.far_got);
    tg_buf_done(&at.far_to_write);
    tg_loop_free(at.loop);
    ERR_clear_error();
}

/* An identity of ours from a test's certificate, with its issuer behind it where there is one. */
static inline tg_tls_identity *conversation_identity(const test_certificate *made, const test_certificate *issuer)
{
    tg_tls_identity *identity = NULL;
    tg_detail detail = {0};
    tg_buf chain;
    tg_buf key;
    tg_buf_init(&chain, 65536);
    tg_buf_init(&key, 65536);
    test_append_certificate(made, &chain);
    if (issuer != NULL) {
        test_append_certificate(issuer, &chain);
    }
    test_append_key(made, &key);
    assert_ok(tg_tls_identity_parse(tg_buf_slice(&chain), tg_buf_slice(&key), test_now(), &identity, &detail));
    tg_buf_done(&chain);
    tg_buf_done(&key);
    return identity;
}

static inline tg_tls_authorities *conversation_authorities(const test_certificate *issuer)
{
    tg_tls_authorities *authorities = NULL;
    tg_detail detail = {0};
    tg_buf pem;
    tg_buf_init(&pem, 65536);
    test_append_certificate(issuer, &pem);
    assert_ok(tg_tls_authorities_parse(tg_buf_slice(&pem), test_now(), &authorities, &detail));
    tg_buf_done(&pem);
    return authorities;
}

#endif
