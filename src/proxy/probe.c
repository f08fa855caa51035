#include "proxy/probe.h"

#include "io/dial.h"
#include "io/stream.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct probed {
    tg_probe *probe;
    tg_dial *dial;
    tg_address address;
    char name[260];
    char target[TG_MAX_ADDRESS_BYTES];
} probed;

struct tg_probe {
    tg_loop *loop;
    const tg_proxy_sidecar *sidecar;
    tg_probe_done_fn *done;
    void *owner;
    tg_tick tick;
    tg_proxy_config *config; /* what the results are of */
    probed *all;
    tg_probe_result *results;
    size_t num_results;
    size_t num_dialling;
    uint64_t began_ms;
    uint64_t fresh_until_ms;
};

static void tell(tg_tick *tick)
{
    tg_probe *probe = TG_OBJECT_OF(tick, tg_probe, tick);
    probe->done(probe->results, probe->num_results, probe->owner);
}

static void forget(tg_probe *probe)
{
    for (size_t i = 0; i < probe->num_results; i++) {
        tg_dial_cancel(TG_TAKE(probe->all[i].dial));
    }
    free(TG_TAKE(probe->all));
    free(TG_TAKE(probe->results));
    probe->num_results = probe->num_dialling = 0;
    tg_proxy_config_unref(TG_TAKE(probe->config));
}

tg_result tg_probe_new(tg_loop *loop, const tg_proxy_sidecar *sidecar, tg_probe_done_fn *done, void *owner,
                       tg_probe **out_probe)
{
    tg_probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *probe = (tg_probe){.loop = loop, .sidecar = sidecar, .done = done, .owner = owner, .tick.run = tell};
    *out_probe = probe;
    return tg_ok();
}

void tg_probe_free(tg_probe *probe)
{
    if (probe != NULL) {
        tg_tick_cancel(&probe->tick);
        forget(probe);
        free(probe);
    }
}

static void one_less(tg_probe *probe)
{
    if (--probe->num_dialling == 0) {
        probe->fresh_until_ms = tg_loop_now_ms(probe->loop) + TG_PROBE_KEPT_MS;
        tg_loop_tick(probe->loop, &probe->tick);
    }
}

static void on_dialled(tg_stream *stream, const tg_dial_outcome *outcome, void *owner)
{
    probed *own = owner;
    tg_probe *probe = own->probe;
    tg_probe_result *result = &probe->results[own - probe->all];
    (void)outcome;
    own->dial = NULL;
    result->answers = stream != NULL;
    result->latency_ms = tg_loop_now_ms(probe->loop) - probe->began_ms;
    tg_stream_close(stream);
    one_less(probe);
}

static void add(tg_probe *probe, tg_slice prefix, tg_slice name, const tg_address *address)
{
    size_t index = probe->num_results++;
    probed *own = &probe->all[index];
    own->probe = probe;
    own->address = *address;
    snprintf(own->name, sizeof own->name, "%.*s%.*s", (int)prefix.len, (const char *)prefix.ptr, (int)name.len,
             (const char *)name.ptr);
    (void)tg_address_format(address, own->target);
    probe->results[index] = (tg_probe_result){.name = own->name, .target = own->target};
}

static bool begin(tg_probe *probe, tg_proxy_config *config)
{
    size_t num_max = config->num_domains + 1;
    forget(probe);
    probe->all = calloc(num_max, sizeof *probe->all);
    probe->results = calloc(num_max, sizeof *probe->results);
    if (probe->all == NULL || probe->results == NULL) {
        return false;
    }
    probe->config = tg_proxy_config_ref(config);
    probe->began_ms = tg_loop_now_ms(probe->loop);
    for (size_t i = 0; i < config->num_domains; i++) {
        const tg_proxy_domain *domain = &config->domains[i];
        add(probe, domain->is_wildcard ? TG_LIT("*") : TG_LIT(""), domain->name, &domain->https);
    }
    if (probe->sidecar != NULL) {
        add(probe, TG_LIT(""), TG_LIT("enclave"), &probe->sidecar->enclave);
    }
    const tg_dial_options options = {.timeout_ms = TG_PROBE_TIMEOUT_MS};
    probe->num_dialling = probe->num_results + 1;
    for (size_t i = 0; i < probe->num_results; i++) {
        if (!tg_is_ok(tg_dial_start(probe->loop, &probe->all[i].address, &options, on_dialled, &probe->all[i],
                                    &probe->all[i].dial))) {
            one_less(probe);
        }
    }
    one_less(probe);
    return true;
}

void tg_probe_ask(tg_probe *probe, tg_proxy_config *config)
{
    bool is_same = probe->config == config;
    if (is_same && probe->num_dialling > 0) {
        return; /* told with those who asked before */
    }
    if ((is_same && tg_loop_now_ms(probe->loop) < probe->fresh_until_ms) || !begin(probe, config)) {
        tg_loop_tick(probe->loop, &probe->tick);
    }
}
