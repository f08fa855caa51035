/* One client at one of the proxy's doors: what every service keeps of it, whatever it does with it then. A visit lives
 * and ends on its worker's loop; it counts against the limits from beginning to end. */
#ifndef TG_PROXY_VISIT_H
#define TG_PROXY_VISIT_H

#include "hello/proxy_header.h"
#include "io/loop.h"
#include "io/peer.h"
#include "io/stream.h"
#include "proxy/config.h"
#include "proxy/limiter.h"

typedef struct tg_proxy_worker tg_proxy_worker; /* proxy/worker.h */
typedef struct tg_proxy_visit tg_proxy_visit;

/* Where a client came in: one for each listener of a worker. What it points to lives as long as the configuration. */
typedef struct tg_proxy_door {
    tg_proxy_service service;
    bool is_return; /* the sidecar's port for its enclave */
    bool accepts_proxy;
    bool sends_proxy;
    const tg_proxy_forward *forward; /* of TG_SERVICE_FORWARD */
} tg_proxy_door;

struct tg_proxy_visit {
    tg_link link; /* in the worker's pending or open list */
    tg_proxy_worker *worker;
    tg_proxy_config *config; /* a reference: the visit ends under what it began under, unless renewed */
    tg_proxy_door door;
    tg_peer peer;
    tg_limit_key key;
    bool has_left;   /* counted against no limit any more */
    bool has_key;    /* counted under the key */
    bool is_pending; /* it has not yet said where to */
    uint64_t id;
    uint64_t began_ms;
    /* Ends the visit now and frees it: it is in the way, or the time to drain is over. */
    void (*stop)(tg_proxy_visit *visit, const char *outcome);
    /* The proxy drains: a visit with nothing under way ends itself. NULL: it goes on. */
    void (*drain)(tg_proxy_visit *visit);
};

/* What a PROXY header said of the client, kept behind it. */
typedef struct tg_proxy_source {
    tg_proxy_family family; /* TG_PROXY_UNSPEC: nothing is known */
    uint8_t source[16];
    uint8_t destination[16];
    uint16_t source_port;
    uint16_t destination_port;
} tg_proxy_source;

/* tg_proxy_visit_begin counts a new visit and puts it into the worker's pending list. Where a limit refuses it, or the
 * visit must make room for none, that is logged and counted.
 * out   false: refused; nothing is kept
 */
bool tg_proxy_visit_begin(tg_proxy_visit *visit, tg_proxy_worker *worker, const tg_proxy_door *door,
                          const tg_stream *stream);
/* tg_proxy_visit_renew has it go on under the worker's configuration of now; nothing of the former one may be held. */
void tg_proxy_visit_renew(tg_proxy_visit *visit);
/* tg_proxy_visit_settle moves it to the open list: it has said where to. */
void tg_proxy_visit_settle(tg_proxy_visit *visit);
/* tg_proxy_visit_unsettle moves it back: the next request is awaited. */
void tg_proxy_visit_unsettle(tg_proxy_visit *visit);
/* tg_proxy_visit_leave gives the visit's place in the limits back, once: before its end is logged, so that whoever
 * reads the log finds the place free. */
void tg_proxy_visit_leave(tg_proxy_visit *visit);
/* tg_proxy_visit_end leaves and gives back what else begin counted; the caller frees the visit. */
void tg_proxy_visit_end(tg_proxy_visit *visit, tg_slice route, const char *outcome);

/* tg_proxy_visit_learn notes the client that a PROXY header names and counts the visit under its address instead.
 * out   false: a limit refuses it
 */
bool tg_proxy_visit_learn(tg_proxy_visit *visit, const tg_proxy_header *header, tg_proxy_source *out_source);

/* tg_proxy_visit_header appends the PROXY header that tells a target who the client is: the source that is known, else
 * the peer itself; `tlvs` stand behind it.
 */
TG_MUST_USE tg_result tg_proxy_visit_header(const tg_proxy_visit *visit, const tg_proxy_source *source,
                                            const tg_stream *client, tg_slice tlvs, tg_buf *buf);

/* tg_proxy_visit_refused logs and counts a refusal by `rule`, with a `remedy` for people (or NULL).
 * in    event: what is logged ("no SNI"); name: what was asked for, foreign bytes
 */
void tg_proxy_visit_refused(const tg_proxy_visit *visit, const char *event, tg_slice rule, tg_slice name,
                            const char *remedy);

#endif
