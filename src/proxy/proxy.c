#include "proxy/proxy.h"

#include "proxy/gates.h"
#include "proxy/proxy_admin.h"
#include "sys/log.h"
#include "sys/service_notify.h"
#include "telemetry/process.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

enum { MAX_WORKERS = 256, END_ALL_MS = 2000 };

typedef enum worker_order { APPLY, DRAIN, END_ALL, STOP, NUM_ORDERS } worker_order;

typedef struct worker_handle worker_handle;

/* What the main thread tells a worker: an object for each order, so that none overtakes another. */
typedef struct worker_task {
    tg_task task;
    worker_handle *handle;
    worker_order order;
} worker_task;

struct worker_handle {
    tg_proxy *proxy;
    tg_proxy_worker *worker;
    worker_task tasks[NUM_ORDERS];
    tg_result result; /* of APPLY */
};

struct tg_proxy {
    tg_proxy_options options;
    tg_proxy_sidecar sidecar;
    tg_buf sidecar_tlv;
    tg_loop *loop;
    tg_proxy_config *config;
    tg_proxy_gates gates;
    tg_proxy_shared shared;
    worker_handle *handles; /* one a worker */
    size_t num_workers;
    size_t num_running;
    sem_t applied;
    tg_task drained_task;
    _Atomic size_t num_drained;
    tg_proxy_admin *admin;
    tg_service_notify notify; /* the service manager, if there is one */
    tg_deadline deadline;
    bool is_draining;
    bool is_ending;
};

tg_proxy_config *tg_proxy_current_config(const tg_proxy *proxy)
{
    return proxy->config;
}

size_t tg_proxy_num_connections(const tg_proxy *proxy)
{
    return tg_limiter_num_connections(proxy->shared.limiter);
}

bool tg_proxy_is_draining(const tg_proxy *proxy)
{
    return proxy->is_draining;
}

static void on_task(tg_task *task)
{
    const worker_task *told = TG_OBJECT_OF(task, worker_task, task);
    worker_handle *own = told->handle;
    switch (told->order) {
    case APPLY:
        own->result = tg_proxy_worker_apply(own->worker, own->proxy->config, own->proxy->gates.gates,
                                            own->proxy->gates.num_gates);
        sem_post(&own->proxy->applied);
        break;
    case DRAIN:
        tg_proxy_worker_drain(own->worker);
        break;
    case END_ALL:
        tg_proxy_worker_end_all(own->worker);
        break;
    case STOP:
        tg_loop_stop(own->worker->loop);
        break;
    case NUM_ORDERS:
        break;
    }
}

static void tell_all(tg_proxy *proxy, worker_order order)
{
    for (size_t i = 0; i < proxy->num_running; i++) {
        tg_loop_post(proxy->handles[i].worker->loop, &proxy->handles[i].tasks[order].task);
    }
}

static void *run_worker(void *argument)
{
    tg_proxy_worker *worker = argument;
    tg_loop_run(worker->loop);
    return NULL;
}

/* On a worker's thread. */
static void on_worker_drained(void *owner)
{
    tg_proxy *proxy = owner;
    atomic_fetch_add(&proxy->num_drained, 1);
    tg_loop_post(proxy->loop, &proxy->drained_task);
}

static void on_drained(tg_task *task)
{
    tg_proxy *proxy = TG_OBJECT_OF(task, tg_proxy, drained_task);
    if (atomic_load(&proxy->num_drained) == proxy->num_running) {
        tg_loop_stop(proxy->loop);
    }
}

static void on_deadline(tg_deadline *deadline)
{
    tg_proxy *proxy = TG_OBJECT_OF(deadline, tg_proxy, deadline);
    if (proxy->is_ending) {
        tg_loop_stop(proxy->loop);
        return;
    }
    tg_log(TG_LOG_WARN, "proxy", "drain time is over", TG_F_UINT("connections", tg_proxy_num_connections(proxy)));
    proxy->is_ending = true;
    tell_all(proxy, END_ALL);
    tg_deadline_arm_in(proxy->loop, &proxy->deadline, END_ALL_MS);
}

static void on_terminate(int signal_number, void *owner)
{
    tg_proxy *proxy = owner;
    if (proxy->is_draining) { /* asked twice: now */
        tg_deadline_arm_in(proxy->loop, &proxy->deadline, 1);
        return;
    }
    tg_log(TG_LOG_INFO, "proxy", "draining", TG_F_INT("signal", signal_number),
           TG_F_UINT("connections", tg_proxy_num_connections(proxy)));
    proxy->is_draining = true;
    tg_service_notify_stopping(&proxy->notify, TG_LIT("draining"));
    tell_all(proxy, DRAIN);
    uint64_t drain_ms = proxy->config->timeouts.drain_ms;
    tg_deadline_arm_in(proxy->loop, &proxy->deadline, drain_ms > 0 ? drain_ms : 1);
}

