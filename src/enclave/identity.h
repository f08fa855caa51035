/* What the enclave shows and asks for in TLS handshakes: its certificate, from files or made at start, and the
 * authorities whose client certificates count. */
#ifndef TG_ENCLAVE_IDENTITY_H
#define TG_ENCLAVE_IDENTITY_H

#include "enclave/enclave_settings.h"
#include "tls/context.h"

/* tg_enclave_identity_load makes the server's TLS context from TLS_CERT_PATH and TLS_KEY_PATH, or with a self-signed
 * certificate for SERVER_NAMES and localhost, and from CLIENT_CA_PATH.
 * in    tickets: shared by the contexts of the process, so that sessions outlive a reload; or NULL
 * err   what tls/ says of the files; each fault is added to faults
 * keep  the caller gives the context back by tg_tls_context_unref; thread: any
 */
TG_MUST_USE tg_result tg_enclave_identity_load(const tg_enclave_settings *settings, tg_tls_tickets *tickets,
                                               tg_faults *faults, tg_tls_context **out_tls);

#endif
