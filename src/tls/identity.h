/* Who a TLS end is: a certificate, the chain behind it and its private key. Immutable and shared by reference. */
#ifndef TG_TLS_IDENTITY_H
#define TG_TLS_IDENTITY_H

#include "base/buf.h"
#include "base/detail.h"
#include "base/result.h"

typedef struct tg_tls_identity tg_tls_identity;

enum {
    TG_MAX_CHAIN_PEM_BYTES = 65536,
    TG_MAX_CHAIN_CERTIFICATES = 8, /* with the leaf */
    TG_MAX_KEY_PEM_BYTES = 65536,  /* one file may hold both */
    TG_MAX_GENERATED_NAMES = 16,
    TG_GENERATED_DAYS = 90,
    TG_SPKI_SHA256_BYTES = 32
};

/* tg_tls_identity_parse makes an identity of PEM: the certificate first, then each one's issuer (the root may be left
 * out); and its private key (PKCS #8, or the older EC and RSA forms).
 * in    key_pem: the caller wipes it. now_unix_s: the time that the certificates must be valid at
 * err   TG_ERR_LIMIT: longer than the limits above; TG_ERR_SYNTAX: no PEM, damaged; TG_ERR_UNSUPPORTED: an encrypted
 * key, or an algorithm that TLS does not take; TG_ERR_MISMATCH: the key is another's, a certificate is not issued by
 * the next; TG_ERR_RANGE: expired or not yet valid; TG_ERR_MEMORY. The detail says what and what to do
 */
TG_FOREIGN TG_MUST_USE tg_result tg_tls_identity_parse(tg_slice chain_pem, tg_slice key_pem, int64_t now_unix_s,
                                                       tg_tls_identity **out_identity, tg_detail *detail);

/* tg_tls_identity_load reads both files (they may be one and the same) and wipes what it read of the key.
 * err   those of tg_tls_identity_parse, the detail with the file's name; TG_ERR_SYSTEM where one cannot be read
 */
TG_MUST_USE tg_result tg_tls_identity_load(const char *chain_path, const char *key_path, int64_t now_unix_s,
                                           tg_tls_identity **out_identity, tg_detail *detail);

/* tg_tls_identity_generate makes a P-256 key and a self-signed certificate for localhost, 127.0.0.1, ::1 and `names`
 * (host names, `*.` wildcards, IP addresses without brackets), valid from an hour before now for TG_GENERATED_DAYS. err
 * TG_ERR_SYNTAX: a name that is neither; TG_ERR_LIMIT: more than TG_MAX_GENERATED_NAMES; TG_ERR_MEMORY, TG_ERR_LIBRARY
 */
TG_MUST_USE tg_result tg_tls_identity_generate(const tg_slice *names, size_t num_names, int64_t now_unix_s,
                                               tg_tls_identity **out_identity, tg_detail *detail);

/* tg_tls_identity_ref gives one reference more; any thread. The last tg_tls_identity_unref (NULL is fine) frees it. */
tg_tls_identity *tg_tls_identity_ref(tg_tls_identity *identity);
void tg_tls_identity_unref(tg_tls_identity *identity);

/* tg_tls_identity_spki_sha256 is the SHA-256 of the certificate's SubjectPublicKeyInfo (DER), as RFC 7469 §2.4 pins it;
 * TG_SPKI_SHA256_BYTES, living as long as the identity. */
tg_slice tg_tls_identity_spki_sha256(const tg_tls_identity *identity);
/* The time in which the certificate and the chain behind it are all valid. */
int64_t tg_tls_identity_not_before_unix_s(const tg_tls_identity *identity);
int64_t tg_tls_identity_not_after_unix_s(const tg_tls_identity *identity);
bool tg_tls_identity_is_generated(const tg_tls_identity *identity);

/* tg_tls_identity_append_pem appends the chain (never the key).
 * err   those of tg_buf_append
 */
TG_MUST_USE tg_result tg_tls_identity_append_pem(const tg_tls_identity *identity, tg_buf *buf);

#endif
