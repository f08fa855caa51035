#include "proxy/worker.h"

#include "proxy/connection.h"
#include "proxy/egress.h"
#include "proxy/forward.h"
#include "proxy/http_router.h"
#include "proxy/kms_proxy.h"
#include "proxy/proxy_metrics.h"
#include "proxy/sidecar.h"
#include "proxy/sni_router.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>

struct tg_worker_listener {
    tg_link link;
    tg_proxy_worker *worker;
    tg_listener *listener;
    const tg_bound *bound; /* whose socket it accepts from; the gates own it */
    tg_proxy_door door;
    const tg_proxy_gate *next_gate; /* between prepare and commit: what it becomes; NULL: it leaves */
    bool is_new;                    /* it accepts from commit on */
    bool is_leaving;
};

static const tg_connection_service *service_of(const tg_proxy_door *door)
{
    switch (door->service) {
    case TG_SERVICE_HTTPS:
        return &tg_sni_router_service;
    case TG_SERVICE_INTERNET:
        return &tg_egress_service;
    case TG_SERVICE_FORWARD:
        return &tg_forward_service;
    case TG_SERVICE_SIDECAR:
        return door->is_return ? &tg_sidecar_return_service : &tg_sidecar_service;
    case TG_SERVICE_HTTP:
    case TG_SERVICE_KMS:
    case TG_SERVICE_ADMIN:
    case TG_NUM_PROXY_SERVICES:
        break;
    }
    return NULL;
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    tg_worker_listener *own = owner;
    const tg_connection_service *service = service_of(&own->door);
    (void)listener;
    if (service != NULL) {
        tg_proxy_connection_open(own->worker, &own->door, service, stream);
    } else if (own->door.service == TG_SERVICE_KMS) {
        tg_proxy_kms_open(own->worker, &own->door, stream);
    } else {
        tg_proxy_http_open(own->worker, &own->door, stream);
    }
}

static void on_fault(tg_listener *listener, tg_result result, uint64_t num_refused, void *owner)
{
    const tg_worker_listener *own = owner;
    char text[TG_MAX_ADDRESS_BYTES];
    tg_log(TG_LOG_WARN, "proxy", "accept failed", TG_F_STR("service", tg_proxy_service_name(own->door.service)),
           TG_F_STR("address", tg_address_format(tg_listener_address(listener), text)), TG_F_ERR(result),
           TG_F_UINT("refused", num_refused), TG_F_STR("remedy", "raise LimitNOFILE, or lower limits.connections"));
}

static void on_finished(tg_listener *listener, void *owner)
{
    tg_worker_listener *own = owner;
    (void)listener;
    tg_proxy_worker *worker = own->worker;
    tg_link_remove(&own->link);
    free(own);
    tg_proxy_worker_visit_left(worker);
}

static const tg_listener_calls listener_calls = {on_accepted, on_fault, on_finished};

tg_result tg_proxy_worker_new(tg_proxy_shared *shared, tg_proxy_worker **out_worker)
{
    tg_proxy_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    worker->shared = shared;
    tg_link_init_head(&worker->listeners);
    tg_link_init_head(&worker->pending);
    tg_link_init_head(&worker->open);
    tg_result result = tg_loop_new(&worker->loop);
    if (tg_is_ok(result)) {
        result = tg_relay_pool_new(worker->loop, NULL, &worker->pool);
    }
    if (tg_is_ok(result)) {
        result = tg_lookup_lanes_new(shared->num_workers, &worker->lookup_lanes);
    }
    if (tg_is_ok(result)) {
        result = tg_kms_backend_new(worker->loop, shared->environment, shared->aws_trust, &worker->kms);
    }
    if (!tg_is_ok(result)) {
        tg_proxy_worker_free(worker);
        return result;
    }
    *out_worker = worker;
    return tg_ok();
}

