/* Connects to any address, asynchronously: resolves names, tries their addresses one after the other with a head start
 * each (RFC 8305), speaks the hybrid vsock handshake, all under one deadline. */
#ifndef TG_IO_DIAL_H
#define TG_IO_DIAL_H

#include "io/address.h"
#include "io/loop.h"
#include "io/resolve.h"
#include "io/stream.h"

typedef struct tg_dial tg_dial;

enum {
    TG_DIAL_STAGGER_MS = 250,  /* RFC 8305 §5: before the next address is tried beside the last */
    TG_MAX_DIAL_ADDRESSES = 16 /* of a name; the rest is left out */
};

/* How far a dial came; names for logs by tg_dial_stage_name. */
typedef enum tg_dial_stage {
    TG_DIAL_RESOLVE,   /* the name */
    TG_DIAL_FILTER,    /* the filter refused every address */
    TG_DIAL_CONNECT,   /* no address answered */
    TG_DIAL_HANDSHAKE, /* hvsock: the other side did not say OK */
    TG_DIAL_DONE
} tg_dial_stage;

typedef struct tg_dial_outcome {
    tg_result result;    /* TG_OK; else what the last address tried met, or TG_ERR_TIMEOUT */
    tg_dial_stage stage; /* reached */
    tg_sockaddr address; /* the one connected, or tried last; len 0 where none was */
    unsigned num_found;  /* addresses of the name */
    unsigned num_denied; /* by the filter */
    unsigned num_failed;
    const char *reason; /* what result does not say, "" otherwise (the resolver's word, the handshake). Static */
} tg_dial_outcome;

/* `stream` is the owner's, NULL unless the result is TG_OK. The dial is gone when this is called. */
typedef void tg_dial_done_fn(tg_stream *stream, const tg_dial_outcome *outcome, void *owner);

/* Sees each address before a socket is made for it, whether it was written or resolved; what it lets pass is what is
 * dialled, byte for byte. False refuses it. It must not cancel the dial. */
typedef bool tg_dial_filter_fn(const tg_sockaddr *address, void *owner);

typedef struct tg_dial_options {
    uint64_t timeout_ms;       /* for everything together, at least 1 */
    tg_dial_filter_fn *filter; /* NULL: every address is fine */
    tg_lookup_lane *lane;      /* where names are resolved; NULL: nobody's */
} tg_dial_options;

/* tg_dial_start begins to connect; `done` is called once, from the loop, unless the dial is cancelled before.
 * err   TG_ERR_MEMORY, TG_ERR_RANGE: port 0 (or the vsock port that means any), a wildcard CID
 * keep  `address` and `options` are copied; *out_dial is valid until `done` is called or tg_dial_cancel
 */
TG_MUST_USE tg_result tg_dial_start(tg_loop *loop, const tg_address *address, const tg_dial_options *options,
                                    tg_dial_done_fn *done, void *owner, tg_dial **out_dial);

/* tg_dial_cancel gives up: no callback follows. NULL is fine. */
void tg_dial_cancel(tg_dial *dial);

/* tg_dial_stage_name gives "resolve", "filter", "connect", "handshake" or "done". Static. */
const char *tg_dial_stage_name(tg_dial_stage stage);

#endif
