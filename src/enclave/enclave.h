/* The service's life: everything is checked and opened, then served, then ended in order. */
#ifndef TG_ENCLAVE_ENCLAVE_H
#define TG_ENCLAVE_ENCLAVE_H

#include "enclave/enclave_settings.h"

/* Exit statuses of teegate-enclave. */
enum { TG_EXIT_IN_ORDER = 0, TG_EXIT_CONFIGURATION = 1, TG_EXIT_USAGE = 2, TG_EXIT_MACHINE = 3 };

/* tg_enclave_check tries everything that the settings name, without serving: addresses, certificates, keys, schemas.
 * What is wrong becomes faults. err: TG_ERR_MEMORY and the like only
 */
TG_MUST_USE tg_result tg_enclave_check(const tg_enclave_settings *settings, tg_faults *faults);

/* tg_enclave_run serves until SIGTERM or SIGINT; SIGHUP reads schemas and certificates again.
 * in      environment: as environ, for what a service manager has to say (enclave/manager.h)
 * keep    settings and environment outlive it; thread: main
 * return  the exit status; what failed is in the log
 */
int tg_enclave_run(const tg_enclave_settings *settings, const char *const *environment);

#endif
