/* One request's way through the gateway: opened, handed to the backend, its answer sealed and given back.
 *
 *   BEGUN -> OPENS -> CALLS -> SEALS -> OVER
 *   any -> OVER           refused, or the client is gone
 *
 * What holds plaintext is wiped when it is no longer needed, and counted among the bodies in flight until the answer is
 * out. An answer is given whole or not at all: it is collected first, so that a backend that breaks off becomes an
 * error and never a short answer. */
#ifndef TG_GATEWAY_EXCHANGE_H
#define TG_GATEWAY_EXCHANGE_H

#include "fields/keys.h"
#include "gateway/envelope_step.h"
#include "gateway/field_step.h"
#include "gateway/header_policy.h"
#include "gateway/upstreams.h"
#include "http/server.h"
#include "schema/schema_set.h"
#include "sys/log_rate.h"

enum { TG_EXCHANGE_LOGGED_PER_S = 20 };

typedef struct tg_exchange tg_exchange;

/* What a worker's exchanges tell. */
typedef struct tg_exchange_calls {
    /* The request is refused, and is to be answered so. pointer: where in its body the fault is; ptr NULL: nowhere */
    void (*refuse)(tg_http_request *request, const tg_gateway_fault *fault, tg_slice pointer, void *owner);
    /* The request is refused by an answer that is sealed: for whoever counts. */
    void (*refused)(const tg_gateway_fault *fault, void *owner);
    /* Values of a body were sealed or opened. */
    void (*rewritten)(const tg_schema *schema, bool is_encrypt, const tg_rewrite_counts *counts, void *owner);
    /* A token that no key opens: another replica may have newer keys. */
    void (*missed_key)(void *owner);
} tg_exchange_calls;

/* What the exchanges of a worker share; it outlives them. */
typedef struct tg_exchange_site {
    tg_loop *loop;
    tg_http_budget *budget; /* of bodies in flight; NULL: none */
    tg_upstreams *upstreams;
    tg_replay *replay; /* of the process; NULL: no route opens envelopes */
    size_t max_fields;
    const tg_exchange_calls *calls;
    void *owner;
    tg_log_rate upstream_log; /* of lines about calls that failed: at most TG_EXCHANGE_LOGGED_PER_S */
} tg_exchange_site;

/* What one exchange works with, to its end. */
typedef struct tg_exchange_parts {
    tg_field_keys *keys;             /* may be NULL where the route neither opens nor seals fields */
    tg_envelope_keys *envelope_keys; /* NULL: there is no data key yet */
    tg_pii_root request_root;        /* of decrypt fields */
    const tg_schema *request_schema;
    tg_pii_root answer_root; /* of encrypt fields */
    const tg_schema *answer_schema;
} tg_exchange_parts;

typedef enum tg_exchange_state {
    TG_EXCHANGE_BEGUN,
    TG_EXCHANGE_OPENS,
    TG_EXCHANGE_CALLS,
    TG_EXCHANGE_SEALS,
    TG_EXCHANGE_OVER,
    TG_NUM_EXCHANGE_STATES
} tg_exchange_state;

struct tg_exchange {
    tg_exchange_site *site;
    tg_http_request *request;
    const tg_gateway_route *route;
    tg_exchange_parts parts;
    tg_exchange_state state;
    tg_tick tick;
    tg_request_marks marks;                    /* for the backend */
    char seen_id[TG_MAX_REQUEST_ID_BYTES + 1]; /* of the request outside any envelope: for logs, and around answers */
    tg_field_step fields;
    tg_envelope_step envelope;
    tg_upstream_call call;
    tg_hold request_hold, answer_hold, sealed_hold;
    tg_buf opened;          /* the request's plaintext, until it is sent */
    tg_buf body;            /* the answer's, as it came */
    bool is_head;           /* the call asks for no body */
    unsigned status;        /* the answer's */
    tg_slice content_type;  /* the answer's; empty where it has none */
    tg_header_list headers; /* those that pass */
    tg_slice pointer;       /* of a fault; ptr NULL: none */
};

/* tg_exchange_init begins: in on_head, in memory that lives until on_end (the request's arena). */
void tg_exchange_init(tg_exchange *exchange, tg_exchange_site *site, const tg_gateway_route *route,
                      const tg_exchange_parts *parts, tg_http_request *request);

/* tg_exchange_run goes to work on the whole request; it will be answered. For on_request. */
void tg_exchange_run(tg_exchange *exchange);

/* tg_exchange_cancel drops the request, in any state; nothing is answered. For on_cancel. */
void tg_exchange_cancel(tg_exchange *exchange);

/* tg_exchange_done gives back what it held. For on_end. */
void tg_exchange_done(tg_exchange *exchange);

#endif
