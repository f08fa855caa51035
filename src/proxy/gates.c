#include "proxy/gates.h"

#include <stdlib.h>

enum { MAX_GATES = 4 * TG_MAX_LISTENERS + TG_MAX_FORWARDS + 16 };

typedef struct opening {
    const tg_proxy_gates *former;
    tg_faults *faults;
    tg_bind_options options;
    tg_proxy_gate *gates;
    size_t num_gates;
} opening;

static tg_bound *find_bound(const tg_proxy_gates *gates, const tg_address *address)
{
    for (size_t i = 0; gates != NULL && i < gates->num_gates; i++) {
        if (tg_address_equal(tg_bound_address(gates->gates[i].bound), address)) {
            return gates->gates[i].bound;
        }
    }
    return NULL;
}

static void open_gate(opening *all, const tg_address *address, tg_proxy_door door)
{
    tg_bound *bound = find_bound(all->former, address);
    if (bound == NULL) {
        tg_detail found;
        tg_detail_clear(&found);
        if (!tg_is_ok(tg_bound_open(address, &all->options, &bound, &found))) {
            tg_detail *fault = tg_faults_add(all->faults);
            *fault = found;
            return;
        }
    }
    all->gates[all->num_gates++] = (tg_proxy_gate){.bound = bound, .door = door};
}

static void open_listeners(opening *all, const tg_proxy_config *config, tg_proxy_service service)
{
    const tg_proxy_listeners *of = &config->listeners[service];
    for (size_t i = 0; i < of->num_listeners; i++) {
        const tg_proxy_listener *listener = &of->listeners[i];
        open_gate(all, &listener->address,
                  (tg_proxy_door){.service = service,
                                  .accepts_proxy = listener->accepts_proxy,
                                  .sends_proxy = listener->sends_proxy});
    }
}

static void open_all(opening *all, const tg_proxy_config *config, const tg_proxy_sidecar *sidecar)
{
    open_listeners(all, config, TG_SERVICE_HTTP);
    open_listeners(all, config, TG_SERVICE_HTTPS);
    open_listeners(all, config, TG_SERVICE_INTERNET);
    for (size_t i = 0; i < config->num_forwards; i++) {
        const tg_proxy_forward *forward = &config->forwards[i];
        open_gate(all, &forward->listen.address,
                  (tg_proxy_door){.service = TG_SERVICE_FORWARD,
                                  .accepts_proxy = forward->listen.accepts_proxy,
                                  .sends_proxy = forward->listen.sends_proxy,
                                  .forward = forward});
    }
    if (sidecar != NULL) {
        open_gate(all, &sidecar->listen, (tg_proxy_door){.service = TG_SERVICE_SIDECAR});
    }
    if (sidecar != NULL && sidecar->has_application) {
        open_gate(all, &sidecar->return_listen, (tg_proxy_door){.service = TG_SERVICE_SIDECAR, .is_return = true});
    }
}

static void close_others(tg_proxy_gate *gates, size_t num_gates, const tg_proxy_gates *kept)
{
    for (size_t i = 0; i < num_gates; i++) {
        if (find_bound(kept, tg_bound_address(gates[i].bound)) != gates[i].bound) {
            tg_bound_close(gates[i].bound);
        }
    }
}

tg_result tg_proxy_gates_open(const tg_proxy_config *config, const tg_proxy_sidecar *sidecar, bool is_port_reused,
                              const tg_proxy_gates *former, tg_faults *faults, tg_proxy_gates *out_gates)
{
    size_t num_before = faults->num_faults;
    opening all = {.former = former, .faults = faults, .options = {.is_port_reused = is_port_reused}};
    all.gates = calloc(MAX_GATES, sizeof *all.gates);
    if (all.gates == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    open_all(&all, config, sidecar);
    if (faults->num_faults > num_before) {
        close_others(all.gates, all.num_gates, former);
        free(all.gates);
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_gates = (tg_proxy_gates){all.gates, all.num_gates};
    return tg_ok();
}

void tg_proxy_gates_replace(tg_proxy_gates *former, const tg_proxy_gates *gates)
{
    close_others(former->gates, former->num_gates, gates);
    free(former->gates);
    *former = (tg_proxy_gates){NULL, 0};
}

void tg_proxy_gates_done(tg_proxy_gates *gates)
{
    tg_proxy_gates_replace(gates, NULL);
}
