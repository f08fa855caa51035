/* What operators see: /metrics, /health, /live, /ready, /status, /version. On the main thread's loop. */
#ifndef TG_PROXY_PROXY_ADMIN_H
#define TG_PROXY_PROXY_ADMIN_H

#include "io/bound.h"
#include "io/loop.h"
#include "proxy/proxy.h"

typedef struct tg_proxy_admin tg_proxy_admin;

/* tg_proxy_admin_open serves a bound socket; tg_proxy_admin_bound tells which.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  closed by tg_proxy_admin_close (NULL is fine), before the socket, the proxy and the loop
 */
TG_MUST_USE tg_result tg_proxy_admin_open(tg_loop *loop, tg_proxy *proxy, const tg_proxy_sidecar *sidecar,
                                          const tg_bound *bound, tg_proxy_admin **out_admin);
void tg_proxy_admin_close(tg_proxy_admin *admin);
const tg_bound *tg_proxy_admin_bound(const tg_proxy_admin *admin);

#endif
