/* Random JSON documents for property tests: every kind of value, white space, escapes and number spelling, names from a
 * small set so that graphs meet them, no name twice in an object and no lone surrogate (other readers refuse those). */
#ifndef TG_TESTS_SUPPORT_RANDOM_JSON_H
#define TG_TESTS_SUPPORT_RANDOM_JSON_H

#include "base/buf.h"

typedef struct tg_dice {
    uint64_t state; /* not 0: the seed, which makes the documents the same in every run */
} tg_dice;

/* tg_dice_roll is 0 to sides - 1. */
uint32_t tg_dice_roll(tg_dice *dice, uint32_t sides);

typedef struct tg_random_json {
    bool has_escapes; /* strings and names may hold escapes */
    uint32_t max_depth;
} tg_random_json;

/* tg_random_json_append writes a document of the names a, b, c, d, ssn and list. */
void tg_random_json_append(tg_buf *buf, tg_dice *dice, const tg_random_json *how);

#endif
