/* One delivery, from the bytes that came to the answer that goes back: open, or sealed to the enclave's key and signed
 * by somebody whom the measured image names. */
#ifndef TG_SECRETS_DELIVERY_H
#define TG_SECRETS_DELIVERY_H

#include "crypto/ec_key.h"
#include "envelope/jose.h"
#include "secrets/store.h"

enum {
    TG_MAX_SECRET_SIGNERS = 16,
    TG_MAX_DELIVERY_ANSWER_BYTES = 8192,
    TG_MAX_SEALED_BYTES = 2 * TG_MAX_DELIVERY_BYTES /* base64 twice, and the headers */
};

typedef struct tg_delivery_options {
    bool is_sealed;
    const char *const *names; /* tg_bundle_rules */
    size_t num_names;
    const char *const *signers; /* sealed: public P-256 keys, as tg_delivery_signer_parse reads them */
    size_t num_signers;
} tg_delivery_options;

typedef struct tg_delivery tg_delivery;

/* What came of one. */
typedef struct tg_delivery_outcome {
    tg_delivery_fault fault; /* code "ok" where it is in force, or had nothing to say */
    uint64_t version;        /* in force now */
    size_t num_applied;
} tg_delivery_outcome;

/* tg_delivery_signer_parse reads a signer of the settings: the base64url of an uncompressed point (87 characters), as
 * `teegate secrets signer` shows it. err: TG_ERR_SYNTAX, TG_ERR_AUTH: no point of the curve
 */
TG_FOREIGN TG_MUST_USE tg_result tg_delivery_signer_parse(tg_slice text, tg_ec_key **out_key);

/* tg_delivery_new makes what takes deliveries; for sealed ones it makes the key that they are sealed to.
 * in    options: names and signers live as long
 * err   TG_ERR_SYNTAX, TG_ERR_AUTH, TG_ERR_LIMIT: the signers; TG_ERR_MEMORY, TG_ERR_LIBRARY
 * keep  the store outlives it
 */
TG_MUST_USE tg_result tg_delivery_new(const tg_delivery_options *options, tg_secrets_store *store,
                                      tg_delivery **out_delivery);
void tg_delivery_free(tg_delivery *delivery);

/* tg_delivery_point is the public key that sealed deliveries are sealed to; empty in open mode. */
tg_slice tg_delivery_point(const tg_delivery *delivery);
/* tg_delivery_max_bytes is the longest text that can be taken. */
size_t tg_delivery_max_bytes(const tg_delivery *delivery);

/* tg_delivery_take reads, checks and applies a delivery, and appends the answer as JSON:
 * `{"status":"ok","applied":[...],"version":n}` or `{"status":"error","code":...,"message":...}`.
 * out   what came of it, for the log
 * err   those of tg_buf_append
 */
TG_FOREIGN TG_MUST_USE tg_result tg_delivery_take(tg_delivery *delivery, tg_slice text, int64_t now_unix_s,
                                                  tg_buf *answer, tg_delivery_outcome *out_outcome);

/* tg_delivery_append_error appends the answer of a fault. err: those of tg_buf_append */
TG_MUST_USE tg_result tg_delivery_append_error(const tg_delivery_fault *fault, tg_buf *answer);

#endif
