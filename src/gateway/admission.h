/* What both kinds of envelopes have in common on the way in. Inside the room only. */
#ifndef TG_GATEWAY_ADMISSION_H
#define TG_GATEWAY_ADMISSION_H

#include "gateway/opening.h"

/* How an envelope says its time, and what is answered where that is not to be taken. */
typedef struct tg_admission_faults {
    tg_gateway_fault too_old, ahead, before_start;
} tg_admission_faults;

/* tg_opening_refuse sets *out_fault and fails. */
TG_MUST_USE tg_result tg_opening_refuse(const tg_gateway_fault *fault, tg_code code, tg_gateway_fault *out_fault);

/* tg_opening_fail answers what is not the client's fault: no memory, a library. code: what was met */
TG_MUST_USE tg_result tg_opening_fail(tg_result result, tg_gateway_fault *out_fault);

/* tg_opening_begin readies *opened, and refuses another content type, and any request while there are no keys. */
TG_MUST_USE tg_result tg_opening_begin(const tg_envelope_context *context, tg_route_crypto kind, tg_slice content_type,
                                       tg_slice expected_type, tg_opened_request *opened, tg_gateway_fault *out_fault);

/* tg_opening_admit takes an authentic envelope once.
 * in    ephemeral: the key that its sender made for it
 */
TG_MUST_USE tg_result tg_opening_admit(const tg_envelope_context *context, tg_slice ephemeral, uint64_t issued_unix_s,
                                       const tg_admission_faults *faults, tg_gateway_fault *out_fault);

extern const tg_gateway_fault tg_opening_too_large;

#endif
