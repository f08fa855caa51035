/* How many attestation documents are signed for nonces in a second, and for whom: the device is one and slow, and who
 * asks it most must not leave the others without. */
#ifndef TG_ENCLAVE_ATTESTATION_RATE_H
#define TG_ENCLAVE_ATTESTATION_RATE_H

#include "io/peer.h"

enum {
    TG_MAX_ATTESTATIONS_PER_S = 20,       /* in the process */
    TG_MAX_ATTESTATIONS_PER_ASKER_S = 4,  /* and of these one asker's */
    TG_ATTESTATIONS_FOR_NEW_ASKERS_S = 10 /* the last of a second, for those who have none in it yet */
};

/* Who asks: an IP address (of IPv6 the first 64 bits), or a connection where the address says nothing (vsock and unix:
 * behind the host's proxy are many). */
typedef struct tg_attestation_asker {
    uint64_t network, host; /* the address's halves; of a connection 0 and its number */
    bool is_connection;
} tg_attestation_asker;

/* tg_attestation_asker_of names who asks. peer: NULL counts as one without an address */
tg_attestation_asker tg_attestation_asker_of(const tg_peer *peer, uint64_t connection_id);

/* {0} before the first. */
typedef struct tg_attestation_rate {
    uint64_t second;
    unsigned num_taken;
    size_t num_askers;
    struct {
        tg_attestation_asker asker;
        unsigned num_taken;
    } askers[TG_MAX_ATTESTATIONS_PER_S]; /* who has had one in this second: never more than documents */
} tg_attestation_rate;

/* tg_attestation_rate_take says whether this asker may have one more document in this second, and counts it. now_ms: of
 * a clock that does not go back. */
bool tg_attestation_rate_take(tg_attestation_rate *rate, const tg_attestation_asker *asker, uint64_t now_ms);

#endif
