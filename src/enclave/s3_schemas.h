/* Schemas from S3: what S3_BUCKET and S3_PREFIX say, put together from the parts that do it. */
#ifndef TG_ENCLAVE_S3_SCHEMAS_H
#define TG_ENCLAVE_S3_SCHEMAS_H

#include "aws/credentials.h"
#include "enclave/enclave_settings.h"
#include "enclave/schema_source.h"

typedef struct tg_s3_schemas tg_s3_schemas;

/* tg_s3_schemas_open makes a source; nothing is read yet. Without S3_BUCKET there is none: *out_schemas is NULL.
 * in    keys: AWS keys to be asked for before the environment's; NULL: none
 * err   what is wrong in the configuration is in faults; TG_ERR_MEMORY, TG_ERR_SYSTEM
 * keep  the settings and their environment outlive it
 */
TG_MUST_USE tg_result tg_s3_schemas_open(const tg_enclave_settings *settings, const tg_aws_key_source *keys,
                                         tg_faults *faults, tg_s3_schemas **out_schemas);
/* tg_s3_schemas_close: no reading is under way. NULL is fine. */
void tg_s3_schemas_close(tg_s3_schemas *schemas);

/* tg_s3_schemas_source is for schema_refresh; NULL for NULL. */
tg_schema_source *tg_s3_schemas_source(tg_s3_schemas *schemas);

#endif
