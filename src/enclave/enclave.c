#include "enclave/enclave.h"

#include "crypto/init.h"
#include "crypto/openssl_heap.h"
#include "enclave/admin.h"
#include "enclave/clock_watch.h"
#include "enclave/data_key.h"
#include "enclave/delivered_keys.h"
#include "enclave/envelope_service.h"
#include "enclave/gateway_settings.h"
#include "enclave/identity.h"
#include "enclave/key_service.h"
#include "enclave/manager.h"
#include "enclave/measures.h"
#include "enclave/replay_service.h"
#include "enclave/s3_schemas.h"
#include "enclave/schema_refresh.h"
#include "enclave/secrets_service.h"
#include "enclave/worker.h"
#include "sys/harden.h"
#include "sys/heap.h"
#include "telemetry/process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* The admin listener's thread has no cipher handles of its own but counts as one that might. */
enum { NUM_OWN_THREADS = 1, END_S = 10 };
/* The heap is trimmed when so many connections (some 18 KiB each) have gone. */
enum { TRIM_EVERY_MS = 2000, TRIMMED_CONNECTIONS = 500 };

typedef struct enclave {
    const tg_enclave_settings *settings;
    tg_manager manager;
    tg_loop *loop; /* of the main thread: signals, the admin site */
    tg_publisher *publisher;
    tg_tls_tickets *tickets;
    tg_enclave_identity identity;
    tg_attestation *attestation; /* NULL: nothing attests */
    tg_clock_watch *clock_watch; /* NULL: as that is */
    tg_key_service *keys;        /* NULL: data keys come from elsewhere */
    tg_s3_schemas *s3_schemas;   /* NULL: schemas come from a folder */
    tg_schema_refresh *refresh;
    tg_admin *admin;
    tg_secrets_service *secrets;
    tg_envelope_service *envelope;
    tg_replay *replay; /* NULL: no route takes sealed requests */
    tg_http_budget budget;
    _Atomic bool is_draining;
    tg_bound *bounds[TG_MAX_ADDRESSES];
    size_t num_bounds;
    tg_worker_shared shared;
    tg_worker **workers;
    size_t num_workers;
    _Atomic size_t num_undrained; /* workers */
    tg_task all_drained;
    tg_deadline drain_deadline;
    tg_deadline trim;
    size_t most_connections; /* since the heap was last trimmed */
    tg_task readiness;
    _Atomic bool is_ready; /* as was last told: every worker can answer */
} enclave;

static void log_faults(tg_log_level level, const tg_faults *faults)
{
    for (size_t i = 0; i < tg_faults_kept(faults); i++) {
        tg_log_fault(level, "enclave", "fault", &faults->faults[i]);
    }
}

static bool are_workers_ready(const enclave *self)
{
    for (size_t i = 0; i < self->num_workers; i++) {
        if (!tg_worker_is_ready(self->workers[i])) {
            return false;
        }
    }
    return self->num_workers > 0;
}

/* Says once when requests can be answered, by every worker, and when they no longer can. */
static void tell_readiness(tg_task *task)
{
    enclave *self = TG_OBJECT_OF(task, enclave, readiness);
    bool is_ready = are_workers_ready(self);
    if (atomic_exchange(&self->is_ready, is_ready) == is_ready) {
        return;
    }
    tg_measures_set_ready(is_ready);
    tg_manager_readiness(&self->manager, is_ready);
    tg_snapshot *snapshot = tg_publisher_current(self->publisher);
    tg_log(is_ready ? TG_LOG_INFO : TG_LOG_WARN, "enclave", is_ready ? "ready" : "degraded",
           TG_F_UINT("schemas", tg_snapshot_num_schemas(snapshot)),
           TG_F_BOOL("dek_ready", tg_snapshot_ring(snapshot) != NULL));
    tg_snapshot_unref(snapshot);
}

static void on_taken_up(void *owner)
{
    enclave *self = owner;
    tg_loop_post(self->loop, &self->readiness);
}

static void stop_main(tg_task *task)
{
    enclave *self = TG_OBJECT_OF(task, enclave, all_drained);
    tg_loop_stop(self->loop);
}

static void on_worker_drained(void *owner)
{
    enclave *self = owner;
    if (atomic_fetch_sub(&self->num_undrained, 1) == 1) {
        tg_loop_post(self->loop, &self->all_drained);
    }
}

