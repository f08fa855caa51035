#include "sys/heap.h"

#include "sys/sanitizer.h"

#include <malloc.h>

tg_result tg_heap_return_long_blocks(void)
{
    bool is_set =
        mallopt(M_MMAP_THRESHOLD, TG_HEAP_MAPPED_BYTES) == 1 && mallopt(M_TRIM_THRESHOLD, TG_HEAP_SPARE_BYTES) == 1;
    return is_set || TG_IS_SANITIZED ? tg_ok() : tg_fail(TG_ERR_SYSTEM);
}

void tg_heap_trim(void)
{
    (void)malloc_trim(0);
}
