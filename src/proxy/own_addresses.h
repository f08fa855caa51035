/* The addresses of this host's interfaces, kept current: whoever may not reach the host's loopback may not reach its
 * other addresses either. One a worker; not for sharing between threads. */
#ifndef TG_PROXY_OWN_ADDRESSES_H
#define TG_PROXY_OWN_ADDRESSES_H

#include "base/result.h"
#include "base/slice.h"

typedef struct tg_own_addresses tg_own_addresses;

/* tg_own_addresses_new reads the interfaces and asks the kernel to tell of changes (rtnetlink).
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_own_addresses_new(tg_own_addresses **out_own);
void tg_own_addresses_free(tg_own_addresses *own);

/* tg_own_addresses_has says whether 4 or 16 bytes are an address of this host now. Where the interfaces cannot be read
 * again after a change, every address counts as its own (nothing is dialled by mistake).
 */
bool tg_own_addresses_has(tg_own_addresses *own, tg_slice address);

#endif
