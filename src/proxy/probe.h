/* Which enclaves answer: each domain's address is dialled when somebody asks, at most once in a few seconds. */
#ifndef TG_PROXY_PROBE_H
#define TG_PROXY_PROBE_H

#include "io/loop.h"
#include "proxy/config.h"
#include "proxy/sidecar.h"

typedef struct tg_probe tg_probe;

enum { TG_PROBE_KEPT_MS = 5000, TG_PROBE_TIMEOUT_MS = 1000 };

typedef struct tg_probe_result {
    const char *name;   /* of the domain, or "enclave"; lives as long as the probe */
    const char *target; /* its address */
    bool answers;
    uint64_t latency_ms;
} tg_probe_result;

/* Called from the loop once the answer is there. */
typedef void tg_probe_done_fn(const tg_probe_result *results, size_t num_results, void *owner);

/* tg_probe_new makes one; nothing is dialled before somebody asks. sidecar may be NULL.
 * err   TG_ERR_MEMORY
 * keep  the loop outlives it; `done` is called for every question until tg_probe_free
 */
TG_MUST_USE tg_result tg_probe_new(tg_loop *loop, const tg_proxy_sidecar *sidecar, tg_probe_done_fn *done, void *owner,
                                   tg_probe **out_probe);
void tg_probe_free(tg_probe *probe);

/* tg_probe_ask leads to one call of `done`, soon: with what is known, where it is fresh and of this configuration. */
void tg_probe_ask(tg_probe *probe, tg_proxy_config *config);

#endif
