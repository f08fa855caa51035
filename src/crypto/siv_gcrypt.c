/* AES-256-GCM-SIV by libgcrypt. Its handle goes through reset, nonce, AAD, "final" and one call for the whole message;
 * every step's result counts, for a handle in the wrong state keeps what it held before. */
#include "crypto/gcrypt_result.h"
#include "crypto/siv.h"

#include <stdlib.h>

typedef struct gcrypt_siv {
    tg_siv siv;
    gcry_cipher_hd_t handle;
} gcrypt_siv;

static gcrypt_siv *of(tg_siv *siv)
{
    return (gcrypt_siv *)(void *)siv;
}

static void destroy(tg_siv *siv)
{
    gcry_cipher_close(of(siv)->handle); /* wipes it; takes NULL */
    free(siv);
}

static tg_result create(const tg_secret *key, tg_siv **out_siv)
{
    gcrypt_siv *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    made->siv.ops = &tg_siv_gcrypt;
    gcry_error_t error =
        gcry_cipher_open(&made->handle, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM_SIV, GCRY_CIPHER_SECURE);
    if (error == 0) {
        error = gcry_cipher_setkey(made->handle, tg_secret_bytes(key), tg_secret_len(key));
    }
    if (error != 0) {
        destroy(&made->siv);
        return tg_gcrypt_result(error);
    }
    *out_siv = &made->siv;
    return tg_ok();
}

static gcry_error_t begin(gcry_cipher_hd_t handle, const uint8_t *nonce, tg_slice aad)
{
    gcry_error_t error = gcry_cipher_reset(handle);
    if (error == 0) {
        error = gcry_cipher_setiv(handle, nonce, TG_SIV_NONCE_BYTES);
    }
    if (error == 0 && aad.len > 0) {
        error = gcry_cipher_authenticate(handle, aad.ptr, aad.len);
    }
    return error;
}

static gcry_error_t seal_one(gcry_cipher_hd_t handle, const tg_siv_job *job)
{
    size_t len = job->plaintext.len;
    gcry_error_t error = begin(handle, job->nonce, job->aad);
    if (error == 0) {
        error = gcry_cipher_final(handle);
    }
    if (error == 0) {
        error = gcry_cipher_encrypt(handle, job->out, len, len > 0 ? job->plaintext.ptr : job->out, len);
    }
    if (error == 0) {
        error = gcry_cipher_gettag(handle, job->out + len, TG_SIV_TAG_BYTES);
    }
    return error;
}

static tg_result seal(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs)
{
    gcry_cipher_hd_t handle = of(siv)->handle;
    for (size_t i = 0; i < num_jobs; i++) {
        TG_TRY(tg_gcrypt_result(seal_one(handle, &jobs[i])));
    }
    return tg_ok();
}

static gcry_error_t open_one(gcry_cipher_hd_t handle, const tg_siv_sealed *sealed, tg_slice aad, uint8_t *out)
{
    size_t len = sealed->bytes.len - TG_SIV_TAG_BYTES;
    uint8_t nothing = 0; /* libgcrypt wants pointers even where nothing is to be read or written */
    gcry_error_t error = begin(handle, sealed->nonce, aad);
    if (error == 0) {
        uint8_t tag[TG_SIV_TAG_BYTES]; /* the macro takes a pointer that is not const */
        memcpy(tag, sealed->bytes.ptr + len, sizeof tag);
        error = gcry_cipher_set_decryption_tag(handle, tag, sizeof tag);
    }
    if (error == 0) {
        error = gcry_cipher_final(handle);
    }
    if (error == 0) {
        error = gcry_cipher_decrypt(handle, len > 0 ? out : &nothing, len, len > 0 ? sealed->bytes.ptr : &nothing, len);
    }
    return error;
}

static tg_result open(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out, size_t *out_which)
{
    tg_result result = tg_fail(TG_ERR_AUTH);
    for (size_t i = 0; i < sealed->num_aads && result.code == TG_ERR_AUTH; i++) {
        result = tg_gcrypt_result(open_one(of(siv)->handle, sealed, sealed->aads[i], out));
        if (tg_is_ok(result)) {
            *out_which = i;
        }
    }
    if (!tg_is_ok(result) && sealed->bytes.len > TG_SIV_TAG_BYTES) {
        memset(out, 0, sealed->bytes.len - TG_SIV_TAG_BYTES);
    }
    return result;
}

const tg_siv_ops tg_siv_gcrypt = {
    .name = "libgcrypt", .create = create, .seal = seal, .open = open, .destroy = destroy};
