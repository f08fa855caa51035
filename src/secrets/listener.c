#include "secrets/listener.h"

#include "io/linger.h"
#include "io/listener.h"

#include <stdlib.h>

enum { READ_BYTES = 65536, DROP_BYTES = 16384, MAX_DROPPED_BYTES = 1 << 24, MAX_ANSWER_BYTES = 8192 };

/* Reading until the text ends, then writing the answer; then the stream is given to tg_linger. */
typedef struct deliverer {
    tg_link link;
    tg_secrets_listener *listener;
    tg_stream *stream;
    tg_buf text;
    tg_buf answer;
    size_t num_dropped; /* above 0: too long; the rest is read so that the answer is, instead of a reset */
    bool is_answering;
    tg_deadline deadline;
} deliverer;

struct tg_secrets_listener {
    tg_loop *loop;
    tg_listener *listener;
    tg_secrets_listener_options options;
    const tg_secrets_listener_calls *calls;
    void *owner;
    tg_link deliverers;
    size_t num_deliverers;
    size_t num_inflight_bytes;
};

static void drop(deliverer *self)
{
    tg_secrets_listener *listener = self->listener;
    tg_deadline_disarm(&self->deadline);
    tg_link_remove(&self->link);
    listener->num_inflight_bytes -= self->text.cap;
    tg_stream_close(self->stream);
    tg_buf_done(&self->text);
    tg_buf_done(&self->answer);
    free(self);
    if (listener->num_deliverers-- == TG_MAX_DELIVERERS) {
        tg_listener_resume(listener->listener);
    }
}

static void write_answer(deliverer *self)
{
    while (tg_buf_len(&self->answer) > 0) {
        size_t len;
        tg_result written = tg_stream_write(self->stream, tg_buf_slice(&self->answer), &len);
        if (written.code == TG_ERR_AGAIN) {
            tg_stream_watch(self->stream, TG_STREAM_WRITE);
            return;
        }
        if (!tg_is_ok(written)) {
            drop(self);
            return;
        }
        tg_buf_consume(&self->answer, len);
    }
    tg_linger(self->listener->loop, TG_TAKE(self->stream));
    drop(self);
}

static void begin_answer(deliverer *self)
{
    self->is_answering = true;
    tg_stream_watch(self->stream, 0);
    tg_deadline_arm_in(self->listener->loop, &self->deadline, self->listener->options.timeout_ms);
    write_answer(self);
}

static void refuse(deliverer *self, const char *code)
{
    tg_secrets_listener *listener = self->listener;
    listener->calls->refuse(code, tg_stream_peer(self->stream), &self->answer, listener->owner);
    if (strcmp(code, "cut_off") == 0) {
        drop(self);
    } else {
        begin_answer(self);
    }
}

static void take(deliverer *self)
{
    tg_secrets_listener *listener = self->listener;
    listener->calls->take(tg_buf_slice(&self->text), tg_stream_peer(self->stream), &self->answer, listener->owner);
    begin_answer(self);
}

static void forget_text(deliverer *self)
{
    self->listener->num_inflight_bytes -= self->text.cap;
    tg_buf_release(&self->text);
}

/* One read of what is too long already. */
static bool drop_some(deliverer *self)
{
    uint8_t bytes[DROP_BYTES];
    size_t len = 0;
    tg_result result = tg_stream_read(self->stream, bytes, sizeof bytes, &len);
    tg_wipe(bytes, len);
    self->num_dropped += len;
    if (result.code == TG_ERR_AGAIN) {
        tg_stream_watch(self->stream, TG_STREAM_READ);
        return false;
    }
    if (tg_is_ok(result) && self->num_dropped < MAX_DROPPED_BYTES) {
        return true;
    }
    refuse(self, result.code == TG_ERR_CLOSED ? "cut_off" : "too_large");
    return false;
}

