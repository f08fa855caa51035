/* The way out: an answer, or the error that stands in its place, sealed to whom the request came from. */
#ifndef TG_GATEWAY_SEALING_H
#define TG_GATEWAY_SEALING_H

#include "gateway/opening.h"

/* What is sealed. For jwe the headers are not: they are the outer answer's, if anybody's. */
typedef struct tg_gateway_answer {
    unsigned status; /* 200 to 599 */
    tg_slice content_type;
    const tg_http_header *headers; /* Content-Type and Date among them do not count */
    size_t num_headers;
    tg_slice body;
} tg_gateway_answer;

/* tg_sealing_max_bytes bounds what sealing such an answer appends; while it works, it holds as much again. */
size_t tg_sealing_max_bytes(const tg_opened_request *opened, const tg_gateway_answer *answer);

/* tg_sealing_answer seals by opened->kind. For jwe: a JWS (ES256) of the body that names the request's SHA-256 (`req`),
 * `status`, `iat` and the body's type (`cty`), inside a JWE to reply_jwk. For ohttp: a binary HTTP response of known
 * length, with a Date. tg_sealing_fault seals an error's JSON, with Retry-After where it has one.
 * in    opened: with seals_answer
 * err   TG_ERR_LIMIT: past out's maximum; TG_ERR_RANGE: no status of an answer; TG_ERR_MEMORY, TG_ERR_LIBRARY; out is
 *       then as it was
 */
TG_MUST_USE tg_result tg_sealing_answer(const tg_envelope_context *context, const tg_opened_request *opened,
                                        const tg_gateway_answer *answer, tg_buf *out);
TG_MUST_USE tg_result tg_sealing_fault(const tg_envelope_context *context, const tg_opened_request *opened,
                                       const tg_gateway_fault *fault, tg_buf *out);

/* What the answer around it says. OHTTP hides the status, a JWE repeats it, where one that has a body can: 200 else. */
unsigned tg_sealing_outer_status(const tg_opened_request *opened, unsigned status);
const char *tg_sealing_content_type(const tg_opened_request *opened);

#endif
