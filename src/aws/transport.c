#include "aws/transport.h"

#include "sys/clock.h"

#include <stdlib.h>

typedef struct origin {
    char authority[sizeof((tg_aws_endpoint *)0)->authority];
    bool is_tls;
    tg_http_client *client;
} origin;

struct tg_aws_transport {
    tg_loop *loop;
    tg_aws_transport_settings settings;
    tg_http_client_limits limits; /* what settings.limits points to */
    char region[TG_AWS_MAX_REGION_BYTES + 1];
    int64_t ahead_s; /* how much AWS's clock is before the machine's */
    size_t num_origins;
    origin origins[TG_AWS_MAX_ORIGINS];
};

tg_result tg_aws_transport_new(tg_loop *loop, const tg_aws_transport_settings *settings,
                               tg_aws_transport **out_transport)
{
    if (settings->region.len > TG_AWS_MAX_REGION_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_aws_transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    transport->loop = loop;
    transport->settings = *settings;
    memcpy(transport->region, settings->region.len > 0 ? (const char *)settings->region.ptr : "", settings->region.len);
    if (settings->limits != NULL) {
        transport->limits = *settings->limits;
        transport->settings.limits = &transport->limits;
    }
    transport->settings.region = tg_slice_of(transport->region, settings->region.len);
    *out_transport = transport;
    return tg_ok();
}

void tg_aws_transport_free(tg_aws_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    for (size_t i = 0; i < transport->num_origins; i++) {
        tg_http_client_free(transport->origins[i].client);
    }
    free(transport);
}

tg_loop *tg_aws_transport_loop(const tg_aws_transport *transport)
{
    return transport->loop;
}

tg_slice tg_aws_transport_region(const tg_aws_transport *transport)
{
    return transport->settings.region;
}

const char *const *tg_aws_transport_environment(const tg_aws_transport *transport)
{
    return transport->settings.environment;
}

tg_result tg_aws_transport_client(tg_aws_transport *transport, const tg_aws_endpoint *endpoint,
                                  tg_http_client **out_client)
{
    for (size_t i = 0; i < transport->num_origins; i++) {
        const origin *known = &transport->origins[i];
        if (known->is_tls == endpoint->is_tls && strcmp(known->authority, endpoint->authority) == 0) {
            *out_client = known->client;
            return tg_ok();
        }
    }
    if (transport->num_origins == TG_AWS_MAX_ORIGINS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_http_connector *connector;
    origin *added = &transport->origins[transport->num_origins];
    TG_TRY(transport->settings.connect(endpoint, transport->settings.owner, &connector));
    tg_slice authority = tg_slice_of(endpoint->authority, strlen(endpoint->authority));
    TG_TRY(tg_http_client_new(transport->loop, connector, authority, transport->settings.limits, &added->client));
    memcpy(added->authority, endpoint->authority, sizeof added->authority);
    added->is_tls = endpoint->is_tls;
    transport->num_origins++;
    *out_client = added->client;
    return tg_ok();
}

static int64_t machine_s(const tg_aws_transport *transport)
{
    const tg_aws_transport_settings *settings = &transport->settings;
    uint64_t unix_ms = settings->clock_unix_ms != NULL ? settings->clock_unix_ms(settings->owner) : tg_clock_unix_ms();
    return (int64_t)(unix_ms / 1000);
}

uint64_t tg_aws_transport_now_s(const tg_aws_transport *transport)
{
    int64_t now_s = machine_s(transport) + transport->ahead_s;
    return now_s > 0 ? (uint64_t)now_s : 0;
}

void tg_aws_transport_set_now_s(tg_aws_transport *transport, uint64_t unix_s)
{
    transport->ahead_s = (int64_t)unix_s - machine_s(transport);
}
