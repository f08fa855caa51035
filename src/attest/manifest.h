/* The manifest: what an enclave says of itself beside what was measured, as canonical JSON (RFC 8785). Its SHA-256 is
 * the user_data of the attestation document, so that the host can change none of it. */
#ifndef TG_ATTEST_MANIFEST_H
#define TG_ATTEST_MANIFEST_H

#include "base/buf.h"

enum { TG_MANIFEST_VERSION = 1, TG_MAX_MANIFEST_BYTES = 16384, TG_MAX_MANIFEST_DEKS = 8 };

typedef struct tg_manifest_dek {
    tg_slice fingerprint; /* tg_key_fingerprint */
    const char *state;    /* current, pending, retired */
} tg_manifest_dek;

/* A digest is 32 bytes; ptr NULL: there is no such thing, and the manifest says null. */
typedef struct tg_manifest {
    tg_slice tls_spki;          /* SHA-256 of the TLS key (SubjectPublicKeyInfo) */
    const char *tls_key_origin; /* generated (in the enclave), image, delivered */
    tg_slice jwks;              /* SHA-256 of what /.well-known/jwks.json serves */
    tg_slice ohttp;             /* SHA-256 of what /.well-known/ohttp-gateway serves */
    tg_slice secrets_key;       /* SHA-256 of the key that secrets are sealed to (SubjectPublicKeyInfo) */
    const char *secrets_mode;   /* none, open, sealed */
    tg_slice settings;          /* canonical JSON of the settings that decide trust */
    tg_slice routes;            /* SHA-256 of the gateway's routes */
    tg_slice schemas;           /* the schema set's digest */
    tg_slice client_ca;         /* SHA-256 of the authorities whose client certificates count */
    const tg_manifest_dek *deks;
    size_t num_deks; /* at most TG_MAX_MANIFEST_DEKS */
} tg_manifest;

/* tg_manifest_append writes the manifest: members in order of name, no white space.
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_manifest_append(const tg_manifest *manifest, tg_buf *buf);

#endif
