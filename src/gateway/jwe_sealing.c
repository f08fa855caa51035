#include "base/encode.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "gateway/sealing_parts.h"

#include <stdio.h>

/* A JWS of the answer without its payload, a JWE without its ciphertext: headers, signature, nonce, tag, dots. */
enum { MAX_JWS_FRAME_BYTES = 1024, MAX_JWE_FRAME_BYTES = 1024 };

static size_t jws_max(size_t body_len)
{
    return MAX_JWS_FRAME_BYTES + tg_base64_encoded_len(TG_BASE64_URL, body_len);
}

size_t tg_sealing_jwe_max(const tg_gateway_answer *answer)
{
    return MAX_JWE_FRAME_BYTES + tg_base64_encoded_len(TG_BASE64_URL, jws_max(answer->body.len));
}

/* What is no `cty` of ours is left out: a type of such a length or with such bytes says nothing to anybody. */
static void set_content_type(tg_slice type, char out[TG_MAX_CTY_BYTES + 1])
{
    bool is_good = type.len <= TG_MAX_CTY_BYTES;
    for (size_t i = 0; is_good && i < type.len; i++) {
        is_good = type.ptr[i] >= ' ' && type.ptr[i] < 0x7f;
    }
    out[0] = 0;
    if (is_good && type.len > 0) {
        memcpy(out, type.ptr, type.len);
        out[type.len] = 0;
    }
}

static tg_result sign(const tg_envelope_context *context, const tg_opened_request *opened,
                      const tg_gateway_answer *answer, tg_buf *out)
{
    const char *kid;
    const tg_ec_key *signer = tg_envelope_keys_signer_for(context->keys, opened->kid, &kid);
    tg_jws_claims claims = {.has_request = true,
                            .has_status = true,
                            .status = answer->status,
                            .has_issued = true,
                            .issued_unix_s = context->now_unix_s};
    snprintf(claims.kid, sizeof claims.kid, "%s", kid);
    memcpy(claims.request_sha256, opened->request_sha256, sizeof claims.request_sha256);
    set_content_type(answer->content_type, claims.content_type);
    return tg_jws_sign(signer, &claims, answer->body, out);
}

tg_result tg_sealing_jwe(const tg_envelope_context *context, const tg_opened_request *opened,
                         const tg_gateway_answer *answer, tg_buf *out)
{
    const tg_jwe_recipient recipient = {.point = tg_slice_of(opened->reply, sizeof opened->reply),
                                        .kid = opened->reply_kid,
                                        .content_type = "jose",
                                        .issued_unix_s = context->now_unix_s};
    tg_buf jws;
    tg_buf_init_wiped(&jws, jws_max(answer->body.len));
    tg_result result = tg_buf_widen(&jws, jws.max);
    if (tg_is_ok(result)) {
        result = sign(context, opened, answer, &jws);
    }
    if (tg_is_ok(result)) {
        result = tg_jwe_seal(&recipient, tg_buf_slice(&jws), out);
    }
    tg_buf_done(&jws);
    return result;
}
