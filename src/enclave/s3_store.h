/* A bucket of S3 as a store of objects: ListObjectsV2 and GetObject. */
#ifndef TG_ENCLAVE_S3_STORE_H
#define TG_ENCLAVE_S3_STORE_H

#include "aws/call.h"
#include "enclave/object_store.h"

typedef struct tg_s3_store tg_s3_store;

/* tg_s3_store_new makes one.
 * in    owner: the account that the bucket must belong to (x-amz-expected-bucket-owner); empty: not asked
 * err   TG_ERR_SYNTAX: no bucket's name; TG_ERR_MEMORY
 * keep  bucket and owner are copied; the client outlives it
 */
TG_MUST_USE tg_result tg_s3_store_new(tg_aws_client *client, tg_slice bucket, tg_slice owner, tg_s3_store **out_store);

/* tg_s3_store_free gives up what is under way. NULL is fine. */
void tg_s3_store_free(tg_s3_store *store);

/* tg_s3_store_face is what bucket_schemas takes; it lives as long as the store. */
tg_object_store *tg_s3_store_face(tg_s3_store *store);

#endif
