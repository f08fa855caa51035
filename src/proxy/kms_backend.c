#include "proxy/kms_backend.h"

#include "outbound/outbound.h"
#include "outbound/trust.h"
#include "sys/clock.h"
#include "sys/environment.h"

#include <stdlib.h>

enum { MAX_CONNECTIONS = 256, MAX_KEPT = 64, MAX_WAITING = 4096, MAX_URL_BYTES = 300 };

typedef struct region_client {
    tg_aws_transport *transport;
    tg_aws_credentials *credentials;
    tg_aws_client *client;
} region_client;

struct tg_kms_backend {
    tg_loop *loop;
    const tg_kms_trust *trust;
    size_t num_regions;
    region_client regions[TG_KMS_MAX_REGIONS];
    size_t num_outbounds;
    tg_outbound *outbounds[TG_KMS_MAX_REGIONS * TG_AWS_MAX_ORIGINS];
};

const char *tg_kms_trust_ca_path(const char *const *environment)
{
    const char *path = tg_environment_get(environment, "AWS_CA_BUNDLE");
    return path != NULL && path[0] != 0 ? path : TG_TRUST_SYSTEM_BUNDLE;
}

tg_result tg_kms_trust_init(tg_kms_trust *trust, const char *const *environment, tg_detail *detail)
{
    const tg_trust_settings settings = {.ca_path = tg_kms_trust_ca_path(environment),
                                        .now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000)};
    *trust = (tg_kms_trust){.environment = environment};
    return tg_trust_new(&settings, &trust->tls, detail);
}

void tg_kms_trust_done(tg_kms_trust *trust)
{
    tg_tls_context_unref(TG_TAKE(trust->tls));
}

static tg_result connect_to(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector)
{
    tg_kms_backend *backend = owner;
    tg_buf url;
    tg_outbound *outbound;
    if (backend->num_outbounds == TG_COUNT(backend->outbounds)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_buf_init(&url, MAX_URL_BYTES);
    tg_result result = tg_buf_printf(&url, "http%s://%s", endpoint->is_tls ? "s" : "", endpoint->authority);
    if (tg_is_ok(result)) {
        const tg_outbound_settings settings = {.url = tg_buf_slice(&url),
                                               .plain = TG_OUTBOUND_PLAIN_LOCAL,
                                               .tls = endpoint->is_tls ? backend->trust->tls : NULL};
        result = tg_outbound_new(&settings, &outbound, NULL);
    }
    tg_buf_done(&url);
    TG_TRY(result);
    backend->outbounds[backend->num_outbounds++] = outbound;
    *out_connector = tg_outbound_connector(outbound);
    return tg_ok();
}

tg_result tg_kms_backend_new(tg_loop *loop, const tg_kms_trust *trust, tg_kms_backend **out_backend)
{
    tg_kms_backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    backend->loop = loop;
    backend->trust = trust;
    *out_backend = backend;
    return tg_ok();
}

static void free_region(region_client *region)
{
    tg_aws_client_free(region->client);
    tg_aws_credentials_free(region->credentials);
    tg_aws_transport_free(region->transport);
}

void tg_kms_backend_free(tg_kms_backend *backend)
{
    if (backend == NULL) {
        return;
    }
    for (size_t i = 0; i < backend->num_regions; i++) {
        free_region(&backend->regions[i]);
    }
    for (size_t i = 0; i < backend->num_outbounds; i++) {
        tg_outbound_unref(backend->outbounds[i]);
    }
    free(backend);
}

static tg_result make_region(tg_kms_backend *backend, tg_slice region, region_client *made)
{
    tg_http_client_limits limits;
    tg_http_client_limits_default(&limits);
    limits.num_connections = MAX_CONNECTIONS;
    limits.num_kept = MAX_KEPT;
    limits.num_waiting = MAX_WAITING;
    const tg_aws_transport_settings settings = {.region = region,
                                                .environment = backend->trust->environment,
                                                .connect = connect_to,
                                                .owner = backend,
                                                .limits = &limits};
    TG_TRY(tg_aws_transport_new(backend->loop, &settings, &made->transport));
    TG_TRY(tg_aws_credentials_new(made->transport, NULL, &made->credentials));
    return tg_aws_client_new(made->transport, made->credentials, &made->client);
}

tg_result tg_kms_backend_client(tg_kms_backend *backend, tg_slice region, tg_aws_client **out_client)
{
    region_client made = {.client = NULL};
    for (size_t i = 0; i < backend->num_regions; i++) {
        if (tg_slice_equal(tg_aws_transport_region(backend->regions[i].transport), region)) {
            *out_client = backend->regions[i].client;
            return tg_ok();
        }
    }
    if (!tg_aws_region_is_valid(region)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (backend->num_regions == TG_KMS_MAX_REGIONS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_result result = make_region(backend, region, &made);
    if (!tg_is_ok(result)) {
        free_region(&made);
        return result;
    }
    backend->regions[backend->num_regions++] = made;
    *out_client = made.client;
    return tg_ok();
}
