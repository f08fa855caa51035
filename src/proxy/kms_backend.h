/* The KMS proxy's own calls of AWS: whom to believe is shared by all workers, connections and credentials are each
 * worker's. */
#ifndef TG_PROXY_KMS_BACKEND_H
#define TG_PROXY_KMS_BACKEND_H

#include "aws/call.h"
#include "tls/context.h"

enum { TG_KMS_MAX_REGIONS = 8 };

/* What all workers see; it outlives them and never changes. */
typedef struct tg_kms_trust {
    const char *const *environment;
    tg_tls_context *tls; /* NULL: no authorities could be read; only endpoints without TLS are reached */
} tg_kms_trust;

/* tg_kms_trust_ca_path is the file of authorities: AWS_CA_BUNDLE, else the system's. */
const char *tg_kms_trust_ca_path(const char *const *environment);

/* tg_kms_trust_init reads it.
 * err   those of tg_trust_new; the trust is usable all the same, without TLS
 * keep  environment outlives it; ended by tg_kms_trust_done
 */
TG_MUST_USE tg_result tg_kms_trust_init(tg_kms_trust *trust, const char *const *environment, tg_detail *detail);
void tg_kms_trust_done(tg_kms_trust *trust);

typedef struct tg_kms_backend tg_kms_backend;

/* tg_kms_backend_new makes a worker's. err: TG_ERR_MEMORY. keep: loop and trust outlive it */
TG_MUST_USE tg_result tg_kms_backend_new(tg_loop *loop, const tg_kms_trust *trust, tg_kms_backend **out_backend);
/* tg_kms_backend_free: no call is left. NULL is fine. */
void tg_kms_backend_free(tg_kms_backend *backend);

/* tg_kms_backend_client gives the client of a region, made when it is first asked for.
 * err   TG_ERR_SYNTAX: no region's name; TG_ERR_LIMIT past TG_KMS_MAX_REGIONS; TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_kms_backend_client(tg_kms_backend *backend, tg_slice region, tg_aws_client **out_client);

#endif
