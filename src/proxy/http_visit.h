/* The inside of the HTTP router: one client, the request that it is at, and the enclave that answers it. Shared by
 * proxy/http_router.c (states), proxy/http_exchange.c (one request and its answer) and proxy/http_flow.c (bytes). */
#ifndef TG_PROXY_HTTP_VISIT_H
#define TG_PROXY_HTTP_VISIT_H

#include "http/head.h"
#include "http/refusal.h"
#include "io/dial.h"
#include "io/relay.h"
#include "proxy/http_extent.h"
#include "proxy/visit.h"

enum { TG_HTTP_FLOW_BYTES = 65536, TG_HTTP_ROUTER_HEAD_BYTES = 32768 };

typedef enum tg_http_visit_state {
    TG_HTTP_VISIT_HEADER, /* a PROXY header is read */
    TG_HTTP_VISIT_IDLE,
    TG_HTTP_VISIT_HEAD,
    TG_HTTP_VISIT_DIALLING,
    TG_HTTP_VISIT_EXCHANGE,
    TG_HTTP_VISIT_ANSWERING,
    TG_HTTP_VISIT_UPGRADING,
    TG_HTTP_VISIT_TUNNEL,
    TG_HTTP_VISIT_LINGER,
    TG_NUM_HTTP_VISIT_STATES
} tg_http_visit_state;

/* One way: what was read, of which the first `num_ready` bytes belong to the message and may go on. */
typedef struct tg_http_flow {
    tg_buf bytes;
    size_t num_ready;
    tg_http_extent extent;
    bool has_head;      /* the final head is known; the extent tells where the message ends */
    bool is_ended;      /* the sender has ended its side */
    bool is_broken;     /* or is gone */
    bool is_dropped;    /* the receiver takes no more: what still comes is not passed on */
    uint64_t num_bytes; /* passed on for this request */
} tg_http_flow;

typedef struct tg_http_visit {
    tg_proxy_visit visit;
    uint8_t state;
    bool keeps_client; /* the connection goes on behind this answer */
    bool keeps_target;
    bool is_head_request;
    bool wants_upgrade; /* only then may the enclave turn the connection into its own */
    unsigned status;
    tg_stream *client;
    tg_stream *target; /* NULL: none is open */
    tg_dial *dial;
    const tg_proxy_domain *domain; /* the target's */
    tg_http_head_parser *parser;   /* while a head is read */
    tg_http_flow up;               /* client to target */
    tg_http_flow down;
    tg_buf preface; /* what goes to a new target before all else */
    tg_buf repeat;  /* the head, where another connection may be tried if a kept one dies before it answers */
    tg_proxy_source source;
    tg_metric *byte_counters[2];
    tg_deadline deadline;
    tg_tick tick; /* the next step, from the loop */
    uint64_t request_began_ms;
    uint64_t dial_began_ns;
    size_t num_discarded;
    char host[254];
    tg_relay relay;
} tg_http_visit;

extern const tg_http_head_limits tg_http_router_limits;

/* tg_http_visit_go sets the state and its deadline. An edge that the table does not have is a fault of ours: it aborts.
 */
void tg_http_visit_go(tg_http_visit *http, tg_http_visit_state next);
/* tg_http_visit_step does what the state can do with what has come, then watches for what it waits for. This and the
 * functions below may free the visit: the caller does not touch it afterwards.
 */
void tg_http_visit_step(tg_http_visit *http);
/* tg_http_visit_keep_for_repeat keeps the head of a request that goes to a kept connection, where it may be sent twice:
 * it has no body, and its method is idempotent (RFC 9110 §9.2.2). tg_http_visit_repeat dials anew and sends it again;
 * false where it cannot, or may not any more.
 */
void tg_http_visit_keep_for_repeat(tg_http_visit *http, const tg_http_head *head);
bool tg_http_visit_repeat(tg_http_visit *http);
/* tg_http_visit_exchange is the step of TG_HTTP_VISIT_EXCHANGE. */
void tg_http_visit_exchange(tg_http_visit *http);
/* tg_http_visit_answer gives an answer of our own; `keeps`: the client may send another request behind it.
 * tg_http_visit_refuse does so for a message that HTTP's rules refuse.
 */
void tg_http_visit_answer(tg_http_visit *http, unsigned status, const char *text, bool keeps);
void tg_http_visit_refuse(tg_http_visit *http, tg_http_refusal refusal);
/* tg_http_visit_next awaits the next request; tg_http_visit_end_client ends our side and waits for the client's. */
void tg_http_visit_next(tg_http_visit *http);
void tg_http_visit_end_client(tg_http_visit *http);
/* tg_http_visit_break_off ends an answer that cannot be finished so that it does not look finished. */
void tg_http_visit_break_off(tg_http_visit *http, const char *outcome);
void tg_http_visit_finish(tg_http_visit *http, const char *outcome);
/* tg_http_visit_log logs and counts the request that is over. */
void tg_http_visit_log(const tg_http_visit *http, const char *end);
/* tg_http_visit_close_target ends the connection to the enclave, with what came from it. */
void tg_http_visit_close_target(tg_http_visit *http);

/* tg_http_flow_read reads what there is room for. */
void tg_http_flow_read(tg_http_visit *http, tg_http_flow *flow, tg_stream *from);
/* tg_http_flow_write passes ready bytes on; false where the stream took not all of them. Where it takes no more the
 * flow is dropped: what its receiver said before is still to be read.
 */
bool tg_http_flow_write(tg_http_visit *http, tg_http_flow *flow, tg_stream *to);
/* tg_http_flow_admit counts the body bytes that have come as ready. err: as tg_http_extent_take */
TG_MUST_USE tg_result tg_http_flow_admit(tg_http_flow *flow);
/* tg_http_flow_begin begins the next message; bytes that have come stay. */
void tg_http_flow_begin(tg_http_flow *flow);
static inline bool tg_http_flow_is_whole(const tg_http_flow *flow)
{
    return flow->has_head && flow->extent.is_whole;
}

#endif
