/* How far two words are apart: for "did you mean". */
#ifndef TG_BASE_DISTANCE_H
#define TG_BASE_DISTANCE_H

#include "base/slice.h"

/* Longer words are compared by their first TG_MAX_DISTANCE_WORD bytes. */
enum { TG_MAX_DISTANCE_WORD = 64 };

/* tg_text_distance counts the bytes to insert, drop, change or swap with their neighbour that make one word the
 * other, ASCII letters without case.
 */
size_t tg_text_distance(tg_slice a, tg_slice b);

/* tg_text_is_near says whether `candidate` is worth suggesting for a mistyped `word`. */
bool tg_text_is_near(tg_slice word, tg_slice candidate);

#endif
