#include "gateway/envelope_step.h"

#include "base/num.h"
#include "sys/clock.h"

#include <stdio.h>

static tg_slice content_type_of(const tg_http_request *request)
{
    tg_slice type = {NULL, 0};
    bool is_there = tg_is_ok(tg_http_request_header(request, TG_LIT("Content-Type"), &type));
    return is_there ? type : (tg_slice){NULL, 0};
}

/* What a query says is not sealed: whoever carries the request could have added it. */
static tg_result check_query(const tg_http_request *request, tg_gateway_fault *out_fault)
{
    if (!request->has_query) {
        return tg_ok();
    }
    *out_fault = (tg_gateway_fault){.status = 400,
                                    .code = "query_not_sealed",
                                    .message = "a sealed request has no query: what it says belongs inside"};
    return tg_fail(TG_ERR_UNSUPPORTED);
}

/* The plaintext is shorter than what it came in; chunks of binary HTTP are joined beside it. */
static tg_result take_room(const tg_gateway_route *route, size_t body_len, tg_hold *hold, tg_gateway_fault *out_fault)
{
    size_t len;
    if (tg_size_mul(body_len, route->decrypt == TG_CRYPTO_JWE ? 1 : 2, &len) && tg_hold_set(hold, len)) {
        return tg_ok();
    }
    *out_fault = (tg_gateway_fault){.status = 503,
                                    .code = "service_unavailable",
                                    .message = "the bodies in flight take all the memory that is set aside for them",
                                    .retry_after_s = 1};
    return tg_fail(TG_ERR_LIMIT);
}

tg_result tg_envelope_step_open(tg_envelope_step *step, const tg_envelope_context *context,
                                const tg_gateway_route *route, const tg_http_request *request, tg_hold *hold,
                                tg_gateway_fault *out_fault)
{
    tg_slice type = content_type_of(request);
    *step = (tg_envelope_step){.context = *context};
    step->context.now_unix_s = tg_clock_unix_ms() / 1000;
    TG_TRY(check_query(request, out_fault));
    TG_TRY(take_room(route, request->body.len, hold, out_fault));
    return route->decrypt == TG_CRYPTO_JWE
               ? tg_opening_jwe(&step->context, route, type, request->body, &step->opened, out_fault)
               : tg_opening_ohttp(&step->context, route, type, request->body, &step->opened, out_fault);
}

void tg_envelope_step_done(tg_envelope_step *step)
{
    tg_opened_request_done(&step->opened);
}

bool tg_envelope_step_seals(const tg_envelope_step *step)
{
    return step->opened.seals_answer;
}

static void set_outer(tg_envelope_step *step, unsigned status, const char *request_id)
{
    step->outer_status = tg_sealing_outer_status(&step->opened, status);
    step->outer[0] = (tg_http_header){TG_LIT("Content-Type"), tg_slice_str(tg_sealing_content_type(&step->opened))};
    step->outer[1] = TG_HTTP_HEADER("Cache-Control", "no-store");
    step->outer[2] = (tg_http_header){TG_LIT("X-Request-Id"), tg_slice_str(request_id)};
    step->num_outer = 3;
}

tg_result tg_envelope_step_seal(tg_envelope_step *step, const tg_gateway_answer *answer, const char *request_id,
                                tg_hold *hold, tg_buf *out)
{
    size_t max = tg_sealing_max_bytes(&step->opened, answer);
    step->context.now_unix_s = tg_clock_unix_ms() / 1000;
    if (!tg_hold_set(hold, 2 * max)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(tg_buf_widen(out, max));
    TG_TRY(tg_sealing_answer(&step->context, &step->opened, answer, out));
    (void)tg_hold_set(hold, out->cap);
    set_outer(step, answer->status, request_id);
    return tg_ok();
}

tg_result tg_envelope_step_seal_fault(tg_envelope_step *step, const tg_gateway_fault *fault, const char *request_id,
                                      tg_buf *out)
{
    step->context.now_unix_s = tg_clock_unix_ms() / 1000;
    TG_TRY(tg_sealing_fault(&step->context, &step->opened, fault, out));
    set_outer(step, fault->status, request_id);
    if (fault->retry_after_s > 0 && step->opened.kind == TG_CRYPTO_JWE) { /* of OHTTP the outside says nothing */
        (void)snprintf(step->retry_after, sizeof step->retry_after, "%llu", (unsigned long long)fault->retry_after_s);
        step->outer[step->num_outer++] = (tg_http_header){TG_LIT("Retry-After"), tg_slice_str(step->retry_after)};
    }
    return tg_ok();
}
