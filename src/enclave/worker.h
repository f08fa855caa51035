/* One thread that serves: a loop, its HTTP server, its listeners, and the snapshot that it answers from. */
#ifndef TG_ENCLAVE_WORKER_H
#define TG_ENCLAVE_WORKER_H

#include "enclave/site.h"
#include "io/bound.h"

typedef struct tg_worker tg_worker;

/* What all workers of the process share; it outlives them. */
typedef struct tg_worker_shared {
    const tg_enclave_settings *settings;
    tg_publisher *publisher;
    tg_http_budget *budget;      /* of bodies in flight */
    tg_key_service *keys;        /* NULL: none reads them */
    tg_attestation *attestation; /* NULL: nothing attests */
    tg_replay *replay;           /* NULL: no route takes sealed requests */
    tg_bound *const *bounds;     /* the sockets that all of them accept from */
    size_t num_bounds;
    size_t num_proxied; /* of them, the last: each connection begins with a PROXY header (enclave/prefaces.h) */
    _Atomic bool *is_draining;
    void (*drained)(void *owner);  /* a worker has no connection left; called on its thread */
    void (*taken_up)(void *owner); /* a worker answers from a newer snapshot; called on its thread */
    void *owner;
} tg_worker_shared;

/* tg_worker_new makes a worker that serves once tg_worker_start has been called.
 * in    index: 0 for the first, names the thread
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM, TG_ERR_LIMIT
 * keep  ended with tg_worker_free
 */
TG_MUST_USE tg_result tg_worker_new(const tg_worker_shared *shared, unsigned index, tg_worker **out_worker);

/* tg_worker_start begins the thread. err: TG_ERR_SYSTEM */
TG_MUST_USE tg_result tg_worker_start(tg_worker *worker);

/* tg_worker_is_ready says whether the snapshot that the worker answers from is ready. Any thread. */
bool tg_worker_is_ready(const tg_worker *worker);

/* tg_worker_is_alive says whether the started worker's thread has come round since the last call, and asks it again;
 * true the first time. Any thread, but one. */
bool tg_worker_is_alive(tg_worker *worker);

/* tg_worker_num_connections is how many it has open now. Any thread. */
size_t tg_worker_num_connections(const tg_worker *worker);

/* tg_worker_drain takes what the kernel has queued, accepts nothing more, answers what was begun, and then reports by
 * `drained`. Any thread, once. tg_worker_free ends whatever is left at once, joins the thread and frees. */
void tg_worker_drain(tg_worker *worker);
void tg_worker_free(tg_worker *worker);

#endif
