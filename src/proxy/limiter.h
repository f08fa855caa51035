/* How many connections there are and how fast new ones come: in all, from one CID, from one IP address. One for all
 * workers; a connection asks it when it begins and tells it when it ends, no byte does. */
#ifndef TG_PROXY_LIMITER_H
#define TG_PROXY_LIMITER_H

#include "io/peer.h"
#include "proxy/config.h"

typedef struct tg_limiter tg_limiter;

/* Who a connection counts for. All zeros: only in all. */
typedef struct tg_limit_key {
    uint8_t kind; /* 0: nobody, 1: CID, 2: IP address */
    uint8_t bytes[16];
} tg_limit_key;

typedef enum tg_limit_verdict {
    TG_LIMIT_FINE,
    TG_LIMIT_CONNECTIONS, /* limits.connections */
    TG_LIMIT_PER_KEY,     /* limits.per_cid, limits.per_source */
    TG_LIMIT_RATE         /* limits.rate_per_cid, limits.rate_per_source */
} tg_limit_verdict;

/* tg_limiter_new makes a limiter. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_limiter_new(tg_limiter **out_limiter);
void tg_limiter_free(tg_limiter *limiter);

/* tg_limit_key_of_peer says who a peer counts for: a CID where it has one, an IPv4 address, the /64 of an IPv6 one.
 * tg_limit_key_of_ip does so for 4 or 16 bytes.
 */
tg_limit_key tg_limit_key_of_peer(const tg_peer *peer);
tg_limit_key tg_limit_key_of_ip(tg_slice address);

/* tg_limiter_enter counts a new connection where the limits let it. What it counted, tg_limiter_leave gives back.
 * tg_limiter_enter_key and tg_limiter_leave_key do so for the key alone, where the key is learned later than the
 * connection is (a PROXY header). A key that was let in and not counted, since nothing limits it, becomes nobody's:
 * what a later configuration counts is not given back by it. Any thread.
 */
tg_limit_verdict tg_limiter_enter(tg_limiter *limiter, const tg_proxy_limits *limits);
void tg_limiter_leave(tg_limiter *limiter);
tg_limit_verdict tg_limiter_enter_key(tg_limiter *limiter, const tg_proxy_limits *limits, tg_limit_key *key,
                                      uint64_t now_ms);
void tg_limiter_leave_key(tg_limiter *limiter, const tg_limit_key *key);

/* tg_limiter_num_connections is how many there are now, in all. */
size_t tg_limiter_num_connections(const tg_limiter *limiter);

const char *tg_limit_verdict_name(tg_limit_verdict verdict);

#endif