void tg_proxy_worker_free(tg_proxy_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    worker->is_gone = true;
    tg_proxy_worker_end_all(worker);
    while (!tg_link_is_empty(&worker->listeners)) {
        tg_worker_listener *own = TG_OBJECT_OF(worker->listeners.next, tg_worker_listener, link);
        tg_listener_close(own->listener);
        tg_link_remove(&own->link);
        free(own);
    }
    tg_own_addresses_free(worker->own_addresses);
    tg_kms_backend_free(worker->kms);
    tg_relay_pool_free(worker->pool);
    if (worker->loop != NULL) {
        tg_loop_free(worker->loop);
    }
    tg_lookup_lanes_free(worker->lookup_lanes);
    tg_proxy_config_unref(worker->config);
    free(worker);
}

static tg_worker_listener *find_listener(const tg_proxy_worker *worker, const tg_bound *bound)
{
    for (tg_link *each = worker->listeners.next; each != &worker->listeners; each = each->next) {
        tg_worker_listener *own = TG_OBJECT_OF(each, tg_worker_listener, link);
        if (own->bound == bound && !own->is_leaving) { /* one that leaves may be of a socket that is closed */
            return own;
        }
    }
    return NULL;
}

static tg_result prepare_gate(tg_proxy_worker *worker, const tg_proxy_gate *gate)
{
    tg_worker_listener *own = find_listener(worker, gate->bound);
    if (own != NULL) {
        own->next_gate = gate;
        return tg_ok();
    }
    own = calloc(1, sizeof *own);
    if (own == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *own = (tg_worker_listener){.worker = worker, .bound = gate->bound, .next_gate = gate, .is_new = true};
    tg_result result = tg_listener_open(worker->loop, gate->bound, &listener_calls, own, &own->listener);
    if (!tg_is_ok(result)) {
        free(own);
        return result;
    }
    tg_listener_pause(own->listener);
    tg_link_append(&worker->listeners, &own->link);
    return tg_ok();
}

static tg_result prepare_gates(tg_proxy_worker *worker, const tg_proxy_gates *gates)
{
    for (size_t i = 0; i < gates->num_gates; i++) {
        tg_proxy_service service = gates->gates[i].door.service;
        if (service == TG_SERVICE_INTERNET && worker->own_addresses == NULL) {
            TG_TRY(tg_own_addresses_new(&worker->own_addresses));
        }
        if (service != TG_SERVICE_ADMIN) { /* the main thread's */
            TG_TRY(prepare_gate(worker, &gates->gates[i]));
        }
    }
    return tg_ok();
}

tg_result tg_proxy_worker_prepare(tg_proxy_worker *worker, const tg_proxy_gates *gates)
{
    for (tg_link *each = worker->listeners.next; each != &worker->listeners; each = each->next) {
        TG_OBJECT_OF(each, tg_worker_listener, link)->next_gate = NULL;
    }
    tg_result result = prepare_gates(worker, gates);
    if (!tg_is_ok(result)) {
        tg_proxy_worker_cancel(worker);
    }
    return result;
}

void tg_proxy_worker_cancel(tg_proxy_worker *worker)
{
    for (tg_link *each = worker->listeners.next, *next; each != &worker->listeners; each = next) {
        tg_worker_listener *own = TG_OBJECT_OF(each, tg_worker_listener, link);
        next = each->next;
        if (own->is_new) {
            tg_listener_close(own->listener);
            tg_link_remove(&own->link);
            free(own);
        }
    }
}

void tg_proxy_worker_commit(tg_proxy_worker *worker, tg_proxy_config *config)
{
    for (tg_link *each = worker->listeners.next; each != &worker->listeners; each = each->next) {
        tg_worker_listener *own = TG_OBJECT_OF(each, tg_worker_listener, link);
        if (own->next_gate == NULL) {
            own->is_leaving = true;
            tg_listener_finish(own->listener);
            continue;
        }
        own->door = own->next_gate->door;
        if (own->is_new) {
            own->is_new = false;
            tg_listener_resume(own->listener);
        }
    }
    tg_proxy_config *former = worker->config;
    worker->config = tg_proxy_config_ref(config);
    tg_proxy_config_unref(former);
}

void tg_proxy_worker_drain(tg_proxy_worker *worker)
{
    worker->is_draining = true;
    for (tg_link *each = worker->listeners.next, *next; each != &worker->listeners; each = next) {
        next = each->next;
        tg_listener_finish(TG_OBJECT_OF(each, tg_worker_listener, link)->listener);
    }
    for (tg_link *each = worker->pending.next, *next; each != &worker->pending; each = next) {
        tg_proxy_visit *visit = TG_OBJECT_OF(each, tg_proxy_visit, link);
        next = each->next;
        if (visit->drain != NULL) {
            visit->drain(visit);
        }
    }
    tg_proxy_worker_visit_left(worker);
}

void tg_proxy_worker_end_all(tg_proxy_worker *worker)
{
    tg_link *lists[] = {&worker->pending, &worker->open};
    for (size_t i = 0; i < TG_COUNT(lists); i++) {
        while (!tg_link_is_empty(lists[i])) {
            tg_proxy_visit *visit = TG_OBJECT_OF(lists[i]->next, tg_proxy_visit, link);
            visit->stop(visit, "drained");
        }
    }
}

void tg_proxy_worker_visit_left(tg_proxy_worker *worker)
{
    if (worker->is_draining && !worker->is_gone && worker->num_visits == 0 && tg_link_is_empty(&worker->listeners)) {
        worker->is_gone = true;
        worker->shared->drained(worker->shared->owner);
    }
}

bool tg_proxy_worker_may_log(tg_proxy_worker *worker, tg_log_kind kind, uint64_t *out_num_unlogged)
{
    uint64_t max = kind == TG_LOG_OF_REFUSALS ? TG_MAX_REFUSAL_LINES_PER_S : TG_MAX_END_LINES_PER_S;
    bool may = tg_log_rate_take(&worker->log_rates[kind], max, tg_loop_now_ms(worker->loop), out_num_unlogged);
    if (!may) {
        tg_proxy_count_unlogged();
    }
    return may;
}

static const char *remedy_of(const tg_address *target, const tg_dial_outcome *outcome)
{
    if (outcome->stage == TG_DIAL_RESOLVE) {
        return "does the name resolve on this host?";
    }
    if (target->kind == TG_ADDRESS_VSOCK) {
        return outcome->result.os_error == ENODEV ? "no enclave has this CID: is it running (nitro-cli "
                                                    "describe-enclaves), is the CID the configured one?"
                                                  : "does the enclave run, and does its program listen on this port?";
    }
    return target->kind == TG_ADDRESS_HVSOCK ? "does the machine run, and does its program listen on this port?"
                                             : "does something listen there?";
}

void tg_proxy_log_dial(const tg_proxy_visit *visit, const tg_address *target, tg_slice route,
                       const tg_dial_outcome *outcome)
{
    char text[TG_MAX_ADDRESS_BYTES], peer[TG_PEER_TEXT_BYTES];
    uint64_t num_unlogged;
    if (!tg_proxy_worker_may_log(visit->worker, TG_LOG_OF_REFUSALS, &num_unlogged)) {
        return;
    }
    tg_log(TG_LOG_WARN, "proxy", target->kind == TG_ADDRESS_VSOCK ? "vsock dial failed" : "dial failed",
           TG_F_UINT("connection", visit->id), TG_F_STR("service", tg_proxy_service_name(visit->door.service)),
           TG_F_STR("peer", tg_peer_format(&visit->peer, peer)), TG_F_SLICE("route", route),
           TG_F_STR("target", tg_address_format(target, text)), TG_F_STR("stage", tg_dial_stage_name(outcome->stage)),
           TG_F_ERR(outcome->result), TG_F_STR("reason", outcome->reason),
           TG_F_STR("remedy", remedy_of(target, outcome)), TG_F_UINT("unlogged", num_unlogged));
}
