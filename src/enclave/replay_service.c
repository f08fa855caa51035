#include "enclave/replay_service.h"

#include "sys/clock.h"
#include "sys/metric.h"

#include <pthread.h>

static tg_metric_family remembered = {.name = "teegate_replay_remembered",
                                      .help = "Sealed requests that are remembered, so as not to be taken again.",
                                      .kind = TG_METRIC_GAUGE};
static tg_metric_family room = {.name = "teegate_replay_room",
                                .help = "Sealed requests that can be taken until older ones are forgotten.",
                                .kind = TG_METRIC_GAUGE};

/* For the gauges, which are collected as long as the process lives. */
static struct {
    pthread_mutex_t lock;
    tg_replay *replay;
    bool is_collected;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void collect(void *owner)
{
    (void)owner;
    pthread_mutex_lock(&known.lock);
    if (known.replay != NULL) {
        tg_metric_set(tg_metric_only(&remembered), (int64_t)tg_replay_len(known.replay));
        tg_metric_set(tg_metric_only(&room), (int64_t)tg_replay_room(known.replay, tg_clock_unix_ms() / 1000));
    }
    pthread_mutex_unlock(&known.lock);
}

static tg_result let_be_known(tg_replay *replay)
{
    pthread_mutex_lock(&known.lock);
    bool was_collected = known.is_collected;
    known.replay = replay;
    known.is_collected = true;
    pthread_mutex_unlock(&known.lock);
    return was_collected ? tg_ok() : tg_metric_on_collect(collect, NULL);
}

static bool is_needed(const tg_routes *routes)
{
    for (size_t i = 0; i < tg_routes_len(routes); i++) {
        tg_route_crypto decrypt = tg_routes_at(routes, i)->decrypt;
        if (decrypt == TG_CRYPTO_JWE || decrypt == TG_CRYPTO_OHTTP) {
            return true;
        }
    }
    return false;
}

tg_result tg_replay_service_open(const tg_enclave_settings *settings, tg_replay **out_replay)
{
    /* The second that has begun may have seen another process: it counts as before the start. */
    const tg_replay_options options = {.window_s = settings->replay_window_s,
                                       .ahead_s = settings->replay_ahead_s,
                                       .num_entries = (size_t)settings->replay_entries,
                                       .started_unix_s = tg_clock_unix_ms() / 1000 + 1};
    tg_replay *replay = NULL;
    if (is_needed(settings->routes)) {
        TG_TRY(tg_replay_new(&options, &replay));
        tg_result result = let_be_known(replay);
        if (!tg_is_ok(result)) {
            tg_replay_service_close(replay);
            return result;
        }
    }
    *out_replay = replay;
    return tg_ok();
}

void tg_replay_service_close(tg_replay *replay)
{
    pthread_mutex_lock(&known.lock);
    known.replay = NULL;
    pthread_mutex_unlock(&known.lock);
    tg_replay_free(replay);
}
