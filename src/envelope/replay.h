/* What has been seen, so that it is not taken twice: a message counts once in its window, and one from outside the
 * window is not taken at all. Shared by all workers. */
#ifndef TG_ENVELOPE_REPLAY_H
#define TG_ENVELOPE_REPLAY_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_replay tg_replay;

enum { TG_REPLAY_DIGEST_BYTES = 32, TG_MIN_REPLAY_ENTRIES = 16, TG_MAX_REPLAY_ENTRIES = 1 << 24 };

typedef struct tg_replay_options {
    uint64_t window_s;       /* how old a message may be */
    uint64_t ahead_s;        /* how far its sender's clock may be ahead */
    size_t num_entries;      /* messages in window_s + ahead_s; past it they are refused. Twice 64 bytes each */
    uint64_t started_unix_s; /* what was issued before this plus ahead_s may have been taken by an earlier process */
} tg_replay_options;

/* tg_replay_new makes an empty cache. err: TG_ERR_RANGE: num_entries or a time outside its bounds; TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_replay_new(const tg_replay_options *options, tg_replay **out_replay);
void tg_replay_free(tg_replay *replay);

typedef enum tg_replay_verdict {
    TG_REPLAY_ADMITTED,
    TG_REPLAY_SEEN,         /* taken before */
    TG_REPLAY_FULL,         /* there is no room to remember it */
    TG_REPLAY_TOO_OLD,      /* issued more than window_s ago */
    TG_REPLAY_AHEAD,        /* issued more than ahead_s from now */
    TG_REPLAY_BEFORE_START, /* an earlier process may have taken it */
    TG_REPLAY_NUM_VERDICTS
} tg_replay_verdict;

/* tg_replay_admit says whether a message may be taken, and remembers it if so. Called when it is known to be authentic:
 * before that, anybody could fill the cache.
 * in      digest: SHA-256 of the message's epk or enc. issued_unix_s: what it says of its time. now_unix_s: the clock
 * out     *out_wait_s: after how many seconds at the latest a new message has a chance; 0 where waiting is no remedy
 * thread  any
 */
TG_MUST_USE tg_replay_verdict tg_replay_admit(tg_replay *replay, const uint8_t digest[TG_REPLAY_DIGEST_BYTES],
                                              uint64_t issued_unix_s, uint64_t now_unix_s, uint64_t *out_wait_s);

/* tg_replay_len is how many are remembered. tg_replay_room is how many can be admitted until older ones are forgotten:
 * near 0, messages are about to be refused. Any thread. */
size_t tg_replay_len(tg_replay *replay);
size_t tg_replay_room(tg_replay *replay, uint64_t now_unix_s);

#endif
