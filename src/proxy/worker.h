/* One thread with one loop: doors at which clients come in, and the visits that they make. */
#ifndef TG_PROXY_WORKER_H
#define TG_PROXY_WORKER_H

#include "io/dial.h"
#include "io/listener.h"
#include "io/relay.h"
#include "proxy/config.h"
#include "proxy/gates.h"
#include "proxy/kms_backend.h"
#include "proxy/limiter.h"
#include "proxy/lookup_lanes.h"
#include "proxy/own_addresses.h"
#include "proxy/sidecar.h"
#include "proxy/visit.h"
#include "sys/log_rate.h"

#include <pthread.h>

/* What all workers see. It outlives them. */
typedef struct tg_proxy_shared {
    tg_limiter *limiter;
    const tg_proxy_sidecar *sidecar; /* NULL: none */
    tg_slice sidecar_tlv;
    const char *const *environment;
    const tg_aws_access_trust *aws_trust;
    size_t num_workers;
    _Atomic uint64_t last_id;
    /* Told by a worker that drains and has nothing left; any thread. */
    void (*drained)(void *owner);
    void *owner;
} tg_proxy_shared;

typedef struct tg_worker_listener tg_worker_listener;

/* Lines that clients cause are bounded: a flood of them must not fill the disk nor hold up the loop. */
typedef enum tg_log_kind { TG_LOG_OF_REFUSALS, TG_LOG_OF_ENDS, TG_NUM_LOG_KINDS } tg_log_kind;
enum { TG_MAX_REFUSAL_LINES_PER_S = 100, TG_MAX_END_LINES_PER_S = 1000 }; /* of one worker */

struct tg_proxy_worker {
    tg_loop *loop;
    pthread_t thread;
    tg_proxy_shared *shared;
    tg_proxy_config *config;
    tg_relay_pool *pool;
    tg_lookup_lanes *lookup_lanes;
    tg_own_addresses *own_addresses; /* NULL where no egress was ever configured */
    tg_kms_backend *kms;
    tg_link listeners;
    tg_link pending; /* visits that have not said where to, the oldest first */
    tg_link open;
    size_t num_pending;
    size_t num_visits;
    tg_log_rate log_rates[TG_NUM_LOG_KINDS];
    bool is_draining;
    bool is_gone; /* drained was told */
};

/* tg_proxy_worker_new makes a worker whose thread does not run yet.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_proxy_worker_new(tg_proxy_shared *shared, tg_proxy_worker **out_worker);
/* tg_proxy_worker_free ends every visit; its loop does not run any more. */
void tg_proxy_worker_free(tg_proxy_worker *worker);

/* A new configuration is taken in two steps, so that no worker has it where another could not: tg_proxy_worker_prepare
 * opens the listeners of gates that are new, which accept nothing yet; then either tg_proxy_worker_commit makes the
 * configuration the worker's (gates that are gone accept what the kernel has queued and close, the others go on), or
 * tg_proxy_worker_cancel closes what was prepared. On the worker's thread, or before it runs.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM: a gate could not be opened, and nothing is prepared
 * keep  `gates` live until the second step
 */
TG_MUST_USE tg_result tg_proxy_worker_prepare(tg_proxy_worker *worker, const tg_proxy_gates *gates);
void tg_proxy_worker_commit(tg_proxy_worker *worker, tg_proxy_config *config);
void tg_proxy_worker_cancel(tg_proxy_worker *worker);

/* tg_proxy_worker_drain closes the doors; shared->drained is told when the last visit is over.
 * tg_proxy_worker_end_all ends those that are left. On the worker's thread.
 */
void tg_proxy_worker_drain(tg_proxy_worker *worker);
void tg_proxy_worker_end_all(tg_proxy_worker *worker);

/* tg_proxy_worker_visit_left is called by a visit that is over. */
void tg_proxy_worker_visit_left(tg_proxy_worker *worker);

/* tg_proxy_worker_may_log says whether one more line of its kind may be written in this second; what may not is
 * counted. out   *out_num_unlogged: lines left out since the last one, for a field `unlogged`
 */
bool tg_proxy_worker_may_log(tg_proxy_worker *worker, tg_log_kind kind, uint64_t *out_num_unlogged);

/* tg_proxy_log_dial logs a target that could not be reached, in the words that docs/proxy.md explains. */
void tg_proxy_log_dial(const tg_proxy_visit *visit, const tg_address *target, tg_slice route,
                       const tg_dial_outcome *outcome);

#endif
