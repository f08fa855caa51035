/* HMAC-SHA256 by libgcrypt: its handle goes back to the keyed state before each message. */
#include "crypto/gcrypt_result.h"
#include "crypto/hmac.h"

#include <stdlib.h>

typedef struct gcrypt_hmac {
    tg_hmac hmac;
    gcry_md_hd_t handle;
} gcrypt_hmac;

static gcrypt_hmac *of(tg_hmac *hmac)
{
    return (gcrypt_hmac *)(void *)hmac;
}

static void destroy(tg_hmac *hmac)
{
    gcry_md_close(of(hmac)->handle); /* wipes it; takes NULL */
    free(hmac);
}

static tg_result create(tg_slice key, tg_hmac **out_hmac)
{
    gcrypt_hmac *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    made->hmac.ops = &tg_hmac_gcrypt;
    gcry_error_t error = gcry_md_open(&made->handle, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC | GCRY_MD_FLAG_SECURE);
    if (error == 0) {
        error = gcry_md_setkey(made->handle, key.len > 0 ? (const void *)key.ptr : "", key.len);
    }
    if (error != 0) {
        destroy(&made->hmac);
        return tg_gcrypt_result(error);
    }
    *out_hmac = &made->hmac;
    return tg_ok();
}

static void compute(tg_hmac *hmac, const tg_slice *parts, size_t num_parts, uint8_t out_mac[TG_HMAC_BYTES])
{
    gcry_md_hd_t handle = of(hmac)->handle;
    gcry_md_reset(handle); /* back to the keyed state */
    for (size_t i = 0; i < num_parts; i++) {
        if (parts[i].len > 0) {
            gcry_md_write(handle, parts[i].ptr, parts[i].len);
        }
    }
    memcpy(out_mac, gcry_md_read(handle, GCRY_MD_SHA256), TG_HMAC_BYTES);
}

static void compute_many(tg_hmac *hmac, const tg_hmac_job *jobs, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        tg_slice parts[] = {jobs[i].prefix, jobs[i].text};
        compute(hmac, parts, TG_COUNT(parts), jobs[i].out_mac);
    }
}

const tg_hmac_ops tg_hmac_gcrypt = {
    .name = "libgcrypt", .create = create, .compute = compute, .compute_many = compute_many, .destroy = destroy};
