/* The keys that clients seal to: /.well-known/jwks.json (RFC 7517 §5) and /.well-known/ohttp-gateway (RFC 9458 §3.2).
 */
#ifndef TG_ENCLAVE_ENVELOPE_API_H
#define TG_ENCLAVE_ENVELOPE_API_H

#include "enclave/site.h"

/* Both answer with the public keys, 503 while there is no data key; to be routes' request functions. */
void tg_envelope_api_jwks(tg_site *site, tg_http_request *request);
void tg_envelope_api_ohttp_keys(tg_site *site, tg_http_request *request);

#endif