static void on_drain_deadline(tg_deadline *deadline)
{
    enclave *self = TG_OBJECT_OF(deadline, enclave, drain_deadline);
    tg_log(TG_LOG_WARN, "enclave", "drain_incomplete", TG_F_UINT("workers", atomic_load(&self->num_undrained)),
           TG_F_STR("remedy", "raise DRAIN_TIMEOUT_SECS"));
    tg_loop_stop(self->loop);
}

static void on_term(int signal_number, void *owner)
{
    enclave *self = owner;
    if (atomic_exchange(&self->is_draining, true)) {
        tg_loop_stop(self->loop); /* asked twice: at once */
        return;
    }
    tg_log(TG_LOG_INFO, "enclave", "draining", TG_F_INT("signal", signal_number),
           TG_F_UINT("timeout_s", self->settings->drain_timeout_s));
    tg_manager_stopping(&self->manager);
    tg_deadline_arm_in(self->loop, &self->drain_deadline, self->settings->drain_timeout_s * 1000 + 1);
    for (size_t i = 0; i < self->num_workers; i++) {
        tg_worker_drain(self->workers[i]);
    }
}

/* Many connections that left have left holes in the heap. */
static void on_trim(tg_deadline *deadline)
{
    enclave *self = TG_OBJECT_OF(deadline, enclave, trim);
    size_t num_connections = 0;
    for (size_t i = 0; i < self->num_workers; i++) {
        num_connections += tg_worker_num_connections(self->workers[i]);
    }
    if (num_connections > self->most_connections) {
        self->most_connections = num_connections;
    } else if (self->most_connections - num_connections >= TRIMMED_CONNECTIONS) {
        self->most_connections = num_connections;
        tg_heap_trim();
    }
    tg_deadline_arm_in(self->loop, deadline, TRIM_EVERY_MS);
}

static tg_result set_identity(enclave *self, tg_faults *faults)
{
    tg_tls_context *tls = NULL;
    TG_TRY(tg_enclave_identity_load(&self->identity, self->settings, self->tickets, faults, &tls));
    return tg_publisher_set_tls(self->publisher, tls);
}

/* A sealed delivery brought it: what the enclave shows from the next handshake on. What cannot be shown is refused, and
 * must not come back with the next reload. */
static tg_result on_identity_delivered(tg_tls_identity *identity, void *owner)
{
    enclave *self = owner;
    tg_faults faults;
    tg_faults_init(&faults);
    tg_tls_identity *before = self->identity.delivered != NULL ? tg_tls_identity_ref(self->identity.delivered) : NULL;
    tg_enclave_identity_deliver(&self->identity, identity);
    tg_result result = set_identity(self, &faults);
    if (!tg_is_ok(result)) {
        tg_enclave_identity_deliver(&self->identity, before);
    }
    tg_tls_identity_unref(before);
    log_faults(TG_LOG_ERROR, &faults);
    tg_faults_done(&faults);
    return result;
}

/* Sealed deliveries bring AWS keys, too: what failed without them is tried at once. */
static void on_aws_keys_delivered(void *owner)
{
    enclave *self = owner;
    tg_schema_refresh_now(self->refresh);
    tg_key_service_now(self->keys);
}

/* What is at fault stays as it was: the certificate, or the authorities, or both. */
static void reload_identity(enclave *self)
{
    tg_faults faults;
    tg_faults_init(&faults);
    bool is_failed = !tg_is_ok(set_identity(self, &faults));
    log_faults(TG_LOG_ERROR, &faults);
    if (is_failed || self->identity.is_certificate_kept) {
        tg_log(TG_LOG_WARN, "enclave", "certificate_kept");
    }
    if (self->identity.client_issuers != NULL && (is_failed || self->identity.are_issuers_kept)) {
        tg_log(TG_LOG_WARN, "enclave", "client_authorities_kept");
    }
    tg_faults_done(&faults);
}

static void on_hup(int signal_number, void *owner)
{
    enclave *self = owner;
    (void)signal_number;
    tg_manager_reloading(&self->manager);
    reload_identity(self);
    tg_schema_refresh_now(self->refresh);
    tg_key_service_now(self->keys);
    tg_gateway_settings_note_changes(self->settings);
    tg_log(TG_LOG_INFO, "enclave", "reload");
    tg_manager_reloaded(&self->manager, atomic_load(&self->is_ready));
}

static tg_result watch_signals(enclave *self)
{
    TG_TRY(tg_loop_on_signal(self->loop, SIGTERM, on_term, self));
    TG_TRY(tg_loop_on_signal(self->loop, SIGINT, on_term, self));
    return tg_loop_on_signal(self->loop, SIGHUP, on_hup, self);
}

