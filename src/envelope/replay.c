/* Two tables by age. What is admitted goes into the young one; when that has been open for the whole window, the old
 * one is emptied and they change places. So an entry stays at least window_s + ahead_s, which is when its message
 * becomes too old to be taken anyhow, and nothing is ever looked for to be thrown out. */
#include "envelope/replay.h"

#include "crypto/random.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_TIME_S = 1 << 30 };

typedef struct digests {
    uint8_t (*slots)[TG_REPLAY_DIGEST_BYTES]; /* all zero: free */
    size_t num_used;
} digests;

struct tg_replay {
    tg_replay_options options;
    size_t num_slots;       /* of each table: a power of two, at least twice num_entries */
    uint64_t multiplier;    /* random and odd: nobody can choose digests that fall together */
    pthread_mutex_t lock;   /* of all below */
    uint64_t opened_unix_s; /* when the young table was */
    uint64_t latest_unix_s; /* the clock never goes back here: who sets it back must not make old messages new */
    digests young, old;
};

tg_result tg_replay_new(const tg_replay_options *options, tg_replay **out_replay)
{
    if (options->num_entries < TG_MIN_REPLAY_ENTRIES || options->num_entries > TG_MAX_REPLAY_ENTRIES ||
        options->window_s == 0 || options->window_s > MAX_TIME_S || options->ahead_s > MAX_TIME_S) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    replay->options = *options;
    replay->num_slots = TG_MIN_REPLAY_ENTRIES;
    while (replay->num_slots < 2 * options->num_entries) {
        replay->num_slots *= 2;
    }
    replay->opened_unix_s = options->started_unix_s;
    pthread_mutex_init(&replay->lock, NULL);
    replay->young.slots = calloc(replay->num_slots, TG_REPLAY_DIGEST_BYTES);
    replay->old.slots = calloc(replay->num_slots, TG_REPLAY_DIGEST_BYTES);
    tg_result result = tg_random_fill((uint8_t *)&replay->multiplier, sizeof replay->multiplier);
    replay->multiplier |= 1;
    if (replay->young.slots == NULL || replay->old.slots == NULL) {
        result = tg_fail(TG_ERR_MEMORY);
    }
    if (!tg_is_ok(result)) {
        tg_replay_free(replay);
        return result;
    }
    *out_replay = replay;
    return tg_ok();
}

void tg_replay_free(tg_replay *replay)
{
    if (replay != NULL) {
        pthread_mutex_destroy(&replay->lock);
        free(replay->young.slots);
        free(replay->old.slots);
        free(replay);
    }
}

/* The slot that holds the digest, or the free one where it would go: there always is one, half of them are free. */
static uint8_t *find_slot(const tg_replay *replay, const digests *table, const uint8_t *digest)
{
    static const uint8_t free_slot[TG_REPLAY_DIGEST_BYTES];
    uint64_t start;
    memcpy(&start, digest, sizeof start);
    start *= replay->multiplier;
    start ^= start >> 32;
    for (size_t at = (size_t)start & (replay->num_slots - 1);; at = (at + 1) & (replay->num_slots - 1)) {
        uint8_t *slot = table->slots[at];
        if (memcmp(slot, digest, TG_REPLAY_DIGEST_BYTES) == 0 || memcmp(slot, free_slot, sizeof free_slot) == 0) {
            return slot;
        }
    }
}

static bool is_there(const tg_replay *replay, const digests *table, const uint8_t *digest)
{
    return memcmp(find_slot(replay, table, digest), digest, TG_REPLAY_DIGEST_BYTES) == 0;
}

static void turn(tg_replay *replay, uint64_t now_unix_s)
{
    uint64_t span_s = replay->options.window_s + replay->options.ahead_s;
    if (now_unix_s <= replay->opened_unix_s || now_unix_s - replay->opened_unix_s <= span_s) {
        return;
    }
    digests emptied = replay->old;
    memset(emptied.slots, 0, replay->num_slots * TG_REPLAY_DIGEST_BYTES);
    emptied.num_used = 0;
    replay->old = replay->young;
    replay->young = emptied;
    replay->opened_unix_s = now_unix_s;
}

static tg_result check_time(const tg_replay *replay, uint64_t issued_unix_s, uint64_t now_unix_s)
{
    const tg_replay_options *options = &replay->options;
    bool is_old = now_unix_s > issued_unix_s && now_unix_s - issued_unix_s > options->window_s;
    bool is_ahead = issued_unix_s > now_unix_s && issued_unix_s - now_unix_s > options->ahead_s;
    bool is_before_start = issued_unix_s < options->started_unix_s + options->ahead_s;
    return is_old || is_ahead || is_before_start ? tg_fail(TG_ERR_RANGE) : tg_ok();
}

static tg_result admit(tg_replay *replay, const uint8_t *digest)
{
    if (is_there(replay, &replay->young, digest) || is_there(replay, &replay->old, digest)) {
        return tg_fail(TG_ERR_EXISTS);
    }
    if (replay->young.num_used == replay->options.num_entries) {
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(find_slot(replay, &replay->young, digest), digest, TG_REPLAY_DIGEST_BYTES);
    replay->young.num_used++;
    return tg_ok();
}

tg_result tg_replay_admit(tg_replay *replay, const uint8_t digest[TG_REPLAY_DIGEST_BYTES], uint64_t issued_unix_s,
                          uint64_t now_unix_s)
{
    pthread_mutex_lock(&replay->lock);
    if (now_unix_s > replay->latest_unix_s) {
        replay->latest_unix_s = now_unix_s;
    }
    turn(replay, replay->latest_unix_s);
    tg_result result = check_time(replay, issued_unix_s, replay->latest_unix_s);
    if (tg_is_ok(result)) {
        result = admit(replay, digest);
    }
    pthread_mutex_unlock(&replay->lock);
    return result;
}

size_t tg_replay_len(tg_replay *replay)
{
    pthread_mutex_lock(&replay->lock);
    size_t len = replay->young.num_used + replay->old.num_used;
    pthread_mutex_unlock(&replay->lock);
    return len;
}