/* One read. False when there is nothing more to do now: it waits, or is over. */
static bool read_some(deliverer *self)
{
    tg_secrets_listener *listener = self->listener;
    if (self->num_dropped > 0) {
        return drop_some(self);
    }
    size_t cap_before = self->text.cap, len, want = tg_buf_space(&self->text);
    uint8_t surplus, *out = &surplus;
    want = want < READ_BYTES ? want : READ_BYTES;
    bool is_full = want == 0; /* one byte more is one too many */
    if (!is_full && !tg_is_ok(tg_buf_reserve(&self->text, want, &out))) {
        refuse(self, "busy");
        return false;
    }
    listener->num_inflight_bytes += self->text.cap - cap_before;
    if (listener->num_inflight_bytes > TG_MAX_DELIVERIES_INFLIGHT_BYTES) {
        refuse(self, "busy");
        return false;
    }
    tg_result result = tg_stream_read(self->stream, out, is_full ? 1 : want, &len);
    if (tg_is_ok(result) && is_full) {
        forget_text(self);
        self->num_dropped = 1;
        return true;
    } else if (tg_is_ok(result)) {
        tg_buf_commit(&self->text, len);
        return true;
    } else if (result.code == TG_ERR_AGAIN) {
        tg_stream_watch(self->stream, TG_STREAM_READ);
    } else if (result.code == TG_ERR_EOF) {
        take(self);
    } else {
        refuse(self, "cut_off");
    }
    return false;
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    deliverer *self = owner;
    (void)stream;
    (void)events;
    if (self->is_answering) {
        write_answer(self);
        return;
    }
    while (read_some(self)) {
    }
}

static void on_deadline(tg_deadline *deadline)
{
    deliverer *self = TG_OBJECT_OF(deadline, deliverer, deadline);
    if (self->is_answering) {
        drop(self);
    } else {
        refuse(self, self->num_dropped > 0 ? "too_large" : "timeout");
    }
}

static void on_accepted(tg_listener *accepting, tg_stream *stream, void *owner)
{
    tg_secrets_listener *listener = owner;
    deliverer *self = calloc(1, sizeof *self);
    if (self == NULL) {
        tg_stream_close(stream);
        return;
    }
    self->listener = listener;
    self->stream = stream;
    tg_buf_init_wiped(&self->text, listener->options.max_bytes);
    tg_buf_init(&self->answer, MAX_ANSWER_BYTES);
    self->deadline = (tg_deadline){.run = on_deadline};
    tg_link_append(&listener->deliverers, &self->link);
    if (++listener->num_deliverers == TG_MAX_DELIVERERS) {
        tg_listener_pause(accepting);
    }
    tg_deadline_arm_in(listener->loop, &self->deadline, listener->options.timeout_ms);
    tg_stream_own(stream, on_ready, self);
    tg_stream_watch(stream, TG_STREAM_READ);
}

static void on_finished(tg_listener *listener, void *owner)
{
    (void)listener;
    (void)owner;
}

static const tg_listener_calls listener_calls = {.accepted = on_accepted, .fault = NULL, .finished = on_finished};

tg_result tg_secrets_listener_open(tg_loop *loop, const tg_bound *bound, const tg_secrets_listener_options *options,
                                   const tg_secrets_listener_calls *calls, void *owner,
                                   tg_secrets_listener **out_listener)
{
    tg_secrets_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *listener = (tg_secrets_listener){.loop = loop, .options = *options, .calls = calls, .owner = owner};
    if (listener->options.timeout_ms == 0) {
        listener->options.timeout_ms = TG_DELIVERY_TIMEOUT_MS;
    }
    tg_link_init_head(&listener->deliverers);
    tg_result result = tg_listener_open(loop, bound, &listener_calls, listener, &listener->listener);
    if (!tg_is_ok(result)) {
        free(listener);
        return result;
    }
    *out_listener = listener;
    return tg_ok();
}

void tg_secrets_listener_close(tg_secrets_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    while (!tg_link_is_empty(&listener->deliverers)) {
        drop(TG_OBJECT_OF(listener->deliverers.next, deliverer, link));
    }
    tg_listener_close(listener->listener);
    free(listener);
}
