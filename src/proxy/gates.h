/* The listening sockets of a configuration: bound all or none, those of the former configuration kept. */
#ifndef TG_PROXY_GATES_H
#define TG_PROXY_GATES_H

#include "proxy/activated.h"
#include "proxy/config.h"
#include "proxy/sidecar.h"
#include "proxy/visit.h"

/* A bound socket and what is served there. */
typedef struct tg_proxy_gate {
    tg_bound *bound;
    tg_address asked;   /* as the configuration has it; `bound` says which port the kernel chose */
    bool is_lent;       /* by the service manager: it outlives the gate */
    tg_proxy_door door; /* its pointers are the configuration's that it belongs to */
} tg_proxy_gate;

typedef struct tg_proxy_gates {
    tg_proxy_gate *gates;
    size_t num_gates;
} tg_proxy_gates;

/* What is to be listened at. */
typedef struct tg_proxy_gates_wanted {
    const tg_proxy_config *config;
    const tg_proxy_sidecar *sidecar; /* NULL: none */
    const tg_address *admin;         /* where the configuration names none; NULL: none */
    tg_proxy_activated *activated;   /* sockets that need no binding */
    bool is_port_reused;             /* a socket for each worker: tg_bind_options */
} tg_proxy_gates_wanted;

/* tg_proxy_gates_open binds what is wanted; what `former` has bound already is shared with it until one of them is
 * closed by tg_proxy_gates_replace.
 * in    former: NULL at the start
 * err   TG_ERR_MEMORY; TG_ERR_SYNTAX: a fault for each that could not be bound, and nothing new stays open
 */
TG_MUST_USE tg_result tg_proxy_gates_open(const tg_proxy_gates_wanted *wanted, const tg_proxy_gates *former,
                                          tg_faults *faults, tg_proxy_gates *out_gates);
/* tg_proxy_gates_replace closes what `former` has and `gates` (NULL: nothing) does not, and frees `former`.
 * tg_proxy_gates_done closes all.
 */
void tg_proxy_gates_replace(tg_proxy_gates *former, const tg_proxy_gates *gates);
void tg_proxy_gates_done(tg_proxy_gates *gates);

/* tg_proxy_gates_find gives the first gate of a service, or NULL. */
const tg_proxy_gate *tg_proxy_gates_find(const tg_proxy_gates *gates, tg_proxy_service service);

#endif
