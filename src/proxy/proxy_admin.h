/* What operators see: /metrics, /health, /live, /ready, /status, /version. On the main thread's loop. */
#ifndef TG_PROXY_PROXY_ADMIN_H
#define TG_PROXY_PROXY_ADMIN_H

#include "proxy/proxy.h"

typedef struct tg_proxy_admin tg_proxy_admin;

/* tg_proxy_admin_open listens at `address`.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM; TG_ERR_SYNTAX where it cannot be bound, with a fault
 * keep  closed by tg_proxy_admin_close, before the proxy and the loop
 */
TG_MUST_USE tg_result tg_proxy_admin_open(tg_loop *loop, tg_proxy *proxy, const tg_proxy_sidecar *sidecar,
                                          const tg_address *address, tg_faults *faults, tg_proxy_admin **out_admin);
void tg_proxy_admin_close(tg_proxy_admin *admin);

#endif
