/* A client in memory: a stream whose two ends the test holds. What the server reads is given in pieces of a chosen
 * size, what it writes is taken up to a window that the test opens. Included by one test program at a time. */
#ifndef TG_TESTS_SUPPORT_FAKE_CLIENT_H
#define TG_TESTS_SUPPORT_FAKE_CLIENT_H

#include "base/buf.h"
#include "base/num.h"
#include "io/stream.h"

#include <stdlib.h>

typedef struct fake_client {
    tg_stream stream;    /* first: the server's end */
    tg_buf in;           /* not yet read by the server */
    tg_buf out;          /* written by the server */
    size_t step;         /* bytes that one read gives at most; 0: all */
    size_t window;       /* bytes that the server may still write */
    bool is_at_end;      /* behind `in` the client has ended its side */
    bool is_broken;      /* and the connection is reset */
    bool is_shut;        /* the server ended its side */
    bool is_closed;      /* and closed the stream: the struct lives on */
    const tg_peer *peer; /* who the server sees; NULL: nobody */
    unsigned watched;
    unsigned num_reads; /* calls that gave bytes */
    unsigned num_writes;
} fake_client;

static inline fake_client *fake_client_of(tg_stream *stream)
{
    return (fake_client *)(void *)stream;
}

static inline tg_result fake_read(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len)
{
    fake_client *client = fake_client_of(stream);
    size_t len = tg_size_min(tg_buf_len(&client->in), cap);
    if (len > 0) {
        len = client->step > 0 ? tg_size_min(len, client->step) : len;
        memcpy(out, tg_buf_slice(&client->in).ptr, len);
        tg_buf_consume(&client->in, len);
        client->num_reads++;
        *out_len = len;
        return tg_ok();
    }
    return tg_fail(client->is_broken ? TG_ERR_CLOSED : client->is_at_end ? TG_ERR_EOF : TG_ERR_AGAIN);
}

static inline tg_result fake_write(tg_stream *stream, tg_slice bytes, size_t *out_len)
{
    fake_client *client = fake_client_of(stream);
    size_t len = tg_size_min(bytes.len, client->window);
    if (client->is_broken) {
        return tg_fail(TG_ERR_CLOSED);
    }
    if (len == 0) {
        return tg_fail(TG_ERR_AGAIN);
    }
    tg_result result = tg_buf_append(&client->out, tg_slice_first(bytes, len));
    client->window -= len;
    client->num_writes++;
    *out_len = len;
    return result;
}

static inline tg_result fake_shutdown(tg_stream *stream)
{
    fake_client *client = fake_client_of(stream);
    if (client->is_broken) {
        return tg_fail(TG_ERR_CLOSED);
    }
    if (client->window == 0) {
        return tg_fail(TG_ERR_AGAIN);
    }
    client->is_shut = true;
    return tg_ok();
}

static inline void fake_watch(tg_stream *stream, unsigned events)
{
    fake_client_of(stream)->watched = events;
}

static inline void fake_close(tg_stream *stream)
{
    fake_client_of(stream)->is_closed = true;
}

static inline int fake_raw_fd(const tg_stream *stream)
{
    (void)stream;
    return -1;
}

static inline const tg_peer *fake_peer(const tg_stream *stream)
{
    return ((const fake_client *)(const void *)stream)->peer;
}

static inline const char *fake_fault(const tg_stream *stream)
{
    (void)stream;
    return "as the test wanted";
}

static const tg_stream_ops fake_ops = {
    .read = fake_read,
    .write = fake_write,
    .shutdown = fake_shutdown,
    .watch = fake_watch,
    .close = fake_close,
    .raw_fd = fake_raw_fd,
    .peer = fake_peer,
    .fault = fake_fault,
};

static inline fake_client *fake_client_new(void)
{
    fake_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        abort();
    }
    client->stream.ops = &fake_ops;
    client->window = SIZE_MAX;
    tg_buf_init(&client->in, (size_t)1 << 30);
    tg_buf_init(&client->out, (size_t)1 << 30);
    return client;
}

static inline void fake_client_free(fake_client *client)
{
    tg_buf_done(&client->in);
    tg_buf_done(&client->out);
    free(client);
}

/* Tells the server of one readiness; true where there was one. */
static inline bool fake_client_turn(fake_client *client)
{
    bool has_input = tg_buf_len(&client->in) > 0 || client->is_at_end || client->is_broken;
    bool has_room = client->window > 0 || client->is_broken;
    unsigned events =
        (has_input ? client->watched & TG_STREAM_READ : 0) | (has_room ? client->watched & TG_STREAM_WRITE : 0);
    if (client->is_closed || events == 0 || client->stream.ready == NULL) {
        return false;
    }
    client->stream.ready(&client->stream, events, client->stream.owner);
    return true;
}

#endif
