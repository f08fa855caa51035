#include "schema/vector.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

tg_result tg_vector_grow(void *array, size_t *cap, size_t count, size_t size, size_t max)
{
    if (count <= *cap) {
        return tg_ok();
    }
    if (count > max) {
        return tg_fail(TG_ERR_LIMIT);
    }
    size_t bigger = tg_size_min(max, tg_size_max(count, *cap < 8 ? 16 : *cap * 2));
    size_t bytes;
    if (!tg_size_mul(bigger, size, &bytes)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    void *old;
    memcpy(&old, array, sizeof old); /* array points at some object pointer: copied, so that no type is pretended */
    void *grown = realloc(old, bytes);
    if (grown == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memcpy(array, &grown, sizeof grown);
    *cap = bigger;
    return tg_ok();
}
