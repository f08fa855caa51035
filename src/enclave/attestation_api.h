/* GET /attestation[?nonce=]: the attestation document and the manifest that it vouches for. */
#ifndef TG_ENCLAVE_ATTESTATION_API_H
#define TG_ENCLAVE_ATTESTATION_API_H

#include "enclave/attestation.h"
#include "enclave/site.h"

/* tg_attestation_api_document answers; to be a route's request function. */
void tg_attestation_api_document(tg_site *site, tg_http_request *request);

/* tg_nonce_parse reads the query `nonce=VALUE`: 16 to 64 bytes, in hexadecimal where all are such digits and their
 * number is even and at least 32, else in base64url without padding.
 * out   *out_len 0 where there is no query
 * err   TG_ERR_SYNTAX: another member, one twice, or neither spelling; TG_ERR_RANGE: another length
 */
TG_FOREIGN TG_MUST_USE tg_result tg_nonce_parse(tg_slice query, uint8_t out_nonce[TG_MAX_NONCE_BYTES], size_t *out_len);

#endif
