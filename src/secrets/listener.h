/* Takes deliveries from whoever connects: one text a connection, to its end of stream, and one answer. */
#ifndef TG_SECRETS_LISTENER_H
#define TG_SECRETS_LISTENER_H

#include "base/buf.h"
#include "io/bound.h"
#include "io/loop.h"
#include "io/peer.h"

enum {
    TG_MAX_DELIVERERS = 256,                    /* at one time; more wait in the kernel's queue */
    TG_MAX_DELIVERIES_INFLIGHT_BYTES = 1 << 26, /* of all that are arriving */
    TG_DELIVERY_TIMEOUT_MS = 10000
};

typedef struct tg_secrets_listener tg_secrets_listener;

typedef struct tg_secrets_listener_calls {
    /* A whole text came: *answer takes what goes back. peer: who sent it. */
    void (*take)(tg_slice text, const tg_peer *peer, tg_buf *answer, void *owner);
    /* A text that cannot be taken, for a reason of the transport: `too_large`, `timeout`, `busy`; *answer as above.
     * `cut_off` is told where the connection broke, and then nothing can be answered. */
    void (*refuse)(const char *code, const tg_peer *peer, tg_buf *answer, void *owner);
} tg_secrets_listener_calls;

typedef struct tg_secrets_listener_options {
    size_t max_bytes; /* of a text */
    uint64_t
        timeout_ms; /* from connecting to the end of the text, and again for the answer; 0: TG_DELIVERY_TIMEOUT_MS */
} tg_secrets_listener_options;

/* tg_secrets_listener_open listens on the loop.
 * in    calls: static; called from the loop, never from inside this
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  `bound` must live until this returns; ended with tg_secrets_listener_close, before the loop
 */
TG_MUST_USE tg_result tg_secrets_listener_open(tg_loop *loop, const tg_bound *bound,
                                               const tg_secrets_listener_options *options,
                                               const tg_secrets_listener_calls *calls, void *owner,
                                               tg_secrets_listener **out_listener);

/* tg_secrets_listener_close ends it and whatever is arriving; NULL is fine. */
void tg_secrets_listener_close(tg_secrets_listener *listener);

#endif
