/* A sealed delivery, as its sender makes it. */
#ifndef TG_SECRETS_SEALING_H
#define TG_SECRETS_SEALING_H

#include "base/buf.h"
#include "crypto/ec_key.h"

/* tg_delivery_seal signs a delivery's text and seals it to an enclave.
 * in    signer: private, P-256. point: the key that the enclave attests. version: above that of the last delivery
 * out   appended
 * err   TG_ERR_UNSUPPORTED: the signer; TG_ERR_AUTH: the point; TG_ERR_LIMIT, TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_delivery_seal(const tg_ec_key *signer, tg_slice point, uint64_t version, tg_slice text,
                                       tg_buf *out);

#endif
