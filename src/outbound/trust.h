/* Whom calls to the outside believe: the system's certificate authorities, a file of ours, or pinned ones in memory. */
#ifndef TG_OUTBOUND_TRUST_H
#define TG_OUTBOUND_TRUST_H

#include "tls/context.h"

/* Debian's bundle (package ca-certificates), which an image holds where AWS is to be reached. */
#define TG_TRUST_SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

typedef struct tg_trust_settings {
    const char *ca_path;       /* a PEM file; NULL: the system's bundle */
    tg_slice ca_pem;           /* where not empty, instead of any file */
    tg_tls_identity *identity; /* to show to origins that ask; NULL: none */
    int64_t now_unix_s;
} tg_trust_settings;

/* tg_trust_new makes a client's TLS context for tg_outbound_settings.tls.
 * err   those of tg_tls_authorities_load, tg_tls_authorities_parse and tg_tls_context_new_client
 * keep  one reference is the caller's
 */
TG_MUST_USE tg_result tg_trust_new(const tg_trust_settings *settings, tg_tls_context **out_context, tg_detail *detail);

#endif
