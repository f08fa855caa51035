/* The one face of a byte stream: TCP, vsock, unix socket, or TLS on top of one. Readiness-based: a stream holds no
 * buffer; its owner reads and writes when told that it may, from and into memory that the owner chose for the moment,
 * so that an idle connection costs nothing but its structs.
 *
 * A stream lives on one loop (thread). Contract of every implementation:
 * - read and write never block; TG_ERR_AGAIN means wait for the readiness that was asked for by watch.
 * - watch(TG_STREAM_READ) promises a callback whenever a read would give anything but AGAIN, even where bytes hide
 *   inside the implementation (decrypted TLS records): the owner need not drain before it watches.
 * - The ready callback is never called from inside a call on the stream, and never after close.
 * - watch costs no system call on sockets: readiness is a level to the owner, an edge to the kernel. Watching what one
 *   does not act upon (READ after EOF was read) is a busy loop, as with poll(2).
 * - Whoever works on raw_fd itself (splice) need not tell the stream; telling it (tg_stream_note) saves a poll(2).
 * - An error or the peer's reset shows as a readiness; the next read or write then says what it was.
 * - Half-close is kept: EOF on read leaves write usable, shutdown leaves read usable.
 * - SIGPIPE never arises.
 */
#ifndef TG_IO_STREAM_H
#define TG_IO_STREAM_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_stream tg_stream;
typedef struct tg_peer tg_peer; /* io/peer.h: the other side's address and what TLS established */

enum { TG_STREAM_READ = 1u, TG_STREAM_WRITE = 2u };

/* `events` holds the watched readiness that arose: one call may carry both. */
typedef void tg_stream_ready_fn(tg_stream *stream, unsigned events, void *owner);

typedef struct tg_stream_ops {
    /* Up to `cap` (at least 1) bytes to out. TG_OK with *out_len >= 1; TG_ERR_AGAIN; TG_ERR_EOF at the peer's orderly
     * end; TG_ERR_CLOSED where it broke (a TLS end without close_notify too). */
    tg_result (*read)(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len);
    /* Some of `bytes` (at least 1 long): TG_OK with *out_len >= 1; TG_ERR_AGAIN; TG_ERR_CLOSED. After AGAIN the next
     * write must begin with the same bytes (they may have moved and more may follow). */
    tg_result (*write)(tg_stream *stream, tg_slice bytes, size_t *out_len);
    /* Ends the sending side (FIN, close_notify). TG_ERR_AGAIN: call again when writable. Repeating it is fine. */
    tg_result (*shutdown)(tg_stream *stream);
    /* Sets what is watched from now on: 0, or the readiness bits. Cheap when nothing changes. */
    void (*watch)(tg_stream *stream, unsigned events);
    /* Ends and frees the stream and what it stands on; no callback follows. */
    void (*close)(tg_stream *stream);
    /* The socket below, for splice and getsockopt; -1 where bytes are not the socket's own (TLS). */
    int (*raw_fd)(const tg_stream *stream);
    const tg_peer *(*peer)(const tg_stream *stream);
    /* Why the stream broke, in a few words for logs, where TG_ERR_CLOSED alone does not say ("tls_handshake: http
     * request"); "" otherwise. Valid until the next call in this thread. NULL: nothing to say, ever. */
    const char *(*fault)(const tg_stream *stream);
    /* What was learnt on raw_fd: readiness bits that were made use of, and of these, which then would have blocked.
     * NULL where there is no raw_fd. */
    void (*note)(tg_stream *stream, unsigned used, unsigned blocked);
} tg_stream_ops;

struct tg_stream {
    const tg_stream_ops *ops;
    tg_stream_ready_fn *ready;
    void *owner;
};

/* tg_stream_own says who is told of readiness; before it, and with NULL, nobody is. */
static inline void tg_stream_own(tg_stream *stream, tg_stream_ready_fn *ready, void *owner)
{
    stream->ready = ready;
    stream->owner = owner;
}

TG_MUST_USE static inline tg_result tg_stream_read(tg_stream *stream, uint8_t *out, size_t cap, size_t *out_len)
{
    return stream->ops->read(stream, out, cap, out_len);
}
TG_MUST_USE static inline tg_result tg_stream_write(tg_stream *stream, tg_slice bytes, size_t *out_len)
{
    return stream->ops->write(stream, bytes, out_len);
}
TG_MUST_USE static inline tg_result tg_stream_shutdown(tg_stream *stream)
{
    return stream->ops->shutdown(stream);
}
static inline void tg_stream_watch(tg_stream *stream, unsigned events)
{
    stream->ops->watch(stream, events);
}
/* tg_stream_close takes NULL too. */
static inline void tg_stream_close(tg_stream *stream)
{
    if (stream != NULL) {
        stream->ops->close(stream);
    }
}
static inline int tg_stream_raw_fd(const tg_stream *stream)
{
    return stream->ops->raw_fd(stream);
}
static inline const tg_peer *tg_stream_peer(const tg_stream *stream)
{
    return stream->ops->peer(stream);
}
static inline void tg_stream_note(tg_stream *stream, unsigned used, unsigned blocked)
{
    if (stream->ops->note != NULL) {
        stream->ops->note(stream, used, blocked);
    }
}
static inline const char *tg_stream_fault(const tg_stream *stream)
{
    return stream->ops->fault != NULL ? stream->ops->fault(stream) : "";
}

#endif
