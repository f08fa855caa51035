#include "enclave/secrets_service.h"

#include "secrets/delivery.h"
#include "secrets/files.h"
#include "secrets/json_heap.h"
#include "secrets/listener.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/metric.h"

#include <stdlib.h>

struct tg_secrets_service {
    tg_secrets_sources sources;
    tg_loop *loop;
    tg_secrets_store *store;
    tg_delivery *delivery;
    tg_bound *bound;
    tg_secrets_listener *listener;
    tg_deadline first_wait;
};

static tg_metric_family deliveries = {.name = "teegate_secrets_deliveries_total",
                                      .help = "Deliveries of secrets, by outcome.",
                                      .kind = TG_METRIC_COUNTER,
                                      .labels = {"outcome"}};
static tg_metric_family versions = {.name = "teegate_secrets_version",
                                    .help = "Version of the secrets in force; 0 before any.",
                                    .kind = TG_METRIC_GAUGE};

static void log_outcome(const tg_peer *peer, const tg_delivery_outcome *outcome)
{
    char from[TG_PEER_TEXT_BYTES];
    bool is_ok = strcmp(outcome->fault.code, "ok") == 0;
    tg_metric_add(tg_metric_of(&deliveries, tg_slice_str(outcome->fault.code)), 1);
    tg_metric_set(tg_metric_only(&versions), (int64_t)outcome->version);
    if (is_ok && outcome->num_applied > 0) {
        tg_log(TG_LOG_INFO, "secrets", "delivered", TG_F_STR("from", tg_peer_format(peer, from)),
               TG_F_UINT("members", outcome->num_applied), TG_F_UINT("version", outcome->version));
    } else if (is_ok) {
        tg_log(TG_LOG_INFO, "secrets", "nothing_delivered", TG_F_STR("from", tg_peer_format(peer, from)));
    } else {
        tg_log(TG_LOG_WARN, "secrets", "delivery_refused", TG_F_STR("from", tg_peer_format(peer, from)),
               TG_F_STR("code", outcome->fault.code), TG_F_STR("member", outcome->fault.detail.field),
               TG_F_STR("reason", outcome->fault.detail.reason), TG_F_STR("remedy", outcome->fault.detail.remedy),
               TG_F_UINT("version", outcome->version));
    }
}

static void on_take(tg_slice text, const tg_peer *peer, tg_buf *answer, void *owner)
{
    tg_secrets_service *self = owner;
    tg_delivery_outcome outcome;
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    tg_deadline_disarm(&self->first_wait);
    if (tg_is_ok(tg_delivery_take(self->delivery, text, now_unix_s, answer, &outcome))) {
        log_outcome(peer, &outcome);
    }
}

static void on_refuse(const char *code, const tg_peer *peer, tg_buf *answer, void *owner)
{
    static const struct {
        const char *code, *reason, *remedy;
    } words[] = {{"too_large", "longer than a delivery may be", "send the named members only"},
                 {"timeout", "did not end in time", "end the stream behind the JSON: close it, or half-close it"},
                 {"busy", "too much arrives at once", "try again"},
                 {"cut_off", "the connection broke before its end", "send it again"}};
    tg_secrets_service *self = owner;
    tg_delivery_outcome outcome = {.fault = {.code = code},
                                   .version = tg_secrets_version(tg_secrets_store_current(self->store))};
    for (size_t i = 0; i < TG_COUNT(words); i++) {
        if (strcmp(words[i].code, code) == 0) {
            tg_detail_set_reason(&outcome.fault.detail, "%s", words[i].reason);
            tg_detail_set_remedy(&outcome.fault.detail, "%s", words[i].remedy);
        }
    }
    log_outcome(peer, &outcome);
    (void)!tg_is_ok(tg_delivery_append_error(&outcome.fault, answer)); /* it fits: the words are above */
}

static const tg_secrets_listener_calls listener_calls = {.take = on_take, .refuse = on_refuse};

/* A new set: first the enclave's own identity, which may still fail, then everybody is told. */
static tg_result on_changed(tg_secrets *secrets, void *owner)
{
    tg_secrets_service *self = owner;
    tg_snapshot *before = tg_publisher_current(self->sources.publisher);
    const tg_secrets *old = tg_snapshot_secrets(before);
    tg_tls_identity *server = tg_secrets_server(secrets);
    bool is_new = server != NULL && (old == NULL || tg_secrets_server(old) != server);
    bool has_new_keys = tg_secrets_value_version(secrets, TG_SECRET_AWS_KEY_ID) == tg_secrets_version(secrets);
    tg_snapshot_unref(before);
    if (is_new) {
        TG_TRY(self->sources.identity_delivered(server, self->sources.owner));
    }
    TG_TRY(tg_publisher_set_secrets(self->sources.publisher, tg_secrets_ref(secrets)));
    if (has_new_keys) {
        self->sources.aws_keys_delivered(self->sources.owner);
    }
    return tg_ok();
}

static void on_first_wait(tg_deadline *deadline)
{
    (void)deadline;
    tg_log(TG_LOG_INFO, "secrets", "none_yet",
           TG_F_STR("reason", "nothing was delivered since the start; calls that need secrets answer 503 until then"));
}

