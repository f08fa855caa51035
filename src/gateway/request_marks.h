/* What follows one request through logs of several programs: X-Request-Id, and the trace context (W3C Trace Context 1,
 * §3). Passed on where the client says something usable, else made. */
#ifndef TG_GATEWAY_REQUEST_MARKS_H
#define TG_GATEWAY_REQUEST_MARKS_H

#include "http/message.h"

enum { TG_MAX_REQUEST_ID_BYTES = 128, TG_TRACEPARENT_BYTES = 55, TG_MAX_TRACESTATE_BYTES = 512 };

typedef struct tg_request_marks {
    char request_id[TG_MAX_REQUEST_ID_BYTES + 1]; /* token characters and :/=@, fit for any log */
    char traceparent[TG_TRACEPARENT_BYTES + 1];
    tg_slice tracestate; /* of the request's bytes; empty where the traceparent was made */
} tg_request_marks;

/* tg_request_marks_take reads the marks of a request's headers. One that is twice there, too long or not of its grammar
 * is made anew: 32 hexadecimal digits, and a traceparent of version 00 that is not sampled.
 * err   TG_ERR_LIBRARY: there are no random bytes
 */
TG_FOREIGN TG_MUST_USE tg_result tg_request_marks_take(const tg_http_header *headers, size_t num_headers,
                                                       tg_request_marks *out_marks);

#endif
