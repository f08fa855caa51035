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

/* tg_http_budget_take counts `len` bytes more; false, and nothing is counted, where they do not fit. Any thread; a
 * NULL budget has no end. What was taken is given back by tg_http_budget_give.
 */
static inline bool tg_http_budget_take(tg_http_budget *budget, size_t len)
{
    if (budget == NULL) {
        return true;
    }
    size_t used = atomic_fetch_add_explicit(&budget->used, len, memory_order_relaxed);
    if (used > budget->max || len > budget->max - used) {
        atomic_fetch_sub_explicit(&budget->used, len, memory_order_relaxed);
        return false;
    }
    return true;
}

static inline void tg_http_budget_give(tg_http_budget *budget, size_t len)
{
    if (budget != NULL) {
        atomic_fetch_sub_explicit(&budget->used, len, memory_order_relaxed);
    }
}

#endif
