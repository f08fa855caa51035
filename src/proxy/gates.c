#include "proxy/gates.h"

#include <stdlib.h>

enum { MAX_GATES = TG_NUM_PROXY_SERVICES * TG_MAX_LISTENERS + TG_MAX_FORWARDS + 16 };

typedef struct opening {
    const tg_proxy_gates_wanted *wanted;
    const tg_proxy_gates *former;
    tg_faults *faults;
    tg_proxy_gate *gates;
    size_t num_gates;
} opening;

static const tg_proxy_gate *find_asked(const tg_proxy_gates *gates, const tg_address *address)
{
    for (size_t i = 0; gates != NULL && i < gates->num_gates; i++) {
        if (tg_address_equal(&gates->gates[i].asked, address)) {
            return &gates->gates[i];
        }
    }
    return NULL;
}

static void open_gate(opening *all, const tg_address *address, tg_proxy_door door)
{
    const tg_bind_options options = {.is_port_reused = all->wanted->is_port_reused};
    tg_proxy_gate gate = {.asked = *address, .door = door};
    const tg_proxy_gate *former = find_asked(all->former, address);
    if (former != NULL) {
        gate.bound = former->bound;
        gate.is_lent = former->is_lent;
    } else {
        gate.bound = tg_proxy_activated_find(all->wanted->activated, door.service, address);
        gate.is_lent = gate.bound != NULL;
    }
    if (gate.bound == NULL) {
        tg_detail found;
        tg_detail_clear(&found);
        if (!tg_is_ok(tg_bound_open(address, &options, &gate.bound, &found))) {
            *tg_faults_add(all->faults) = found;
            return;
        }
    }
    all->gates[all->num_gates++] = gate;
}

static void open_listeners(opening *all, tg_proxy_service service)
{
    const tg_proxy_listeners *of = &all->wanted->config->listeners[service];
    for (size_t i = 0; i < of->num_listeners; i++) {
        const tg_proxy_listener *listener = &of->listeners[i];
        open_gate(all, &listener->address,
                  (tg_proxy_door){.service = service,
                                  .accepts_proxy = listener->accepts_proxy,
                                  .sends_proxy = listener->sends_proxy});
    }
}

static void open_sidecar(opening *all, const tg_proxy_sidecar *sidecar)
{
    open_gate(all, &sidecar->listen, (tg_proxy_door){.service = TG_SERVICE_SIDECAR});
    if (sidecar->has_application) {
        open_gate(all, &sidecar->return_listen, (tg_proxy_door){.service = TG_SERVICE_SIDECAR, .is_return = true});
    }
}

static void open_all(opening *all)
{
    const tg_proxy_config *config = all->wanted->config;
    if (tg_proxy_config_has_keys(config)) { /* else there is nothing that anybody could be given */
        open_listeners(all, TG_SERVICE_KMS);
    }
    open_listeners(all, TG_SERVICE_HTTP);
    open_listeners(all, TG_SERVICE_HTTPS);
    open_listeners(all, TG_SERVICE_INTERNET);
    for (size_t i = 0; i < config->num_forwards; i++) {
        const tg_proxy_forward *forward = &config->forwards[i];
        open_gate(all, &forward->listen.address,
                  (tg_proxy_door){.service = TG_SERVICE_FORWARD,
                                  .accepts_proxy = forward->listen.accepts_proxy,
                                  .sends_proxy = forward->listen.sends_proxy,
                                  .forward = forward});
    }
    if (all->wanted->sidecar != NULL) {
        open_sidecar(all, all->wanted->sidecar);
    }
    if (config->listeners[TG_SERVICE_ADMIN].num_listeners > 0) {
        open_listeners(all, TG_SERVICE_ADMIN);
    } else if (all->wanted->admin != NULL) {
        open_gate(all, all->wanted->admin, (tg_proxy_door){.service = TG_SERVICE_ADMIN});
    }
}

static bool has_bound(const tg_proxy_gates *gates, const tg_bound *bound)
{
    for (size_t i = 0; gates != NULL && i < gates->num_gates; i++) {
        if (gates->gates[i].bound == bound) {
            return true;
        }
    }
    return false;
}

static void close_others(const tg_proxy_gate *gates, size_t num_gates, const tg_proxy_gates *kept)
{
    for (size_t i = 0; i < num_gates; i++) {
        if (!gates[i].is_lent && !has_bound(kept, gates[i].bound)) {
            tg_bound_close(gates[i].bound);
        }
    }
}

tg_result tg_proxy_gates_open(const tg_proxy_gates_wanted *wanted, const tg_proxy_gates *former, tg_faults *faults,
                              tg_proxy_gates *out_gates)
{
    size_t num_before = faults->num_faults;
    opening all = {.wanted = wanted, .former = former, .faults = faults};
    all.gates = calloc(MAX_GATES, sizeof *all.gates);
    if (all.gates == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    open_all(&all);
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

const tg_proxy_gate *tg_proxy_gates_find(const tg_proxy_gates *gates, tg_proxy_service service)
{
    for (size_t i = 0; i < gates->num_gates; i++) {
        if (gates->gates[i].door.service == service) {
            return &gates->gates[i];
        }
    }
    return NULL;
}
