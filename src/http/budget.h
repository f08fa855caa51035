/* How many bytes all connections of the process may hold together: one object, shared by the workers. */
#ifndef TG_HTTP_BUDGET_H
#define TG_HTTP_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* What a request may hold and count as short. An eighth of the budget is kept for short ones: a few clients whose long
 * bodies come, or are taken, as slowly as is allowed do not keep everybody out. */
enum { TG_HTTP_SHORT_BYTES = 65536, TG_HTTP_SHORT_SHARE = 8 };

typedef struct tg_http_budget {
    size_t max;
    _Atomic size_t used;
} tg_http_budget;

static inline void tg_http_budget_init(tg_http_budget *budget, size_t max)
{
    budget->max = max;
    atomic_init(&budget->used, 0);
}

/* tg_http_budget_max is what a request may hold at most, all others away. */
static inline size_t tg_http_budget_max(size_t max)
{
    size_t max_long = max - max / TG_HTTP_SHORT_SHARE;
    return max_long > TG_HTTP_SHORT_BYTES ? max_long : max < TG_HTTP_SHORT_BYTES ? max : TG_HTTP_SHORT_BYTES;
}

/* tg_http_budget_take counts `len` bytes more for a request that holds `held` already; false where they do not fit:
 * then nothing is counted, not even for a moment in which another thread could be refused for it. Any thread; a NULL
 * budget has no end. What was taken is given back by tg_http_budget_give.
 */
static inline bool tg_http_budget_take(tg_http_budget *budget, size_t len, size_t held)
{
    if (budget == NULL) {
        return true;
    }
    bool is_short = held <= TG_HTTP_SHORT_BYTES && len <= TG_HTTP_SHORT_BYTES - held;
    size_t max = is_short ? budget->max : budget->max - budget->max / TG_HTTP_SHORT_SHARE;
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (used > max || len > max - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + len, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static inline void tg_http_budget_give(tg_http_budget *budget, size_t len)
{
    if (budget != NULL) {
        atomic_fetch_sub_explicit(&budget->used, len, memory_order_relaxed);
    }
}

#endif
