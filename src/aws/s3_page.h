/* One page of ListObjectsV2. */
#ifndef TG_AWS_S3_PAGE_H
#define TG_AWS_S3_PAGE_H

#include "base/arena.h"

enum { TG_AWS_S3_MAX_OBJECTS = 1000, TG_AWS_S3_MAX_KEY_BYTES = 1024 }; /* of a page; S3's own bounds */

typedef struct tg_aws_s3_object {
    tg_slice key;  /* as it is, decoded: any UTF-8 */
    tg_slice etag; /* with its quotes, as If-Match and If-None-Match take it */
    uint64_t size_bytes;
} tg_aws_s3_object;

typedef struct tg_aws_s3_page {
    const tg_aws_s3_object *objects;
    size_t num_objects;
    bool is_truncated;
    tg_slice next_token; /* of the next page, where is_truncated */
} tg_aws_s3_page;

/* tg_aws_s3_page_parse reads the answer's XML, as it was asked for with encoding-type=url or without.
 * out   *out_page, in the arena
 * err   TG_ERR_SYNTAX: not of its form, an object without key, etag or size, truncated without a token; TG_ERR_LIMIT;
 *       TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_s3_page_parse(tg_slice xml, tg_arena *arena, tg_aws_s3_page *out_page);

#endif
