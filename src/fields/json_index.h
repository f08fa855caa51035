/* Where the bytes stand that matter to a scanner of JSON, found by vector instructions a window at a time: one bit a
 * byte. Without such instructions there is no index, and the scanner looks for itself. */
#ifndef TG_FIELDS_JSON_INDEX_H
#define TG_FIELDS_JSON_INDEX_H

#include "base/cpu.h"

enum { TG_JSON_BLOCK_BYTES = 64, TG_JSON_BLOCKS = 16, TG_JSON_WINDOW_BYTES = TG_JSON_BLOCK_BYTES * TG_JSON_BLOCKS };

typedef struct tg_json_index {
    tg_slice text;
    size_t window; /* where it begins, a multiple of TG_JSON_WINDOW_BYTES */
    tg_cpu_level level;
    /* What ends the plain inside of a string: quotes, backslashes, control characters; and bytes outside ASCII, but for
     * those of characters that are known to be well formed. */
    uint64_t special[TG_JSON_BLOCKS];
    /* What is no white space. */
    uint64_t dark[TG_JSON_BLOCKS];
} tg_json_index;

/* tg_json_index_init begins an index over a text that stays in place. */
void tg_json_index_init(tg_json_index *index, tg_slice text);

/* tg_json_index_load makes the window that holds the byte `at` (below text.len) the current one. Not at level portable.
 * What the bits say of places behind the text's end means nothing: those of an earlier window may stand there. */
void tg_json_index_load(tg_json_index *index, size_t at);

static inline bool tg_json_index_is_used(const tg_json_index *index)
{
    return index->level > TG_CPU_PORTABLE;
}

/* The number of the block that holds `at`, in the window that does. */
static inline size_t tg_json_index_block(tg_json_index *index, size_t at)
{
    if (at - index->window >= TG_JSON_WINDOW_BYTES) {
        tg_json_index_load(index, at);
    }
    return at % TG_JSON_WINDOW_BYTES / TG_JSON_BLOCK_BYTES;
}

/* tg_json_index_special is the offset of the first such byte from `at`, at most `limit` (at most text.len). */
static inline size_t tg_json_index_special(tg_json_index *index, size_t at, size_t limit)
{
    while (at < limit) {
        uint64_t bits = index->special[tg_json_index_block(index, at)] >> at % TG_JSON_BLOCK_BYTES;
        if (bits != 0) {
            at += (size_t)__builtin_ctzll(bits);
            return at < limit ? at : limit;
        }
        at = (at / TG_JSON_BLOCK_BYTES + 1) * TG_JSON_BLOCK_BYTES;
    }
    return limit;
}

/* tg_json_index_dark is the offset of the first byte from `at` that is no white space, at most `limit`. */
static inline size_t tg_json_index_dark(tg_json_index *index, size_t at, size_t limit)
{
    while (at < limit) {
        uint64_t bits = index->dark[tg_json_index_block(index, at)] >> at % TG_JSON_BLOCK_BYTES;
        if (bits != 0) {
            at += (size_t)__builtin_ctzll(bits);
            return at < limit ? at : limit;
        }
        at = (at / TG_JSON_BLOCK_BYTES + 1) * TG_JSON_BLOCK_BYTES;
    }
    return limit;
}

#endif
