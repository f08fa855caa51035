/* A device for development and tests: real documents, ES384 over real certificates, under a root whose key everybody
 * has (attest/simulator_root_dev.h). Not in a production build. */
#ifndef TG_ATTEST_SIMULATOR_DEV_H
#define TG_ATTEST_SIMULATOR_DEV_H

#include "attest/device.h"

enum { TG_SIMULATOR_NUM_PCRS = 32, TG_SIMULATOR_NUM_LOCKED_PCRS = 16 };

typedef struct tg_simulator_options {
    tg_slice pcrs[3];  /* 0 to 2, 48 bytes each; ptr NULL: a fixed value that is not zero */
    uint64_t ahead_ms; /* of the device's clock before the host's */
} tg_simulator_options;

/* tg_simulator_open_dev makes a simulator. Its documents hold PCRs 0 to 15, which are locked from the beginning, and
 * those that are locked later; 16 to 31 begin as zeros.
 * err   TG_ERR_RANGE: a PCR that is not of 48 bytes; TG_ERR_LIBRARY, TG_ERR_MEMORY
 * keep  ended with tg_attest_device_close
 */
TG_MUST_USE tg_result tg_simulator_open_dev(const tg_simulator_options *options, tg_attest_device **out_device);

#endif
