/* The gateway's paths on the public site: what a route's head lets in, and a worker's share of gateway/exchange.h. */
#ifndef TG_ENCLAVE_GATEWAY_API_H
#define TG_ENCLAVE_GATEWAY_API_H

#include "enclave/site.h"
#include "gateway/exchange.h"

typedef struct tg_gateway tg_gateway;

/* tg_gateway_new makes a worker's gateway; NULL in *out_gateway where there are no routes.
 * err   TG_ERR_MEMORY; TG_ERR_SYNTAX: EGRESS_ADDRESS
 * keep  the site outlives it; thread: the loop's. tg_gateway_free after the server's end; NULL is fine
 */
TG_MUST_USE tg_result tg_gateway_new(tg_site *site, tg_gateway **out_gateway);
void tg_gateway_free(tg_gateway *gateway);

/* tg_gateway_set_secrets has calls from now on made with these. gateway may be NULL. */
void tg_gateway_set_secrets(tg_gateway *gateway, tg_secrets *secrets);

/* tg_gateway_longest_ms is the longest time that a route may take; 0 without routes. */
uint64_t tg_gateway_longest_ms(const tg_routes *routes);

/* tg_gateway_api_head takes a request that is at a route of the gateway: false where there is none for its path. It may
 * answer at once: 405, 403, 415, what is not loaded yet. */
bool tg_gateway_api_head(tg_site *site, tg_http_request *request);
/* The others are for requests that tg_gateway_api_head took and did not answer; tg_gateway_api_end for all of them. */
void tg_gateway_api_request(tg_site *site, tg_http_request *request);
void tg_gateway_api_cancel(tg_site *site, tg_http_request *request);
void tg_gateway_api_end(const tg_http_request *request);

#endif
