#include "crypto/hmac.h"

#include "base/cpu.h"

const tg_hmac_ops *tg_hmac_chosen(void)
{
#if TG_CPU_X86
    if (tg_cpu_has_sha()) {
        return &tg_hmac_sha;
    }
#endif
    return &tg_hmac_gcrypt;
}

tg_result tg_hmac_new_by(const tg_hmac_ops *ops, tg_slice key, tg_hmac **out_hmac)
{
    return ops->create(key, out_hmac);
}

tg_result tg_hmac_new(tg_slice key, tg_hmac **out_hmac)
{
    return tg_hmac_new_by(tg_hmac_chosen(), key, out_hmac);
}

void tg_hmac_free(tg_hmac *hmac)
{
    if (hmac != NULL) {
        hmac->ops->destroy(hmac);
    }
}