static tg_result open_bound(const tg_enclave_settings *settings, tg_bound **out_bound, tg_detail *detail)
{
    tg_address address;
    TG_TRY(tg_address_parse(tg_slice_str(settings->secrets_address), &address, detail));
    return tg_bound_open(&address, NULL, out_bound, detail);
}

/* Where nobody asked for deliveries, a machine without vsock is none to complain of. */
static tg_result listen_for(tg_secrets_service *self, tg_faults *faults)
{
    const tg_enclave_settings *settings = self->sources.settings;
    tg_detail detail = {0};
    char address[TG_MAX_ADDRESS_BYTES];
    tg_result opened = open_bound(settings, &self->bound, &detail);
    if (!tg_is_ok(opened) && settings->is_secrets_address_default) {
        tg_log(TG_LOG_INFO, "secrets", "not_listening", TG_F_STR("address", settings->secrets_address),
               TG_F_STR("reason", detail.reason), TG_F_STR("remedy", "set SECRETS_ADDRESS, or off"));
        return tg_ok();
    }
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
        return opened;
    }
    const tg_secrets_listener_options options = {.max_bytes = tg_delivery_max_bytes(self->delivery)};
    TG_TRY(tg_secrets_listener_open(self->loop, self->bound, &options, &listener_calls, self, &self->listener));
    tg_log(TG_LOG_INFO, "secrets", "listening",
           TG_F_STR("address", tg_address_format(tg_bound_address(self->bound), address)),
           TG_F_STR("mode", settings->secrets_mode == TG_SECRETS_SEALED ? "sealed" : "open"));
    if (settings->secrets_mode == TG_SECRETS_OPEN) {
        tg_log(TG_LOG_WARN, "secrets", "deliveries_are_open",
               TG_F_STR("reason", "whoever reaches the address says with what and to whom calls are made"),
               TG_F_STR("remedy", "set SECRETS_MODE=sealed and SECRETS_SIGNERS"));
    }
    if (settings->secrets_dir != NULL && !tg_is_ok(tg_secrets_files_prepare(settings->secrets_dir, &detail))) {
        tg_log_fault(TG_LOG_WARN, "secrets", "no_directory", &detail);
    }
    tg_deadline_arm_in(self->loop, &self->first_wait, TG_SECRETS_FIRST_WAIT_MS);
    return tg_ok();
}

static tg_result publish_mode(tg_secrets_service *self)
{
    bool is_sealed = self->sources.settings->secrets_mode == TG_SECRETS_SEALED;
    uint8_t spki[TG_P256_SPKI_BYTES];
    tg_slice key = {NULL, 0};
    if (is_sealed) {
        tg_p256_spki(tg_delivery_point(self->delivery).ptr, spki);
        key = tg_slice_of(spki, sizeof spki);
    }
    const char *mode = self->listener == NULL ? "none" : is_sealed ? "sealed" : "open";
    TG_TRY(tg_publisher_set_secrets_key(self->sources.publisher, mode,
                                        self->listener != NULL ? key : (tg_slice){NULL, 0}));
    tg_secrets *empty = tg_secrets_ref(tg_secrets_store_current(self->store));
    return tg_publisher_set_secrets(self->sources.publisher, empty);
}

static tg_result prepare(tg_secrets_service *self, tg_faults *faults)
{
    const tg_enclave_settings *settings = self->sources.settings;
    const tg_delivery_options options = {.is_sealed = settings->secrets_mode == TG_SECRETS_SEALED,
                                         .names = settings->delivered_values.items,
                                         .num_names = settings->delivered_values.num_items,
                                         .signers = settings->secrets_signers.items,
                                         .num_signers = settings->secrets_signers.num_items};
    TG_TRY(tg_secrets_store_new(settings->secrets_dir, on_changed, self, &self->store));
    TG_TRY(tg_delivery_new(&options, self->store, &self->delivery));
    if (settings->secrets_address != NULL) {
        TG_TRY(listen_for(self, faults));
    }
    return publish_mode(self);
}

tg_result tg_secrets_service_open(const tg_secrets_sources *sources, tg_loop *loop, tg_secrets_service **out_service,
                                  tg_faults *faults)
{
    tg_secrets_service *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_json_heap_wipe();
    *self = (tg_secrets_service){.sources = *sources, .loop = loop, .first_wait = {.run = on_first_wait}};
    tg_result result = prepare(self, faults);
    if (!tg_is_ok(result)) {
        tg_secrets_service_close(self);
        return result;
    }
    *out_service = self;
    return tg_ok();
}

void tg_secrets_service_close(tg_secrets_service *service)
{
    if (service != NULL) {
        tg_deadline_disarm(&service->first_wait);
        tg_secrets_listener_close(service->listener);
        tg_bound_close(service->bound);
        tg_delivery_free(service->delivery);
        tg_secrets_store_free(service->store);
        free(service);
    }
}

tg_result tg_secrets_service_check(const tg_enclave_settings *settings, tg_faults *faults)
{
    tg_bound *bound = NULL;
    tg_detail detail = {0};
    if (settings->secrets_address == NULL || settings->is_secrets_address_default) {
        return tg_ok();
    }
    tg_result opened = open_bound(settings, &bound, &detail);
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
        return opened.code == TG_ERR_MEMORY ? opened : tg_ok();
    }
    tg_bound_close(bound);
    return tg_ok();
}
