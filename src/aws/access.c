#include "aws/access.h"

#include "outbound/outbound.h"
#include "outbound/trust.h"
#include "sys/clock.h"
#include "sys/environment.h"

#include <stdlib.h>

enum { MAX_URL_BYTES = TG_AWS_MAX_HOST_BYTES + 32 };

struct tg_aws_access {
    tg_aws_access_settings settings;
    tg_aws_access_trust own_trust; /* where the settings have none */
    const tg_aws_access_trust *trust;
    tg_aws_transport *transport;
    tg_aws_credentials *credentials;
    tg_aws_client *client;
    size_t num_outbounds;
    tg_outbound *outbounds[TG_AWS_MAX_ORIGINS];
};

static const char *ca_path(const char *const *environment)
{
    const char *path = tg_environment_get(environment, "AWS_CA_BUNDLE");
    return path != NULL && path[0] != 0 ? path : TG_TRUST_SYSTEM_BUNDLE;
}

tg_result tg_aws_access_trust_init(tg_aws_access_trust *trust, const char *const *environment, tg_detail *detail)
{
    const tg_trust_settings settings = {.ca_path = ca_path(environment),
                                        .now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000)};
    *trust = (tg_aws_access_trust){.tls = NULL};
    return tg_trust_new(&settings, &trust->tls, detail);
}

void tg_aws_access_trust_done(tg_aws_access_trust *trust)
{
    tg_tls_context_unref(TG_TAKE(trust->tls));
}

/* As teegate-proxy's aws.forwards: a base port, and one for each service above it. */
static const uint32_t offsets[TG_AWS_NUM_SERVICES] = {
    [TG_AWS_KMS] = 1, [TG_AWS_SECRETS_MANAGER] = 2, [TG_AWS_S3] = 3, [TG_AWS_METADATA] = 4,
    [TG_AWS_STS] = 5, [TG_AWS_CONTAINER] = 6,
};

static tg_result url_of(const tg_aws_endpoint *endpoint, tg_buf *url)
{
    return tg_buf_printf(url, "http%s://%s", endpoint->is_tls ? "s" : "", endpoint->authority);
}

static bool is_on_loopback(const tg_aws_endpoint *endpoint)
{
    tg_buf url;
    tg_origin origin;
    tg_buf_init(&url, MAX_URL_BYTES);
    bool is_loopback = tg_is_ok(url_of(endpoint, &url)) &&
                       tg_is_ok(tg_origin_parse(tg_buf_slice(&url), &origin, NULL)) && origin.is_loopback;
    tg_buf_done(&url);
    return is_loopback;
}

static bool is_source_of_keys(const tg_aws_endpoint *endpoint)
{
    return endpoint->service == TG_AWS_METADATA || endpoint->service == TG_AWS_CONTAINER;
}

/* A region's name is looked at elsewhere: any will do. */
static tg_result check_endpoint(tg_aws_service service, const char *const *environment, tg_detail *detail)
{
    tg_aws_endpoint endpoint;
    TG_TRY(tg_aws_endpoint_find(service, TG_LIT("eu-west-1"), environment, &endpoint, detail));
    if (!endpoint.is_custom || endpoint.is_tls || is_source_of_keys(&endpoint) || is_on_loopback(&endpoint)) {
        return tg_ok();
    }
    tg_detail_set_place(detail, TG_LIT(""), 0, TG_LIT("AWS_ENDPOINT_URL"));
    tg_detail_set_reason(detail, "http://%s is not on loopback: what is signed and answered would go in clear",
                         endpoint.authority);
    tg_detail_set_remedy(detail, "write https:// (AWS_ENDPOINT_URL, or that of a service)");
    return tg_fail(TG_ERR_DENIED);
}

tg_result tg_aws_access_check(const tg_aws_service *services, size_t num_services, const char *const *environment,
                              tg_detail *detail)
{
    for (size_t i = 0; i < num_services; i++) {
        TG_TRY(check_endpoint(services[i], environment, detail));
    }
    TG_TRY(check_endpoint(TG_AWS_STS, environment, detail));
    return check_endpoint(TG_AWS_METADATA, environment, detail);
}

bool tg_aws_access_carrier(const tg_aws_access_settings *settings, const tg_aws_endpoint *endpoint,
                           tg_address *out_carrier)
{
    if (settings->proxy_port == 0 || (endpoint->is_custom && is_on_loopback(endpoint))) {
        return false;
    }
    *out_carrier = (tg_address){.kind = TG_ADDRESS_VSOCK,
                                .cid = settings->proxy_cid,
                                .has_cid = true,
                                .port = settings->proxy_port + offsets[endpoint->service]};
    return true;
}

