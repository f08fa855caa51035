/* Memory between two pages that cannot be touched: bytes that begin at its beginning, or end at its end, so that a
 * read of one byte before or behind them faults. */
#ifndef TG_TESTS_SUPPORT_FENCED_H
#define TG_TESTS_SUPPORT_FENCED_H

#include "base/slice.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef enum tg_fence { TG_FENCE_BEFORE, TG_FENCE_BEHIND, TG_NUM_FENCES } tg_fence;

typedef struct tg_fenced {
    uint8_t *bytes;
    size_t len;
} tg_fenced;

/* At least `len` bytes; the caller gives them back by tg_fenced_done. */
static inline tg_fenced tg_fenced_new(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (len + page - 1) / page * page;
    uint8_t *at = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at + page, inside, PROT_READ | PROT_WRITE) != 0) {
        abort();
    }
    return (tg_fenced){at + page, inside};
}

static inline void tg_fenced_done(tg_fenced *fenced)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(fenced->bytes - page, fenced->len + 2 * page);
}

/* Where `len` bytes begin that stand against the fence. */
static inline uint8_t *tg_fenced_at(const tg_fenced *fenced, tg_fence fence, size_t len)
{
    return fence == TG_FENCE_BEFORE ? fenced->bytes : fenced->bytes + (fenced->len - len);
}

/* A copy of the bytes that stands so. */
static inline tg_slice tg_fenced_copy(const tg_fenced *fenced, tg_fence fence, tg_slice bytes)
{
    uint8_t *at = tg_fenced_at(fenced, fence, bytes.len);
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return tg_slice_of(at, bytes.len);
}

#endif
