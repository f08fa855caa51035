#include "enclave/schema_refresh.h"

#include "base/encode.h"
#include "crypto/sha256.h"
#include "enclave/measures.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct tg_schema_refresh {
    tg_schema_refresh_options options;
    tg_publisher *publisher;
    pthread_t thread;
    pthread_mutex_t lock; /* of the two flags */
    pthread_cond_t wake;
    bool is_asked;
    bool is_ending;
    /* The thread's own: what the last reading said, so that the same faults are logged once and not at each interval.
     */
    uint8_t last_faults[TG_SCHEMA_DIGEST_BYTES];
    bool had_faults;  /* the set in force */
    bool is_in_force; /* what was read last, as far as it may be */
};

tg_result tg_schema_refresh_sha256(tg_slice bytes, uint8_t out_digest[TG_SCHEMA_DIGEST_BYTES])
{
    return tg_sha256(bytes, out_digest);
}

/* Logs the faults unless the last reading had the same. */
static void log_faults(tg_schema_refresh *refresh, const tg_faults *faults)
{
    uint8_t digest[TG_SCHEMA_DIGEST_BYTES] = {0};
    size_t num_kept = tg_faults_kept(faults);
    if (num_kept > 0 && !tg_is_ok(tg_sha256(tg_slice_of(faults->faults, num_kept * sizeof *faults->faults), digest))) {
        memset(refresh->last_faults, 0, sizeof digest);
    }
    if (memcmp(digest, refresh->last_faults, sizeof digest) == 0) {
        return;
    }
    memcpy(refresh->last_faults, digest, sizeof digest);
    for (size_t i = 0; i < num_kept; i++) {
        tg_log_fault(TG_LOG_WARN, "schema", "schema_refused", &faults->faults[i]);
    }
    if (faults->num_faults > num_kept) {
        tg_log(TG_LOG_WARN, "schema", "more_schemas_refused", TG_F_UINT("count", faults->num_faults - num_kept));
    }
}

static bool is_same(const tg_schema_set *a, const tg_schema_set *b)
{
    return a != NULL && tg_schema_set_num_kept(a) == tg_schema_set_num_kept(b) &&
           tg_schema_set_num_refused(a) == tg_schema_set_num_refused(b) &&
           memcmp(tg_schema_set_digest(a), tg_schema_set_digest(b), TG_SCHEMA_DIGEST_BYTES) == 0;
}

static void log_loaded(const tg_schema_set *set, uint64_t took_ms)
{
    tg_buf digest;
    tg_buf_init(&digest, (size_t)2 * TG_SCHEMA_DIGEST_BYTES);
    if (tg_is_ok(tg_hex_append(&digest, tg_slice_of(tg_schema_set_digest(set), TG_SCHEMA_DIGEST_BYTES)))) {
        tg_log(TG_LOG_INFO, "schema", "schemas_loaded", TG_F_UINT("schemas", tg_schema_set_num_schemas(set)),
               TG_F_UINT("kept", tg_schema_set_num_kept(set)), TG_F_UINT("refused", tg_schema_set_num_refused(set)),
               TG_F_SLICE("sha256", tg_buf_slice(&digest)), TG_F_UINT("duration_ms", took_ms));
    }
    tg_buf_done(&digest);
}

static const char *name_of(const tg_schema_refresh *refresh)
{
    return refresh->options.source != NULL ? refresh->options.source->name : refresh->options.directory;
}

/* out: *out_set, or NULL where the source says that nothing has changed. */
static tg_result load(tg_schema_refresh *refresh, const tg_schema_options *options, tg_faults *faults,
                      tg_schema_set **out_set)
{
    tg_schema_source *source = refresh->options.source;
    if (source == NULL) {
        return tg_schema_set_load(refresh->options.directory, options, faults, out_set);
    }
    tg_schema_reading reading;
    TG_TRY(source->read(source, faults, &reading));
    tg_result result = tg_ok();
    if (!reading.is_same || !refresh->is_in_force) {
        refresh->is_in_force = false;
        result = tg_schema_set_build(reading.files, reading.num_files, options, faults, out_set);
    }
    source->end_reading(source);
    return result;
}

static void log_not_read(const tg_schema_refresh *refresh, tg_result result, bool has_old)
{
    tg_log(TG_LOG_ERROR, "schema", "schemas_not_read",
           TG_F_STR(refresh->options.source != NULL ? "source" : "directory", name_of(refresh)), TG_F_ERR(result),
           TG_F_BOOL("old_schemas_serve", has_old));
}

