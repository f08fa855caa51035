/* What the client of the gateway is told when a call of a backend has failed. */
#ifndef TG_GATEWAY_UPSTREAM_FAULT_H
#define TG_GATEWAY_UPSTREAM_FAULT_H

#include "gateway/fault.h"
#include "http/client.h"

/* tg_upstream_fault_of gives the fault of an outcome that is not TG_OK: where it ended decides, and who was at fault.
 *   502 upstream_unreachable  no connection             502 upstream_closed      no answer
 *   502 upstream_tls          no handshake              502 upstream_bad_answer  not HTTP as we take it
 *   502 upstream_name         another's certificate     502 upstream_too_large   over the route's limit
 *   502 upstream_expired      or an old one             502 upstream_broken      it broke off within its body
 *   502 upstream_not_mutual   wants none of ours        504 upstream_timeout     too slow
 *   502 upstream_refused      or does not believe it    503 upstream_busy        no connection became free
 */
tg_gateway_fault tg_upstream_fault_of(const tg_http_outcome *outcome);

#endif
