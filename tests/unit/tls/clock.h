/* A clock that the test moves, for us and for OpenSSL. Included by one test program at a time: what it defines stands
 * before sys/clock.c's and libc's. */
#ifndef TG_TESTS_UNIT_TLS_CLOCK_H
#define TG_TESTS_UNIT_TLS_CLOCK_H

#include "support/case.h"
#include "sys/clock.h"

#include <time.h>

static int64_t clock_offset_s; /* ahead of the machine's */

static inline uint64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)(now.tv_sec + clock_offset_s) * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t tg_clock_monotonic_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t tg_clock_unix_ms(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000000;
}

void tg_clock_format(uint64_t unix_ms, char out[25])
{
    (void)unix_ms;
    out[0] = 0;
}

time_t time(time_t *out);
__attribute__((visibility("default"))) time_t time(time_t *out)
{
    time_t now = (time_t)(tg_clock_unix_ms() / 1000);
    if (out != NULL) {
        *out = now;
    }
    return now;
}

#endif
