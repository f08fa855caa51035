/* What the proxy takes from its environment alone. */
#ifndef TG_PROXY_PROXY_SETTINGS_H
#define TG_PROXY_PROXY_SETTINGS_H

#include "proxy/sidecar.h"
#include "settings/settings.h"

typedef struct tg_proxy_settings {
    const char *config_path; /* NULL: none is named */
    tg_log_level log_level;
    tg_log_level plain_log_level; /* LOG_LEVEL, which a sidecar uses */
    uint64_t num_workers;         /* 0: one a core */
    const char *user;             /* NULL: nobody else */
    const char *admin_address;
    const char *listen_port;
    const char *enclave_cid;
    const char *enclave_port;
    const char *enclave_address;
    const char *main_app_address;
    const char *return_address;
} tg_proxy_settings;

/* tg_proxy_settings_read reads the environment.
 * out   *out_values, whose text lives as long as *out_settings; tg_settings_done ends it, on failure too
 * err   TG_ERR_MEMORY; TG_ERR_SYNTAX where faults were added
 */
TG_MUST_USE tg_result tg_proxy_settings_read(const char *const *environment, tg_faults *faults,
                                             tg_settings *out_settings, tg_proxy_settings *out_values);

/* tg_proxy_settings_append_help writes the variables with their defaults and effects. */
TG_MUST_USE tg_result tg_proxy_settings_append_help(tg_buf *buf);

/* tg_proxy_settings_is_sidecar says whether the environment asks for a sidecar.
 * tg_proxy_settings_sidecar puts it together; its token is random, its port unknown until it is bound.
 * err   TG_ERR_SYNTAX with faults, TG_ERR_SYSTEM
 */
bool tg_proxy_settings_is_sidecar(const tg_proxy_settings *values);
TG_MUST_USE tg_result tg_proxy_settings_sidecar(const tg_proxy_settings *values, tg_faults *faults,
                                                tg_proxy_sidecar *out_sidecar);

#endif
