#include "enclave/s3_schemas.h"

#include "aws/access.h"
#include "aws/arn.h"
#include "enclave/bucket_schemas.h"
#include "enclave/s3_store.h"
#include "sys/environment.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_NAME_BYTES = 1200 };

struct tg_s3_schemas {
    tg_loop *loop; /* runs while schemas are read, on the thread that reads */
    tg_aws_access *access;
    tg_s3_store *store;
    tg_bucket_schemas *bucket;
};

/* "The path below the prefix": a prefix is a folder. */
static void name_prefix(const char *prefix, char out[MAX_NAME_BYTES])
{
    size_t len = strlen(prefix);
    bool is_whole = strcmp(prefix, "/") == 0;
    (void)snprintf(out, MAX_NAME_BYTES, "%s%s", is_whole ? "" : prefix, prefix[len - 1] != '/' ? "/" : "");
}

static bool is_set(const tg_enclave_settings *settings, const char *name)
{
    const char *value = tg_environment_get(settings->environment, name);
    return value != NULL && value[0] != 0;
}

/* What nobody says otherwise is as with the secret: the account that a bucket must belong to, and the region. */
static void complete(const tg_enclave_settings *settings, tg_slice *out_owner, tg_slice *out_region)
{
    tg_aws_arn secret = {.account = {NULL, 0}};
    *out_owner = tg_slice_str(settings->s3_bucket_owner);
    *out_region = (tg_slice){NULL, 0};
    if (settings->secret_arn == NULL || !tg_is_ok(tg_aws_arn_parse(tg_slice_str(settings->secret_arn), &secret))) {
        return;
    }
    if (settings->s3_bucket_owner == NULL) {
        *out_owner = secret.account;
    }
    if (!is_set(settings, "AWS_REGION") && !is_set(settings, "AWS_DEFAULT_REGION")) {
        *out_region = secret.region;
    }
}

static tg_result set_up(tg_s3_schemas *schemas, const tg_enclave_settings *settings, const tg_aws_key_source *keys,
                        tg_faults *faults)
{
    tg_slice owner;
    tg_slice region;
    complete(settings, &owner, &region);
    const tg_aws_access_settings access = {.region = region,
                                           .proxy_cid = (uint32_t)settings->vsock_proxy_cid,
                                           .proxy_port = (uint32_t)settings->vsock_proxy_port,
                                           .environment = settings->environment,
                                           .keys = keys};
    char prefix[MAX_NAME_BYTES];
    char name[2 * MAX_NAME_BYTES];
    tg_detail detail = {.line = 0};
    name_prefix(settings->s3_prefix, prefix);
    (void)snprintf(name, sizeof name, "s3://%s/%s", settings->s3_bucket, prefix);
    static const tg_aws_service called[] = {TG_AWS_S3};
    tg_result checked = tg_aws_access_check(called, TG_COUNT(called), settings->environment, &detail);
    if (!tg_is_ok(checked)) {
        *tg_faults_add(faults) = detail;
        return checked;
    }
    TG_TRY(tg_loop_new(&schemas->loop));
    tg_result result = tg_aws_access_new(schemas->loop, &access, &schemas->access, &detail);
    if (!tg_is_ok(result)) {
        *tg_faults_add(faults) = detail;
        return result;
    }
    TG_TRY(tg_s3_store_new(tg_aws_access_client(schemas->access), tg_slice_str(settings->s3_bucket), owner,
                           &schemas->store));
    return tg_bucket_schemas_new(schemas->loop, tg_s3_store_face(schemas->store), tg_slice_str(prefix),
                                 tg_slice_str(name), &schemas->bucket);
}

tg_result tg_s3_schemas_open(const tg_enclave_settings *settings, const tg_aws_key_source *keys, tg_faults *faults,
                             tg_s3_schemas **out_schemas)
{
    if (settings->s3_bucket == NULL) {
        *out_schemas = NULL;
        return tg_ok();
    }
    tg_s3_schemas *schemas = calloc(1, sizeof *schemas);
    if (schemas == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = set_up(schemas, settings, keys, faults);
    if (!tg_is_ok(result)) {
        tg_s3_schemas_close(schemas);
        return result;
    }
    *out_schemas = schemas;
    return tg_ok();
}

void tg_s3_schemas_close(tg_s3_schemas *schemas)
{
    if (schemas == NULL) {
        return;
    }
    tg_bucket_schemas_free(schemas->bucket);
    tg_s3_store_free(schemas->store);
    tg_aws_access_free(schemas->access);
    if (schemas->loop != NULL) {
        tg_loop_free(schemas->loop);
    }
    free(schemas);
}

tg_schema_source *tg_s3_schemas_source(tg_s3_schemas *schemas)
{
    return schemas != NULL ? tg_bucket_schemas_source(schemas->bucket) : NULL;
}
