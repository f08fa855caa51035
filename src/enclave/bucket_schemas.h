/* Schemas of a bucket: the files below a prefix, listed at each reading, and those read whose etag is another than
 * before. One object that cannot be read takes no other along; a bucket that cannot be listed changes nothing. */
#ifndef TG_ENCLAVE_BUCKET_SCHEMAS_H
#define TG_ENCLAVE_BUCKET_SCHEMAS_H

#include "enclave/object_store.h"
#include "enclave/schema_source.h"

typedef struct tg_bucket_schemas tg_bucket_schemas;

enum {
    TG_MAX_BUCKET_OBJECTS = 100000, /* listed below the prefix, whatever they are */
    TG_MAX_PARALLEL_READS = 4
};

/* tg_bucket_schemas_new makes a source.
 * in    prefix: of the keys, ending in a slash or empty; name: for logs; both are copied
 * err   TG_ERR_MEMORY
 * keep  loop and store outlive it; the loop runs in its readings alone, on the thread that reads
 */
TG_MUST_USE tg_result tg_bucket_schemas_new(tg_loop *loop, tg_object_store *store, tg_slice prefix, tg_slice name,
                                            tg_bucket_schemas **out_schemas);
void tg_bucket_schemas_free(tg_bucket_schemas *schemas);

/* tg_bucket_schemas_source is its face for schema_refresh; it lives as long. */
tg_schema_source *tg_bucket_schemas_source(tg_bucket_schemas *schemas);

#endif
