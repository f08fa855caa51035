/* Accepts connections of a bound socket on one loop. Running out of descriptors or memory makes it wait, never spin:
 * short shortages pass unnoticed by clients, after a second what waits is refused. */
#ifndef TG_IO_LISTENER_H
#define TG_IO_LISTENER_H

#include "io/bound.h"
#include "io/loop.h"
#include "io/stream.h"

typedef struct tg_listener tg_listener;

typedef struct tg_listener_calls {
    /* A connection: the stream is the owner's. The listener may be paused or closed from inside. */
    void (*accepted)(tg_listener *listener, tg_stream *stream, void *owner);
    /* Accepting fails (EMFILE, ENFILE, ENOBUFS, ENOMEM); at most once a second, with the number of connections
     * refused since the last time. NULL: nobody wants to know. */
    void (*fault)(tg_listener *listener, tg_result result, uint64_t num_refused, void *owner);
    /* tg_listener_finish is done; the listener is gone when this returns. */
    void (*finished)(tg_listener *listener, void *owner);
} tg_listener_calls;

/* tg_listener_open starts accepting on the loop; once for each loop, on the loop's thread (or before it runs).
 * in    calls: static
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  the loop outlives the listener; `bound` must live until this returns
 */
TG_MUST_USE tg_result tg_listener_open(tg_loop *loop, const tg_bound *bound, const tg_listener_calls *calls,
                                       void *owner, tg_listener **out_listener);

/* tg_listener_pause leaves connections in the kernel's queue until tg_listener_resume. */
void tg_listener_pause(tg_listener *listener);
void tg_listener_resume(tg_listener *listener);

/* tg_listener_close ends it at once, without a call; NULL is fine. What the kernel has queued is reset unless another
 * descriptor of the same socket is open. */
void tg_listener_close(tg_listener *listener);

/* tg_listener_finish accepts what the kernel has queued already, in the next turn, even if paused; then calls
 * `finished` and closes. */
void tg_listener_finish(tg_listener *listener);

/* tg_listener_address is where it listens. */
const tg_address *tg_listener_address(const tg_listener *listener);

#endif
