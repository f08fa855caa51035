/* Where the client's connections come from: whoever knows addresses and TLS (outbound/) implements this face. */
#ifndef TG_HTTP_CONNECTOR_H
#define TG_HTTP_CONNECTOR_H

#include "base/result.h"
#include "io/loop.h"
#include "io/stream.h"

/* How far a call came. Names for logs by tg_http_stage_name. */
typedef enum tg_http_stage {
    TG_HTTP_STAGE_QUEUE,     /* every connection is in use */
    TG_HTTP_STAGE_DIAL,      /* the carrier is connected to */
    TG_HTTP_STAGE_EGRESS,    /* the egress proxy is told where to go */
    TG_HTTP_STAGE_HANDSHAKE, /* TLS */
    TG_HTTP_STAGE_SEND,      /* the request is being sent */
    TG_HTTP_STAGE_HEAD,      /* it is sent, and the answer's head waited for */
    TG_HTTP_STAGE_BODY,      /* the answer's body */
    TG_HTTP_STAGE_DONE,
    TG_HTTP_NUM_STAGES
} tg_http_stage;

/* tg_http_stage_name gives "queue", "dial", "egress", "handshake", "send", "head", "body" or "done". Static. */
const char *tg_http_stage_name(tg_http_stage stage);

typedef struct tg_http_connected {
    tg_result result;    /* TG_OK: the stream can be written to, what TLS has to verify is verified */
    tg_http_stage stage; /* where it failed: dial, egress or handshake */
    const char *reason;  /* in words, for people; "" where result says all. Lives until the callback returns */
} tg_http_connected;

/* Called once, from the loop, unless the attempt is cancelled before. `stream` is the owner's; NULL after a failure. */
typedef void tg_http_connected_fn(tg_stream *stream, const tg_http_connected *connected, void *owner);

typedef struct tg_http_connector tg_http_connector;
typedef struct tg_http_attempt tg_http_attempt; /* the connector's own */

struct tg_http_connector {
    /* Begins to connect, under deadlines of the connector's. Any thread's loop; the callback is never called inside.
     * err   TG_ERR_MEMORY, or what else is known at once; no callback follows
     * out   *out_attempt: valid until the callback or the cancel */
    tg_result (*connect)(tg_http_connector *connector, tg_loop *loop, tg_http_connected_fn *done, void *owner,
                         tg_http_attempt **out_attempt);
    /* Gives up: no callback follows, what was opened is closed. */
    void (*cancel)(tg_http_connector *connector, tg_http_attempt *attempt);
};

#endif
