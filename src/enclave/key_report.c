#include "enclave/key_report.h"

#include "base/encode.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/metric.h"

#include <stdatomic.h>

static tg_metric_family readings = {.name = "teegate_dek_readings_total",
                                    .help = "Readings of the secret that holds the data keys, by outcome.",
                                    .kind = TG_METRIC_COUNTER,
                                    .labels = {"outcome"}};
static tg_metric_family failures = {.name = "teegate_dek_reading_failures_total",
                                    .help = "Readings that failed, by the stage that they came to.",
                                    .kind = TG_METRIC_COUNTER,
                                    .labels = {"stage"}};
static tg_metric_family reading_age = {.name = "teegate_dek_reading_age_seconds",
                                       .help = "Since the secret was last read with success; -1 before.",
                                       .kind = TG_METRIC_GAUGE};
static _Atomic uint64_t last_read_ms; /* monotonic; 0 before the first success */

static void log_change(const tg_key_event *event)
{
    uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
    tg_buf hex;
    const tg_ring_entry *current = tg_key_ring_at(event->ring, 0);
    tg_buf_init(&hex, (size_t)2 * TG_KEY_FINGERPRINT_BYTES);
    if (tg_is_ok(tg_key_fingerprint(current->key, fingerprint)) &&
        tg_is_ok(tg_hex_append(&hex, tg_slice_of(fingerprint, sizeof fingerprint)))) {
        tg_log(TG_LOG_INFO, "keys", "data_keys", TG_F_UINT("keys", tg_key_ring_len(event->ring)),
               TG_F_SLICE("current", current->id), TG_F_SLICE("fingerprint", tg_buf_slice(&hex)),
               TG_F_STR("secret_version", event->version), TG_F_UINT("kept", event->change.num_kept),
               TG_F_BOOL("new_key_waits", event->change.is_held), TG_F_UINT("next_reading_s", event->next_ms / 1000));
    }
    tg_buf_done(&hex);
    if (event->change.is_back) {
        tg_log(TG_LOG_WARN, "keys", "data_key_went_back", TG_F_SLICE("current", current->id),
               TG_F_STR("reason", "the secret's current key is one that was in use before the last"),
               TG_F_STR("remedy", "where nobody meant that, an older version of the secret was put back"));
    }
    if (event->change.num_dropped > 0) {
        tg_log(TG_LOG_ERROR, "keys", "keys_dropped", TG_F_UINT("keys", event->change.num_dropped),
               TG_F_STR("reason", "the secret no longer has them, and there is no room to keep them"),
               TG_F_STR("remedy", "tokens made with them do not open: put them back as retired"));
    }
    if (event->change.num_kept > 0) {
        tg_log(TG_LOG_WARN, "keys", "keys_no_longer_in_the_secret", TG_F_UINT("keys", event->change.num_kept),
               TG_F_STR("remedy", "tokens made with them open until this process ends: put them back as retired"));
    }
}

static void log_failure(const tg_key_event *event)
{
    tg_log(TG_LOG_WARN, "keys", "data_keys_not_read", TG_F_STR("stage", event->stage),
           TG_F_STR("field", event->detail.field), TG_F_STR("reason", event->detail.reason),
           TG_F_STR("remedy", event->detail.remedy), TG_F_UINT("status", event->status), TG_F_STR("code", event->code),
           TG_F_STR("request_id", event->request_id), TG_F_BOOL("old_keys_serve", event->ring != NULL),
           TG_F_UINT("next_reading_ms", event->next_ms));
}

static void collect(void *owner)
{
    (void)owner;
    uint64_t read_ms = atomic_load(&last_read_ms);
    tg_metric_set(tg_metric_only(&reading_age),
                  read_ms > 0 ? (int64_t)((tg_clock_monotonic_ms() - read_ms) / 1000) : -1);
}

tg_result tg_key_report_open(void)
{
    static atomic_flag is_watched = ATOMIC_FLAG_INIT;
    return atomic_flag_test_and_set(&is_watched) ? tg_ok() : tg_metric_on_collect(collect, NULL);
}

void tg_key_report(const tg_key_event *event, void *owner)
{
    static const char *const outcomes[] = {"changed", "unchanged", "failed"};
    (void)owner;
    tg_metric_add(tg_metric_of(&readings, tg_slice_str(outcomes[event->kind])), 1);
    if (event->kind == TG_KEYS_FAILED) {
        tg_metric_add(tg_metric_of(&failures, tg_slice_str(event->stage)), 1);
        log_failure(event);
        return;
    }
    atomic_store(&last_read_ms, tg_clock_monotonic_ms());
    if (event->kind == TG_KEYS_CHANGED) {
        log_change(event);
    }
}
