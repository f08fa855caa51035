#include "enclave/worker.h"

#include "enclave/forward_api.h"
#include "enclave/gateway_api.h"
#include "enclave/measures.h"
#include "enclave/prefaces.h"
#include "io/listener.h"
#include "sys/thread.h"
#include "tls/stream.h"

#include <stdio.h>
#include <stdlib.h>

enum { HANDLER_MARGIN_MS = 30000, MAX_LOGGED_PER_S = 50 };

struct tg_worker {
    const tg_worker_shared *shared;
    unsigned index;
    tg_loop *loop;
    pthread_t thread;
    bool is_started;
    tg_site site;
    tg_subscription subscription;
    tg_http_server *server;
    tg_listener *listeners[TG_MAX_ADDRESSES];
    tg_prefaces *prefaces; /* NULL: no listener has them */
    size_t num_listeners;  /* made */
    size_t num_open;       /* of these, not yet finished */
    bool is_paused;
    _Atomic bool is_ready; /* site.serving's, for other threads */
    tg_task drain;
    tg_task pulse;
    _Atomic bool has_come_round; /* since tg_worker_is_alive was last called */
};

/* Takes the newest snapshot up. Without memory for it the old one serves on, and the next change tries again. */
static void take_up(void *owner)
{
    tg_worker *worker = owner;
    tg_serving *next = NULL;
    tg_snapshot *snapshot = tg_publisher_current(worker->shared->publisher);
    tg_result made = tg_serving_new(snapshot, worker->site.serving, &next);
    tg_snapshot_unref(snapshot);
    if (!tg_is_ok(made)) {
        tg_log(TG_LOG_ERROR, "enclave", "snapshot_not_taken_up", TG_F_UINT("worker", worker->index), TG_F_ERR(made),
               TG_F_STR("remedy", "raise the memory limit, or RLIMIT_MEMLOCK"));
        return;
    }
    /* A connection's client was looked at when it came, under the authorities of then. */
    if (!tg_serving_has_same_issuers(worker->site.serving, next)) {
        tg_http_server_renew(worker->server);
    }
    tg_gateway_set_secrets(worker->site.gateway, tg_snapshot_secrets(tg_serving_snapshot(next)));
    tg_serving_unref(worker->site.serving);
    worker->site.serving = next;
    atomic_store(&worker->is_ready, tg_snapshot_is_ready(tg_serving_snapshot(next)));
    worker->shared->taken_up(worker->shared->owner);
}

bool tg_worker_is_ready(const tg_worker *worker)
{
    return atomic_load(&worker->is_ready);
}

static void pause_listeners(tg_worker *worker, bool is_paused)
{
    if (worker->is_paused == is_paused) {
        return;
    }
    worker->is_paused = is_paused;
    for (size_t i = 0; i < worker->num_listeners; i++) {
        if (worker->listeners[i] != NULL && is_paused) {
            tg_listener_pause(worker->listeners[i]);
        } else if (worker->listeners[i] != NULL) {
            tg_listener_resume(worker->listeners[i]);
        }
    }
}

static void secure(tg_stream *stream, void *owner)
{
    tg_worker *worker = owner;
    tg_tls_context *tls = tg_snapshot_tls(tg_serving_snapshot(worker->site.serving));
    tg_stream *secured = NULL;
    if (tls == NULL) {
        tg_stream_close(stream);
        return;
    }
    tg_result done = tg_tls_accept(tls, stream, worker->loop, &secured);
    if (tg_is_ok(done)) {
        done = tg_http_server_adopt(worker->server, secured);
    }
    if (!tg_is_ok(done)) {
        tg_measures_accept_fault(1);
    }
    if (tg_http_server_is_full(worker->server)) {
        pause_listeners(worker, true);
    }
}

static bool is_proxied(const tg_worker *worker, const tg_listener *listener)
{
    for (size_t i = worker->num_listeners - worker->shared->num_proxied; i < worker->num_listeners; i++) {
        if (worker->listeners[i] == listener) {
            return true;
        }
    }
    return false;
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    tg_worker *worker = owner;
    if (worker->prefaces != NULL && is_proxied(worker, listener)) {
        tg_prefaces_take(worker->prefaces, stream);
    } else {
        secure(stream, worker);
    }
}

