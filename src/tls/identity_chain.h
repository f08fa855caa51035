/* Whether an identity's certificate is issued under given authorities. */
#ifndef TG_TLS_IDENTITY_CHAIN_H
#define TG_TLS_IDENTITY_CHAIN_H

#include "tls/authorities.h"
#include "tls/identity.h"

/* tg_tls_identity_check_chain verifies the certificate through the chain behind it up to one of the authorities, which
 * need not be a root.
 * err   TG_ERR_AUTH: it does not lead there, or something on the way may not issue or is not valid at now_unix_s;
 *       TG_ERR_MEMORY. The detail says what
 */
TG_MUST_USE tg_result tg_tls_identity_check_chain(const tg_tls_identity *identity,
                                                  const tg_tls_authorities *authorities, int64_t now_unix_s,
                                                  tg_detail *detail);

#endif
