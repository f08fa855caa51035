/* The KMS proxy: an enclave without credentials has its host ask KMS, for the one key that its CID may use. Requests of
 * one connection are answered one behind the other; connections never wait for each other.
 *
 *   READING ──> CALLING ──> ANSWERING ──> READING ...
 *      └──────────────────────> └───────> over
 */
#ifndef TG_PROXY_KMS_PROXY_H
#define TG_PROXY_KMS_PROXY_H

#include "proxy/visit.h"

/* tg_proxy_kms_open begins with an accepted stream, which is its own from now on. */
void tg_proxy_kms_open(tg_proxy_worker *worker, const tg_proxy_door *door, tg_stream *stream);

#endif
