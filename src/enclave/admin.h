/* The admin site: metrics, version, status and health on ADMIN_ADDRESS, served by the main thread's loop. */
#ifndef TG_ENCLAVE_ADMIN_H
#define TG_ENCLAVE_ADMIN_H

#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

#include <stdatomic.h>

typedef struct tg_admin tg_admin;

/* What the admin site tells of; all of it outlives the site. */
typedef struct tg_admin_sources {
    const tg_enclave_settings *settings;
    tg_publisher *publisher;
    _Atomic bool *is_draining;
    const _Atomic bool *are_workers_ready;
} tg_admin_sources;

/* tg_admin_open binds the address and serves on the loop.
 * err   what tg_bound_open and tg_address_parse say, added to faults; TG_ERR_MEMORY
 * keep  closed by tg_admin_close (NULL is fine) before the loop ends
 */
TG_MUST_USE tg_result tg_admin_open(const tg_admin_sources *sources, tg_loop *loop, tg_admin **out_admin,
                                    tg_faults *faults);
void tg_admin_close(tg_admin *admin);

#endif
