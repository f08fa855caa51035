#include "proxy/sidecar.h"

#include "proxy/worker.h"
#include "sys/secret.h"

static tg_result decide(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision)
{
    const tg_proxy_sidecar *sidecar = connection->visit.worker->shared->sidecar;
    (void)input;
    *out_decision = (tg_proxy_decision){.target = sidecar->enclave, .route = TG_LIT("enclave")};
    if (sidecar->has_application) {
        out_decision->is_announced = true;
        out_decision->tlvs = connection->visit.worker->shared->sidecar_tlv;
    }
    return tg_ok();
}

static tg_result refuse(tg_proxy_decision *decision, tg_slice rule, const char *remedy)
{
    *decision = (tg_proxy_decision){
        .route = TG_LIT("application"), .refused = "return port refused", .rule = rule, .remedy = remedy};
    return tg_ok();
}

/* Whoever dials the return port must be the enclave, by CID where there is one, and repeat the bytes that it was told.
 */
static tg_result decide_return(tg_proxy_connection *connection, tg_slice input, tg_proxy_decision *out_decision)
{
    const tg_proxy_sidecar *sidecar = connection->visit.worker->shared->sidecar;
    const tg_peer *peer = &connection->visit.peer;
    if (sidecar->enclave.kind == TG_ADDRESS_VSOCK && (!peer->has_cid || peer->cid != sidecar->enclave.cid)) {
        return refuse(out_decision, TG_LIT("cid"), "only ENCLAVE_CID may dial the return port");
    }
    if (input.len < TG_RETURN_TOKEN_BYTES) {
        return tg_fail(TG_ERR_AGAIN);
    }
    tg_slice token = tg_slice_of(sidecar->return_port.token, TG_RETURN_TOKEN_BYTES);
    if (!tg_bytes_equal_constant_time(tg_slice_first(input, TG_RETURN_TOKEN_BYTES), token)) {
        return refuse(out_decision, TG_LIT("token"),
                      "the bytes are those of another process of this sidecar, or guessed");
    }
    *out_decision = (tg_proxy_decision){
        .target = sidecar->application, .route = TG_LIT("application"), .num_taken = TG_RETURN_TOKEN_BYTES};
    return tg_ok();
}

const tg_connection_service tg_sidecar_service = {.reads = false, .decide = decide};
const tg_connection_service tg_sidecar_return_service = {.reads = true, .decide = decide_return};
