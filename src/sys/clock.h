/* The clocks. Deadlines and durations use the monotonic one; the other is what the host says and may be wrong. */
#ifndef TG_SYS_CLOCK_H
#define TG_SYS_CLOCK_H

#include <stdint.h>

uint64_t tg_clock_monotonic_ns(void);
static inline uint64_t tg_clock_monotonic_ms(void)
{
    return tg_clock_monotonic_ns() / 1000000;
}
uint64_t tg_clock_unix_ms(void);

/* tg_clock_format writes `2026-11-21T03:31:07.123Z` (RFC 3339, UTC) and a NUL: 25 bytes. */
void tg_clock_format(uint64_t unix_ms, char out[25]);

#endif
