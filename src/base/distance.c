#include "base/distance.h"

#include "base/num.h"
#include "base/text.h"

/* Optimal string alignment by three rows of the usual table. */
size_t tg_text_distance(tg_slice a, tg_slice b)
{
    a = tg_slice_first(a, TG_MAX_DISTANCE_WORD);
    b = tg_slice_first(b, TG_MAX_DISTANCE_WORD);
    size_t rows[3][TG_MAX_DISTANCE_WORD + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++) {
        before[j] = above[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t from = tg_ascii_lower(a.ptr[i - 1]), to = tg_ascii_lower(b.ptr[j - 1]);
            size_t best = above[j - 1] + (from == to ? 0 : 1);
            best = tg_size_min(best, tg_size_min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && from == tg_ascii_lower(b.ptr[j - 2]) && to == tg_ascii_lower(a.ptr[i - 2])) {
                best = tg_size_min(best, before[j - 2] + 1);
            }
            row[j] = best;
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.len];
}

bool tg_text_is_near(tg_slice word, tg_slice candidate)
{
    return tg_text_distance(word, candidate) * 3 <= tg_size_min(word.len, candidate.len);
}
