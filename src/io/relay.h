/* Carries bytes between two streams until both have ended: the one relay under routers, egress, forwards and sidecar.
 * Half-close is kept, a side that does not read stops the other from being read, and while nothing flows a relay holds
 * no buffer and no pipe. Long streams between sockets go through the kernel (splice(2)), short ones through the loop's
 * one buffer. splice(2) knows no MSG_NOSIGNAL: the process ignores SIGPIPE (tg_harden_process). */
#ifndef TG_IO_RELAY_H
#define TG_IO_RELAY_H

#include "io/loop.h"
#include "io/stream.h"
#include "sys/metric.h"

/* What the relays of one loop share: the buffer, and pipes for those that move much at the moment. */
typedef struct tg_relay_pool tg_relay_pool;

typedef struct tg_relay_pool_options {
    size_t max_pipes;      /* 0: no splice at all */
    size_t max_held_bytes; /* of all relays' bytes that wait for a slow reader: past it, reads become small */
} tg_relay_pool_options;

/* tg_relay_pool_new makes a pool for the relays of one loop; options NULL: 128 pipes, 64 MiB.
 * err   TG_ERR_MEMORY
 * keep  freed by tg_relay_pool_free, after the last relay
 */
TG_MUST_USE tg_result tg_relay_pool_new(tg_loop *loop, const tg_relay_pool_options *options, tg_relay_pool **out_pool);
void tg_relay_pool_free(tg_relay_pool *pool);

typedef enum tg_relay_side { TG_RELAY_LEFT, TG_RELAY_RIGHT } tg_relay_side;

typedef enum tg_relay_end {
    TG_RELAY_ENDED,      /* both sides ended in order */
    TG_RELAY_LEFT_BROKE, /* reset, or gone while bytes were on their way to it */
    TG_RELAY_RIGHT_BROKE,
    TG_RELAY_IDLE,     /* no byte for idle_ms */
    TG_RELAY_TOO_LONG, /* total_ms are over */
    TG_RELAY_NO_MEMORY,
    TG_NUM_RELAY_ENDS
} tg_relay_end;

typedef struct tg_relay tg_relay;

/* Called once, from the loop; both streams are closed. The relay's memory is the owner's again. */
typedef void tg_relay_ended_fn(tg_relay *relay, tg_relay_end end);

typedef struct tg_relay_pipe tg_relay_pipe;

/* One way. The relay's own: nobody else looks inside. */
typedef struct tg_relay_way {
    uint8_t *held;       /* bytes that were read and not taken yet; NULL while there are none */
    tg_relay_pipe *pipe; /* the same inside the kernel */
    uint64_t num_bytes;  /* carried so far */
    tg_metric *metric;   /* counts them too, or NULL */
    uint32_t held_at;
    uint32_t held_len;
    uint32_t flow; /* bytes of late, halved whenever the source runs dry: what tells bulk from chatter */
    uint8_t state;
} tg_relay_way;

struct tg_relay {
    tg_relay_pool *pool;
    tg_stream *streams[2];
    tg_relay_way ways[2]; /* ways[LEFT] carries what is read on the left */
    tg_relay_ended_fn *ended;
    tg_deadline deadline;
    tg_tick tick;
    uint64_t total_at_ms; /* 0: never */
    uint32_t idle_ms;     /* 0: never */
    uint8_t end;
};

typedef struct tg_relay_options {
    uint64_t idle_ms;            /* 0: no limit */
    uint64_t total_ms;           /* 0: no limit */
    tg_metric *byte_counters[2]; /* by the side that the bytes came from; NULL: not counted */
} tg_relay_options;

/* tg_relay_start begins to carry.
 * in    relay: the caller's storage, whatever stands in it; it must stay where it is until `ended`
 *       prefix: bytes that were read from the left already: they go to the right first. Copied.
 * err   TG_ERR_MEMORY: nothing has happened
 * keep  the relay owns both streams on success
 */
TG_MUST_USE tg_result tg_relay_start(tg_relay *relay, tg_relay_pool *pool, tg_stream *left, tg_stream *right,
                                     tg_slice prefix, const tg_relay_options *options, tg_relay_ended_fn *ended);

/* tg_relay_stop closes both streams at once; `ended` is not called. */
void tg_relay_stop(tg_relay *relay);

/* tg_relay_bytes is how many bytes that came from a side have been passed on. */
static inline uint64_t tg_relay_bytes(const tg_relay *relay, tg_relay_side from)
{
    return relay->ways[from].num_bytes;
}

/* tg_relay_end_name is a lower-case name for logs (`left_broke`); static storage. */
const char *tg_relay_end_name(tg_relay_end end);

/* tg_stream_abort closes a stream so that a TCP peer sees a reset instead of an orderly end, where everything written
 * has arrived; otherwise it is closed as usual, so that what is under way still does.
 */
void tg_stream_abort(tg_stream *stream);

#endif
