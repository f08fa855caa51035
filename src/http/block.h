/* The memory that a loop reads into. A connection holds a block only while it has bytes that are not done with; an
 * idle one holds none, and a slow head of a few bytes waits in a copy of its own size. */
#ifndef TG_HTTP_BLOCK_H
#define TG_HTTP_BLOCK_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_http_block {
    struct tg_http_block *next; /* in the store */
    size_t end;                 /* behind the last byte read */
    size_t dirty;               /* bytes that were ever written since it was wiped */
    size_t cap;
    uint8_t bytes[];
} tg_http_block;

typedef struct tg_http_block_store {
    size_t block_bytes;
    tg_http_block *first;
    size_t num_kept;
} tg_http_block_store;

void tg_http_block_store_init(tg_http_block_store *store, size_t block_bytes);
void tg_http_block_store_done(tg_http_block_store *store);

/* tg_http_block_take gives an empty block, NULL without memory. tg_http_block_put wipes it and takes it back. */
tg_http_block *tg_http_block_take(tg_http_block_store *store);
void tg_http_block_put(tg_http_block_store *store, tg_http_block *block);

static inline size_t tg_http_block_room(const tg_http_block *block)
{
    return block->cap - block->end;
}
/* tg_http_block_commit counts bytes written at the end. */
void tg_http_block_commit(tg_http_block *block, size_t len);
/* tg_http_block_cut drops what stands behind `end`. tg_http_block_move_down drops the first `start` bytes. */
void tg_http_block_cut(tg_http_block *block, size_t end);
void tg_http_block_move_down(tg_http_block *block, size_t start);

#endif
