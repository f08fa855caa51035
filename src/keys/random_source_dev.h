/* A data key for development: random, gone when the process ends. Not in a production build. */
#ifndef TG_KEYS_RANDOM_SOURCE_DEV_H
#define TG_KEYS_RANDOM_SOURCE_DEV_H

#include "keys/ring.h"

/* tg_key_random_dev makes a ring of one random current key, id `development`.
 * err   what tg_secret_random and tg_key_ring_new say
 * keep  the caller owns the ring
 */
TG_MUST_USE tg_result tg_key_random_dev(tg_key_ring **out_ring);

#endif
