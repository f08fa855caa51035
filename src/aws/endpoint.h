/* Where AWS's services are: by region and partition, or where the operator says. */
#ifndef TG_AWS_ENDPOINT_H
#define TG_AWS_ENDPOINT_H

#include "base/detail.h"

typedef enum tg_aws_service {
    TG_AWS_KMS,
    TG_AWS_SECRETS_MANAGER,
    TG_AWS_S3,
    TG_AWS_STS,
    TG_AWS_METADATA,  /* of the EC2 instance: its credentials */
    TG_AWS_CONTAINER, /* credentials of an ECS task or an EKS pod */
    TG_AWS_NUM_SERVICES
} tg_aws_service;

enum { TG_AWS_MAX_HOST_BYTES = 255, TG_AWS_MAX_REGION_BYTES = 63, TG_AWS_MAX_BUCKET_BYTES = 63 };

typedef struct tg_aws_endpoint {
    tg_aws_service service;
    bool is_tls;
    bool is_custom;                            /* the operator named it */
    uint16_t port;                             /* never 0 */
    char host[TG_AWS_MAX_HOST_BYTES + 1];      /* a name or an address, IPv6 without brackets */
    char authority[TG_AWS_MAX_HOST_BYTES + 9]; /* the value of Host: without the scheme's own port */
} tg_aws_endpoint;

/* tg_aws_service_name is the name that is signed and that endpoints begin with: "kms", "secretsmanager", "s3", "sts",
 * "metadata", "container". Static. */
const char *tg_aws_service_name(tg_aws_service service);

/* tg_aws_region_is_valid is true for what a region's name may be: lower-case letters, digits and hyphens, none at its
 * ends. tg_aws_partition_of gives the partition's name: aws, aws-cn, aws-us-gov, aws-iso, ... Static. */
bool tg_aws_region_is_valid(tg_slice region);
const char *tg_aws_partition_of(tg_slice region);

/* tg_aws_bucket_is_valid holds a bucket's name to S3's rules for new ones. */
bool tg_aws_bucket_is_valid(tg_slice bucket);

/* tg_aws_endpoint_of gives AWS's own endpoint of a service: the regional one, over TLS (but METADATA and CONTAINER).
 * err   TG_ERR_SYNTAX: no region's name
 */
TG_MUST_USE tg_result tg_aws_endpoint_of(tg_aws_service service, tg_slice region, tg_aws_endpoint *out_endpoint);

/* tg_aws_endpoint_parse reads `http[s]://HOST[:PORT][/]`.
 * err   TG_ERR_UNSUPPORTED: another scheme, a path, a query; TG_ERR_SYNTAX, TG_ERR_RANGE: host or port; TG_ERR_LIMIT
 */
TG_FOREIGN TG_MUST_USE tg_result tg_aws_endpoint_parse(tg_aws_service service, tg_slice url,
                                                       tg_aws_endpoint *out_endpoint);

/* tg_aws_endpoint_find takes the operator's (`AWS_ENDPOINT_URL_KMS`, ..._SECRETS_MANAGER, ..._S3, ..._STS, else
 * `AWS_ENDPOINT_URL`), else AWS's own. METADATA has `AWS_EC2_METADATA_SERVICE_ENDPOINT` instead.
 * err   as above; detail names the variable
 */
TG_MUST_USE tg_result tg_aws_endpoint_find(tg_aws_service service, tg_slice region, const char *const *environment,
                                           tg_aws_endpoint *out_endpoint, tg_detail *detail);

/* tg_aws_endpoint_of_bucket makes S3's endpoint that of a bucket: `BUCKET.s3.REGION...`. False, and nothing changes,
 * where the bucket belongs into the path: at a custom endpoint, and where its name holds a dot, which no certificate of
 * S3's covers.
 */
bool tg_aws_endpoint_of_bucket(tg_aws_endpoint *endpoint, tg_slice bucket);

#endif
