/* Delivery of secrets to the running enclave: the listener on the main loop, what it takes, and who is told. It never
 * delays readiness, and what is missing never stops the enclave. */
#ifndef TG_ENCLAVE_SECRETS_SERVICE_H
#define TG_ENCLAVE_SECRETS_SERVICE_H

#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

typedef struct tg_secrets_service tg_secrets_service;

enum { TG_SECRETS_FIRST_WAIT_MS = 5000 }; /* without a first delivery by then, that is said once */

typedef struct tg_secrets_sources {
    const tg_enclave_settings *settings;
    tg_publisher *publisher;
    /* A sealed delivery brought an identity for the enclave itself: to be shown from now on. On the loop's thread. */
    tg_result (*identity_delivered)(tg_tls_identity *identity, void *owner);
    /* It brought AWS keys (enclave/delivered_keys.h); they are published. */
    void (*aws_keys_delivered)(void *owner);
    void *owner;
} tg_secrets_sources;

/* tg_secrets_service_open listens on SECRETS_ADDRESS, publishes an empty set, and for sealed mode the key to seal to.
 * err   what the address says, added to faults, where somebody set it; of the default address only a line is logged.
 *       TG_ERR_MEMORY, TG_ERR_LIBRARY
 * keep  settings outlive it; closed by tg_secrets_service_close (NULL is fine) before the loop ends
 */
TG_MUST_USE tg_result tg_secrets_service_open(const tg_secrets_sources *sources, tg_loop *loop,
                                              tg_secrets_service **out_service, tg_faults *faults);
void tg_secrets_service_close(tg_secrets_service *service);

/* tg_secrets_service_check tries SECRETS_ADDRESS, where somebody set it, without serving. What is wrong becomes faults.
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_secrets_service_check(const tg_enclave_settings *settings, tg_faults *faults);

#endif
