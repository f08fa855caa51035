/* One attempt's request: what an ask becomes when it is signed. Inside the room only. */
#ifndef TG_AWS_REQUEST_H
#define TG_AWS_REQUEST_H

#include "aws/call.h"

/* An ask with storage of its own. */
typedef struct tg_aws_request {
    tg_arena arena;
    tg_aws_ask ask;
    tg_aws_endpoint endpoint;
    tg_slice path; /* with the bucket, where it stands there */
    char payload_hash[65];
} tg_aws_request;

/* tg_aws_request_init copies an ask and finds its endpoint.
 * err   as tg_aws_call_start; TG_ERR_SYNTAX too where there is no endpoint. *out_request is untouched then
 */
TG_MUST_USE tg_result tg_aws_request_init(const tg_aws_transport *transport, const tg_aws_ask *ask,
                                          tg_aws_request *out_request);
void tg_aws_request_done(tg_aws_request *request);

/* tg_aws_request_send signs it with `keys` at `unix_s` and asks. err: tg_sigv4_sign's, tg_http_call_start's */
TG_MUST_USE tg_result tg_aws_request_send(tg_aws_request *request, tg_aws_transport *transport, const tg_aws_keys *keys,
                                          uint64_t unix_s, uint64_t whole_ms, const tg_http_call_handlers *handlers,
                                          void *owner, tg_http_call **out_call);

/* tg_aws_is_json_service: what it answers is one JSON object. */
bool tg_aws_is_json_service(tg_aws_service service);

#endif
