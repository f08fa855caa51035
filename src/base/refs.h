/* A count of references that any thread may change, inside what it counts. */
#ifndef TG_BASE_REFS_H
#define TG_BASE_REFS_H

#include "base/result.h"

#include <stdatomic.h>
#include <stddef.h>

typedef struct tg_refs {
    _Atomic size_t num;
} tg_refs;

/* tg_refs_init sets the first reference, its maker's. */
static inline void tg_refs_init(tg_refs *refs)
{
    atomic_init(&refs->num, 1);
}

/* tg_refs_take adds one; by whoever has one. */
static inline void tg_refs_take(tg_refs *refs)
{
    atomic_fetch_add_explicit(&refs->num, 1, memory_order_relaxed);
}

/* tg_refs_drop gives one back; true for the last: nobody else can see the object any more, and it is to be freed. */
TG_MUST_USE static inline bool tg_refs_drop(tg_refs *refs)
{
    return atomic_fetch_sub_explicit(&refs->num, 1, memory_order_acq_rel) == 1;
}

#endif
