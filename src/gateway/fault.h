/* Why a request was not passed on, as its client is told: a status, a code, a sentence. All of it is static text: no
 * byte of a request or an answer has a way into one. */
#ifndef TG_GATEWAY_FAULT_H
#define TG_GATEWAY_FAULT_H

#include "base/buf.h"

typedef struct tg_gateway_fault {
    unsigned status;
    const char *code, *message;
    const char *problem_type; /* its type as a problem (RFC 9457); NULL: {"code","message"}, as all other errors */
    uint64_t retry_after_s;   /* 0: not said */
} tg_gateway_fault;

/* tg_gateway_fault_content_type is that of what tg_gateway_fault_append_json writes. err: those of tg_buf_append */
const char *tg_gateway_fault_content_type(const tg_gateway_fault *fault);
TG_MUST_USE tg_result tg_gateway_fault_append_json(const tg_gateway_fault *fault, tg_buf *out);

#endif
