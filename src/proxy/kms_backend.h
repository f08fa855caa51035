/* The KMS proxy's own calls of AWS: whom to believe is shared by all workers, connections and credentials are each
 * worker's. */
#ifndef TG_PROXY_KMS_BACKEND_H
#define TG_PROXY_KMS_BACKEND_H

#include "aws/access.h"

enum { TG_KMS_MAX_REGIONS = 8 };

typedef struct tg_kms_backend tg_kms_backend;

/* tg_kms_backend_new makes a worker's. err: TG_ERR_MEMORY. keep: loop, environment and trust outlive it */
TG_MUST_USE tg_result tg_kms_backend_new(tg_loop *loop, const char *const *environment,
                                         const tg_aws_access_trust *trust, tg_kms_backend **out_backend);
/* tg_kms_backend_free: no call is left. NULL is fine. */
void tg_kms_backend_free(tg_kms_backend *backend);

/* tg_kms_backend_client gives the client of a region, made when it is first asked for.
 * err   TG_ERR_SYNTAX: no region's name; TG_ERR_LIMIT past TG_KMS_MAX_REGIONS; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_kms_backend_client(tg_kms_backend *backend, tg_slice region, tg_aws_client **out_client);

#endif
