/* A visit that becomes one connection to one target: SNI router, egress, forwards and sidecar. The service reads what
 * it needs to decide; this reads for it, dials, and relays.
 *
 *   HEADER ──> READING ──> DIALLING ──> RELAYING ──> over
 *                 └──────> REFUSING ───────────────> over
 */
#ifndef TG_PROXY_CONNECTION_H
#define TG_PROXY_CONNECTION_H

#include "hello/client_hello.h"
#include "io/dial.h"
#include "io/relay.h"
#include "proxy/visit.h"

typedef enum tg_connection_state {
    TG_CONNECTION_HEADER, /* a PROXY header is read */
    TG_CONNECTION_READING,
    TG_CONNECTION_DIALLING,
    TG_CONNECTION_RELAYING,
    TG_CONNECTION_REFUSING, /* an answer is on its way, then the end */
    TG_CONNECTION_OVER,
    TG_NUM_CONNECTION_STATES
} tg_connection_state;

typedef struct tg_proxy_connection tg_proxy_connection;

/* What a service decided. Slices live as long as the visit's configuration, or are static. */
typedef struct tg_proxy_decision {
    tg_address target;
    tg_slice route;    /* for metrics: a domain's name, or the service's word */
    size_t num_taken;  /* bytes of the input that are not passed on */
    bool is_checked;   /* each address goes through the service's filter */
    bool is_announced; /* a PROXY header goes first */
    tg_slice tlvs;     /* in it */
    /* where it is refused instead */
    const char *refused; /* the event, NULL where it is not */
    tg_slice rule;
    const char *remedy;
    tg_slice answer; /* what is sent before the end */
} tg_proxy_decision;

/* One service's part. */
typedef struct tg_connection_service {
    bool reads; /* the client speaks before anything is decided */
    /* Decides from every byte that came so far: TG_OK with *out_decision, or TG_ERR_AGAIN: more bytes are needed. */
    tg_result (*decide)(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision);
    tg_dial_filter_fn *filter; /* called with the connection */
} tg_connection_service;

/* What is needed until bytes flow; then it is freed. */
typedef struct tg_connection_intake {
    tg_proxy_connection *connection;
    tg_buf bytes;
    tg_client_hello_reader hello;
    tg_deadline deadline;
    tg_dial *dial;
    uint64_t dial_began_ns;
    tg_proxy_decision decision;
    tg_proxy_source source;
    const tg_egress_rules *rules; /* of the egress filter */
    uint16_t port;
    char host[254];       /* the name that was asked for */
    char refusal[64];     /* the rule or class that refused an address */
    size_t num_discarded; /* while refusing */
} tg_connection_intake;

struct tg_proxy_connection {
    tg_proxy_visit visit;
    const tg_connection_service *service;
    tg_stream *client; /* NULL once the relay has it */
    tg_connection_intake *intake;
    char *target; /* for the log */
    tg_slice route;
    uint8_t state;
    tg_relay relay;
};

/* tg_proxy_connection_open begins with an accepted stream, which is its own from now on. */
void tg_proxy_connection_open(tg_proxy_worker *worker, const tg_proxy_door *door, const tg_connection_service *service,
                              tg_stream *stream);

/* tg_proxy_connection_name notes what the client asked for, for logs; cut where it is long. */
void tg_proxy_connection_name(tg_proxy_connection *connection, tg_slice name);

#endif
