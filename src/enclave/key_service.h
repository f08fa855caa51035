/* The data keys of SECRET_ARN: read, opened and published on a thread of its own, beside the workers. */
#ifndef TG_ENCLAVE_KEY_SERVICE_H
#define TG_ENCLAVE_KEY_SERVICE_H

#include "enclave/attestation.h"
#include "enclave/enclave_settings.h"
#include "enclave/snapshot.h"

typedef struct tg_key_service tg_key_service;

/* tg_key_service_new readies it; nothing is asked yet.
 * in    attestation: whose device vouches for the enclave; NULL is a fault, since KMS releases keys to attested ones
 * err   TG_ERR_NOT_FOUND, and what is wrong with the settings: added to faults; TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  settings, attestation and publisher outlive it; tg_key_service_free (NULL is fine) ends its thread, too
 */
TG_MUST_USE tg_result tg_key_service_new(const tg_enclave_settings *settings, tg_attestation *attestation,
                                         tg_publisher *publisher, tg_faults *faults, tg_key_service **out_service);
void tg_key_service_free(tg_key_service *service);

/* tg_key_service_start begins the thread, whose first reading begins at once. It never ends for AWS's sake: what fails
 * is logged, counted and tried again.
 * err   TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_key_service_start(tg_key_service *service);

/* tg_key_service_ask has the secret read soon, at a bounded rate: a token came that no key opens.
 * tg_key_service_now has it read at once. Any thread; NULL is fine. */
void tg_key_service_ask(tg_key_service *service);
void tg_key_service_now(tg_key_service *service);

/* tg_key_settings_check adds a fault for each of SECRET_ARN, KMS_KEY_ID, KMS_ENCRYPTION_CONTEXT and DEK_FINGERPRINTS
 * that is not good, alone or beside the others. */
void tg_key_settings_check(const tg_enclave_settings *settings, tg_faults *faults);

#endif
