#include "secrets/sealing.h"

#include "envelope/jwe.h"
#include "envelope/jws.h"
#include "secrets/delivery.h"

tg_result tg_delivery_seal(const tg_ec_key *signer, tg_slice point, uint64_t version, tg_slice text, tg_buf *out)
{
    tg_jws_claims claims = {.has_version = true, .version = version};
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_buf signed_text;
    TG_TRY(tg_jwk_thumbprint(tg_ec_key_public(signer), claims.kid));
    TG_TRY(tg_jwk_thumbprint(point, kid));
    tg_buf_init_wiped(&signed_text, TG_MAX_SEALED_BYTES);
    tg_result result = tg_jws_sign(signer, &claims, text, &signed_text);
    if (tg_is_ok(result)) {
        const tg_jwe_recipient recipient = {.point = point, .kid = kid, .content_type = "JOSE"};
        result = tg_jwe_seal(&recipient, tg_buf_slice(&signed_text), out);
    }
    tg_buf_done(&signed_text);
    return result;
}
