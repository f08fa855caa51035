/* Amazon S3: a bucket listed page by page, and an object read, where it has changed (S3 API reference). */
#ifndef TG_AWS_S3_H
#define TG_AWS_S3_H

#include "aws/call.h"
#include "aws/s3_page.h"

/* The bucket and whose it must be. */
typedef struct tg_aws_bucket {
    tg_slice name;
    tg_slice owner; /* an account, sent as x-amz-expected-bucket-owner; empty: whoever's */
} tg_aws_bucket;

/* Called once, from the loop: page is NULL where failure says why; it lives until the callback returns. */
typedef void tg_aws_s3_page_fn(const tg_aws_s3_page *page, const tg_aws_failure *failure, void *owner);

/* tg_aws_s3_list_start asks for a page of the keys that begin with `prefix`; token: empty, or the page before's.
 * err   TG_ERR_SYNTAX: no bucket's name; TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_aws_s3_list_start(tg_aws_client *client, const tg_aws_bucket *bucket, tg_slice prefix,
                                           tg_slice token, tg_aws_s3_page_fn *done, void *owner,
                                           tg_aws_call **out_call);

/* What came of an object; lives until the callback returns. */
typedef struct tg_aws_s3_content {
    bool is_unchanged; /* it still has the etag that was given: no body */
    tg_slice etag;
    tg_slice body;
} tg_aws_s3_content;

/* Called once, from the loop: content is NULL where failure says why. */
typedef void tg_aws_s3_content_fn(const tg_aws_s3_content *content, const tg_aws_failure *failure, void *owner);

/* tg_aws_s3_get_start reads an object.
 * in    etag: empty, or what the caller has (If-None-Match); max_bytes: longer ones fail with TG_ERR_LIMIT
 * err   as above
 */
TG_MUST_USE tg_result tg_aws_s3_get_start(tg_aws_client *client, const tg_aws_bucket *bucket, tg_slice key,
                                          tg_slice etag, uint64_t max_bytes, tg_aws_s3_content_fn *done, void *owner,
                                          tg_aws_call **out_call);

#endif
