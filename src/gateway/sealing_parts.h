/* The two ways of sealing. Inside the room only. */
#ifndef TG_GATEWAY_SEALING_PARTS_H
#define TG_GATEWAY_SEALING_PARTS_H

#include "gateway/sealing.h"

/* tg_sealing_jwe_max and tg_sealing_ohttp_max bound what tg_sealing_jwe and tg_sealing_ohttp append; these fail as
 * tg_sealing_answer does, and leave what they appended. */
size_t tg_sealing_jwe_max(const tg_gateway_answer *answer);
size_t tg_sealing_ohttp_max(const tg_gateway_answer *answer);
TG_MUST_USE tg_result tg_sealing_jwe(const tg_envelope_context *context, const tg_opened_request *opened,
                                     const tg_gateway_answer *answer, tg_buf *out);
TG_MUST_USE tg_result tg_sealing_ohttp(const tg_envelope_context *context, const tg_opened_request *opened,
                                       const tg_gateway_answer *answer, tg_buf *out);

#endif
