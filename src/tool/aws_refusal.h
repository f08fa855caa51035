/* A refusal by KMS as people have it at hand: AWS's JSON, the line that the AWS CLI prints, or a line of our logs. */
#ifndef TG_TOOL_AWS_REFUSAL_H
#define TG_TOOL_AWS_REFUSAL_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

enum { TG_MAX_REFUSAL_BYTES = 65536 };

/* Slices point into the text; empty where it does not say. */
typedef struct tg_aws_refusal {
    tg_slice code;      /* `AccessDeniedException` */
    tg_slice principal; /* ARN behind `User: ` */
    tg_slice action;    /* `kms:Decrypt` */
    tg_slice resource;  /* ARN behind `on resource: ` */
    bool is_explicit_deny;
    bool is_by_identity; /* an identity-based policy is named as the reason, else the key's own */
    const char *meaning; /* what the code means here, and what to do; static. NULL for a code that is not known */
} tg_aws_refusal;

/* tg_aws_refusal_read looks for what is known in the text.
 * out   false: it holds no error code of AWS's
 */
TG_FOREIGN bool tg_aws_refusal_read(tg_slice text, tg_aws_refusal *out_refusal);

#endif
