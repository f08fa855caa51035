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

static bool is_turn_due(const tg_replay *replay, uint64_t now_unix_s)
{
    uint64_t span_s = replay->options.window_s + replay->options.ahead_s;
    return now_unix_s > replay->opened_unix_s && now_unix_s - replay->opened_unix_s > span_s;
}

static void turn(tg_replay *replay, uint64_t now_unix_s)
{
    if (!is_turn_due(replay, now_unix_s)) {
        return;
    }
    digests emptied = replay->old;
    if (emptied.num_used > 0) { /* else its pages were never touched, and need not be */
        memset(emptied.slots, 0, replay->num_slots * TG_REPLAY_DIGEST_BYTES);
    }
    emptied.num_used = 0;
    replay->old = replay->young;
    replay->young = emptied;
    replay->opened_unix_s = now_unix_s;
}

static tg_replay_verdict judge_time(const tg_replay *replay, uint64_t issued_unix_s, uint64_t now_unix_s)
{
    const tg_replay_options *options = &replay->options;
    if (now_unix_s > issued_unix_s && now_unix_s - issued_unix_s > options->window_s) {
        return TG_REPLAY_TOO_OLD;
    }
    if (issued_unix_s > now_unix_s && issued_unix_s - now_unix_s > options->ahead_s) {
        return TG_REPLAY_AHEAD;
    }
    return issued_unix_s < options->started_unix_s + options->ahead_s ? TG_REPLAY_BEFORE_START : TG_REPLAY_ADMITTED;
}

static tg_replay_verdict remember(tg_replay *replay, const uint8_t *digest)
{
    if (is_there(replay, &replay->young, digest) || is_there(replay, &replay->old, digest)) {
        return TG_REPLAY_SEEN;
    }
    if (replay->young.num_used == replay->options.num_entries) {
        return TG_REPLAY_FULL;
    }
    memcpy(find_slot(replay, &replay->young, digest), digest, TG_REPLAY_DIGEST_BYTES);
    replay->young.num_used++;
    return TG_REPLAY_ADMITTED;
}

/* A full cache has room when its tables change places; a new process knows all once its clock is past what the one
 * before it could have admitted. */
static uint64_t wait_of(const tg_replay *replay, tg_replay_verdict verdict)
{
    const tg_replay_options *options = &replay->options;
    uint64_t until_unix_s = 0;
    if (verdict == TG_REPLAY_FULL) {
        until_unix_s = replay->opened_unix_s + options->window_s + options->ahead_s + 1;
    } else if (verdict == TG_REPLAY_BEFORE_START) {
        until_unix_s = options->started_unix_s + options->ahead_s;
    } else {
        return 0;
    }
    return until_unix_s > replay->latest_unix_s ? until_unix_s - replay->latest_unix_s : 1;
}

tg_replay_verdict tg_replay_admit(tg_replay *replay, const uint8_t digest[TG_REPLAY_DIGEST_BYTES],
                                  uint64_t issued_unix_s, uint64_t now_unix_s, uint64_t *out_wait_s)
{
    pthread_mutex_lock(&replay->lock);
    if (now_unix_s > replay->latest_unix_s) {
        replay->latest_unix_s = now_unix_s;
    }
    turn(replay, replay->latest_unix_s);
    tg_replay_verdict verdict = judge_time(replay, issued_unix_s, replay->latest_unix_s);
    if (verdict == TG_REPLAY_ADMITTED) {
        verdict = remember(replay, digest);
    }
    *out_wait_s = wait_of(replay, verdict);
    pthread_mutex_unlock(&replay->lock);
    return verdict;
}

size_t tg_replay_len(tg_replay *replay)
{
    pthread_mutex_lock(&replay->lock);
    size_t len = replay->young.num_used + replay->old.num_used;
    pthread_mutex_unlock(&replay->lock);
    return len;
}

size_t tg_replay_room(tg_replay *replay, uint64_t now_unix_s)
{
    pthread_mutex_lock(&replay->lock);
    size_t num_used = is_turn_due(replay, now_unix_s) ? 0 : replay->young.num_used;
    pthread_mutex_unlock(&replay->lock);
    return replay->options.num_entries - num_used;
}
