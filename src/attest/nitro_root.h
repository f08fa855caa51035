/* The root that documents of Nitro enclaves are believed by. */
#ifndef TG_ATTEST_NITRO_ROOT_H
#define TG_ATTEST_NITRO_ROOT_H

#include "base/slice.h"

/* tg_nitro_root is AWS's root certificate G1, in DER; static storage. */
tg_slice tg_nitro_root(void);

#endif
