#include "base/arena.h"

#include "base/buf.h"

#include <stdlib.h>

enum { ALIGN = 16, CHUNK_BYTES = 4096, KEPT_BYTES = 16384 };

struct tg_arena_chunk {
    tg_arena_chunk *older;
    size_t cap;
    _Alignas(ALIGN) uint8_t bytes[];
};

void tg_arena_init(tg_arena *arena, size_t max, bool is_wiped)
{
    *arena = (tg_arena){.max = max, .is_wiped = is_wiped};
}

static void free_chunk(tg_arena *arena, tg_arena_chunk *chunk)
{
    if (arena->is_wiped) {
        tg_wipe(chunk->bytes, chunk->cap);
    }
    arena->used -= chunk->cap;
    free(chunk);
}

void tg_arena_clear(tg_arena *arena)
{
    tg_arena_chunk *chunk = arena->chunk;
    size_t left = chunk != NULL && chunk->older == NULL ? arena->left : 0; /* an older chunk counts as full */
    while (chunk != NULL && (chunk->older != NULL || chunk->cap > KEPT_BYTES)) {
        tg_arena_chunk *older = chunk->older;
        free_chunk(arena, chunk);
        chunk = older;
    }
    arena->chunk = chunk;
    arena->next = chunk != NULL ? chunk->bytes : NULL;
    if (chunk != NULL && arena->is_wiped) {
        tg_wipe(chunk->bytes, chunk->cap - left);
    }
    arena->left = chunk != NULL ? chunk->cap : 0;
}

void tg_arena_done(tg_arena *arena)
{
    for (tg_arena_chunk *chunk = arena->chunk; chunk != NULL;) {
        tg_arena_chunk *older = chunk->older;
        free_chunk(arena, chunk);
        chunk = older;
    }
    tg_arena_init(arena, arena->max, arena->is_wiped);
}

static bool add_chunk(tg_arena *arena, size_t len)
{
    size_t cap = CHUNK_BYTES - sizeof(tg_arena_chunk);
    if (arena->used > cap) { /* grow with use, so that large requests take few chunks */
        cap = arena->used < ((size_t)1 << 20) ? arena->used : (size_t)1 << 20;
        cap = (cap + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    }
    cap = cap > len ? cap : len;
    if (cap > arena->max - arena->used) {
        cap = len;
    }
    if (cap > arena->max - arena->used) {
        return false;
    }
    tg_arena_chunk *chunk = malloc(sizeof *chunk + cap);
    if (chunk == NULL) {
        return false;
    }
    *chunk = (tg_arena_chunk){.older = arena->chunk, .cap = cap};
    arena->chunk = chunk;
    arena->next = chunk->bytes;
    arena->left = cap;
    arena->used += cap;
    return true;
}

void *tg_arena_alloc(tg_arena *arena, size_t len)
{
    if (len > SIZE_MAX - ALIGN) {
        return NULL;
    }
    size_t rounded = len > 0 ? (len + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (rounded > arena->left && !add_chunk(arena, rounded)) {
        return NULL;
    }
    uint8_t *at = arena->next;
    arena->next += rounded;
    arena->left -= rounded;
    return at;
}

void *tg_arena_zalloc(tg_arena *arena, size_t count, size_t size)
{
    size_t len;
    if (__builtin_mul_overflow(count, size, &len)) {
        return NULL;
    }
    void *at = tg_arena_alloc(arena, len);
    return at != NULL ? memset(at, 0, len) : NULL;
}

tg_result tg_arena_copy(tg_arena *arena, tg_slice bytes, tg_slice *out_copy)
{
    uint8_t *at = bytes.len < SIZE_MAX ? tg_arena_alloc(arena, bytes.len + 1) : NULL;
    if (at == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    at[bytes.len] = 0;
    *out_copy = tg_slice_of(at, bytes.len);
    return tg_ok();
}
