#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "tool/call_envelope.h"

#include <stdio.h>

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason)
{
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(code);
}

/* The slice as a C string of at most `cap` - 1 bytes; false where it is longer. */
static bool copy_text(tg_slice text, char *out, size_t cap)
{
    if (text.len >= cap) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.ptr, text.len);
    }
    out[text.len] = 0;
    return true;
}

tg_result tg_call_jwe_seal(const tg_call_keys *keys, const tg_call_request *request, tg_call_sealed *sealed,
                           tg_detail *detail)
{
    char type[TG_MAX_CTY_BYTES + 1], path[TG_MAX_JWE_PATH_BYTES + 1];
    if (!copy_text(request->content_type, type, sizeof type) || !copy_text(request->path, path, sizeof path)) {
        return refuse(detail, TG_ERR_SYNTAX, "the content type or the path is too long for an envelope");
    }
    TG_TRY(tg_ec_key_generate(TG_CURVE_P256, &sealed->reply));
    TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(sealed->reply), sealed->reply_kid));
    const tg_jwe_recipient recipient = {.point = tg_slice_of(keys->recipient.point, sizeof keys->recipient.point),
                                        .kid = keys->recipient.kid,
                                        .content_type = type,
                                        .path = path,
                                        .issued_unix_s = sealed->made_unix_s,
                                        .reply = tg_ec_key_public(sealed->reply),
                                        .reply_kid = sealed->reply_kid};
    TG_TRY(tg_jwe_seal(&recipient, request->body, &sealed->body));
    return tg_sha256(tg_buf_slice(&sealed->body), sealed->request_sha256);
}

static tg_result open_jwe(const tg_call_sealed *sealed, tg_slice body, tg_buf *out_jws, tg_detail *detail)
{
    tg_jwe jwe;
    TG_TRY(tg_jwe_parse(body, &jwe, detail));
    tg_result result = tg_fail(TG_ERR_AUTH);
    if (strcmp(jwe.kid, sealed->reply_kid) == 0) {
        result = tg_jwe_open(&jwe, sealed->reply, out_jws);
    }
    return result.code == TG_ERR_AUTH
               ? refuse(detail, result.code, "the answer is not sealed to this request's reply_jwk, or was changed")
               : result;
}

static const tg_call_key *find_signer(const tg_call_keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->num_signers; i++) {
        if (strcmp(keys->signers[i].kid, kid) == 0) {
            return &keys->signers[i];
        }
    }
    return NULL;
}

/* Whoever read the request's header can seal to its reply_jwk: only the signature says who did. */
static tg_result verify(const tg_call_keys *keys, const tg_jws *jws, tg_buf *out_body, tg_detail *detail)
{
    const tg_call_key *signer = find_signer(keys, jws->claims.kid);
    tg_ec_key *key;
    if (signer == NULL) {
        return refuse(detail, TG_ERR_AUTH, "the answer is signed by a key that is not the enclave's");
    }
    TG_TRY(tg_ec_key_from_public(TG_CURVE_P256, tg_slice_of(signer->point, sizeof signer->point), &key));
    tg_result result = tg_jws_verify(jws, key, out_body);
    tg_ec_key_free(key);
    return result.code == TG_ERR_AUTH
               ? refuse(detail, TG_ERR_AUTH, "the answer's signature is not by the enclave's key")
               : result;
}

static tg_result check_claims(const tg_call_sealed *sealed, const tg_jws_claims *claims, uint64_t now_unix_s,
                              tg_detail *detail)
{
    if (!claims->has_request ||
        memcmp(claims->request_sha256, sealed->request_sha256, sizeof sealed->request_sha256) != 0) {
        return refuse(detail, TG_ERR_MISMATCH, "the answer is to another request (req)");
    }
    if (!claims->has_status || claims->status < 200 || claims->status > 599) {
        return refuse(detail, TG_ERR_SYNTAX, "the answer has no status");
    }
    if (!claims->has_issued || claims->issued_unix_s + TG_CALL_CLOCK_S < sealed->made_unix_s ||
        claims->issued_unix_s > now_unix_s + TG_CALL_CLOCK_S) {
        return refuse(detail, TG_ERR_RANGE, "the answer is not of now (iat): is this machine's clock right?");
    }
    return tg_ok();
}

static tg_result take_jws(const tg_call_sealed *sealed, const tg_call_keys *keys, tg_slice text, uint64_t now_unix_s,
                          tg_call_answer *answer, tg_detail *detail)
{
    tg_jws jws;
    TG_TRY(tg_jws_parse(text, &jws, detail));
    TG_TRY(verify(keys, &jws, &answer->body, detail));
    TG_TRY(check_claims(sealed, &jws.claims, now_unix_s, detail));
    answer->status = (unsigned)jws.claims.status;
    answer->issued_unix_s = jws.claims.issued_unix_s;
    snprintf(answer->content_type, sizeof answer->content_type, "%s", jws.claims.content_type);
    snprintf(answer->signer_kid, sizeof answer->signer_kid, "%s", jws.claims.kid);
    return tg_ok();
}

tg_result tg_call_jwe_open(const tg_call_sealed *sealed, const tg_call_keys *keys, tg_slice body, uint64_t now_unix_s,
                           tg_call_answer *answer, tg_detail *detail)
{
    tg_buf jws;
    tg_buf_init_wiped(&jws, TG_MAX_CALL_SEALED_BYTES);
    tg_result result = open_jwe(sealed, body, &jws, detail);
    if (tg_is_ok(result)) {
        result = take_jws(sealed, keys, tg_buf_slice(&jws), now_unix_s, answer, detail);
    }
    tg_buf_done(&jws);
    return result;
}
