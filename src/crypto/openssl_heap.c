#include "crypto/openssl_heap.h"

#include "base/buf.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return len > 0 ? malloc(len) : NULL; /* NULL for nothing, as OpenSSL's own does */
}

static void release(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t cap = block != NULL ? malloc_usable_size(block) : 0;
    if (cap <= TG_OPENSSL_WIPED_BYTES) {
        tg_wipe(block, cap);
    }
    free(block);
}

/* realloc(3) would leave what it moves from as it is. */
static void *reallocate(void *block, size_t len, const char *file, int line)
{
    size_t cap = block != NULL ? malloc_usable_size(block) : 0;
    if (len > 0 && len <= cap && len >= cap / 2) {
        return block;
    }
    void *moved = allocate(len, file, line);
    if (moved != NULL && cap > 0) {
        memcpy(moved, block, cap < len ? cap : len);
    }
    if (moved != NULL || len == 0) {
        release(block, file, line);
    }
    return moved;
}

bool tg_openssl_heap_wipe(void)
{
    return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}
