#include "sys/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLOWER_BY = 1000 };
#define END_UNIX_MS UINT64_C(253402300800000) /* the year 10000 */

/* The floor where slow_ms was 0; 0: nobody has vouched for a time. */
static _Atomic uint64_t floor_base;
static _Atomic bool is_behind;
static _Atomic uint64_t num_set_back;

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) { /* cannot fail for these clocks on Linux */
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t tg_clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t tg_clock_host_unix_ms(void)
{
    return read_clock(CLOCK_REALTIME) / 1000000;
}

static uint64_t slow_ms(void)
{
    uint64_t now_ms = tg_clock_monotonic_ms();
    return now_ms - now_ms / SLOWER_BY;
}

void tg_clock_vouch(uint64_t unix_ms)
{
    uint64_t passed_ms = slow_ms(), known = atomic_load(&floor_base);
    if (unix_ms <= passed_ms || unix_ms >= END_UNIX_MS) {
        return;
    }
    while (unix_ms - passed_ms > known && !atomic_compare_exchange_weak(&floor_base, &known, unix_ms - passed_ms)) {
    }
}

/* Both clocks at one moment; counts when the host's has gone back. */
static uint64_t read_both(uint64_t *out_host_ms)
{
    uint64_t base = atomic_load_explicit(&floor_base, memory_order_relaxed);
    uint64_t host_ms = tg_clock_host_unix_ms();
    uint64_t floor_ms = base == 0 ? 0 : base + slow_ms();
    bool is_behind_now = floor_ms > host_ms && floor_ms - host_ms > TG_CLOCK_TOLERANCE_MS;
    if (atomic_load_explicit(&is_behind, memory_order_relaxed) != is_behind_now &&
        atomic_exchange(&is_behind, is_behind_now) != is_behind_now && is_behind_now) {
        atomic_fetch_add(&num_set_back, 1);
    }
    *out_host_ms = host_ms;
    return floor_ms;
}

uint64_t tg_clock_unix_ms(void)
{
    uint64_t host_ms = 0;
    uint64_t floor_ms = read_both(&host_ms);
    return floor_ms > host_ms ? floor_ms : host_ms;
}

tg_clock_standing tg_clock_stand(void)
{
    uint64_t host_ms = 0;
    uint64_t floor_ms = read_both(&host_ms);
    return (tg_clock_standing){.floor_unix_ms = floor_ms,
                               .behind_ms = floor_ms > host_ms ? floor_ms - host_ms : 0,
                               .num_set_back = atomic_load(&num_set_back)};
}

void tg_clock_format(uint64_t unix_ms, char out[25])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    char text[64];
    if (gmtime_r(&seconds, &utc) == NULL || utc.tm_year > 9999 - 1900) {
        memcpy(out, "9999-12-31T23:59:59.999Z", 25);
        return;
    }
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
             utc.tm_hour, utc.tm_min, utc.tm_sec, (unsigned)(unix_ms % 1000));
    memcpy(out, text, 25);
}
