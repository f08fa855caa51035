/* Amazon Resource Names: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. */
#ifndef TG_AWS_ARN_H
#define TG_AWS_ARN_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_AWS_MAX_ARN_BYTES = 2048 };

typedef struct tg_aws_arn {
    tg_slice partition; /* aws, aws-cn, aws-us-gov */
    tg_slice service;
    tg_slice region;   /* may be empty (S3) */
    tg_slice account;  /* twelve digits, or empty (S3) */
    tg_slice resource; /* key/..., secret:NAME-6chars, BUCKET/... */
} tg_aws_arn;

/* tg_aws_arn_parse takes an ARN apart; the slices are of `text`.
 * err   TG_ERR_SYNTAX: fewer parts, an empty partition, service or resource, an account that is not twelve digits, a
 *       byte outside printable ASCII; TG_ERR_LIMIT past TG_AWS_MAX_ARN_BYTES
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_arn_parse(tg_slice text, tg_aws_arn *out_arn);

/* tg_aws_is_account says whether a text is an account: twelve digits. */
bool tg_aws_is_account(tg_slice text);

/* tg_aws_key_matches says whether a caller that names a KMS key `asked` means the key `own`: the same text, or, where
 * `own` is an ARN, the id or alias that is its resource (`1234abcd-...`, `alias/name`). Nothing is resolved: an alias
 * is never its key.
 */
bool tg_aws_key_matches(tg_slice own, tg_slice asked);

#endif
