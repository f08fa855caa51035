#include "proxy/kms_backend.h"

#include <stdlib.h>

enum { MAX_CONNECTIONS = 256, MAX_KEPT = 64, MAX_WAITING = 4096 };

struct tg_kms_backend {
    tg_loop *loop;
    const char *const *environment;
    const tg_aws_access_trust *trust;
    size_t num_regions;
    tg_aws_access *regions[TG_KMS_MAX_REGIONS];
};

tg_result tg_kms_backend_new(tg_loop *loop, const char *const *environment, const tg_aws_access_trust *trust,
                             tg_kms_backend **out_backend)
{
    tg_kms_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    *backend = (tg_kms_backend){.loop = loop, .environment = environment, .trust = trust};
    *out_backend = backend;
    return tg_ok();
}

void tg_kms_backend_free(tg_kms_backend *backend)
{
    if (backend == NULL) {
        return;
    }
    for (size_t i = 0; i < backend->num_regions; i++) {
        tg_aws_access_free(backend->regions[i]);
    }
    free(backend);
}

static tg_result make_region(tg_kms_backend *backend, tg_slice region, tg_aws_access **out_access)
{
    tg_detail detail = {0};
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_connections = MAX_CONNECTIONS;
    limits.num_kept = MAX_KEPT;
    limits.num_waiting = MAX_WAITING;
    const tg_aws_access_settings settings = {
        .region = region, .environment = backend->environment, .trust = backend->trust, .limits = &limits};
    return tg_aws_access_new(backend->loop, &settings, out_access, &detail);
}

tg_result tg_kms_backend_client(tg_kms_backend *backend, tg_slice region, tg_aws_client **out_client)
{
    tg_aws_access *made;
    for (size_t i = 0; i < backend->num_regions; i++) {
        if (tg_slice_equal(tg_aws_access_region(backend->regions[i]), region)) {
            *out_client = tg_aws_access_client(backend->regions[i]);
            return tg_ok();
        }
    }
    if (!tg_aws_region_is_valid(region)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (backend->num_regions == TG_KMS_MAX_REGIONS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    TG_TRY(make_region(backend, region, &made));
    backend->regions[backend->num_regions++] = made;
    *out_client = tg_aws_access_client(made);
    return tg_ok();
}
