/* Which headers pass through the gateway (RFC 9110 §7.6): a few fixed ones and those that the route lists, each way;
 * never what belongs to one connection or is named by Connection. What is not listed does not pass: credentials,
 * cookies, and what a host in between could have added. */
#ifndef TG_GATEWAY_HEADER_POLICY_H
#define TG_GATEWAY_HEADER_POLICY_H

#include "gateway/request_marks.h"
#include "gateway/routes.h"

enum { TG_MAX_CONNECTION_OPTIONS = 32 }; /* names in Connection; TE, close and the like among them */

typedef struct tg_header_list {
    const tg_http_header *headers;
    size_t num_headers;
} tg_header_list;

/* tg_header_policy_request gives the headers of the call of the upstream: Content-Type, Accept, X-Request-Id,
 * traceparent, tracestate, and request_headers of the route; where the body passes as it came Content-Encoding too.
 * tg_header_policy_answer gives those of the answer to the client: Content-Type, X-Request-Id, response_headers of the
 * route, Cache-Control: no-store unless the route lists Cache-Control and the upstream sent one; Content-Encoding as
 * above.
 * in    headers: as they came (of an opened ohttp request the inner ones); content_type: of the body that is sent on;
 *       its ptr NULL: the header's own
 * out   in the arena, with slices of headers, content_type and marks
 * err   TG_ERR_EXISTS: Content-Type or Content-Encoding stands there twice; TG_ERR_UNSUPPORTED: the body is to be
 *       opened or sealed, and is under a content coding; TG_ERR_LIMIT: Connection names too many; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_header_policy_request(const tg_gateway_route *route, tg_header_list headers,
                                                          tg_slice content_type, const tg_request_marks *marks,
                                                          tg_arena *arena, tg_header_list *out_list);
TG_FOREIGN TG_MUST_USE tg_result tg_header_policy_answer(const tg_gateway_route *route, tg_header_list headers,
                                                         tg_slice content_type, const tg_request_marks *marks,
                                                         tg_arena *arena, tg_header_list *out_list);

#endif
