/* Forward mode: a request to a path of FORWARD_SCHEMAS is sealed by the schema that its header names and sent on to the
 * application beside the enclave, whose answer is relayed. What is not sealed is not sent on. */
#ifndef TG_ENCLAVE_FORWARD_API_H
#define TG_ENCLAVE_FORWARD_API_H

#include "enclave/site.h"

/* tg_forward_new makes what a worker's site forwards by; *out_applications is NULL where nothing is forwarded.
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_forward_new(const tg_enclave_settings *settings, tg_loop *loop,
                                     tg_applications **out_applications);

/* tg_forward_api_head decides by the head: who asks (403), no query, a JSON body (415), a schema that the path allows
 * (400, and nothing is sent on), keys, schemas and an application (503).
 */
void tg_forward_api_head(tg_site *site, tg_http_request *request);
void tg_forward_api_request(tg_site *site, tg_http_request *request);
void tg_forward_api_cancel(tg_site *site, tg_http_request *request);
/* tg_forward_api_end gives back what the request held. */
void tg_forward_api_end(const tg_http_request *request);

#endif
