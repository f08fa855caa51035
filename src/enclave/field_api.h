/* POST /encrypt and /decrypt: the PII values of a JSON body sealed, or opened, by the schema that a header names. */
#ifndef TG_ENCLAVE_FIELD_API_H
#define TG_ENCLAVE_FIELD_API_H

#include "enclave/site.h"

/* tg_field_api_head decides all that the head can tell: media type (415), who asks (403), the schema's name (400), and
 * whether keys and schemas are there (503). The request keeps what it will be answered with.
 */
void tg_field_api_head(tg_site *site, tg_http_request *request);

/* The work itself: in pieces, between which the loop serves others, so that a long body delays nobody. */
void tg_field_api_encrypt(tg_site *site, tg_http_request *request);
void tg_field_api_decrypt(tg_site *site, tg_http_request *request);
void tg_field_api_cancel(tg_site *site, tg_http_request *request);

/* The same of a stream of lines (enclave/bulk_api.h): a piece of it has come; its answer has room again. */
void tg_field_api_body(tg_http_request *request, tg_slice piece);
void tg_field_api_writable(tg_http_request *request);

/* tg_field_api_end gives back what the answer held, once it is out or the client is gone: of every ended request. */
void tg_field_api_end(const tg_http_request *request);

#endif
