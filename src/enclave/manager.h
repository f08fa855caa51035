/* What the service manager is told of teegate-enclave (sd_notify(3)): ready, reloading, stopping, and, where it wants
 * signs of life (WATCHDOG_USEC), that the main thread and every worker still turn: a thread that hangs ends the
 * service, which the manager starts anew. Without a manager nothing happens. */
#ifndef TG_ENCLAVE_MANAGER_H
#define TG_ENCLAVE_MANAGER_H

#include "enclave/worker.h"
#include "sys/service_notify.h"

typedef struct tg_manager {
    tg_service_notify notify;
    tg_deadline watchdog;
    tg_loop *loop;
    tg_worker *const *workers;
    size_t num_workers;
} tg_manager;

/* tg_manager_open reads the environment; errors as tg_service_notify_open, each added to faults.
 * keep  ended by tg_manager_close, also after an error; what tg_manager_serving was given outlives that
 */
TG_MUST_USE tg_result tg_manager_open(tg_manager *manager, const char *const *environment, tg_faults *faults);
void tg_manager_close(tg_manager *manager);

/* tg_manager_serving says that the service is up, with all its workers' threads started, and begins to watch them; on
 * the main thread's loop. */
void tg_manager_serving(tg_manager *manager, tg_loop *loop, tg_worker *const *workers, size_t num_workers);
/* tg_manager_readiness says whether requests can be answered. */
void tg_manager_readiness(const tg_manager *manager, bool is_ready);
void tg_manager_reloading(const tg_manager *manager);
void tg_manager_reloaded(const tg_manager *manager, bool is_ready);
void tg_manager_stopping(const tg_manager *manager);

#endif
