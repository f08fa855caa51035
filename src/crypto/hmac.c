#include "crypto/hmac.h"

#include "crypto/gcrypt_result.h"

/* tg_hmac is libgcrypt's handle itself under a type of ours: it needs no memory beside it. */
static gcry_md_hd_t handle_of(tg_hmac *hmac)
{
    return (gcry_md_hd_t)(void *)hmac;
}

tg_result tg_hmac_new(tg_slice key, tg_hmac **out_hmac)
{
    gcry_md_hd_t handle;
    TG_TRY(tg_gcrypt_result(gcry_md_open(&handle, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC | GCRY_MD_FLAG_SECURE)));
    gcry_error_t error = gcry_md_setkey(handle, key.len > 0 ? (const void *)key.ptr : "", key.len);
    if (error != 0) {
        gcry_md_close(handle);
        return tg_gcrypt_result(error);
    }
    *out_hmac = (tg_hmac *)(void *)handle;
    return tg_ok();
}

void tg_hmac_free(tg_hmac *hmac)
{
    gcry_md_close(handle_of(hmac)); /* wipes it; takes NULL */
}

void tg_hmac_compute(tg_hmac *hmac, const tg_slice *parts, size_t num_parts, uint8_t out_mac[TG_HMAC_BYTES])
{
    gcry_md_hd_t handle = handle_of(hmac);
    gcry_md_reset(handle); /* back to the keyed state */
    for (size_t i = 0; i < num_parts; i++) {
        if (parts[i].len > 0) {
            gcry_md_write(handle, parts[i].ptr, parts[i].len);
        }
    }
    memcpy(out_mac, gcry_md_read(handle, GCRY_MD_SHA256), TG_HMAC_BYTES);
}
