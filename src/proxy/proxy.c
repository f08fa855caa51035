#include "proxy/proxy.h"

#include "proxy/confinement.h"
#include "proxy/crew.h"
#include "proxy/proxy_admin.h"
#include "proxy/watchdog.h"
#include "sys/log.h"
#include "sys/service_notify.h"
#include "telemetry/process.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

enum { MAX_WORKERS = 256, END_ALL_MS = 2000 };

struct tg_proxy {
    tg_proxy_options options;
    tg_proxy_sidecar sidecar;
    tg_buf sidecar_tlv;
    tg_loop *loop;
    tg_proxy_config *config;
    tg_proxy_activated activated;
    tg_proxy_gates gates;
    tg_proxy_shared shared;
    tg_aws_access_trust aws_trust;
    tg_crew *crew;
    tg_task drained_task;
    _Atomic size_t num_drained;
    tg_proxy_admin *admin;
    tg_service_notify notify; /* the service manager, if there is one */
    tg_proxy_watchdog watchdog;
    tg_sandbox_report sandbox;
    tg_deadline deadline;
    uint64_t began_ms;
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

uint64_t tg_proxy_uptime_ms(const tg_proxy *proxy)
{
    return tg_loop_now_ms(proxy->loop) - proxy->began_ms;
}

const tg_sandbox_report *tg_proxy_sandbox(const tg_proxy *proxy)
{
    return &proxy->sandbox;
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
    if (atomic_load(&proxy->num_drained) == tg_crew_num_running(proxy->crew)) {
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
    tg_crew_end_all(proxy->crew);
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
    tg_crew_drain(proxy->crew);
    uint64_t drain_ms = proxy->config->timeouts.drain_ms;
    tg_deadline_arm_in(proxy->loop, &proxy->deadline, drain_ms > 0 ? drain_ms : 1);
}

static void log_listeners(const tg_proxy *proxy)
{
    char text[TG_MAX_ADDRESS_BYTES];
    for (size_t i = 0; i < proxy->gates.num_gates; i++) {
        const tg_proxy_gate *gate = &proxy->gates.gates[i];
        tg_log(TG_LOG_INFO, "proxy", "listening", TG_F_STR("service", tg_proxy_service_name(gate->door.service)),
               TG_F_STR("address", tg_address_format(tg_bound_address(gate->bound), text)),
               TG_F_BOOL("activated", gate->is_lent));
    }
}

static void log_faults(const tg_faults *faults, const char *event)
{
    for (size_t i = 0; i < tg_faults_kept(faults); i++) {
        tg_log_fault(TG_LOG_ERROR, "proxy", event, &faults->faults[i]);
    }
}

/* A configuration that may become the one in force. */
typedef struct candidate {
    tg_proxy_config *config;
    tg_proxy_gates gates;
    tg_proxy_admin *admin; /* the one in force where its address stays */
} candidate;

static tg_result open_gates(tg_proxy *proxy, const tg_proxy_gates *former, tg_faults *faults, candidate *next)
{
    const tg_proxy_gates_wanted wanted = {.config = next->config,
                                          .sidecar = proxy->options.sidecar,
                                          .admin = proxy->options.admin,
                                          .activated = &proxy->activated,
                                          .is_port_reused = proxy->shared.num_workers > 1};
    return tg_proxy_gates_open(&wanted, former, faults, &next->gates);
}

/* The admin's listener is the main thread's; at another address there is another one. */
static tg_result open_admin(tg_proxy *proxy, candidate *next)
{
    const tg_proxy_gate *gate = tg_proxy_gates_find(&next->gates, TG_SERVICE_ADMIN);
    if (gate == NULL || (proxy->admin != NULL && tg_proxy_admin_bound(proxy->admin) == gate->bound)) {
        next->admin = gate != NULL ? proxy->admin : NULL;
        return tg_ok();
    }
    return tg_proxy_admin_open(proxy->loop, proxy, proxy->options.sidecar, gate->bound, &next->admin);
}

/* Everything that can fail; nothing of the configuration in force has changed when it returns. */
static tg_result prepare(tg_proxy *proxy, tg_faults *faults, candidate *next)
{
    TG_TRY(tg_proxy_config_read(proxy->options.config_path, proxy->options.environment, faults, &next->config));
    TG_TRY(open_gates(proxy, &proxy->gates, faults, next));
    TG_TRY(open_admin(proxy, next));
    return tg_crew_prepare(proxy->crew, &next->gates);
}

static void give_up(const tg_proxy *proxy, candidate *next)
{
    if (next->admin != proxy->admin) {
        tg_proxy_admin_close(next->admin);
    }
    tg_proxy_gates_replace(&next->gates, &proxy->gates);
    tg_proxy_config_unref(next->config);
}

/* Every worker has the new configuration before the former one's sockets are closed. */
static void take_over(tg_proxy *proxy, const candidate *next)
{
    tg_proxy_config *former_config = proxy->config;
    tg_proxy_gates former_gates = proxy->gates;
    tg_crew_commit(proxy->crew, next->config);
    if (proxy->admin != next->admin) {
        tg_proxy_admin_close(proxy->admin);
    }
    proxy->config = next->config;
    proxy->gates = next->gates;
    proxy->admin = next->admin;
    tg_proxy_gates_replace(&former_gates, &next->gates);
    tg_proxy_config_unref(former_config);
}

static void reload(tg_proxy *proxy)
{
    tg_faults faults;
    tg_faults_init(&faults);
    candidate next = {.admin = proxy->admin};
    tg_result result = prepare(proxy, &faults, &next);
    if (tg_is_ok(result)) {
        take_over(proxy, &next);
        log_listeners(proxy);
        tg_log(TG_LOG_INFO, "proxy", "reloaded", TG_F_UINT("domains", proxy->config->num_domains),
               TG_F_UINT("forwards", proxy->config->num_forwards));
    } else {
        give_up(proxy, &next);
        log_faults(&faults, "reload refused");
        tg_log(TG_LOG_ERROR, "proxy", "reload failed", TG_F_UINT("faults", faults.num_faults), TG_F_ERR(result),
               TG_F_STR("remedy", "the former configuration stays; mend the file and send SIGHUP again. What the "
                                  "program gave up at its start (ports under 1024, other folders) needs a restart"));
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

/* Before files are out of reach. Without authorities the rest of the proxy serves all the same. */
static void open_trust(tg_proxy *proxy)
{
    tg_detail detail;
    tg_detail_clear(&detail);
    tg_result opened = tg_aws_access_trust_init(&proxy->aws_trust, proxy->options.environment, &detail);
    if (!tg_is_ok(opened) && tg_proxy_config_has_keys(proxy->config)) {
        tg_detail_set_remedy(&detail, "KMS is not reached: install ca-certificates, or set AWS_CA_BUNDLE");
        tg_log_fault(TG_LOG_WARN, "proxy", "no certificate authorities", &detail);
    }
    proxy->shared.aws_trust = &proxy->aws_trust;
    proxy->shared.environment = proxy->options.environment;
}

static tg_result set_up(tg_proxy *proxy, tg_faults *faults)
{
    candidate first = {.config = proxy->config};
    if (proxy->options.activation != NULL) {
        TG_TRY(tg_proxy_activated_adopt(proxy->options.activation, faults, &proxy->activated));
    }
    TG_TRY(open_notify(proxy, faults));
    TG_TRY(tg_loop_new(&proxy->loop));
    proxy->began_ms = tg_loop_now_ms(proxy->loop);
    TG_TRY(tg_limiter_new(&proxy->shared.limiter));
    TG_TRY(open_gates(proxy, NULL, faults, &first));
    proxy->gates = first.gates;
    TG_TRY(tg_proxy_activated_check(&proxy->activated, faults));
    TG_TRY(compose_sidecar(proxy));
    TG_TRY(tg_process_metrics_start("teegate-proxy"));
    TG_TRY(open_admin(proxy, &first));
    proxy->admin = first.admin;
    open_trust(proxy);
    TG_TRY(tg_crew_new(&proxy->shared, proxy->shared.num_workers, &proxy->crew));
    TG_TRY(tg_crew_prepare(proxy->crew, &proxy->gates));
    tg_crew_commit(proxy->crew, proxy->config);
    return tg_ok();
}

tg_result tg_proxy_new(const tg_proxy_options *options, tg_proxy_config *config, tg_faults *faults,
                       tg_proxy **out_proxy)
{
    tg_proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    proxy->options = *options;
    proxy->config = tg_proxy_config_ref(config);
    proxy->notify.fd = -1;
    proxy->shared.num_workers = options->num_workers > 0 ? options->num_workers : num_cores();
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

tg_result tg_proxy_confine_itself(tg_proxy *proxy, tg_detail *detail)
{
    const tg_proxy_confinement wanted = {.user = proxy->options.user,
                                         .config_path = proxy->options.config_path,
                                         .config = proxy->config,
                                         .gates = &proxy->gates,
                                         .environment = proxy->options.environment};
    return tg_proxy_confine(&wanted, &proxy->sandbox, detail);
}

tg_result tg_proxy_run(tg_proxy *proxy)
{
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGTERM, on_terminate, proxy));
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGINT, on_terminate, proxy));
    TG_TRY(tg_loop_on_signal(proxy->loop, SIGHUP, on_hangup, proxy));
    tg_result result = tg_crew_start(proxy->crew);
    if (tg_is_ok(result)) {
        log_listeners(proxy);
        tg_log(TG_LOG_INFO, "proxy", "started", TG_F_UINT("workers", proxy->shared.num_workers),
               TG_F_UINT("domains", proxy->config->num_domains));
        tg_service_notify_ready(&proxy->notify, TG_LIT("serving"));
        tg_proxy_watchdog_start(&proxy->watchdog, proxy->loop, proxy->crew, &proxy->notify);
        tg_loop_run(proxy->loop);
    }
    tg_proxy_watchdog_stop(&proxy->watchdog);
    tg_deadline_disarm(&proxy->deadline);
    tg_crew_stop(proxy->crew);
    tg_log(TG_LOG_INFO, "proxy", "stopped");
    return result;
}

void tg_proxy_free(tg_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    tg_crew_free(proxy->crew);
    tg_proxy_admin_close(proxy->admin);
    tg_proxy_gates_done(&proxy->gates);
    tg_proxy_activated_done(&proxy->activated);
    if (proxy->loop != NULL) {
        tg_loop_free(proxy->loop);
    }
    tg_limiter_free(proxy->shared.limiter);
    tg_aws_access_trust_done(&proxy->aws_trust);
    tg_buf_done(&proxy->sidecar_tlv);
    tg_service_notify_close(&proxy->notify);
    tg_proxy_config_unref(proxy->config);
    free(proxy);
}
