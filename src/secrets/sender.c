#include "secrets/sender.h"

#include "io/dial.h"
#include "io/loop.h"
#include "io/stream.h"
#include "sys/log.h"

enum { READ_BYTES = 4096 };

typedef struct sending {
    tg_loop *loop;
    tg_dial *dial;
    tg_stream *stream;
    tg_slice rest;
    bool is_shut;
    tg_buf *answer;
    tg_detail *detail;
    tg_deadline deadline;
    tg_result result;
} sending;

static void end(sending *self, tg_result result, const char *reason)
{
    self->result = result;
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(self->detail, "%s: %s", reason, tg_log_error_text(result));
    }
    tg_loop_stop(self->loop);
}

/* True when all is sent and our side is ended. A peer that refuses before the end is still listened to. */
static bool write_rest(sending *self)
{
    while (self->rest.len > 0) {
        size_t len;
        tg_result written = tg_stream_write(self->stream, self->rest, &len);
        if (written.code == TG_ERR_AGAIN) {
            return false;
        }
        if (!tg_is_ok(written)) {
            self->rest.len = 0;
            self->is_shut = true;
            return true;
        }
        self->rest = tg_slice_from(self->rest, len);
    }
    if (!self->is_shut && tg_stream_shutdown(self->stream).code == TG_ERR_AGAIN) {
        return false;
    }
    self->is_shut = true;
    return true;
}

static void read_answer(sending *self)
{
    for (;;) {
        uint8_t *out;
        size_t len;
        tg_result reserved = tg_buf_reserve(self->answer, READ_BYTES, &out);
        if (!tg_is_ok(reserved)) {
            end(self, reserved, "too long an answer");
            return;
        }
        tg_result result = tg_stream_read(self->stream, out, READ_BYTES, &len);
        if (tg_is_ok(result)) {
            tg_buf_commit(self->answer, len);
        } else if (result.code == TG_ERR_EOF) {
            end(self, tg_ok(), "");
            return;
        } else if (result.code == TG_ERR_AGAIN) {
            return;
        } else {
            end(self, tg_fail(TG_ERR_CLOSED), "the connection broke");
            return;
        }
    }
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    sending *self = owner;
    bool is_sent = write_rest(self);
    if ((events & TG_STREAM_READ) != 0) {
        read_answer(self);
    }
    tg_stream_watch(stream, TG_STREAM_READ | (is_sent ? 0 : TG_STREAM_WRITE));
}

static void on_dialled(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    sending *self = owner;
    self->dial = NULL;
    if (stream == NULL) {
        tg_code code = outcome->result.code == TG_ERR_TIMEOUT ? TG_ERR_TIMEOUT : TG_ERR_CLOSED;
        end(self, (tg_result){code, outcome->result.os_error}, "no connection");
        return;
    }
    self->stream = stream;
    tg_stream_own(stream, on_ready, self);
    tg_stream_watch(stream, TG_STREAM_READ | TG_STREAM_WRITE);
}

static void on_deadline(tg_deadline *deadline)
{
    end(TG_OBJECT_OF(deadline, sending, deadline), tg_fail(TG_ERR_TIMEOUT), "no answer");
}

tg_result tg_secrets_send(const tg_address *address, tg_slice text, uint64_t timeout_ms, tg_buf *answer,
                          tg_detail *detail)
{
    sending self = {.rest = text, .answer = answer, .detail = detail, .deadline = {.run = on_deadline}};
    const tg_dial_options options = {.timeout_ms = timeout_ms};
    TG_TRY(tg_loop_new(&self.loop));
    tg_result started = tg_dial_start(self.loop, address, &options, on_dialled, &self, &self.dial);
    if (tg_is_ok(started)) {
        tg_deadline_arm_in(self.loop, &self.deadline, timeout_ms);
        tg_loop_run(self.loop);
        tg_deadline_disarm(&self.deadline);
        tg_dial_cancel(self.dial);
        tg_stream_close(self.stream);
        started = self.result;
    } else {
        tg_detail_set_reason(detail, "nothing can be dialled there");
    }
    tg_loop_free(self.loop);
    return started;
}
