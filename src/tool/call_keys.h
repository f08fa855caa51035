/* The keys that a verified enclave publishes for envelopes: what requests are sealed to and answers signed by. They
 * count only where the attested manifest holds the SHA-256 of exactly what was published. */
#ifndef TG_TOOL_CALL_KEYS_H
#define TG_TOOL_CALL_KEYS_H

#include "envelope/jose.h"
#include "envelope/ohttp.h"

typedef enum tg_call_envelope { TG_CALL_JWE, TG_CALL_OHTTP } tg_call_envelope;

enum { TG_MAX_CALL_KEYS_BYTES = 65536, TG_MAX_CALL_SIGNERS = 8 };

typedef struct tg_call_key {
    char kid[TG_MAX_KID_BYTES + 1];
    uint8_t point[TG_P256_PUBLIC_BYTES];
} tg_call_key;

typedef struct tg_call_keys {
    tg_call_envelope envelope;
    tg_call_key recipient; /* of jwe */
    tg_call_key signers[TG_MAX_CALL_SIGNERS];
    size_t num_signers;
    tg_ohttp_config ohttp;
} tg_call_keys;

/* tg_call_keys_path is where they are published. Static. */
tg_slice tg_call_keys_path(tg_call_envelope envelope);

/* tg_call_keys_read believes what was published for this envelope where the manifest binds it.
 * in    published: as it came, at most TG_MAX_CALL_KEYS_BYTES. manifest: of a verified attestation
 * err   TG_ERR_MISMATCH: the manifest names other keys; TG_ERR_NOT_FOUND: it names none, or there is none of the kind;
 *       TG_ERR_SYNTAX, TG_ERR_LIMIT, TG_ERR_MEMORY; detail
 */
TG_FOREIGN TG_MUST_USE tg_result tg_call_keys_read(tg_call_envelope envelope, tg_slice published, tg_slice manifest,
                                                   tg_call_keys *out_keys, tg_detail *detail);

#endif
