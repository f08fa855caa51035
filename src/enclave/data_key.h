/* Where the data keys come from. */
#ifndef TG_ENCLAVE_DATA_KEY_H
#define TG_ENCLAVE_DATA_KEY_H

#include "enclave/enclave_settings.h"
#include "keys/ring.h"

/* tg_enclave_data_key reads the data keys that the settings name: in local mode DEK_FILE, else the development key of
 * STATE_DIR, else a random one that ends with the process.
 * out   *out_ring NULL where no source is set: the enclave serves degraded, and says so
 * err   what the sources say; the fault is added to faults
 * keep  the caller owns the ring
 */
TG_MUST_USE tg_result tg_enclave_data_key(const tg_enclave_settings *settings, tg_faults *faults,
                                          tg_key_ring **out_ring);

#endif
