#include "fields/json_index.h"

#include "base/result.h"
#include "fields/json_index_x86.h"

void tg_json_index_init(tg_json_index *index, tg_slice text)
{
    index->text = text;
    index->window = (size_t)0 - TG_JSON_WINDOW_BYTES; /* every byte is outside it */
    index->level = tg_cpu_get_level();
}

#if TG_CPU_X86

enum { BEFORE_BYTES = 3 };

/* How many bytes a character has that begins with this one, were it well formed; 1 where none begins. */
static size_t char_len(uint8_t first)
{
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/* Where the window ends inside a character, that one is left to whoever comes to it: its other bytes may be missing. */
static void mark_cut_char(tg_json_index *index, size_t window_len)
{
    size_t end = index->window + window_len;
    for (size_t back = 1; back <= BEFORE_BYTES && back <= window_len; back++) {
        uint8_t c = index->text.ptr[end - back];
        if (char_len(c) > back) {
            size_t bit = (end - back) % TG_JSON_WINDOW_BYTES;
            index->special[bit / TG_JSON_BLOCK_BYTES] |= (uint64_t)1 << bit % TG_JSON_BLOCK_BYTES;
        }
        if (c < 0x80 || c >= 0xc0) {
            return;
        }
    }
}

/* Bytes outside ASCII count as special only where the window holds one that is not part of a well-formed character:
 * then whoever comes to it says which. */
static void check_utf8(tg_json_index *index, size_t window_len, const uint64_t *outside)
{
    TG_UNINITIALIZED uint8_t copy[TG_JSON_UTF8_BEFORE + TG_JSON_WINDOW_BYTES + TG_JSON_UTF8_STEP];
    const uint8_t *text = index->text.ptr + index->window;
    size_t before = index->window > 0 ? BEFORE_BYTES : 0;
    memset(copy, 0, TG_JSON_UTF8_BEFORE);
    memcpy(copy + TG_JSON_UTF8_BEFORE - before, text - before, before + window_len);
    memset(copy + TG_JSON_UTF8_BEFORE + window_len, 0, TG_JSON_UTF8_STEP);
    if (tg_json_utf8_is_valid_avx2(copy + TG_JSON_UTF8_BEFORE, window_len)) {
        mark_cut_char(index, window_len);
        return;
    }
    for (size_t i = 0; i * TG_JSON_BLOCK_BYTES < window_len; i++) {
        index->special[i] |= outside[i];
    }
}

void tg_json_index_load(tg_json_index *index, size_t at)
{
    TG_UNINITIALIZED uint64_t outside[TG_JSON_BLOCKS]; /* of the window's blocks, as far as it goes */
    index->window = at / TG_JSON_WINDOW_BYTES * TG_JSON_WINDOW_BYTES;
    size_t left = index->text.len - index->window;
    size_t len = left < TG_JSON_WINDOW_BYTES ? left : TG_JSON_WINDOW_BYTES;
    tg_slice window = tg_slice_of(index->text.ptr + index->window, len);
    bool is_ascii = index->level == TG_CPU_AVX512
                        ? tg_json_classify_avx512(window, index->special, index->dark, outside)
                        : tg_json_classify_avx2(window, index->special, index->dark, outside);
    if (!is_ascii) {
        check_utf8(index, len, outside);
    }
}

#else

void tg_json_index_load(tg_json_index *index, size_t at)
{
    (void)index;
    (void)at;
}

#endif
