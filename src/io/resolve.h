/* Names to IP addresses, on libuv's thread pool by the system's resolver. */
#ifndef TG_IO_RESOLVE_H
#define TG_IO_RESOLVE_H

#include "io/address.h"
#include "io/loop.h"

typedef struct tg_lookup tg_lookup;

/* `addresses` live until it returns, in the order to try them. Without success there are none, and `reason` says why
 * in a few words (static; "" on success). The lookup is gone when this is called. */
typedef void tg_lookup_done_fn(tg_result result, const tg_sockaddr *addresses, size_t num_addresses, const char *reason,
                               void *owner);

/* The lookups of one party on one loop: so many run at a time, the others wait in a row. A name that nobody answers for
 * holds a thread of the pool for as long as the resolver tries, whoever has given up meanwhile: with a lane, it holds
 * up only those who asked for such names. */
typedef struct tg_lookup_lane {
    tg_link waiting;
    size_t num_running; /* given up ones too */
    size_t max_running;
} tg_lookup_lane;

/* tg_lookup_lane_init begins one, which must outlive the loop; max_running is at least 1. */
static inline void tg_lookup_lane_init(tg_lookup_lane *lane, size_t max_running)
{
    tg_link_init_head(&lane->waiting);
    lane->num_running = 0;
    lane->max_running = max_running;
}

/* tg_lookup_start resolves a tcp address's name; `done` is called once from the loop, unless cancelled before.
 * in    max_addresses: what is found past it is left out; lane: whose it is, NULL: nobody's, it runs at once
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM; to done: TG_ERR_NOT_FOUND, TG_ERR_LIBRARY (the resolver failed), TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_lookup_start(tg_loop *loop, const tg_address *address, size_t max_addresses,
                                      tg_lookup_lane *lane, tg_lookup_done_fn *done, void *owner,
                                      tg_lookup **out_lookup);

/* tg_lookup_cancel gives up: no callback follows, whatever the resolver's thread still does. NULL is fine. */
void tg_lookup_cancel(tg_lookup *lookup);

/* tg_lookup_sort puts the families in turns, beginning with the first address's, each in the order it had (RFC 8305
 * §4), so that one family that leads nowhere costs one head start. */
void tg_lookup_sort(tg_sockaddr *addresses, size_t num_addresses);

#endif
