/* What KMS answers an attested enclave with (CiphertextForRecipient): CMS EnvelopedData (RFC 5652 §6) to an RSA key
 * that was made in the enclave and stood in its attestation document. EnvelopedData has no integrity of its own: that
 * it comes from KMS is TLS's matter, and that it is the right key the guards' of keys/. */
#ifndef TG_ATTEST_RECIPIENT_H
#define TG_ATTEST_RECIPIENT_H

#include "base/detail.h"
#include "base/slice.h"
#include "sys/secret.h"

#include <openssl/types.h>

enum { TG_MAX_ENVELOPED_BYTES = 6144, TG_MAX_ENVELOPED_PLAINTEXT_BYTES = 4096 };

/* An RSA-2048 pair; not for two threads at once. */
typedef struct tg_recipient tg_recipient;

/* tg_recipient_new makes a key; some hundred milliseconds. err: TG_ERR_LIBRARY, TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_recipient_new(tg_recipient **out_recipient);
/* tg_recipient_adopt makes a pair of a key that was made elsewhere, and owns it on success. Errors as
 * above. */
TG_MUST_USE tg_result tg_recipient_adopt(EVP_PKEY *key, tg_recipient **out_recipient);
void tg_recipient_free(tg_recipient *recipient);

/* tg_recipient_public is the public key (SubjectPublicKeyInfo, DER), for the document; it lives as long as the pair. */
tg_slice tg_recipient_public(const tg_recipient *recipient);

/* tg_recipient_open opens an answer of exactly the form that KMS gives: BER or DER, EnvelopedData, one recipient by key
 * transport, RSAES-OAEP with SHA-256 for both its hashes and no label, AES-256-CBC.
 * in    enveloped: at most TG_MAX_ENVELOPED_BYTES; want_len: the plaintext's length, at most
 *       TG_MAX_ENVELOPED_PLAINTEXT_BYTES
 * err   TG_ERR_LIMIT: too long; TG_ERR_SYNTAX: no CMS, or bytes behind it; TG_ERR_UNSUPPORTED: another form or
 *       algorithm; TG_ERR_AUTH: not to this key, or damaged; TG_ERR_RANGE: a plaintext of another length;
 *       TG_ERR_MEMORY; detail says which, and nothing of the content
 * keep  the caller frees the secret; no copy of it is left
 */
TG_FOREIGN TG_MUST_USE tg_result tg_recipient_open(const tg_recipient *recipient, tg_slice enveloped, size_t want_len,
                                                   tg_secret **out_plaintext, tg_detail *detail);

#endif
