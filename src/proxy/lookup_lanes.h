/* Whose name lookups wait for whose (io/resolve.h): those of one CID's egress in one lane, those of each configured
 * name in another. One guest that asks for names nobody answers for then keeps the others' resolvable. */
#ifndef TG_PROXY_LOOKUP_LANES_H
#define TG_PROXY_LOOKUP_LANES_H

#include "io/peer.h"
#include "io/resolve.h"

/* Lookups that can run at a time in all workers together: libuv lets them have half of its pool (io/loop.c). A lane
 * takes half of these at most. */
enum { TG_LOOKUP_THREADS = 16 };

typedef struct tg_lookup_lanes tg_lookup_lanes;

/* tg_lookup_lanes_new makes a worker's lanes; `num_workers` share the threads.
 * err   TG_ERR_MEMORY
 * keep  freed by tg_lookup_lanes_free, after the loop
 */
TG_MUST_USE tg_result tg_lookup_lanes_new(size_t num_workers, tg_lookup_lanes **out_lanes);
void tg_lookup_lanes_free(tg_lookup_lanes *lanes);

/* tg_lookup_lanes_find gives the lane in which a target's name is resolved: that of the CID that chose it (one for all
 * peers without any), or of the name itself where the configuration did (`chooser` NULL). Lanes are made when first
 * asked for: as many as there are guests and names. NULL: there is nothing to resolve, or no memory.
 */
tg_lookup_lane *tg_lookup_lanes_find(tg_lookup_lanes *lanes, const tg_address *target, const tg_peer *chooser);

#endif
