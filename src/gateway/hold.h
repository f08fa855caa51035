/* What one request holds of the budget of bodies in flight, given back whole. */
#ifndef TG_GATEWAY_HOLD_H
#define TG_GATEWAY_HOLD_H

#include "http/budget.h"

typedef struct tg_hold {
    tg_http_budget *budget; /* NULL: without end */
    size_t held;
} tg_hold;

/* tg_hold_set has it hold `len` bytes, more or fewer than before; false where so many more are not there: then nothing
 * has changed. Fewer are always given. */
static inline bool tg_hold_set(tg_hold *hold, size_t len)
{
    if (len > hold->held && !tg_http_budget_take(hold->budget, len - hold->held, hold->held)) {
        return false;
    }
    if (len < hold->held) {
        tg_http_budget_give(hold->budget, hold->held - len);
    }
    hold->held = len;
    return true;
}

static inline void tg_hold_end(tg_hold *hold)
{
    (void)tg_hold_set(hold, 0);
}

#endif
