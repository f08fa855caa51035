/* The way to AWS, on one loop: over the host's forwards (vsock, a port for each service) or directly, TLS ending in
 * this process whatever carries it, with credentials from where AWS's own programs look for them. */
#ifndef TG_AWS_ACCESS_H
#define TG_AWS_ACCESS_H

#include "aws/call.h"
#include "base/detail.h"
#include "io/address.h"
#include "tls/context.h"

typedef struct tg_aws_access tg_aws_access;

/* Whom to believe of AWS: read once, never changed, for any number of accesses on any threads. */
typedef struct tg_aws_access_trust {
    tg_tls_context *tls; /* NULL: no authorities could be read; only endpoints without TLS are reached */
} tg_aws_access_trust;

/* tg_aws_access_trust_init reads the file of AWS_CA_BUNDLE, else the system's.
 * err   those of tg_trust_new; the trust is usable all the same, without TLS
 * keep  ended by tg_aws_access_trust_done
 */
TG_MUST_USE tg_result tg_aws_access_trust_init(tg_aws_access_trust *trust, const char *const *environment,
                                               tg_detail *detail);
void tg_aws_access_trust_done(tg_aws_access_trust *trust);

typedef struct tg_aws_access_settings {
    tg_slice region;                     /* empty: AWS_REGION, AWS_DEFAULT_REGION */
    uint32_t proxy_cid;                  /* VSOCK_PROXY_CID */
    uint32_t proxy_port;                 /* VSOCK_PROXY_PORT: the base; 0: everything is dialled directly */
    const char *const *environment;      /* outlives the access */
    const tg_aws_key_source *keys;       /* asked before the environment; copied; NULL: none */
    const tg_aws_access_trust *trust;    /* outlives the access; NULL: it reads one of its own */
    const tg_http_client_limits *limits; /* copied; NULL: the default ones */
} tg_aws_access_settings;

/* tg_aws_access_check looks at the variables that name endpoints (AWS_ENDPOINT_URL and its kin): before anything is
 * called, since a call can only say that it could not be made.
 * in    services: that will be called; those of credentials are looked at beside them
 * err   TG_ERR_SYNTAX, TG_ERR_UNSUPPORTED: no endpoint; TG_ERR_DENIED: http:// where it may not be. The detail names it
 */
TG_MUST_USE tg_result tg_aws_access_check(const tg_aws_service *services, size_t num_services,
                                          const char *const *environment, tg_detail *detail);

/* tg_aws_access_new makes one; nothing is connected.
 * err   TG_ERR_SYNTAX: no region, or none that is one; those of tg_trust_new (the file of AWS_CA_BUNDLE, or the
 *       system's bundle); TG_ERR_MEMORY. The detail says what to do
 * keep  the loop outlives it; thread: the loop's
 */
TG_MUST_USE tg_result tg_aws_access_new(tg_loop *loop, const tg_aws_access_settings *settings,
                                        tg_aws_access **out_access, tg_detail *detail);
/* tg_aws_access_free ends calls that are under way; nobody is told. NULL is fine. */
void tg_aws_access_free(tg_aws_access *access);

/* tg_aws_access_client makes calls; it lives as long as the access. */
tg_aws_client *tg_aws_access_client(const tg_aws_access *access);
tg_slice tg_aws_access_region(const tg_aws_access *access);

/* tg_aws_access_carrier says what is dialled for an endpoint: a forward of the host's.
 * out   false where the endpoint is dialled itself: no forwards, or an endpoint of the operator's on loopback
 */
bool tg_aws_access_carrier(const tg_aws_access_settings *settings, const tg_aws_endpoint *endpoint,
                           tg_address *out_carrier);

#endif
