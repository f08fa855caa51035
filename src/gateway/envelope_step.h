/* The step of a route that opens envelopes, and seals what is answered to them: gateway/opening.h and gateway/sealing.h
 * as one request needs them, with what it holds of the budget. */
#ifndef TG_GATEWAY_ENVELOPE_STEP_H
#define TG_GATEWAY_ENVELOPE_STEP_H

#include "gateway/hold.h"
#include "gateway/sealing.h"

enum { TG_MAX_OUTER_HEADERS = 4 };

/* {0} is one that has not begun. */
typedef struct tg_envelope_step {
    tg_envelope_context context;
    tg_opened_request opened;
    tg_http_header outer[TG_MAX_OUTER_HEADERS]; /* of the answer around the sealed one */
    size_t num_outer;
    unsigned outer_status;
    char retry_after[24];
} tg_envelope_step;

/* tg_envelope_step_open opens a request whole.
 * in    context: without its time; the keys outlive the step. hold: gets what is opened counted before it is
 * err   as tg_opening_jwe; TG_ERR_LIMIT: the budget, too. *out_fault says what is answered, which is to be sealed where
 *       tg_envelope_step_seals says so
 * keep  ended with tg_envelope_step_done in any case
 */
TG_MUST_USE tg_result tg_envelope_step_open(tg_envelope_step *step, const tg_envelope_context *context,
                                            const tg_gateway_route *route, const tg_http_request *request,
                                            tg_hold *hold, tg_gateway_fault *out_fault);
void tg_envelope_step_done(tg_envelope_step *step);

/* tg_envelope_step_seals says whether what is answered from now on is sealed. */
bool tg_envelope_step_seals(const tg_envelope_step *step);

/* tg_envelope_step_seal seals an answer, or an error in its place, and sets what is said around it.
 * in    hold: as above; an error is short and takes none. request_id: lives until the answer is out
 * err   TG_ERR_LIMIT: the budget; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_envelope_step_seal(tg_envelope_step *step, const tg_gateway_answer *answer,
                                            const char *request_id, tg_hold *hold, tg_buf *out);
TG_MUST_USE tg_result tg_envelope_step_seal_fault(tg_envelope_step *step, const tg_gateway_fault *fault,
                                                  const char *request_id, tg_buf *out);

#endif
