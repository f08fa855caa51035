/* AWS Secrets Manager: a secret read and written (Secrets Manager API reference). */
#ifndef TG_AWS_SECRETS_MANAGER_H
#define TG_AWS_SECRETS_MANAGER_H

#include "aws/call.h"

enum { TG_AWS_MAX_SECRET_BYTES = 65536 };

/* What is known of a version. The slices live until the callback returns; value stands in wiped memory. */
typedef struct tg_aws_secret {
    tg_slice arn;
    tg_slice version_id;
    tg_slice value; /* SecretBinary's bytes or SecretString's text; empty after a write */
    bool is_binary;
    tg_slice request_id;
} tg_aws_secret;

/* Called once, from the loop: secret is NULL where failure says why. */
typedef void tg_aws_secret_fn(const tg_aws_secret *secret, const tg_aws_failure *failure, void *owner);

/* tg_aws_secret_get reads the version with the stage AWSCURRENT. tg_aws_secret_put makes a new one of it: text, or
 * bytes where is_binary; `token` (32 to 64 characters, unique) makes repeating it harmless.
 * err   TG_ERR_LIMIT: a value over TG_AWS_MAX_SECRET_BYTES; TG_ERR_MEMORY; tg_aws_call_start's
 */
TG_MUST_USE tg_result tg_aws_secret_get(tg_aws_client *client, tg_slice secret_id, tg_aws_secret_fn *done, void *owner,
                                        tg_aws_call **out_call);
TG_MUST_USE tg_result tg_aws_secret_put(tg_aws_client *client, tg_slice secret_id, tg_slice value, bool is_binary,
                                        tg_slice token, tg_aws_secret_fn *done, void *owner, tg_aws_call **out_call);

/* tg_aws_secret_read reads an answer; a value, where is_read, must be there.
 * out   *out_secret, whose value stands in `bytes`
 * err   TG_ERR_SYNTAX, tg_buf's
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_secret_read(const json_t *json, bool is_read, tg_buf *bytes,
                                                    tg_aws_secret *out_secret);

#endif
