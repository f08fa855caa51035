#include "enclave/prefaces.h"

#include "hello/proxy_header.h"
#include "hello/return_port.h"
#include "io/link.h"
#include "io/socket.h"

#include <stdlib.h>

_Static_assert((int)TG_PEER_RETURN_TOKEN_BYTES == (int)TG_RETURN_TOKEN_BYTES, "one token, two rooms");

struct tg_prefaces {
    tg_loop *loop;
    tg_prefaces_options options;
    const tg_prefaces_calls *calls;
    void *owner;
    tg_link readings;
    size_t num_readings;
};

typedef struct reading {
    tg_link link;
    tg_prefaces *prefaces;
    tg_stream *stream;
    tg_deadline deadline;
    tg_buf bytes;
} reading;

static tg_stream *end(reading *self)
{
    tg_stream *stream = TG_TAKE(self->stream);
    tg_deadline_disarm(&self->deadline);
    tg_link_remove(&self->link);
    tg_buf_done(&self->bytes);
    self->prefaces->num_readings--;
    free(self);
    return stream;
}

static void refuse(reading *self, const char *reason)
{
    tg_prefaces *prefaces = self->prefaces;
    tg_stream *stream = end(self);
    prefaces->calls->refused(stream, reason, prefaces->owner);
    tg_stream_close(stream);
}

static void on_deadline(tg_deadline *deadline)
{
    refuse(TG_OBJECT_OF(deadline, reading, deadline), "no whole PROXY header came in time");
}

static const char *reason_of(tg_result result)
{
    switch ((int)result.code) {
    case TG_ERR_UNSUPPORTED:
        return "a PROXY header of another version or kind";
    case TG_ERR_LIMIT:
        return "a PROXY header that is too long";
    case TG_ERR_AUTH:
        return "a PROXY header whose checksum is wrong";
    default:
        return "no PROXY header of version 2";
    }
}

/* Bytes that can be read without a risk of taking one that is TLS's: the fixed part, then what it says is left. */
static size_t bytes_wanted(tg_slice read)
{
    if (read.len < TG_PROXY_HEADER_MIN_BYTES) {
        return TG_PROXY_HEADER_MIN_BYTES - read.len;
    }
    size_t len = TG_PROXY_HEADER_MIN_BYTES + ((size_t)read.ptr[14] << 8 | read.ptr[15]);
    return len - read.len;
}

static bool note_return(reading *self, const tg_proxy_header *header)
{
    tg_slice value;
    tg_return_port port;
    if (!tg_proxy_header_tlv(header, TG_PROXY_TLV_RETURN_PORT, &value)) {
        return true; /* it names a client, and no way back */
    }
    if (!tg_is_ok(tg_return_port_read(value, &port))) {
        return false;
    }
    tg_socket_set_return(self->stream, port.port, port.token);
    tg_wipe(&port, sizeof port);
    return true;
}

/* False when there is nothing more to do now. */
static bool read_some(reading *self)
{
    tg_proxy_header header;
    size_t len;
    uint8_t *out;
    tg_result parsed = tg_proxy_header_read(tg_buf_slice(&self->bytes), &header, &len);
    if (tg_is_ok(parsed) && !note_return(self, &header)) {
        refuse(self, "a PROXY header whose return port cannot be read");
        return false;
    }
    if (tg_is_ok(parsed)) {
        tg_prefaces *prefaces = self->prefaces;
        tg_stream *stream = end(self);
        tg_stream_watch(stream, 0);
        prefaces->calls->ready(stream, prefaces->owner);
        return false;
    }
    if (parsed.code != TG_ERR_AGAIN) {
        refuse(self, reason_of(parsed));
        return false;
    }
    size_t want = bytes_wanted(tg_buf_slice(&self->bytes));
    if (!tg_is_ok(tg_buf_reserve(&self->bytes, want, &out))) {
        refuse(self, "a PROXY header that is too long");
        return false;
    }
    tg_result result = tg_stream_read(self->stream, out, want, &len);
    if (tg_is_ok(result)) {
        tg_buf_commit(&self->bytes, len);
        return true;
    }
    if (result.code == TG_ERR_AGAIN) {
        tg_stream_watch(self->stream, TG_STREAM_READ);
    } else {
        refuse(self, "it ended within the PROXY header");
    }
    return false;
}

static void on_ready(tg_stream *stream, unsigned events, void *owner)
{
    (void)stream;
    (void)events;
    while (read_some(owner)) {
    }
}

void tg_prefaces_take(tg_prefaces *prefaces, tg_stream *stream)
{
    reading *self = prefaces->num_readings < prefaces->options.max ? calloc(1, sizeof *self) : NULL;
    if (self == NULL) {
        prefaces->calls->refused(stream, "too many wait for their PROXY header", prefaces->owner);
        tg_stream_close(stream);
        return;
    }
    *self = (reading){.prefaces = prefaces, .stream = stream, .deadline = {.run = on_deadline}};
    tg_buf_init_wiped(&self->bytes, TG_PROXY_HEADER_MAX_BYTES);
    tg_link_append(&prefaces->readings, &self->link);
    prefaces->num_readings++;
    tg_deadline_arm_in(prefaces->loop, &self->deadline, prefaces->options.timeout_ms);
    tg_stream_own(stream, on_ready, self);
    tg_stream_watch(stream, TG_STREAM_READ);
}

tg_result tg_prefaces_new(tg_loop *loop, const tg_prefaces_options *options, const tg_prefaces_calls *calls,
                          void *owner, tg_prefaces **out_prefaces)
{
    tg_prefaces *prefaces = calloc(1, sizeof *prefaces);
    if (prefaces == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *prefaces = (tg_prefaces){.loop = loop, .options = *options, .calls = calls, .owner = owner};
    tg_link_init_head(&prefaces->readings);
    *out_prefaces = prefaces;
    return tg_ok();
}

void tg_prefaces_free(tg_prefaces *prefaces)
{
    if (prefaces == NULL) {
        return;
    }
    while (!tg_link_is_empty(&prefaces->readings)) {
        tg_stream_close(end(TG_OBJECT_OF(prefaces->readings.next, reading, link)));
    }
    free(prefaces);
}
