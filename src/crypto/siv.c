#include "crypto/siv.h"

#include "base/cpu.h"

const tg_siv_ops *tg_siv_chosen(void)
{
#if TG_CPU_X86
    switch (tg_cpu_get_level()) {
    case TG_CPU_AVX512:
        return &tg_siv_vaes;
    case TG_CPU_AVX2:
        return &tg_siv_aesni;
    case TG_CPU_PORTABLE:
        break;
    }
#endif
    return &tg_siv_gcrypt;
}

tg_result tg_siv_new_by(const tg_siv_ops *ops, const tg_secret *key, tg_siv **out_siv)
{
    if (tg_secret_len(key) != TG_SIV_KEY_BYTES) {
        return tg_fail(TG_ERR_RANGE);
    }
    return ops->create(key, out_siv);
}

tg_result tg_siv_new(const tg_secret *key, tg_siv **out_siv)
{
    return tg_siv_new_by(tg_siv_chosen(), key, out_siv);
}

void tg_siv_free(tg_siv *siv)
{
    if (siv != NULL) {
        siv->ops->destroy(siv);
    }
}

static bool is_too_long(size_t len)
{
    return (uint64_t)len > TG_SIV_MAX_BYTES;
}

tg_result tg_siv_seal(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        if (is_too_long(jobs[i].plaintext.len) || is_too_long(jobs[i].aad.len)) {
            return tg_fail(TG_ERR_RANGE);
        }
    }
    return siv->ops->seal(siv, jobs, num_jobs);
}

tg_result tg_siv_open_any(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out, size_t *out_which)
{
    if (sealed->bytes.len < TG_SIV_TAG_BYTES) {
        return tg_fail(TG_ERR_TRUNCATED);
    }
    bool is_over = is_too_long(sealed->bytes.len - TG_SIV_TAG_BYTES);
    for (size_t i = 0; i < sealed->num_aads; i++) {
        is_over = is_over || is_too_long(sealed->aads[i].len);
    }
    return is_over ? tg_fail(TG_ERR_RANGE) : siv->ops->open(siv, sealed, out, out_which);
}