/* Opens every address of a list, and reports all that cannot be. */
static tg_result open_list(enclave *self, const tg_setting_list *list, tg_faults *faults)
{
    const tg_bind_options options = {.is_port_reused = self->settings->num_workers > 1};
    tg_result opened = tg_ok();
    for (size_t i = 0; i < list->num_items; i++) {
        tg_address address;
        tg_detail detail = {0};
        tg_result one = self->num_bounds < TG_MAX_ADDRESSES
                            ? tg_address_parse(tg_slice_str(list->items[i]), &address, &detail)
                            : tg_fail(TG_ERR_LIMIT);
        if (tg_is_ok(one)) {
            one = tg_bound_open(&address, &options, &self->bounds[self->num_bounds], &detail);
        }
        if (tg_is_ok(one)) {
            self->num_bounds++;
        } else {
            *tg_faults_add(faults) = detail;
            opened = one;
        }
    }
    return opened;
}

static tg_result open_bounds(enclave *self, tg_faults *faults)
{
    tg_result plain = open_list(self, &self->settings->listen_addresses, faults);
    tg_result proxied = open_list(self, &self->settings->proxied_addresses, faults);
    return tg_is_ok(plain) ? proxied : plain;
}

static void close_bounds(enclave *self)
{
    for (size_t i = 0; i < self->num_bounds; i++) {
        tg_bound_close(self->bounds[i]);
    }
    self->num_bounds = 0;
}

/* Before anything is judged by the time. */
static tg_result open_attestation(enclave *self, tg_faults *faults)
{
    TG_TRY(tg_attestation_open(self->settings, faults, &self->attestation));
    return self->attestation == NULL
               ? tg_ok()
               : tg_clock_watch_open(tg_attestation_device(self->attestation), self->loop, &self->clock_watch);
}

static tg_result set_keys(enclave *self, tg_faults *faults)
{
    tg_key_ring *ring = NULL;
    if (self->settings->secret_arn != NULL) {
        return tg_key_service_new(self->settings, self->attestation, self->publisher, faults, &self->keys);
    }
    TG_TRY(tg_enclave_data_key(self->settings, faults, &ring));
    if (ring == NULL) {
        tg_log(TG_LOG_WARN, "keys", "no_data_key",
               TG_F_STR("remedy", "set a source of data keys; until then requests are answered 503"));
        return tg_ok();
    }
    return tg_publisher_set_ring(self->publisher, ring);
}

static void warn_of_open_doors(const tg_enclave_settings *settings)
{
    if (settings->encrypt_allowed_clients.num_items == 0) {
        tg_log(TG_LOG_WARN, "enclave", "encrypt_is_open",
               TG_F_STR("reason", "anybody may call /encrypt, and so tabulate the tokens of small domains"),
               TG_F_STR("remedy", "set ENCRYPT_ALLOWED_CLIENTS"));
    }
    if (settings->decrypt_allowed_clients.num_items == 0) {
        tg_log(TG_LOG_INFO, "enclave", "decrypt_is_closed",
               TG_F_STR("reason", "nobody may call /decrypt: DECRYPT_ALLOWED_CLIENTS is not set"));
    }
    tg_gateway_settings_log(settings);
}

