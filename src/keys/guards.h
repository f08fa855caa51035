/* What keeps a substituted key out. Anybody with kms:Encrypt can make a ciphertext that KMS opens for the enclave, and
 * an account of the attacker's own can hold a secret and a key of the same names: so the answers must name the key and
 * the account that the measured image names, and the key's own fingerprint may be pinned. */
#ifndef TG_KEYS_GUARDS_H
#define TG_KEYS_GUARDS_H

#include "aws/arn.h"
#include "base/detail.h"
#include "crypto/hkdf.h"

enum { TG_MAX_PINNED_KEYS = 32, TG_MAX_CONTEXT_PAIRS = 16 };

typedef struct tg_key_guards {
    tg_slice secret_arn;
    tg_aws_arn secret;                      /* of secret_arn */
    char key_arn[TG_AWS_MAX_ARN_BYTES + 1]; /* "": any key of the secret's account and region */
    uint8_t fingerprints[TG_MAX_PINNED_KEYS][TG_KEY_FINGERPRINT_BYTES];
    size_t num_fingerprints; /* 0: any key */
} tg_key_guards;

/* tg_key_guards_init reads what the image says.
 * in    secret_arn: of Secrets Manager; lives as long as the guards. key_id: a KMS key's ARN, or its id alone, which is
 *       completed from the secret's account and region; empty: none is named
 * err   TG_ERR_SYNTAX, TG_ERR_LIMIT; TG_ERR_UNSUPPORTED: an alias, which whoever may call UpdateAlias can point
 *       elsewhere, or a key of another region than the secret's, where KMS is asked; detail's field is SECRET_ARN or
 * KMS_KEY_ID
 */
TG_MUST_USE tg_result tg_key_guards_init(tg_key_guards *guards, tg_slice secret_arn, tg_slice key_id,
                                         tg_detail *detail);

/* tg_key_guards_pin adds an allowed fingerprint, in hexadecimal. err: TG_ERR_SYNTAX; TG_ERR_LIMIT */
TG_MUST_USE tg_result tg_key_guards_pin(tg_key_guards *guards, tg_slice hex, tg_detail *detail);

/* The checks: of the ARN that Secrets Manager answered, of the key's ARN that KMS answered, and of the key itself.
 * err   TG_ERR_DENIED with detail; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_key_guards_check_secret(const tg_key_guards *guards, tg_slice answered, tg_detail *detail);
TG_MUST_USE tg_result tg_key_guards_check_key_arn(const tg_key_guards *guards, tg_slice answered, tg_detail *detail);
TG_MUST_USE tg_result tg_key_guards_check_key(const tg_key_guards *guards, const tg_secret *key, tg_detail *detail);

#endif
