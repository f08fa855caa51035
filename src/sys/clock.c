#include "sys/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

uint64_t tg_clock_unix_ms(void)
{
    return read_clock(CLOCK_REALTIME) / 1000000;
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
