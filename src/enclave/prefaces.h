/* Accepted connections whose first bytes are a PROXY header, version 2: it is read before TLS begins, and what it says
 * of the way back to a sidecar's application (hello/return_port.h) stands in the stream's peer from then on. Only for
 * listeners that are configured so: nothing is guessed. What the header says of addresses is the host's word, and used
 * for nothing. */
#ifndef TG_ENCLAVE_PREFACES_H
#define TG_ENCLAVE_PREFACES_H

#include "io/loop.h"
#include "io/stream.h"

typedef struct tg_prefaces tg_prefaces;

typedef struct tg_prefaces_options {
    uint64_t timeout_ms; /* for one header */
    size_t max;          /* of connections that are being read, at most */
} tg_prefaces_options;

typedef struct tg_prefaces_calls {
    /* The header was read, and not a byte behind it; the stream is the callee's. */
    void (*ready)(tg_stream *stream, void *owner);
    /* The connection is closed for this reason (static): no such header, a bad one, too late, too many. */
    void (*refused)(const tg_stream *stream, const char *reason, void *owner);
} tg_prefaces_calls;

/* tg_prefaces_new makes a reader for one loop. calls: static; called from the loop. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_prefaces_new(tg_loop *loop, const tg_prefaces_options *options, const tg_prefaces_calls *calls,
                                      void *owner, tg_prefaces **out_prefaces);
/* tg_prefaces_free closes what is being read, without a call. NULL is fine. */
void tg_prefaces_free(tg_prefaces *prefaces);

/* tg_prefaces_take reads the header of a stream that was just accepted (io/listener.h); the stream is the reader's. */
TG_FOREIGN void tg_prefaces_take(tg_prefaces *prefaces, tg_stream *stream);

#endif
