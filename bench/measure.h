/* Time of one operation: the thread's own CPU time, of many short runs the best. */
#ifndef TG_BENCH_MEASURE_H
#define TG_BENCH_MEASURE_H

#include "base/result.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TG_BENCH_RUNS = 60, TG_BENCH_RUN_MS = 8 };

typedef void tg_bench_fn(void *owner);

static inline uint64_t tg_bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Nanoseconds a call; the best run is the one that others disturbed least. */
static inline double tg_bench_ns(tg_bench_fn *function, void *owner)
{
    double best = 0;
    for (int run = 0; run < TG_BENCH_RUNS; run++) {
        uint64_t begin = tg_bench_now_ns(), now = begin;
        uint64_t num_calls = 0;
        while (now - begin < (uint64_t)TG_BENCH_RUN_MS * 1000000) {
            function(owner);
            num_calls++;
            now = num_calls < 8 || num_calls % 64 == 0 ? tg_bench_now_ns() : now;
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
