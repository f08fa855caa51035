/* How many bytes all connections of the process may hold together: one object, shared by the workers. */
#ifndef TG_HTTP_BUDGET_H
#define TG_HTTP_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct tg_http_budget {
    size_t max;
    _Atomic size_t used;
} tg_http_budget;

static inline void tg_http_budget_init(tg_http_budget *budget, size_t max)
{
    budget->max = max;
    atomic_init(&budget->used, 0);
}

/* tg_http_budget_take counts `len` bytes more; false where they do not fit: then nothing is counted, not even for
 * a moment in which another thread could be refused for it. Any thread; a NULL budget has no end. What was taken is
 * given back by tg_http_budget_give.
 */
static inline bool tg_http_budget_take(tg_http_budget *budget, size_t len)
{
    if (budget == NULL) {
        return true;
    }
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (len > budget->max - used) {
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