static void log_listeners(const tg_proxy *proxy)
{
    char text[TG_MAX_ADDRESS_BYTES];
    for (size_t i = 0; i < proxy->gates.num_gates; i++) {
        const tg_proxy_gate *gate = &proxy->gates.gates[i];
        tg_log(TG_LOG_INFO, "proxy", "listening", TG_F_STR("service", tg_proxy_service_name(gate->door.service)),
               TG_F_STR("address", tg_address_format(tg_bound_address(gate->bound), text)));
    }
}

/* Every worker takes the configuration before the former one's sockets are closed. */
static void apply_all(tg_proxy *proxy)
{
    tell_all(proxy, APPLY);
    for (size_t i = 0; i < proxy->num_running; i++) {
        while (sem_wait(&proxy->applied) != 0) {
        }
    }
    for (size_t i = 0; i < proxy->num_running; i++) {
        if (!tg_is_ok(proxy->handles[i].result)) {
            tg_log(TG_LOG_ERROR, "proxy", "a listener could not be opened", TG_F_ERR(proxy->handles[i].result));
        }
    }
}

static void log_faults(const tg_faults *faults, const char *event)
{
    for (size_t i = 0; i < tg_faults_kept(faults); i++) {
        tg_log_fault(TG_LOG_ERROR, "proxy", event, &faults->faults[i]);
    }
}

static void reload(tg_proxy *proxy)
{
    tg_faults faults;
    tg_proxy_config *config = NULL, *former = proxy->config;
    tg_proxy_gates gates = {NULL, 0}, former_gates = proxy->gates;
    tg_faults_init(&faults);
    tg_result result = tg_proxy_config_read(proxy->options.config_path, proxy->options.environment, &faults, &config);
    if (tg_is_ok(result)) {
        result =
            tg_proxy_gates_open(config, proxy->options.sidecar, proxy->num_workers > 1, &former_gates, &faults, &gates);
    }
    if (tg_is_ok(result)) {
        proxy->config = config;
        proxy->gates = gates;
        apply_all(proxy);
        tg_proxy_gates_replace(&former_gates, &gates);
        tg_proxy_config_unref(former);
        log_listeners(proxy);
        tg_log(TG_LOG_INFO, "proxy", "reloaded", TG_F_UINT("domains", config->num_domains),
               TG_F_UINT("forwards", config->num_forwards));
    } else {
        tg_proxy_config_unref(config);
        log_faults(&faults, "reload refused");
        tg_log(TG_LOG_ERROR, "proxy", "reload failed", TG_F_UINT("faults", faults.num_faults), TG_F_ERR(result),
               TG_F_STR("remedy", "the former configuration stays; mend the file and send SIGHUP again"));
    }
    tg_faults_done(&faults);
}

static void on_hangup(int signal_number, void *owner)
{
    tg_proxy *proxy = owner;
    (void)signal_number;
    if (proxy->options.config_path == NULL) {
        tg_log(TG_LOG_WARN, "proxy", "nothing to reload",
               TG_F_STR("remedy", "a sidecar is configured by environment: start it anew"));
    } else if (!proxy->is_draining) {
        tg_service_notify_reloading(&proxy->notify);
        reload(proxy);
        tg_service_notify_ready(&proxy->notify, TG_LIT("serving"));
    }
}

static size_t num_cores(void)
{
    cpu_set_t cpus;
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count > 0 && count < MAX_WORKERS ? (size_t)count : 1;
}

static tg_result make_workers(tg_proxy *proxy)
{
    proxy->handles = calloc(proxy->num_workers, sizeof *proxy->handles);
    if (proxy->handles == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < proxy->num_workers; i++) {
        worker_handle *handle = &proxy->handles[i];
        handle->proxy = proxy;
        for (int order = 0; order < NUM_ORDERS; order++) {
            handle->tasks[order] = (worker_task){.task.run = on_task, .handle = handle, .order = (worker_order)order};
        }
        TG_TRY(tg_proxy_worker_new(&proxy->shared, &handle->worker));
        TG_TRY(tg_proxy_worker_apply(handle->worker, proxy->config, proxy->gates.gates, proxy->gates.num_gates));
    }
    return tg_ok();
}

/* The return port's number is known once it is bound; then the TLV is the same for every connection. */
static tg_result compose_sidecar(tg_proxy *proxy)
{
    if (proxy->options.sidecar == NULL) {
        return tg_ok();
    }
    for (size_t i = 0; i < proxy->gates.num_gates; i++) {
        if (proxy->gates.gates[i].door.is_return) {
            uint32_t port = tg_bound_address(proxy->gates.gates[i].bound)->port;
            proxy->sidecar.return_port.port = port > 0 ? port : 1; /* a unix socket has none */
        }
    }
    if (proxy->sidecar.has_application) {
        TG_TRY(tg_return_port_append(&proxy->sidecar_tlv, &proxy->sidecar.return_port));
    }
    proxy->shared.sidecar = &proxy->sidecar;
    proxy->shared.sidecar_tlv = tg_buf_slice(&proxy->sidecar_tlv);
    return tg_ok();
}

