// room: tool
/* Any bytes as the answer to a call, as the JWS or binary HTTP inside one, and as published keys: what the enclave did
 * not make is never believed, and what it did comes back. */
#include "base/encode.h"
#include "crypto/hpke.h"
#include "crypto/init.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "tool/call_envelope.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1763700000, MAX_BYTES = 1 << 20 };

static tg_ec_key *signer;
static tg_call_keys jwe_keys = {.envelope = TG_CALL_JWE}, ohttp_keys = {.envelope = TG_CALL_OHTTP};
static tg_call_sealed jwe_sealed, ohttp_sealed;

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    static const uint8_t material[3][32] = {{1}, {2}, {3}};
    const tg_call_request request = {.method = TG_LIT("POST"), .path = TG_LIT("/"), .body = TG_LIT("x")};
    tg_ec_key *recipient, *x25519;
    tg_detail detail = {0};
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_P256, tg_slice_of(material[0], 32), &signer)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_P256, tg_slice_of(material[1], 32), &recipient)));
    need(tg_is_ok(tg_hpke_derive_key(TG_CURVE_X25519, tg_slice_of(material[2], 32), &x25519)));
    memcpy(jwe_keys.recipient.point, tg_ec_key_public(recipient).ptr, TG_P256_PUBLIC_BYTES);
    memcpy(jwe_keys.signers[0].point, tg_ec_key_public(signer).ptr, TG_P256_PUBLIC_BYTES);
    memcpy(jwe_keys.recipient.kid, "r", 2);
    memcpy(jwe_keys.signers[0].kid, "s", 2);
    jwe_keys.num_signers = 1;
    ohttp_keys.ohttp.aead = TG_HPKE_AES_128_GCM;
    memcpy(ohttp_keys.ohttp.public_key, tg_ec_key_public(x25519).ptr, TG_X25519_PUBLIC_BYTES);
    need(tg_is_ok(tg_call_seal(&jwe_keys, &request, NOW, &jwe_sealed, &detail)));
    need(tg_is_ok(tg_call_seal(&ohttp_keys, &request, NOW, &ohttp_sealed, &detail)));
    tg_ec_key_free(recipient);
    tg_ec_key_free(x25519);
}

static bool is_believed(const tg_call_sealed *sealed, tg_slice bytes, tg_call_answer *out_answer)
{
    bool is_jwe = sealed->envelope == TG_CALL_JWE;
    tg_detail detail = {0};
    tg_result opened = tg_call_open(sealed, is_jwe ? &jwe_keys : &ohttp_keys,
                                    is_jwe ? TG_LIT("application/jose") : TG_LIT("message/ohttp-res"), bytes, NOW,
                                    out_answer, &detail);
    need(tg_is_ok(opened) || detail.reason[0] != 0);
    return tg_is_ok(opened);
}

static void seal_to_us(tg_slice text, tg_buf *out)
{
    const tg_jwe_recipient to_us = {.point = tg_ec_key_public(jwe_sealed.reply), .kid = jwe_sealed.reply_kid};
    tg_buf_clear(out);
    need(tg_is_ok(tg_jwe_seal(&to_us, text, out)));
}

static void try_jwe(tg_slice input, tg_buf *out)
{
    tg_call_answer answer;
    tg_jws_claims claims = {.kid = "s", .has_request = true, .has_status = true, .status = 200, .has_issued = true};
    tg_buf jws;
    need(!is_believed(&jwe_sealed, input, &answer));
    seal_to_us(input, out); /* whoever saw the request can do that */
    need(!is_believed(&jwe_sealed, tg_buf_slice(out), &answer));
    tg_buf_init(&jws, MAX_BYTES);
    claims.issued_unix_s = NOW;
    memcpy(claims.request_sha256, jwe_sealed.request_sha256, sizeof claims.request_sha256);
    need(tg_is_ok(tg_jws_sign(signer, &claims, input, &jws)));
    seal_to_us(tg_buf_slice(&jws), out);
    need(is_believed(&jwe_sealed, tg_buf_slice(out), &answer));
    need(tg_slice_equal(tg_buf_slice(&answer.body), input));
    tg_call_answer_done(&answer);
    tg_buf_done(&jws);
}

static void try_ohttp(tg_slice input, tg_buf *out)
{
    tg_call_answer answer;
    need(!is_believed(&ohttp_sealed, input, &answer));
    tg_buf_clear(out);
    need(tg_is_ok(tg_ohttp_response_seal(&ohttp_sealed.ohttp_reply, input, out)));
    if (is_believed(&ohttp_sealed, tg_buf_slice(out), &answer)) { /* a binary HTTP answer, by the enclave */
        need(answer.status >= 200 && answer.status <= 599);
        tg_call_answer_done(&answer);
    }
}

static void try_keys(tg_slice input, tg_call_envelope envelope, tg_buf *out)
{
    uint8_t digest[TG_SHA256_BYTES];
    tg_call_keys keys;
    tg_detail detail = {0};
    need(tg_is_ok(tg_sha256(input, digest)));
    tg_buf_clear(out);
    need(tg_is_ok(tg_buf_printf(out, "{\"%s\":\"", envelope == TG_CALL_JWE ? "jwks" : "ohttp")));
    need(tg_is_ok(tg_hex_append(out, tg_slice_of(digest, sizeof digest))));
    need(tg_is_ok(tg_buf_append_str(out, "\"}")));
    if (tg_is_ok(tg_call_keys_read(envelope, input, tg_buf_slice(out), &keys, &detail))) {
        need(envelope == TG_CALL_OHTTP ||
             (keys.recipient.kid[0] != 0 && keys.num_signers > 0 && keys.num_signers <= TG_MAX_CALL_SIGNERS));
    } else {
        need(detail.reason[0] != 0);
    }
    need(!tg_is_ok(tg_call_keys_read(envelope, input, input, &keys, &detail)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_buf out;
    tg_slice input = tg_slice_of(data, size);
    if (signer == NULL) {
        set_up();
    }
    if (size > MAX_BYTES / 8) {
        return 0;
    }
    tg_buf_init(&out, MAX_BYTES);
    try_jwe(input, &out);
    try_ohttp(input, &out);
    try_keys(input, TG_CALL_JWE, &out);
    try_keys(input, TG_CALL_OHTTP, &out);
    tg_buf_done(&out);
    return 0;
}
