/* The positions of a document's root, unfolded into paths for people. Made from the net, which knows places. */
#ifndef TG_SCHEMA_LISTING_H
#define TG_SCHEMA_LISTING_H

#include "base/arena.h"
#include "schema/net.h"
#include "schema/pii_paths.h"

enum {
    TG_LISTING_UNFOLDED = 5000, /* paths, until parts that are used again are no longer written out again */
    TG_MAX_LISTED_PATH_BYTES = 4096
};

typedef struct tg_listing {
    tg_arena arena;
    tg_pii_path *paths;
    size_t num_paths, paths_cap;
    bool is_cut;
} tg_listing;

/* tg_listing_build lists what the net's root holds. err: TG_ERR_MEMORY, TG_ERR_LIMIT (of the net's work)
 * keep  ended with tg_listing_done, also after a failure; it does not need the net any more
 */
TG_MUST_USE tg_result tg_listing_build(tg_listing *listing, tg_net *net);
void tg_listing_done(tg_listing *listing);

#endif
