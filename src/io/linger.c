#include "io/linger.h"

#include <stdlib.h>

typedef struct linger {
    tg_stream *stream;
    tg_deadline deadline;
    tg_tick at_free;
    size_t num_bytes;
} linger;

static void end(linger *lingering)
{
    tg_deadline_disarm(&lingering->deadline);
    tg_tick_cancel(&lingering->at_free);
    tg_stream_close(lingering->stream);
    free(lingering);
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    linger *lingering = owner;
    uint8_t dropped[4096];
    size_t len = 0;
    (void)events;
    tg_result result = tg_stream_read(stream, dropped, sizeof dropped, &len);
    if (result.code == TG_ERR_AGAIN) {
        return;
    }
    lingering->num_bytes += len;
    if (!tg_is_ok(result) || lingering->num_bytes > TG_MAX_LINGER_BYTES) {
        end(lingering);
    }
}

static void on_deadline(tg_deadline *deadline)
{
    end(TG_OBJECT_OF(deadline, linger, deadline));
}

static void on_free(tg_tick *tick)
{
    end(TG_OBJECT_OF(tick, linger, at_free));
}

void tg_linger(tg_loop *loop, tg_stream *stream)
{
    linger *lingering = tg_is_ok(tg_stream_shutdown(stream)) ? calloc(1, sizeof *lingering) : NULL;
    if (lingering == NULL) {
        tg_stream_close(stream);
        return;
    }
    lingering->stream = stream;
    lingering->deadline.run = on_deadline;
    lingering->at_free.run = on_free;
    tg_stream_own(stream, on_ready, lingering);
    tg_deadline_arm_in(loop, &lingering->deadline, TG_LINGER_MS);
    tg_loop_at_free(loop, &lingering->at_free);
    tg_stream_watch(stream, TG_STREAM_READ);
}
