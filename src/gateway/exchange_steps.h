/* What the files of gateway/exchange.h share: the steps, and how one goes on to the next. Inside the room only. */
#ifndef TG_GATEWAY_EXCHANGE_STEPS_H
#define TG_GATEWAY_EXCHANGE_STEPS_H

#include "gateway/exchange.h"

extern const tg_gateway_fault tg_exchange_no_budget, tg_exchange_no_memory;

/* tg_exchange_go sets the state; an edge that the table does not have is a defect, and ends the process. */
void tg_exchange_go(tg_exchange *exchange, tg_exchange_state next);

/* tg_exchange_refuse ends all work and answers with the fault, sealed where answers are. */
void tg_exchange_refuse(tg_exchange *exchange, const tg_gateway_fault *fault);

/* tg_exchange_target is where the route leads. */
tg_upstream_target tg_exchange_target(const tg_gateway_route *route);

/* tg_exchange_call asks the backend, with a copy of `body`: what was opened is wiped. tg_exchange_take_answer follows
 * once the answer is there, whole, in exchange->status, headers, content_type and body; or tg_exchange_refuse. */
void tg_exchange_call(tg_exchange *exchange, tg_slice body);
void tg_exchange_take_answer(tg_exchange *exchange);

#endif
