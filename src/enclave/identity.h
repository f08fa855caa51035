/* What the enclave shows and asks for in TLS handshakes: its certificate, from files or made at start, and the
 * authorities whose client certificates count. */
#ifndef TG_ENCLAVE_IDENTITY_H
#define TG_ENCLAVE_IDENTITY_H

#include "enclave/enclave_settings.h"
#include "tls/context.h"

/* What the TLS context in force was made of; {0} before the first load. Owned by one thread. */
typedef struct tg_enclave_identity {
    tg_tls_identity *identity;
    tg_tls_authorities *client_issuers; /* NULL: no client certificate is asked for */
    tg_tls_identity *delivered;         /* in the place of files and of what is made at start; NULL */
    bool is_certificate_kept;           /* by the last load: the files of now are at fault, those of before serve */
    bool are_issuers_kept;
} tg_enclave_identity;

/* tg_enclave_identity_load makes the server's TLS context from TLS_CERT_PATH and TLS_KEY_PATH, or with a self-signed
 * certificate for SERVER_NAMES and localhost, and from CLIENT_CA_PATH. Called again it reads the files again: of the
 * certificate and the authorities, each that is at fault stays as it was, and a self-signed certificate is never made
 * anew.
 * in    tickets: shared by the contexts of the process, so that sessions outlive a reload; or NULL
 * err   what tls/ says of the files, where there is nothing to keep: then nothing changes. Each fault is added to
 *       faults, also where it succeeds
 * keep  the caller gives the context back by tg_tls_context_unref, and ends `identity` by tg_enclave_identity_done
 */
TG_MUST_USE tg_result tg_enclave_identity_load(tg_enclave_identity *identity, const tg_enclave_settings *settings,
                                               tg_tls_tickets *tickets, tg_faults *faults, tg_tls_context **out_tls);
/* tg_enclave_identity_deliver makes the next loads take this identity, of which a reference is taken; NULL: what they
 * would take without. */
void tg_enclave_identity_deliver(tg_enclave_identity *identity, tg_tls_identity *delivered);
void tg_enclave_identity_done(tg_enclave_identity *identity);

#endif
