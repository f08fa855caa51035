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
