/* The bound sockets of a configuration: opened all or none, those of the former configuration kept. */
#ifndef TG_PROXY_GATES_H
#define TG_PROXY_GATES_H

#include "proxy/worker.h"

typedef struct tg_proxy_gates {
    tg_proxy_gate *gates;
    size_t num_gates;
} tg_proxy_gates;

/* tg_proxy_gates_open binds what `config` (and the sidecar, or NULL) listens at; what `former` has bound already is
 * shared with it until tg_proxy_gates_replace or tg_proxy_gates_forsake.
 * err   TG_ERR_MEMORY; TG_ERR_SYNTAX: a fault for each that could not be bound, and nothing new stays open
 */
TG_MUST_USE tg_result tg_proxy_gates_open(const tg_proxy_config *config, const tg_proxy_sidecar *sidecar,
                                          bool is_port_reused, const tg_proxy_gates *former, tg_faults *faults,
                                          tg_proxy_gates *out_gates);
/* tg_proxy_gates_replace closes what `former` has and `gates` does not, and frees `former`. */
void tg_proxy_gates_replace(tg_proxy_gates *former, const tg_proxy_gates *gates);
void tg_proxy_gates_done(tg_proxy_gates *gates);

#endif
