#include "secrets/json_heap.h"

#include "base/buf.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

static void *allocate(size_t len)
{
    return malloc(len);
}

static void release(void *block)
{
    if (block != NULL) {
        tg_wipe(block, malloc_usable_size(block));
        free(block);
    }
}

void tg_json_heap_wipe(void)
{
    json_set_alloc_funcs(allocate, release);
}