static void on_preface_refused(const tg_stream *stream, const char *reason, void *owner)
{
    tg_worker *worker = owner;
    uint64_t num_unlogged;
    tg_measures_accept_fault(1);
    if (tg_log_rate_take(&worker->site.log_rate, MAX_LOGGED_PER_S, tg_loop_now_ms(worker->loop), &num_unlogged)) {
        char peer[TG_PEER_TEXT_BYTES];
        tg_log(TG_LOG_INFO, "enclave", "proxy_header_refused",
               TG_F_STR("peer", tg_peer_format(tg_stream_peer(stream), peer)), TG_F_STR("reason", reason),
               TG_F_UINT("unlogged", num_unlogged));
    }
}

static const tg_prefaces_calls preface_calls = {.ready = secure, .refused = on_preface_refused};

static void on_room(void *context)
{
    tg_site *site = context;
    pause_listeners(TG_OBJECT_OF(site, tg_worker, site), false);
}

static void on_accept_fault(tg_listener *listener, tg_result result, uint64_t num_refused, void *owner)
{
    const tg_worker *worker = owner;
    char address[TG_MAX_ADDRESS_BYTES];
    tg_measures_accept_fault(num_refused);
    tg_log(TG_LOG_ERROR, "enclave", "accept_failed",
           TG_F_STR("address", tg_address_format(tg_listener_address(listener), address)), TG_F_ERR(result),
           TG_F_UINT("refused", num_refused), TG_F_UINT("worker", worker->index),
           TG_F_STR("remedy", "raise the limit of open files, or lower MAX_CONNECTIONS"));
}

static void on_drained(void *context)
{
    tg_worker *worker = context;
    worker->shared->drained(worker->shared->owner);
}

static void drain_server(tg_worker *worker)
{
    tg_http_server_drain(worker->server, on_drained, worker);
}

static void on_finished(tg_listener *listener, void *owner)
{
    tg_worker *worker = owner;
    for (size_t i = 0; i < worker->num_listeners; i++) {
        if (worker->listeners[i] == listener) {
            worker->listeners[i] = NULL;
        }
    }
    if (--worker->num_open == 0) {
        drain_server(worker);
    }
}

static const tg_listener_calls listener_calls = {
    .accepted = on_accepted, .fault = on_accept_fault, .finished = on_finished};

static void run_drain(tg_task *task)
{
    tg_worker *worker = TG_OBJECT_OF(task, tg_worker, drain);
    if (worker->num_open == 0) {
        drain_server(worker);
        return;
    }
    for (size_t i = 0; i < worker->num_listeners; i++) {
        if (worker->listeners[i] != NULL) {
            tg_listener_finish(worker->listeners[i]);
        }
    }
}

static void run_pulse(tg_task *task)
{
    tg_worker *worker = TG_OBJECT_OF(task, tg_worker, pulse);
    atomic_store(&worker->has_come_round, true);
}

bool tg_worker_is_alive(tg_worker *worker)
{
    bool is_alive = atomic_exchange(&worker->has_come_round, false);
    tg_loop_post(worker->loop, &worker->pulse);
    return is_alive;
}

size_t tg_worker_num_connections(const tg_worker *worker)
{
    return (size_t)tg_http_server_counts(worker->server).num_connections;
}

void tg_worker_drain(tg_worker *worker)
{
    tg_loop_post(worker->loop, &worker->drain);
}

/* A backend may take longer than anything that we do ourselves; then it is the exchange that ends it. */
static uint32_t handler_ms(const tg_routes *routes, uint32_t handler_ms)
{
    uint64_t longest_ms = tg_gateway_longest_ms(routes) + HANDLER_MARGIN_MS;
    return longest_ms > handler_ms ? (uint32_t)longest_ms : handler_ms;
}

static tg_result open_server(tg_worker *worker)
{
    const tg_enclave_settings *settings = worker->shared->settings;
    tg_http_limits limits;
    tg_http_limits_default(&limits);
    limits.body_bytes = settings->max_body_bytes;
    limits.head_ms = (uint32_t)(settings->head_timeout_s * 1000);
    limits.idle_ms = (uint32_t)(settings->idle_timeout_s * 1000);
    limits.body_bytes_per_second = (uint32_t)settings->min_body_bytes_per_s;
    limits.answer_bytes_per_second = limits.body_bytes_per_second;
    limits.handler_ms = handler_ms(settings->routes, limits.handler_ms);
    uint64_t share = settings->max_connections / settings->num_workers;
    limits.num_connections = (uint32_t)(share > 0 ? share : 1);
    tg_http_handlers handlers = tg_site_handlers(&worker->site);
    handlers.on_room = on_room;
    TG_TRY(tg_http_server_new(worker->loop, &limits, &handlers, worker->shared->budget, &worker->server));
    tg_measures_add_server(worker->server);
    return tg_ok();
}

