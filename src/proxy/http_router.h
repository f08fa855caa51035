/* The HTTP router: each request of a connection goes to the enclave of the domain that its Host names.
 *
 *   IDLE ──> HEAD ──> DIALLING ──> EXCHANGE ──> IDLE       (and on with the next request)
 *              └─────────┴────> ANSWERING ───> IDLE        (404, 502 and the like: ours)
 *   EXCHANGE ──> UPGRADING ──> TUNNEL                      (101: a WebSocket)
 *   any ──> LINGER ──> over
 *
 * Heads are parsed to know where messages end and otherwise passed on byte for byte. */
#ifndef TG_PROXY_HTTP_ROUTER_H
#define TG_PROXY_HTTP_ROUTER_H

#include "proxy/visit.h"

/* tg_proxy_http_open begins with an accepted stream, which is its own from now on. */
void tg_proxy_http_open(tg_proxy_worker *worker, const tg_proxy_door *door, tg_stream *stream);

#endif