/* Takes the set, NULL for the one in force, and says what became of the reading. */
static const char *put_in_force(tg_schema_refresh *refresh, tg_schema_set *set, tg_schema_set *previous,
                                const tg_faults *faults, uint64_t begun_ms)
{
    if (set != NULL) {
        refresh->had_faults = faults->num_faults > 0;
        if (!is_same(previous, set)) {
            log_loaded(set, tg_clock_monotonic_ms() - begun_ms);
        }
    } else {
        set = tg_schema_set_ref(previous);
    }
    refresh->is_in_force = tg_is_ok(tg_publisher_set_schemas(refresh->publisher, set, tg_clock_unix_ms()));
    return !refresh->is_in_force ? "failed" : refresh->had_faults ? "faults" : "ok";
}

static void read_once(tg_schema_refresh *refresh)
{
    uint64_t begun_ms = tg_clock_monotonic_ms();
    tg_snapshot *snapshot = tg_publisher_current(refresh->publisher);
    tg_schema_set *previous = tg_snapshot_schemas(snapshot);
    const tg_schema_options options = {
        .previous = previous, .allow_removal = refresh->options.allow_removal, .sha256 = tg_schema_refresh_sha256};
    tg_faults faults;
    tg_schema_set *set = NULL;
    tg_faults_init(&faults);
    tg_result loaded = load(refresh, &options, &faults, &set);
    bool is_cancelled = loaded.code == TG_ERR_CANCELLED;
    bool is_unchanged = tg_is_ok(loaded) && set == NULL;
    if (!is_unchanged && !is_cancelled) { /* otherwise what was at fault was said before */
        log_faults(refresh, &faults);
    }
    if (tg_is_ok(loaded)) {
        tg_measures_schema_refresh(put_in_force(refresh, set, previous, &faults, begun_ms));
    } else if (!is_cancelled) {
        log_not_read(refresh, loaded, previous != NULL);
        tg_measures_schema_refresh("failed");
    }
    tg_faults_done(&faults);
    tg_snapshot_unref(snapshot);
}

/* Waits for the interval, or to be asked; false when it is time to end. */
static bool wait_for_next(tg_schema_refresh *refresh)
{
    uint64_t until_s = tg_clock_monotonic_ms() / 1000 + refresh->options.interval_s + 1;
    const struct timespec until = {.tv_sec = (time_t)until_s};
    pthread_mutex_lock(&refresh->lock);
    while (!refresh->is_asked && !refresh->is_ending &&
           pthread_cond_timedwait(&refresh->wake, &refresh->lock, &until) != ETIMEDOUT) {
    }
    refresh->is_asked = false;
    bool goes_on = !refresh->is_ending;
    pthread_mutex_unlock(&refresh->lock);
    return goes_on;
}

static void *run_thread(void *argument)
{
    tg_schema_refresh *refresh = argument;
    do {
        read_once(refresh);
    } while (wait_for_next(refresh));
    return NULL;
}

static tg_result start_thread(tg_schema_refresh *refresh)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&refresh->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&refresh->lock, NULL);
    return tg_thread_start(&refresh->thread, "schemas", run_thread, refresh);
}

tg_result tg_schema_refresh_start(const tg_schema_refresh_options *options, tg_publisher *publisher,
                                  tg_schema_refresh **out_refresh)
{
    tg_schema_refresh *refresh = calloc(1, sizeof *refresh);
    if (refresh == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    refresh->options = *options;
    refresh->publisher = publisher;
    tg_result started = start_thread(refresh);
    if (!tg_is_ok(started)) {
        pthread_cond_destroy(&refresh->wake);
        pthread_mutex_destroy(&refresh->lock);
        free(refresh);
        return started;
    }
    *out_refresh = refresh;
    return tg_ok();
}

static void set_flag(tg_schema_refresh *refresh, bool *flag)
{
    pthread_mutex_lock(&refresh->lock);
    *flag = true;
    pthread_cond_signal(&refresh->wake);
    pthread_mutex_unlock(&refresh->lock);
}

void tg_schema_refresh_now(tg_schema_refresh *refresh)
{
    set_flag(refresh, &refresh->is_asked);
}

void tg_schema_refresh_stop(tg_schema_refresh *refresh)
{
    if (refresh != NULL) {
        set_flag(refresh, &refresh->is_ending);
        if (refresh->options.source != NULL) {
            refresh->options.source->interrupt(refresh->options.source);
        }
        pthread_join(refresh->thread, NULL);
        pthread_cond_destroy(&refresh->wake);
        pthread_mutex_destroy(&refresh->lock);
        free(refresh);
    }
}