static tg_result open_prefaces(tg_worker *worker)
{
    const tg_enclave_settings *settings = worker->shared->settings;
    uint64_t share = settings->max_connections / settings->num_workers;
    const tg_prefaces_options options = {.timeout_ms = settings->head_timeout_s * 1000,
                                         .max = (size_t)(share > 0 ? share : 1)};
    return worker->shared->num_proxied == 0
               ? tg_ok()
               : tg_prefaces_new(worker->loop, &options, &preface_calls, worker, &worker->prefaces);
}

static tg_result open_listeners(tg_worker *worker)
{
    for (size_t i = 0; i < worker->shared->num_bounds; i++) {
        TG_TRY(
            tg_listener_open(worker->loop, worker->shared->bounds[i], &listener_calls, worker, &worker->listeners[i]));
        worker->num_listeners = i + 1;
        worker->num_open++;
    }
    return tg_ok();
}

static tg_result set_up(tg_worker *worker)
{
    TG_TRY(tg_loop_new(&worker->loop));
    worker->site.loop = worker->loop;
    worker->subscription = (tg_subscription){.loop = worker->loop, .changed = take_up, .owner = worker};
    TG_TRY(tg_publisher_subscribe(worker->shared->publisher, &worker->subscription));
    tg_snapshot *snapshot = tg_publisher_current(worker->shared->publisher);
    tg_result made = tg_serving_new(snapshot, NULL, &worker->site.serving);
    tg_snapshot_unref(snapshot);
    TG_TRY(made);
    TG_TRY(tg_gateway_new(&worker->site, &worker->site.gateway));
    tg_gateway_set_secrets(worker->site.gateway, tg_snapshot_secrets(tg_serving_snapshot(worker->site.serving)));
    TG_TRY(tg_forward_new(worker->shared->settings, worker->loop, &worker->site.applications));
    TG_TRY(open_server(worker));
    TG_TRY(open_prefaces(worker));
    return open_listeners(worker);
}

tg_result tg_worker_new(const tg_worker_shared *shared, unsigned index, tg_worker **out_worker)
{
    tg_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    worker->shared = shared;
    worker->index = index;
    worker->drain.run = run_drain;
    worker->pulse.run = run_pulse;
    atomic_init(&worker->has_come_round, true);
    worker->site.settings = shared->settings;
    worker->site.is_draining = shared->is_draining;
    worker->site.budget = shared->budget;
    worker->site.attestation = shared->attestation;
    worker->site.replay = shared->replay;
    worker->site.keys = shared->keys;
    tg_result made = set_up(worker);
    if (!tg_is_ok(made)) {
        tg_worker_free(worker);
        return made;
    }
    *out_worker = worker;
    return tg_ok();
}

static void *run_thread(void *argument)
{
    tg_worker *worker = argument;
    tg_loop_run(worker->loop);
    return NULL;
}

tg_result tg_worker_start(tg_worker *worker)
{
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->index % 1000);
    tg_result started = tg_thread_start(&worker->thread, name, run_thread, worker);
    worker->is_started = tg_is_ok(started);
    return started;
}

void tg_worker_free(tg_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->is_started) {
        tg_loop_stop(worker->loop);
        pthread_join(worker->thread, NULL);
    }
    for (size_t i = 0; i < worker->num_listeners; i++) {
        tg_listener_close(worker->listeners[i]);
    }
    tg_prefaces_free(worker->prefaces);
    if (worker->server != NULL) {
        tg_http_server_free(worker->server);
    }
    tg_gateway_free(worker->site.gateway);
    tg_applications_free(worker->site.applications);
    tg_serving_unref(worker->site.serving);
    if (worker->loop != NULL) {
        tg_loop_free(worker->loop);
    }
    free(worker);
}
