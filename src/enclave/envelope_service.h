/* The envelope keys in force: derived from the data keys whenever these change and when an epoch begins, published for
 * the workers and bound into the manifest. On the main loop. */
#ifndef TG_ENCLAVE_ENVELOPE_SERVICE_H
#define TG_ENCLAVE_ENVELOPE_SERVICE_H

#include "enclave/snapshot.h"

typedef struct tg_envelope_service tg_envelope_service;

enum { TG_ENVELOPE_CHECK_MS = 60000 }; /* how often the clock is looked at: it may be set */

/* tg_envelope_service_open derives the keys of the ring that is published, and follows it from then on.
 * err   TG_ERR_MEMORY, TG_ERR_LIMIT, TG_ERR_LIBRARY
 * keep  before workers start; ended by tg_envelope_service_close behind tg_publisher_end, before the loop and the
 *       publisher
 */
TG_MUST_USE tg_result tg_envelope_service_open(tg_publisher *publisher, tg_loop *loop,
                                               tg_envelope_service **out_service);
void tg_envelope_service_close(tg_envelope_service *service);

#endif
