#include "gateway/admission.h"

#include "base/encode.h"
#include "base/text.h"
#include "envelope/bhttp.h"

const tg_gateway_fault tg_opening_too_large = {
    .status = 413, .code = "payload_too_large", .message = "the route does not take so large a body"};

tg_result tg_opening_refuse(const tg_gateway_fault *fault, tg_code code, tg_gateway_fault *out_fault)
{
    *out_fault = *fault;
    return tg_fail(code);
}

tg_result tg_opening_fail(tg_result result, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault no_memory = {.status = 503,
                                               .code = "service_unavailable",
                                               .message = "there is no memory for this envelope now",
                                               .retry_after_s = 1};
    static const tg_gateway_fault internal = {
        .status = 500, .code = "internal_error", .message = "the envelope could not be worked on"};
    *out_fault = result.code == TG_ERR_MEMORY ? no_memory : internal;
    return result;
}

tg_result tg_opening_begin(const tg_envelope_context *context, tg_route_crypto kind, tg_slice content_type,
                           tg_slice expected_type, tg_opened_request *opened, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault other_type = {
        .status = 415,
        .code = "unsupported_media_type",
        .message = "the route takes application/jose or message/ohttp-req, as its setting says"};
    static const tg_gateway_fault no_key = {.status = 503,
                                            .code = "no_envelope_key",
                                            .message = "there is no data key to derive envelope keys from",
                                            .retry_after_s = 5};
    *opened = (tg_opened_request){.kind = kind};
    tg_buf_init_wiped(&opened->plaintext, 0);
    tg_arena_init(&opened->arena, 0, true);
    if (!tg_text_equal_nocase(content_type, expected_type)) {
        return tg_opening_refuse(&other_type, TG_ERR_UNSUPPORTED, out_fault);
    }
    return context->keys != NULL ? tg_ok() : tg_opening_refuse(&no_key, TG_ERR_NOT_FOUND, out_fault);
}

void tg_opened_request_forget(tg_opened_request *opened)
{
    const tg_slice none = {NULL, 0};
    tg_buf_done(&opened->plaintext);
    tg_arena_done(&opened->arena);
    opened->body = opened->content_type = opened->method = opened->path = none;
    opened->headers = NULL;
    opened->num_headers = 0;
}

void tg_opened_request_done(tg_opened_request *opened)
{
    tg_opened_request_forget(opened);
    tg_ohttp_reply_done(&opened->ohttp_reply);
    *opened = (tg_opened_request){.seals_answer = false};
}

/* Of binary HTTP: beside the sections, content in chunks of 8 bytes and more, and padding. */
uint64_t tg_opening_max_body(const tg_gateway_route *route)
{
    enum { MAX_JWE_FRAME_BYTES = 64, SPARE_BYTES = 4096 };
    uint64_t max = route->max_request_bytes;
    if (route->decrypt == TG_CRYPTO_JWE) {
        return MAX_JWE_FRAME_BYTES + tg_base64_encoded_len(TG_BASE64_URL, TG_MAX_JOSE_HEADER_BYTES) +
               tg_base64_encoded_len(TG_BASE64_URL, (size_t)max);
    }
    return max + max / 8 + TG_MAX_BHTTP_SECTION_BYTES + TG_OHTTP_REQUEST_OVERHEAD_BYTES + SPARE_BYTES;
}

tg_result tg_opening_admit(const tg_envelope_context *context, tg_slice ephemeral, uint64_t issued_unix_s,
                           const tg_admission_faults *faults, tg_gateway_fault *out_fault)
{
    static const tg_gateway_fault replayed = {
        .status = 409, .code = "replayed", .message = "this envelope was taken before: seal a new one"};
    static const tg_gateway_fault full = {.status = 503,
                                          .code = "replay_cache_full",
                                          .message =
                                              "there is no room to remember another envelope: seal a new one later"};
    uint8_t digest[TG_SHA256_BYTES];
    uint64_t wait_s;
    tg_result result = tg_sha256(ephemeral, digest);
    if (!tg_is_ok(result)) {
        return tg_opening_fail(result, out_fault);
    }
    switch (tg_replay_admit(context->replay, digest, issued_unix_s, context->now_unix_s, &wait_s)) {
    case TG_REPLAY_ADMITTED:
        return tg_ok();
    case TG_REPLAY_SEEN:
        return tg_opening_refuse(&replayed, TG_ERR_EXISTS, out_fault);
    case TG_REPLAY_FULL:
        result = tg_opening_refuse(&full, TG_ERR_LIMIT, out_fault);
        break;
    case TG_REPLAY_TOO_OLD:
        return tg_opening_refuse(&faults->too_old, TG_ERR_RANGE, out_fault);
    case TG_REPLAY_AHEAD:
        return tg_opening_refuse(&faults->ahead, TG_ERR_RANGE, out_fault);
    case TG_REPLAY_BEFORE_START:
    case TG_REPLAY_NUM_VERDICTS:
        result = tg_opening_refuse(&faults->before_start, TG_ERR_RANGE, out_fault);
        break;
    }
    out_fault->retry_after_s = wait_s;
    return result;
}