/* The admin's address is that of the start: a reload does not move it. */
static tg_result open_admin(tg_proxy *proxy, tg_faults *faults)
{
    const tg_proxy_listeners *own = &proxy->config->listeners[TG_SERVICE_ADMIN];
    const tg_address *address = own->num_listeners > 0 ? &own->listeners[0].address : proxy->options.admin;
    if (address == NULL) {
        return tg_ok();
    }
    return tg_proxy_admin_open(proxy->loop, proxy, proxy->options.sidecar, address, faults, &proxy->admin);
}

static tg_result open_notify(tg_proxy *proxy, tg_faults *faults)
{
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_result opened = tg_service_notify_open(proxy->options.environment, &proxy->notify, &detail);
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
    }
    return opened;
}

static tg_result set_up(tg_proxy *proxy, tg_faults *faults)
{
    TG_TRY(open_notify(proxy, faults));
    TG_TRY(tg_loop_new(&proxy->loop));
    TG_TRY(tg_limiter_new(&proxy->shared.limiter));
    TG_TRY(tg_proxy_gates_open(proxy->config, proxy->options.sidecar, proxy->num_workers > 1, NULL, faults,
                               &proxy->gates));
    TG_TRY(compose_sidecar(proxy));
    TG_TRY(tg_process_metrics_start("teegate-proxy"));
    TG_TRY(open_admin(proxy, faults));
    return make_workers(proxy);
}

tg_result tg_proxy_new(const tg_proxy_options *options, tg_proxy_config *config, tg_faults *faults,
                       tg_proxy **out_proxy)
{
    tg_proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL || sem_init(&proxy->applied, 0, 0) != 0) {
        free(proxy);
        return tg_fail(TG_ERR_MEMORY);
    }
    proxy->options = *options;
    proxy->config = tg_proxy_config_ref(config);
    proxy->notify.fd = -1;
    proxy->num_workers = options->num_workers > 0 ? options->num_workers : num_cores();
    proxy->shared.num_workers = proxy->num_workers;
    proxy->shared.drained = on_worker_drained;
    proxy->shared.owner = proxy;
    proxy->drained_task.run = on_drained;
    proxy->deadline.run = on_deadline;
    tg_buf_init(&proxy->sidecar_tlv, 64);
    if (options->sidecar != NULL) {
        proxy->sidecar = *options->sidecar;
        proxy->options.sidecar = &proxy->sidecar;
    }
    tg_result result = set_up(proxy, faults);
    if (!tg_is_ok(result)) {
        tg_proxy_free(proxy);
        return result;
    }
    *out_proxy = proxy;
    return tg_ok();
}

static tg_result start_threads(tg_proxy *proxy)
{
    sigset_t all, former;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &former);
    tg_result result = tg_ok();
    for (size_t i = 0; i < proxy->num_workers && tg_is_ok(result); i++) {
        int why = pthread_create(&proxy->handles[i].worker->thread, NULL, run_worker, proxy->handles[i].worker);
        result = why == 0 ? tg_ok() : tg_fail_os(why);
        proxy->num_running += why == 0;
    }
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return result;
}

tg_result tg_proxy_run(tg_proxy *proxy)
{
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGTERM, on_terminate, proxy));
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGINT, on_terminate, proxy));
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGHUP, on_hangup, proxy));
    tg_result result = start_threads(proxy);
    if (tg_is_ok(result)) {
        log_listeners(proxy);
        tg_log(TG_LOG_INFO, "proxy", "started", TG_F_UINT("workers", proxy->num_workers),
               TG_F_UINT("domains", proxy->config->num_domains));
        tg_service_notify_ready(&proxy->notify, TG_LIT("serving"));
        tg_loop_run(proxy->loop);
    }
    tg_deadline_disarm(&proxy->deadline);
    tell_all(proxy, STOP);
    for (size_t i = 0; i < proxy->num_running; i++) {
        pthread_join(proxy->handles[i].worker->thread, NULL);
    }
    tg_log(TG_LOG_INFO, "proxy", "stopped");
    return result;
}

void tg_proxy_free(tg_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    for (size_t i = 0; proxy->handles != NULL && i < proxy->num_workers; i++) {
        tg_proxy_worker_free(proxy->handles[i].worker);
    }
    free(proxy->handles);
    tg_proxy_admin_close(proxy->admin);
    if (proxy->gates.gates != NULL) {
        tg_proxy_gates_done(&proxy->gates);
    }
    if (proxy->loop != NULL) {
        tg_loop_free(proxy->loop);
    }
    tg_limiter_free(proxy->shared.limiter);
    tg_buf_done(&proxy->sidecar_tlv);
    sem_destroy(&proxy->applied);
    tg_service_notify_close(&proxy->notify);
    tg_proxy_config_unref(proxy->config);
    free(proxy);
}
