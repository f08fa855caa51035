/* Time of one operation: the best of several runs, each long enough for the clock. */
#ifndef TG_BENCH_MEASURE_H
#define TG_BENCH_MEASURE_H

#include "base/result.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { TG_BENCH_RUNS = 7, TG_BENCH_RUN_MS = 60 };

typedef void tg_bench_fn(void *owner);

/* Nanoseconds a call; the best run is the one that others disturbed least. */
static inline double tg_bench_ns(tg_bench_fn *function, void *owner)
{
    double best = 0;
    for (int run = 0; run < TG_BENCH_RUNS; run++) {
        uint64_t begin = tg_clock_monotonic_ns(), now = begin;
        uint64_t num_calls = 0;
        while (now - begin < (uint64_t)TG_BENCH_RUN_MS * 1000000) {
            function(owner);
            num_calls++;
            now = num_calls < 64 || num_calls % 64 == 0 ? tg_clock_monotonic_ns() : now;
        }
        double ns = (double)(now - begin) / (double)num_calls;
        best = run == 0 || ns < best ? ns : best;
    }
    return best;
}

static inline void tg_bench_need(tg_result result)
{
    if (!tg_is_ok(result)) {
        fprintf(stderr, "bench: %s\n", tg_code_name(result.code));
        exit(1);
    }
}

#endif
