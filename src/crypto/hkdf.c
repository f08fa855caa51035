#include "crypto/hkdf.h"

#include "base/buf.h"
#include "crypto/hmac.h"

tg_result tg_hkdf_extract(tg_slice salt, tg_slice key_material, uint8_t out_prk[TG_HKDF_HASH_BYTES])
{
    tg_hmac *hmac;
    TG_TRY(tg_hmac_new(salt, &hmac));
    tg_hmac_compute(hmac, &key_material, 1, out_prk);
    tg_hmac_free(hmac);
    return tg_ok();
}

tg_result tg_hkdf_expand(tg_slice prk, tg_slice info, uint8_t *out, size_t out_len)
{
    if (out_len > TG_MAX_HKDF_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_hmac *hmac;
    TG_TRY(tg_hmac_new(prk, &hmac));
    uint8_t block[TG_HKDF_HASH_BYTES];
    size_t block_len = 0; /* T(0) is empty */
    uint8_t counter = 0;
    for (size_t done = 0; done < out_len;) {
        counter++;
        tg_slice parts[] = {tg_slice_of(block, block_len), info, tg_slice_of(&counter, 1)};
        tg_hmac_compute(hmac, parts, TG_COUNT(parts), block);
        block_len = sizeof block;
        size_t take = out_len - done < block_len ? out_len - done : block_len;
        memcpy(out + done, block, take);
        done += take;
    }
    tg_wipe(block, sizeof block);
    tg_hmac_free(hmac);
    return tg_ok();
}

tg_result tg_hkdf(tg_slice salt, tg_slice key_material, tg_slice info, uint8_t *out, size_t out_len)
{
    uint8_t prk[TG_HKDF_HASH_BYTES];
    TG_TRY(tg_hkdf_extract(salt, key_material, prk));
    tg_result result = tg_hkdf_expand(tg_slice_of(prk, sizeof prk), info, out, out_len);
    tg_wipe(prk, sizeof prk);
    return result;
}

tg_result tg_key_fingerprint(const tg_secret *key, uint8_t out[TG_KEY_FINGERPRINT_BYTES])
{
    return tg_hkdf(TG_LIT("teegate"), tg_slice_of(tg_secret_bytes(key), tg_secret_len(key)),
                   TG_LIT("dek fingerprint v1"), out, TG_KEY_FINGERPRINT_BYTES);
}
