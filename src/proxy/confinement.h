/* What this proxy leaves itself when it enters its sandbox: the files that a reload and calls to AWS read, and the
 * folders of its unix sockets. */
#ifndef TG_PROXY_CONFINEMENT_H
#define TG_PROXY_CONFINEMENT_H

#include "proxy/config.h"
#include "proxy/gates.h"
#include "proxy/sandbox.h"

typedef struct tg_proxy_confinement {
    const char *user;        /* to become, as in tg_sandbox_options */
    const char *config_path; /* NULL: there is no file */
    const tg_proxy_config *config;
    const tg_proxy_gates *gates;
    const char *const *environment; /* names files of AWS: credentials, tokens, CA bundles */
} tg_proxy_confinement;

/* tg_proxy_confine enters the sandbox and logs it.
 * out   *out_report, whose `unreadable` is NULL
 * err   TG_ERR_MEMORY, and those of tg_sandbox_enter, which says when it may be called
 */
TG_MUST_USE tg_result tg_proxy_confine(const tg_proxy_confinement *wanted, tg_sandbox_report *out_report,
                                       tg_detail *detail);

#endif
