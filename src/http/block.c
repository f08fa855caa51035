#include "http/block.h"

#include "base/buf.h"

#include <stdlib.h>

enum { MAX_KEPT = 64 };

void tg_http_block_store_init(tg_http_block_store *store, size_t block_bytes)
{
    *store = (tg_http_block_store){.block_bytes = block_bytes};
}

void tg_http_block_store_done(tg_http_block_store *store)
{
    while (store->first != NULL) {
        tg_http_block *block = store->first;
        store->first = block->next;
        free(block);
    }
    store->num_kept = 0;
}

tg_http_block *tg_http_block_take(tg_http_block_store *store)
{
    tg_http_block *block = store->first;
    if (block != NULL) {
        store->first = block->next;
        store->num_kept--;
        block->next = NULL;
        return block;
    }
    block = malloc(sizeof *block + store->block_bytes);
    if (block != NULL) {
        *block = (tg_http_block){.cap = store->block_bytes};
    }
    return block;
}

void tg_http_block_put(tg_http_block_store *store, tg_http_block *block)
{
    if (block == NULL) {
        return;
    }
    tg_wipe(block->bytes, block->dirty);
    block->dirty = 0;
    block->end = 0;
    if (store->num_kept == MAX_KEPT) {
        free(block);
        return;
    }
    block->next = store->first;
    store->first = block;
    store->num_kept++;
}

void tg_http_block_commit(tg_http_block *block, size_t len)
{
    block->end += len;
    block->dirty = block->end > block->dirty ? block->end : block->dirty;
}

void tg_http_block_cut(tg_http_block *block, size_t end)
{
    block->end = end; /* wiped with the block: `dirty` stays */
}

void tg_http_block_move_down(tg_http_block *block, size_t start)
{
    memmove(block->bytes, block->bytes + start, block->end - start);
    block->end -= start;
}
