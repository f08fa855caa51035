/* The attestation document of a Nitro enclave: COSE_Sign1 (RFC 9052 §4.2) around CBOR. Reading it and believing it are
 * apart: tg_nitro_document_parse only takes the bytes to pieces, tg_nitro_document_verify checks signature and chain.
 */
#ifndef TG_ATTEST_NITRO_DOCUMENT_H
#define TG_ATTEST_NITRO_DOCUMENT_H

#include "base/detail.h"
#include "base/slice.h"

enum {
    TG_MAX_NITRO_DOCUMENT_BYTES = 16384,
    TG_NITRO_NUM_PCRS = 32,
    TG_NITRO_PCR_BYTES = 48, /* SHA-384 */
    TG_MAX_NITRO_CERTIFICATE_BYTES = 1024,
    TG_MAX_NITRO_BUNDLE = 8,
    TG_MAX_NITRO_FIELD_BYTES = 1024, /* of public_key, user_data and nonce */
    TG_NITRO_SIGNATURE_BYTES = 96    /* r and s of ES384 */
};

/* Slices point into the document's bytes. */
typedef struct tg_nitro_document {
    tg_slice module_id;
    uint64_t timestamp_unix_ms;
    tg_slice pcrs[TG_NITRO_NUM_PCRS];     /* ptr NULL where absent */
    tg_slice certificate;                 /* DER, the one that signs */
    tg_slice bundle[TG_MAX_NITRO_BUNDLE]; /* DER, the root first, each the issuer of the next */
    size_t num_bundle;
    tg_slice public_key, user_data, nonce; /* ptr NULL where null or absent */
    tg_slice protected_header, payload, signature;
} tg_nitro_document;

/* tg_nitro_document_parse reads one document, tagged (18) or not.
 * in    bytes: at most TG_MAX_NITRO_DOCUMENT_BYTES; they outlive the document
 * err   TG_ERR_LIMIT: too long; else what is wrong with it: TG_ERR_TRUNCATED, TG_ERR_SYNTAX, TG_ERR_MISMATCH (a type),
 *       TG_ERR_EXISTS (a member twice), TG_ERR_UNSUPPORTED (an unknown member, another algorithm or digest),
 *       TG_ERR_RANGE (a length), TG_ERR_NOT_FOUND (a member is missing); detail names the member
 */
TG_FOREIGN TG_MUST_USE tg_result tg_nitro_document_parse(tg_slice bytes, tg_nitro_document *out_document,
                                                         tg_detail *detail);

/* tg_nitro_document_is_debug says whether PCR0 is all zeros: an enclave in debug mode, which proves nothing. */
bool tg_nitro_document_is_debug(const tg_nitro_document *document);

/* tg_nitro_document_verify checks the chain from the pinned root to the certificate, at the document's own time, and
 * the ES384 signature over the document. What the document says is to be believed only after it.
 * in    root_der: the one root that is believed
 * err   TG_ERR_AUTH with detail: which certificate, or the signature, and why; TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_nitro_document_verify(const tg_nitro_document *document, tg_slice root_der,
                                                          tg_detail *detail);

#endif