/* The operator's own endpoints may be plain on this machine, and so are the two sources of credentials, which AWS
 * serves on link-local addresses. */
static tg_result connect_to(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector)
{
    tg_aws_access *access = owner;
    tg_address carrier;
    tg_buf url;
    tg_outbound *outbound;
    if (access->num_outbounds == TG_COUNT(access->outbounds)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_buf_init(&url, MAX_URL_BYTES);
    tg_result result = url_of(endpoint, &url);
    if (tg_is_ok(result)) {
        const tg_outbound_settings settings = {
            .url = tg_buf_slice(&url),
            .carrier = tg_aws_access_carrier(&access->settings, endpoint, &carrier) ? &carrier : NULL,
            .plain = is_source_of_keys(endpoint) ? TG_OUTBOUND_PLAIN_LOCAL : TG_OUTBOUND_PLAIN_LOOPBACK,
            .tls = endpoint->is_tls ? access->trust->tls : NULL};
        result = tg_outbound_new(&settings, &outbound, NULL);
    }
    tg_buf_done(&url);
    TG_TRY(result);
    access->outbounds[access->num_outbounds++] = outbound;
    *out_connector = tg_outbound_connector(outbound);
    return tg_ok();
}

static tg_slice text_of(const char *const *environment, const char *name)
{
    return tg_slice_str(tg_environment_get(environment, name));
}

static tg_result find_region(const tg_aws_access_settings *settings, tg_slice *out_region, tg_detail *detail)
{
    tg_slice region = settings->region;
    region = region.len > 0 ? region : text_of(settings->environment, "AWS_REGION");
    region = region.len > 0 ? region : text_of(settings->environment, "AWS_DEFAULT_REGION");
    if (!tg_aws_region_is_valid(region)) {
        tg_detail_set_place(detail, tg_slice_str("environment"), 0, tg_slice_str("AWS_REGION"));
        tg_detail_set_reason(detail,
                             region.len > 0 ? "is no name of a region" : "is not set, and no ARN names a region");
        tg_detail_set_remedy(detail, "set it to the region of the bucket and the keys, as eu-west-1");
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_region = region;
    return tg_ok();
}

static tg_result set_up(tg_aws_access *access, tg_loop *loop, tg_slice region, tg_detail *detail)
{
    const char *const *environment = access->settings.environment;
    const tg_aws_transport_settings transport = {.region = region,
                                                 .environment = environment,
                                                 .connect = connect_to,
                                                 .owner = access,
                                                 .limits = access->settings.limits};
    access->trust = access->settings.trust;
    if (access->trust == NULL) {
        access->trust = &access->own_trust;
        TG_TRY(tg_aws_access_trust_init(&access->own_trust, environment, detail));
    }
    TG_TRY(tg_aws_transport_new(loop, &transport, &access->transport));
    TG_TRY(tg_aws_credentials_new(access->transport, access->settings.keys, &access->credentials));
    return tg_aws_client_new(access->transport, access->credentials, &access->client);
}

tg_result tg_aws_access_new(tg_loop *loop, const tg_aws_access_settings *settings, tg_aws_access **out_access,
                            tg_detail *detail)
{
    tg_slice region;
    TG_TRY(find_region(settings, &region, detail));
    tg_aws_access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    access->settings = *settings;
    access->settings.region = (tg_slice){NULL, 0}; /* the transport has a copy */
    tg_result result = set_up(access, loop, region, detail);
    access->settings.keys = NULL;   /* the credentials have a copy */
    access->settings.limits = NULL; /* the clients have */
    if (!tg_is_ok(result)) {
        tg_aws_access_free(access);
        return result;
    }
    *out_access = access;
    return tg_ok();
}

void tg_aws_access_free(tg_aws_access *access)
{
    if (access == NULL) {
        return;
    }
    tg_aws_client_free(access->client);
    tg_aws_credentials_free(access->credentials);
    tg_aws_transport_free(access->transport);
    for (size_t i = 0; i < access->num_outbounds; i++) {
        tg_outbound_unref(access->outbounds[i]);
    }
    tg_aws_access_trust_done(&access->own_trust);
    free(access);
}

tg_aws_client *tg_aws_access_client(const tg_aws_access *access)
{
    return access->client;
}

tg_slice tg_aws_access_region(const tg_aws_access *access)
{
    return tg_aws_transport_region(access->transport);
}
