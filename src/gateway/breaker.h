/* When a backend is not asked any more for a while: after failures in a row its circuit opens, and one call at a time
 * then tries whether it is back. Time and chance are the caller's; one worker's, so that nothing is locked: each worker
 * finds out for itself. */
#ifndef TG_GATEWAY_BREAKER_H
#define TG_GATEWAY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TG_BREAKER_FAILURES = 5,      /* in a row: then it opens */
    TG_BREAKER_FIRST_MS = 1000,   /* that it stays open at first, */
    TG_BREAKER_LONGEST_MS = 30000 /* twice as long after each probe that failed; all of it give or take a quarter */
};

/*
 *   CLOSED -> OPEN             failures in a row
 *   OPEN -> HALF_OPEN          its time is over, and a call comes: the probe
 *   HALF_OPEN -> CLOSED        the probe was answered
 *   HALF_OPEN -> OPEN          it was not
 */
typedef enum tg_breaker_state { TG_BREAKER_CLOSED, TG_BREAKER_OPEN, TG_BREAKER_HALF_OPEN } tg_breaker_state;

/* How a call ended, as far as it tells of the backend. */
typedef enum tg_breaker_verdict {
    TG_BREAKER_ANSWERED,
    TG_BREAKER_FAILED,
    TG_BREAKER_UNKNOWN /* given up by us: it says nothing */
} tg_breaker_verdict;

/* {0} is closed. */
typedef struct tg_breaker {
    tg_breaker_state state;
    unsigned num_failures; /* in a row, while closed */
    unsigned num_openings; /* since it was last closed */
    uint64_t until_ms;     /* OPEN: when a probe may be made */
    bool is_probing;       /* HALF_OPEN: the probe is under way */
} tg_breaker;

/* tg_breaker_wait_ms is how long no call may be made, 0 where one may; it changes nothing. While another's probe is
 * under way, it is 1. */
uint64_t tg_breaker_wait_ms(const tg_breaker *breaker, uint64_t now_ms);

/* tg_breaker_admit begins a call where tg_breaker_wait_ms is 0.
 * out   whether it is the probe: to be told to tg_breaker_report
 */
bool tg_breaker_admit(tg_breaker *breaker);

/* tg_breaker_report ends a call that was admitted. What began before the circuit opened says nothing about now.
 * in    chance: 0 to 65535, of the jitter
 * out   whether the circuit has opened, or closed
 */
bool tg_breaker_report(tg_breaker *breaker, bool is_probe, tg_breaker_verdict verdict, uint64_t now_ms,
                       uint16_t chance);

#endif
