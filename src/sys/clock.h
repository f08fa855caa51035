/* The clocks. Deadlines and durations use the monotonic one. What date it is, only the host says, and it may be wrong
 * or lie; where somebody whom it cannot speak for has vouched for a time (an attestation document's signed one), our
 * own clock is never before that time and what has passed since. */
#ifndef TG_SYS_CLOCK_H
#define TG_SYS_CLOCK_H

#include <stdint.h>

enum { TG_CLOCK_TOLERANCE_MS = 2000 }; /* by which the host's clock may be behind without being set back */

uint64_t tg_clock_monotonic_ns(void);
static inline uint64_t tg_clock_monotonic_ms(void)
{
    return tg_clock_monotonic_ns() / 1000000;
}

/* tg_clock_unix_ms is the time for every decision: the host's, but never before what tg_clock_vouch was told. */
uint64_t tg_clock_unix_ms(void);
/* tg_clock_host_unix_ms is what the host says. */
uint64_t tg_clock_host_unix_ms(void);

/* tg_clock_vouch raises the floor of tg_clock_unix_ms: it was this time or later when the caller asked for it. The
 * floor goes on with the monotonic clock, slower by a thousandth, which is more than a clock that is being corrected
 * runs fast: without new times it falls back, and never runs ahead. A time past the year 9999 is ignored. Any thread.
 */
void tg_clock_vouch(uint64_t unix_ms);

/* How the host's clock stands to the floor. */
typedef struct tg_clock_standing {
    uint64_t floor_unix_ms; /* 0: nobody has vouched for a time */
    uint64_t behind_ms;     /* of the host's clock; 0 where it is not */
    uint64_t num_set_back;  /* how often it was found behind by more than TG_CLOCK_TOLERANCE_MS, and was not before */
} tg_clock_standing;
tg_clock_standing tg_clock_stand(void);

/* tg_clock_format writes `2026-11-21T03:31:07.123Z` (RFC 3339, UTC) and a NUL: 25 bytes. */
void tg_clock_format(uint64_t unix_ms, char out[25]);

#endif
