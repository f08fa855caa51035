#include "enclave/data_key.h"

#ifdef TG_DEVELOPMENT
#include "keys/development_dev.h"
#include "keys/file_source.h"

tg_result tg_enclave_data_key(const tg_enclave_settings *settings, tg_faults *faults, tg_key_ring **out_ring)
{
    tg_detail detail = {0};
    tg_result made = tg_ok();
    *out_ring = NULL;
    if (settings->dek_file != NULL) {
        made = tg_key_file_read(settings->dek_file, out_ring, &detail);
    } else if (settings->is_local_mode && settings->state_dir != NULL) {
        made = tg_key_kept_dev(settings->state_dir, out_ring, &detail);
    } else if (settings->is_local_mode) {
        made = tg_key_random_dev(out_ring);
        tg_detail_set_reason(&detail, "no development key can be made");
    }
    if (!tg_is_ok(made)) {
        *tg_faults_add(faults) = detail;
    } else if (*out_ring != NULL) {
        tg_log(TG_LOG_WARN, "keys", "development_key",
               TG_F_STR("source", settings->dek_file != NULL    ? "DEK_FILE"
                                  : settings->state_dir != NULL ? "STATE_DIR"
                                                                : "random, gone when the process ends"),
               TG_F_STR("remedy", "never use this with real data: this machine can read the key"));
    }
    return made;
}

#else

tg_result tg_enclave_data_key(const tg_enclave_settings *settings, tg_faults *faults, tg_key_ring **out_ring)
{
    (void)settings;
    (void)faults;
    *out_ring = NULL;
    return tg_ok();
}

#endif
