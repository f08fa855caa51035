/* Memory of one request: many small allocations that end together. Not for sharing between threads. */
#ifndef TG_BASE_ARENA_H
#define TG_BASE_ARENA_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_arena_chunk tg_arena_chunk;

typedef struct tg_arena {
    tg_arena_chunk *chunk; /* the newest; older ones hang behind it */
    uint8_t *next;         /* free space of the newest chunk */
    size_t left;
    size_t used; /* bytes of all chunks */
    size_t max;
    bool is_wiped; /* chunks are zeroed when cleared: set where plaintext may stand in them */
} tg_arena;

/* tg_arena_init makes an empty arena whose chunks together stay within `max` bytes; it allocates nothing yet. */
void tg_arena_init(tg_arena *arena, size_t max, bool is_wiped);
void tg_arena_done(tg_arena *arena);

/* tg_arena_clear ends every allocation; it keeps the oldest chunk for reuse where that is at most 16 KiB. */
void tg_arena_clear(tg_arena *arena);

/* tg_arena_alloc gives `len` bytes, aligned to 16, not zeroed. NULL past the maximum or without memory. */
void *tg_arena_alloc(tg_arena *arena, size_t len);
void *tg_arena_zalloc(tg_arena *arena, size_t count, size_t size);

/* tg_arena_copy copies the bytes and a NUL behind them, which the slice does not count.
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_arena_copy(tg_arena *arena, tg_slice bytes, tg_slice *out_copy);

#endif
