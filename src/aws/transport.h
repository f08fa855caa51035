/* The HTTP clients of one loop, one for each origin that AWS's calls go to; and AWS's clock as its answers show it. */
#ifndef TG_AWS_TRANSPORT_H
#define TG_AWS_TRANSPORT_H

#include "aws/endpoint.h"
#include "http/client.h"

enum { TG_AWS_MAX_ORIGINS = 16 };

/* Gives the way to an endpoint: whoever knows addresses, carriers and TLS (outbound/) implements it.
 * keep  *out_connector outlives the transport
 */
typedef tg_result tg_aws_connect_fn(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector);

typedef struct tg_aws_transport_settings {
    tg_slice region;                /* copied; may be empty where every endpoint is the operator's */
    const char *const *environment; /* outlives the transport: custom endpoints, sources of credentials */
    tg_aws_connect_fn *connect;
    void *owner;                                  /* of connect */
    const tg_http_client_limits *limits;          /* copied; NULL: the default ones */
    uint64_t (*clock_unix_ms)(const void *owner); /* NULL: the machine's */
} tg_aws_transport_settings;

typedef struct tg_aws_transport tg_aws_transport;

/* tg_aws_transport_new makes one. Nothing is connected.
 * err   TG_ERR_MEMORY, TG_ERR_LIMIT: the region
 * thread  it belongs to the loop's, as all that is made of it
 */
TG_MUST_USE tg_result tg_aws_transport_new(tg_loop *loop, const tg_aws_transport_settings *settings,
                                           tg_aws_transport **out_transport);
/* tg_aws_transport_free ends the calls that are left (TG_ERR_CANCELLED). */
void tg_aws_transport_free(tg_aws_transport *transport);

tg_loop *tg_aws_transport_loop(const tg_aws_transport *transport);
tg_slice tg_aws_transport_region(const tg_aws_transport *transport);
const char *const *tg_aws_transport_environment(const tg_aws_transport *transport);

/* tg_aws_transport_client gives the client of an endpoint, made when it is first asked for.
 * err   TG_ERR_LIMIT past TG_AWS_MAX_ORIGINS; connect's; tg_http_client_new's
 */
TG_MUST_USE tg_result tg_aws_transport_client(tg_aws_transport *transport, const tg_aws_endpoint *endpoint,
                                              tg_http_client **out_client);

/* tg_aws_transport_now_s is AWS's time: the machine's, corrected by what tg_aws_transport_set_now_s was told last. */
uint64_t tg_aws_transport_now_s(const tg_aws_transport *transport);
void tg_aws_transport_set_now_s(tg_aws_transport *transport, uint64_t unix_s);

#endif
