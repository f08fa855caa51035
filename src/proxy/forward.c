#include "proxy/forward.h"

static bool may_use(const tg_proxy_forward *forward, const tg_peer *peer)
{
    for (size_t i = 0; i < forward->num_cids; i++) {
        if (peer->has_cid && forward->cids[i] == peer->cid) {
            return true;
        }
    }
    return forward->cids == NULL;
}

static tg_result decide(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision)
{
    const tg_proxy_visit *visit = &connection->visit;
    const tg_proxy_forward *forward = visit->door.forward;
    (void)input;
    *out_decision = (tg_proxy_decision){.target = forward->connect, .route = tg_slice_str(forward->name)};
    out_decision->is_announced = visit->door.sends_proxy;
    if (!may_use(forward, &visit->peer)) {
        out_decision->refused = "forward refused";
        out_decision->rule = TG_LIT("cid");
        out_decision->remedy = "the forward's \"cids\", or the CIDs of \"domains\", do not name the peer's";
    }
    return tg_ok();
}

const tg_connection_service tg_forward_service = {.reads = false, .decide = decide};
