/* Data keys for development: random, for one process or kept in a folder. Not in a production build. */
#ifndef TG_KEYS_DEVELOPMENT_DEV_H
#define TG_KEYS_DEVELOPMENT_DEV_H

#include "keys/ring.h"

/* tg_key_random_dev makes a ring of one random current key, id `development`.
 * err   what tg_secret_random and tg_key_ring_new say
 * keep  the caller owns the ring
 */
TG_MUST_USE tg_result tg_key_random_dev(tg_key_ring **out_ring);

/* tg_key_kept_dev reads the key of FOLDER/dek, which it makes (0600, synced) where there is none yet, so that tokens
 * can be opened after a restart.
 * err   what tg_key_file_read says; TG_ERR_SYSTEM where the file cannot be made; out_detail names it
 * keep  the caller owns the ring
 */
TG_MUST_USE tg_result tg_key_kept_dev(const char *folder, tg_key_ring **out_ring, tg_detail *out_detail);

#endif
