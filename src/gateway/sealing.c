#include "gateway/sealing.h"

#include "gateway/sealing_parts.h"

enum { MAX_FAULT_BYTES = 2048 };

size_t tg_sealing_max_bytes(const tg_opened_request *opened, const tg_gateway_answer *answer)
{
    return opened->kind == TG_CRYPTO_JWE ? tg_sealing_jwe_max(answer) : tg_sealing_ohttp_max(answer);
}

tg_result tg_sealing_answer(const tg_envelope_context *context, const tg_opened_request *opened,
                            const tg_gateway_answer *answer, tg_buf *out)
{
    size_t start = tg_buf_len(out);
    if (answer->status < 200 || answer->status > 599) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_result result = opened->kind == TG_CRYPTO_JWE ? tg_sealing_jwe(context, opened, answer, out)
                                                     : tg_sealing_ohttp(context, opened, answer, out);
    if (!tg_is_ok(result)) {
        tg_buf_truncate(out, start);
    }
    return result;
}

tg_result tg_sealing_fault(const tg_envelope_context *context, const tg_opened_request *opened,
                           const tg_gateway_fault *fault, tg_buf *out)
{
    tg_buf json, wait;
    tg_buf_init(&json, MAX_FAULT_BYTES);
    tg_buf_init(&wait, MAX_FAULT_BYTES);
    tg_result result = tg_gateway_fault_append_json(fault, &json);
    if (tg_is_ok(result)) {
        result = tg_buf_append_u64(&wait, fault->retry_after_s);
    }
    if (tg_is_ok(result)) {
        const tg_http_header headers[] = {TG_HTTP_HEADER("cache-control", "no-store"),
                                          {TG_LIT("retry-after"), tg_buf_slice(&wait)}};
        const tg_gateway_answer answer = {.status = fault->status,
                                          .content_type = tg_slice_str(tg_gateway_fault_content_type(fault)),
                                          .headers = headers,
                                          .num_headers = fault->retry_after_s > 0 ? 2 : 1,
                                          .body = tg_buf_slice(&json)};
        result = tg_sealing_answer(context, opened, &answer, out);
    }
    tg_buf_done(&json);
    tg_buf_done(&wait);
    return result;
}

unsigned tg_sealing_outer_status(const tg_opened_request *opened, unsigned status)
{
    bool has_body = status != 204 && status != 205 && status != 304;
    return opened->kind == TG_CRYPTO_OHTTP || !has_body ? 200 : status;
}

const char *tg_sealing_content_type(const tg_opened_request *opened)
{
    return opened->kind == TG_CRYPTO_OHTTP ? "message/ohttp-res" : "application/jose";
}
