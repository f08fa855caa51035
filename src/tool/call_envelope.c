#include "tool/call_envelope.h"

#include "base/text.h"
#include "sys/log.h"

static const struct {
    const char *request, *answer;
} types[] = {
    [TG_CALL_JWE] = {"application/jose", "application/jose"},
    [TG_CALL_OHTTP] = {"message/ohttp-req", "message/ohttp-res"},
};

tg_result tg_call_seal(const tg_call_keys *keys, const tg_call_request *request, uint64_t now_unix_s,
                       tg_call_sealed *out_sealed, tg_detail *detail)
{
    *out_sealed = (tg_call_sealed){
        .envelope = keys->envelope, .content_type = types[keys->envelope].request, .made_unix_s = now_unix_s};
    tg_buf_init(&out_sealed->body, TG_MAX_CALL_SEALED_BYTES);
    tg_result result = keys->envelope == TG_CALL_JWE ? tg_call_jwe_seal(keys, request, out_sealed, detail)
                                                     : tg_call_ohttp_seal(keys, request, out_sealed, detail);
    if (!tg_is_ok(result) && detail->reason[0] == 0) {
        tg_detail_set_reason(detail, "the request cannot be sealed: %s", tg_log_error_text(result));
    }
    return result;
}

void tg_call_sealed_done(tg_call_sealed *sealed)
{
    tg_buf_done(&sealed->body);
    tg_ec_key_free(TG_TAKE(sealed->reply));
    tg_ohttp_reply_done(&sealed->ohttp_reply);
}

/* The type without its parameters (RFC 9110 §8.3.1). */
static bool is_type(tg_slice content_type, const char *expected)
{
    tg_slice type = tg_slice_trim(tg_slice_first(content_type, tg_slice_find(content_type, ';')), " \t");
    return tg_text_equal_nocase(type, tg_slice_str(expected));
}

tg_result tg_call_open(const tg_call_sealed *sealed, const tg_call_keys *keys, tg_slice content_type, tg_slice body,
                       uint64_t now_unix_s, tg_call_answer *out_answer, tg_detail *detail)
{
    tg_call_answer answer = {.status = 0};
    if (!is_type(content_type, types[sealed->envelope].answer)) {
        tg_detail_set_reason(detail, "the answer is not sealed (no %s): anybody on the way can have written it",
                             types[sealed->envelope].answer);
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    tg_buf_init_wiped(&answer.body, TG_MAX_CALL_BODY_BYTES);
    tg_result result = sealed->envelope == TG_CALL_JWE
                           ? tg_call_jwe_open(sealed, keys, body, now_unix_s, &answer, detail)
                           : tg_call_ohttp_open(sealed, body, &answer, detail);
    if (!tg_is_ok(result)) {
        if (detail->reason[0] == 0) {
            tg_detail_set_reason(detail, "the answer cannot be opened: %s", tg_log_error_text(result));
        }
        tg_call_answer_done(&answer);
        return result.code == TG_ERR_UNSUPPORTED || result.code == TG_ERR_DENIED ? tg_fail(TG_ERR_SYNTAX) : result;
    }
    *out_answer = answer;
    return tg_ok();
}

void tg_call_answer_done(tg_call_answer *answer)
{
    tg_buf_done(&answer->body);
}
