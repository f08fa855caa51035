/* What AWS refuses, and what to do about it. */
#ifndef TG_AWS_FAILURE_H
#define TG_AWS_FAILURE_H

#include "base/buf.h"
#include "http/message.h"

/* What a refusal asks of the caller (AWS SDKs reference guide, "Retry behavior"). */
typedef enum tg_aws_advice {
    TG_AWS_GIVE_UP,      /* it would be refused again */
    TG_AWS_RETRY,        /* AWS or the network failed: again, after a pause */
    TG_AWS_SLOW_DOWN,    /* too many calls: again, after a longer pause */
    TG_AWS_CORRECT_TIME, /* signed at a time that AWS takes for wrong: again, by AWS's clock */
    TG_AWS_RENEW_KEYS    /* the credentials have expired: again, with new ones */
} tg_aws_advice;

/* Fixed storage, no ownership. Texts are printable ASCII and end with a NUL. */
typedef struct tg_aws_failure {
    tg_result result;     /* TG_ERR_DENIED: AWS refused (status, code); TG_ERR_SYNTAX: an answer that is none of AWS's;
                           * else why there is no answer */
    unsigned status;      /* HTTP's; 0 without an answer */
    char code[96];        /* AWS's own: "AccessDeniedException"; "" where it gave none */
    char message[768];    /* AWS's own, its first line; or what broke, in words */
    char request_id[96];  /* to ask AWS's support by */
    uint64_t date_unix_s; /* AWS's clock when it answered; 0 where unknown */
    tg_aws_advice advice;
} tg_aws_failure;

/* tg_aws_failure_clear makes it empty. */
void tg_aws_failure_clear(tg_aws_failure *failure);

/* tg_aws_failure_set makes it one of ours, without an answer. */
void tg_aws_failure_set(tg_aws_failure *failure, tg_result result, tg_aws_advice advice, tg_slice message);

/* tg_aws_failure_read reads an answer that is not 2xx: the JSON of KMS, Secrets Manager and the credentials' endpoints,
 * the XML of S3 and STS, or anything else (a proxy's HTML), of which only the status counts.
 * out   *out_failure, always; advice TG_AWS_CORRECT_TIME only where AWS's clock is more than four minutes from
 *       `signed_unix_s`
 */
TG_FOREIGN void tg_aws_failure_read(unsigned status, const tg_http_header *headers, size_t num_headers, tg_slice body,
                                    uint64_t signed_unix_s, tg_aws_failure *out_failure);

/* tg_aws_failure_append writes `AccessDeniedException: MESSAGE (HTTP 400, request ID)`, leaving out what is empty. */
TG_MUST_USE tg_result tg_aws_failure_append(const tg_aws_failure *failure, tg_buf *buf);

/* tg_aws_request_id finds the id that AWS gave the request; empty where there is none. */
tg_slice tg_aws_request_id(const tg_http_header *headers, size_t num_headers);

/* tg_aws_backoff_ms is how long to wait before attempt `attempt` + 1 (from 1): full jitter, at most 20 s. `random` is
 * evenly spread. */
uint64_t tg_aws_backoff_ms(tg_aws_advice advice, unsigned attempt, uint32_t random);

#endif
