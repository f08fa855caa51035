#include "enclave/attestation_rate.h"

#include <string.h>

tg_attestation_asker tg_attestation_asker_of(const tg_peer *peer, uint64_t connection_id)
{
    if (peer == NULL || peer->kind != TG_ADDRESS_TCP) {
        return (tg_attestation_asker){.host = connection_id, .is_connection = true};
    }
    tg_attestation_asker asker = {.is_connection = false};
    memcpy(&asker.network, peer->ip, sizeof asker.network);
    if (tg_peer_is_ipv4(peer)) { /* of the others, whoever has a network has 2^64 addresses */
        memcpy(&asker.host, peer->ip + sizeof asker.network, sizeof asker.host);
    }
    return asker;
}

static bool is_same(const tg_attestation_asker *a, const tg_attestation_asker *b)
{
    return a->network == b->network && a->host == b->host && a->is_connection == b->is_connection;
}

bool tg_attestation_rate_take(tg_attestation_rate *rate, const tg_attestation_asker *asker, uint64_t now_ms)
{
    size_t i = 0;
    if (rate->second != now_ms / 1000) {
        *rate = (tg_attestation_rate){.second = now_ms / 1000};
    }
    if (rate->num_taken == TG_MAX_ATTESTATIONS_PER_S) {
        return false;
    }
    while (i < rate->num_askers && !is_same(&rate->askers[i].asker, asker)) {
        i++;
    }
    if (i == rate->num_askers) {
        rate->askers[i].asker = *asker;
        rate->askers[i].num_taken = 0;
        rate->num_askers++;
    } else if (rate->askers[i].num_taken == TG_MAX_ATTESTATIONS_PER_ASKER_S ||
               rate->num_taken >= TG_MAX_ATTESTATIONS_PER_S - TG_ATTESTATIONS_FOR_NEW_ASKERS_S) {
        return false;
    }
    rate->askers[i].num_taken++;
    rate->num_taken++;
    return true;
}