static tg_result start_workers(enclave *self)
{
    size_t num_workers = (size_t)self->settings->num_workers;
    self->shared = (tg_worker_shared){.settings = self->settings,
                                      .publisher = self->publisher,
                                      .budget = &self->budget,
                                      .attestation = self->attestation,
                                      .replay = self->replay,
                                      .keys = self->keys,
                                      .bounds = self->bounds,
                                      .num_bounds = self->num_bounds,
                                      .num_proxied = self->settings->proxied_addresses.num_items,
                                      .is_draining = &self->is_draining,
                                      .drained = on_worker_drained,
                                      .taken_up = on_taken_up,
                                      .owner = self};
    self->workers = calloc(num_workers, sizeof(tg_worker *));
    if (self->workers == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    atomic_store(&self->num_undrained, num_workers);
    for (size_t i = 0; i < num_workers; i++) {
        TG_TRY(tg_worker_new(&self->shared, (unsigned)i, &self->workers[i]));
        self->num_workers = i + 1;
    }
    for (size_t i = 0; i < num_workers; i++) {
        TG_TRY(tg_worker_start(self->workers[i]));
    }
    return tg_ok();
}

static void log_listening(const enclave *self)
{
    for (size_t i = 0; i < self->num_bounds; i++) {
        char address[TG_MAX_ADDRESS_BYTES];
        tg_log(TG_LOG_INFO, "enclave", "listening",
               TG_F_STR("address", tg_address_format(tg_bound_address(self->bounds[i]), address)),
               TG_F_UINT("workers", self->num_workers));
    }
}

/* Memory for private TLS keys; that it cannot be locked is no reason not to serve: data keys are elsewhere. */
static tg_result lock_tls_keys(const tg_enclave_settings *settings)
{
    tg_result locked = tg_openssl_heap_lock((size_t)settings->max_connections);
    if (locked.code == TG_ERR_SYSTEM) {
        tg_log(TG_LOG_WARN, "tls", "keys_not_locked", TG_F_ERR(locked),
               TG_F_STR("remedy", "raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=), or lower MAX_CONNECTIONS"));
        return tg_ok();
    }
    return locked;
}

/* Everything up to serving. What is wrong in the configuration is in faults; the rest is the machine's. */
static tg_result start(enclave *self, tg_faults *faults)
{
    const tg_enclave_settings *settings = self->settings;
    TG_TRY(tg_heap_return_long_blocks());
    TG_TRY(tg_crypto_init((size_t)settings->num_workers + NUM_OWN_THREADS));
    TG_TRY(lock_tls_keys(settings));
    TG_TRY(tg_loop_new(&self->loop));
    TG_TRY(tg_publisher_new(&self->publisher));
    TG_TRY(tg_tls_tickets_new(TG_TICKET_PERIOD_MS, &self->tickets));
    TG_TRY(tg_process_metrics_start("teegate-enclave"));
    TG_TRY(tg_measures_start(self->publisher));
    TG_TRY(watch_signals(self));
    const tg_aws_key_source delivered = tg_delivered_keys(self->publisher);
    tg_result attested = open_attestation(self, faults);
    tg_result identity = set_identity(self, faults);
    tg_result keys = set_keys(self, faults);
    tg_result schemas = tg_s3_schemas_open(settings, &delivered, faults, &self->s3_schemas);
    tg_result bounds = open_bounds(self, faults);
    TG_TRY(identity);
    TG_TRY(keys);
    TG_TRY(attested);
    TG_TRY(schemas);
    TG_TRY(bounds);
    warn_of_open_doors(settings);
    if (settings->admin_address != NULL) {
        const tg_admin_sources sources = {.settings = settings,
                                          .publisher = self->publisher,
                                          .is_draining = &self->is_draining,
                                          .are_workers_ready = &self->is_ready};
        TG_TRY(tg_admin_open(&sources, self->loop, &self->admin, faults));
    }
    const tg_secrets_sources secrets = {.settings = settings,
                                        .publisher = self->publisher,
                                        .identity_delivered = on_identity_delivered,
                                        .aws_keys_delivered = on_aws_keys_delivered,
                                        .owner = self};
    TG_TRY(tg_secrets_service_open(&secrets, self->loop, &self->secrets, faults));
    TG_TRY(tg_envelope_service_open(self->publisher, self->loop, &self->envelope));
    TG_TRY(tg_replay_service_open(settings, &self->replay));
    TG_TRY(start_workers(self));
    TG_TRY(self->keys != NULL ? tg_key_service_start(self->keys) : tg_ok());
    log_listening(self);
    const tg_schema_refresh_options refresh = {.directory = settings->schema_dir,
                                               .source = tg_s3_schemas_source(self->s3_schemas),
                                               .interval_s = settings->schema_refresh_interval_s,
                                               .allow_removal = settings->schema_allow_removal};
    return tg_schema_refresh_start(&refresh, self->publisher, &self->refresh);
}

static void end(enclave *self)
{
    tg_manager_close(&self->manager);
    alarm(END_S); /* a thread that never comes back must not keep the process: SIGALRM then ends it */
    if (self->publisher != NULL) {
        tg_publisher_end(self->publisher);
    }
    tg_schema_refresh_stop(self->refresh);
    tg_s3_schemas_close(self->s3_schemas);
    tg_measures_stop();
    for (size_t i = 0; i < self->num_workers; i++) {
        tg_worker_free(self->workers[i]);
    }
    free(self->workers);
    tg_admin_close(self->admin);
    tg_secrets_service_close(self->secrets);
    tg_envelope_service_close(self->envelope);
    tg_replay_service_close(self->replay);
    close_bounds(self);
    tg_clock_watch_close(self->clock_watch);
    if (self->loop != NULL) {
        tg_deadline_disarm(&self->drain_deadline);
        tg_deadline_disarm(&self->trim);
        tg_loop_free(self->loop);
    }
    tg_key_service_free(self->keys);
    tg_attestation_close(self->attestation);
    tg_publisher_free(self->publisher);
    tg_enclave_identity_done(&self->identity);
    tg_tls_tickets_unref(self->tickets);
    alarm(0);
}

int tg_enclave_run(const tg_enclave_settings *settings, const char *const *environment)
{
    enclave self = {.settings = settings};
    tg_faults faults;
    int status = TG_EXIT_IN_ORDER;
    self.all_drained.run = stop_main;
    self.readiness.run = tell_readiness;
    self.drain_deadline.run = on_drain_deadline;
    self.trim.run = on_trim;
    tg_http_budget_init(&self.budget, (size_t)settings->max_inflight_bytes);
    tg_faults_init(&faults);
    tg_result started = tg_manager_open(&self.manager, environment, &faults);
    if (tg_is_ok(started)) {
        started = start(&self, &faults);
    }
    if (tg_is_ok(started)) {
        tg_deadline_arm_in(self.loop, &self.trim, TRIM_EVERY_MS);
        tg_manager_serving(&self.manager, self.loop, self.workers, self.num_workers);
        tg_loop_run(self.loop);
        tg_log(TG_LOG_INFO, "enclave", "ended", TG_F_UINT("undrained_workers", atomic_load(&self.num_undrained)));
    } else {
        log_faults(TG_LOG_ERROR, &faults);
        tg_log(TG_LOG_ERROR, "enclave", "cannot_start", TG_F_ERR(started));
        status = faults.num_faults > 0 ? TG_EXIT_CONFIGURATION : TG_EXIT_MACHINE;
    }
    tg_faults_done(&faults);
    end(&self);
    return status;
}

/* A bucket is not asked here: this looks at the configuration alone. */
static tg_result check_bucket(const tg_enclave_settings *settings, tg_faults *faults)
{
    tg_s3_schemas *schemas = NULL;
    tg_result opened = tg_s3_schemas_open(settings, NULL, faults, &schemas);
    tg_s3_schemas_close(schemas);
    return faults->num_faults > 0 ? tg_ok() : opened;
}

static tg_result check_schemas(const tg_enclave_settings *settings, tg_faults *faults)
{
    if (settings->s3_bucket != NULL) {
        return check_bucket(settings, faults);
    }
    const tg_schema_options options = {.sha256 = tg_schema_refresh_sha256};
    tg_schema_set *set = NULL;
    tg_result loaded = tg_schema_set_load(settings->schema_dir, &options, faults, &set);
    if (tg_is_ok(loaded) && tg_schema_set_num_schemas(set) == 0 && faults->num_faults == 0) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SCHEMA_DIR", faults);
        tg_detail_set_reason(fault, "no OpenAPI file is there");
        tg_detail_set_remedy(fault, "put .yaml or .json files with an `openapi` member into the folder");
    }
    if (tg_is_ok(loaded)) {
        tg_gateway_settings_check_schemas(settings, set, faults);
    }
    tg_schema_set_unref(set);
    return loaded.code == TG_ERR_MEMORY ? loaded : tg_ok();
}

tg_result tg_enclave_check(const tg_enclave_settings *settings, tg_faults *faults)
{
    enclave self = {.settings = settings};
    tg_tls_context *tls = NULL;
    tg_key_ring *ring = NULL;
    TG_TRY(tg_crypto_init(1));
    size_t num_before = faults->num_faults;
    tg_result identity = tg_enclave_identity_load(&self.identity, settings, NULL, faults, &tls);
    tg_result keys = settings->secret_arn != NULL ? tg_ok() : tg_enclave_data_key(settings, faults, &ring);
    tg_result attested = tg_attestation_open(settings, faults, &self.attestation);
    tg_result bounds = open_bounds(&self, faults);
    close_bounds(&self);
    tg_result secrets = tg_secrets_service_check(settings, faults);
    tg_attestation_close(self.attestation);
    tg_enclave_identity_done(&self.identity);
    tg_tls_context_unref(tls);
    tg_key_ring_unref(ring);
    TG_TRY(check_schemas(settings, faults));
    if (faults->num_faults > num_before) {
        return tg_ok();
    }
    TG_TRY(identity);
    TG_TRY(keys);
    TG_TRY(attested);
    TG_TRY(secrets);
    return bounds;
}
