/* The simulator's root: not in a production build, which does not even know what to refuse by name. */
#ifndef TG_ATTEST_SIMULATOR_ROOT_DEV_H
#define TG_ATTEST_SIMULATOR_ROOT_DEV_H

#include "base/slice.h"

/* The certificate and its private key (SEC 1), in DER; static storage. */
tg_slice tg_simulator_root_dev(void);
tg_slice tg_simulator_root_key_dev(void);

#endif
