/* The backends that a worker calls. One pool of connections for each origin, made with the secrets in force; when new
 * ones come, new calls go over new pools, and the old ones end with their last call. A backend that fails again and
 * again is left alone for a while (gateway/breaker.h).
 *
 * Everything belongs to one loop. */
#ifndef TG_GATEWAY_UPSTREAMS_H
#define TG_GATEWAY_UPSTREAMS_H

#include "gateway/breaker.h"
#include "gateway/upstream_fault.h"
#include "http/client.h"
#include "outbound/outbound.h"
#include "secrets/store.h"
#include "settings/setting_value.h"

enum { TG_MAX_UPSTREAMS = 512 /* of one version of the secrets: routes, and the values that they refer to */ };

typedef struct tg_upstreams_settings {
    const tg_address *egress;      /* the egress proxy that everything goes through; NULL: backends are dialled */
    tg_outbound_plain plain;       /* where http:// may lead */
    tg_setting_list allowed_hosts; /* gateway/upstream_guards.h, as are the digests: empty lists allow all */
    tg_setting_list ca_sha256;
    size_t num_connections; /* to one backend, at once */
    size_t max_ask_bytes;   /* of a request's body */
    /* Gives another connector than outbound/'s; NULL: that one. For tests. */
    tg_http_connector *(*connector_of)(const tg_outbound_settings *settings, void *owner);
    void *owner;
} tg_upstreams_settings;

typedef struct tg_upstreams tg_upstreams;
typedef struct tg_upstream tg_upstream;

/* tg_upstreams_new makes an empty set, without secrets.
 * err   TG_ERR_MEMORY
 * keep  settings are copied, what they point to outlives the set, as does the loop
 */
TG_MUST_USE tg_result tg_upstreams_new(tg_loop *loop, const tg_upstreams_settings *settings,
                                       tg_upstreams **out_upstreams);
/* tg_upstreams_free ends what is under way: on_done comes with TG_ERR_CANCELLED. NULL is fine. */
void tg_upstreams_free(tg_upstreams *upstreams);

/* tg_upstreams_set_secrets has calls from now on made with these; the same version again changes nothing. May be NULL:
 * none. */
void tg_upstreams_set_secrets(tg_upstreams *upstreams, tg_secrets *secrets);

/* Where a route leads. */
typedef struct tg_upstream_target {
    tg_slice url;           /* https://HOST[:PORT][/PATH]; empty: */
    const char *value_name; /* the delivered value that holds it */
    bool may_be_common_name;
} tg_upstream_target;

/* tg_upstreams_find gives the backend of a target.
 * out   *out_upstream: until the loop's turn ends. *out_path: of the URL, as long as the secrets in force
 * err   TG_ERR_NOT_FOUND (a secret is missing; out_fault names it), TG_ERR_DENIED (a guard, http://), TG_ERR_SYNTAX
 * (the delivered URL), TG_ERR_AGAIN (its circuit is open), TG_ERR_LIMIT, TG_ERR_MEMORY; *out_fault says it to the
 * client
 */
TG_MUST_USE tg_result tg_upstreams_find(tg_upstreams *upstreams, const tg_upstream_target *target,
                                        tg_upstream **out_upstream, tg_slice *out_path, tg_gateway_fault *out_fault);

/* tg_upstream_authority is host[:port]; it lives as long as the backend. */
tg_slice tg_upstream_authority(const tg_upstream *upstream);

/* One call; the caller's storage, in place until on_done or the cancel. */
typedef struct tg_upstream_call {
    tg_http_call *http;
    tg_upstream *upstream;
    tg_http_call_handlers handlers;
    void *owner;
    uint64_t began_ms;
    bool is_probe;
} tg_upstream_call;

/* tg_upstream_call_start asks the backend, as tg_http_call_start does; on_done and on_head must be there, handlers get
 * `owner`. tg_upstream_fault_of says what the client is to be told where on_done brought a failure.
 * err   those of tg_http_call_start; *out_fault says it to the client
 */
TG_MUST_USE tg_result tg_upstream_call_start(tg_upstream *upstream, const tg_http_ask *ask,
                                             const tg_http_call_handlers *handlers, void *owner, tg_upstream_call *call,
                                             tg_gateway_fault *out_fault);
/* tg_upstream_call_cancel gives up, where the call has begun and not ended. */
void tg_upstream_call_cancel(tg_upstream_call *call);

typedef struct tg_upstreams_counts {
    size_t num_upstreams; /* of the secrets in force */
    size_t num_retired;   /* of older ones, that still end calls */
} tg_upstreams_counts;
tg_upstreams_counts tg_upstreams_counts_of(const tg_upstreams *upstreams);

#endif
