/* AWS keys that sealed deliveries bring, as a source that AWS's clients ask before all others. */
#ifndef TG_ENCLAVE_DELIVERED_KEYS_H
#define TG_ENCLAVE_DELIVERED_KEYS_H

#include "aws/credentials.h"
#include "enclave/snapshot.h"

/* tg_delivered_keys is such a source; for clients of any thread. Before the first delivery it has none, and the others
 * are asked; a later delivery of keys takes effect at the next call. keep: the publisher outlives it */
tg_aws_key_source tg_delivered_keys(tg_publisher *publisher);

#endif
