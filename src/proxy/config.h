/* The proxy's configuration: what proxy-config.json and a few environment variables say, checked whole. A configuration
 * never changes once it is read; workers share it by reference, and a connection keeps the one that it began under. */
#ifndef TG_PROXY_CONFIG_H
#define TG_PROXY_CONFIG_H

#include "base/arena.h"
#include "base/detail.h"
#include "base/refs.h"
#include "io/address.h"
#include "proxy/egress_rules.h"

enum {
    TG_MAX_CONFIG_BYTES = 1 << 20,
    TG_MAX_DOMAINS = 1024,
    TG_MAX_FORWARDS = 256,
    TG_MAX_EGRESS_RULES = 1024, /* in one list */
    TG_MAX_LISTENERS = 16,      /* of one service */
    TG_MAX_FORWARD_CIDS = 64
};

typedef enum tg_proxy_service {
    TG_SERVICE_HTTP,
    TG_SERVICE_HTTPS,
    TG_SERVICE_KMS,
    TG_SERVICE_INTERNET,
    TG_SERVICE_FORWARD,
    TG_SERVICE_SIDECAR,
    TG_SERVICE_ADMIN,
    TG_NUM_PROXY_SERVICES
} tg_proxy_service;

typedef struct tg_proxy_domain {
    tg_slice name; /* lower case; of a wildcard what follows the `*`: ".example.org" */
    bool is_wildcard;
    bool has_cid; /* false where both addresses are given and neither is vsock */
    uint32_t cid;
    tg_slice kms_key; /* empty where there is none */
    tg_address http;
    tg_address https;
    tg_egress_rules egress; /* rules NULL: the configuration's own */
    bool allows_plaintext;
} tg_proxy_domain;

typedef struct tg_proxy_listener {
    tg_address address;
    bool accepts_proxy; /* a PROXY header stands before everything else */
    bool sends_proxy;   /* and is written to whatever the connection is routed to */
} tg_proxy_listener;

typedef struct tg_proxy_listeners {
    const tg_proxy_listener *listeners;
    size_t num_listeners;
} tg_proxy_listeners;

typedef struct tg_proxy_forward {
    tg_proxy_listener listen;
    tg_address connect;
    const char *name;     /* for logs and metrics: kms, s3, ... of aws.forwards; else "forward" */
    const uint32_t *cids; /* who may use it, by CID; NULL: everybody who can reach it */
    size_t num_cids;
} tg_proxy_forward;

/* 0 stands for no limit. */
typedef struct tg_proxy_limits {
    uint64_t connections;  /* in all */
    uint64_t pending;      /* of these, those that have not yet said where to: past it the oldest is closed */
    uint64_t per_cid;      /* from one CID */
    uint64_t per_source;   /* from one IP address (IPv6: /64) */
    uint64_t rate_per_cid; /* new connections a second */
    uint64_t rate_per_source;
} tg_proxy_limits;

typedef struct tg_proxy_timeouts {
    uint64_t hello_ms;   /* until a ClientHello, a request's head, an egress line or a PROXY header is whole */
    uint64_t connect_ms; /* resolving and connecting, all attempts together */
    uint64_t idle_ms;    /* no byte either way */
    uint64_t total_ms;
    uint64_t keep_ms;  /* between requests of one HTTP connection */
    uint64_t drain_ms; /* after SIGTERM, for what is under way */
} tg_proxy_timeouts;

typedef struct tg_proxy_config {
    tg_refs refs;
    tg_arena arena;
    const tg_proxy_domain *domains; /* sorted: exact names before wildcards, then by name */
    size_t num_domains;
    size_t num_exact;                                    /* of these, exact names */
    tg_proxy_listeners listeners[TG_NUM_PROXY_SERVICES]; /* empty: the service is off; forwards have their own */
    const tg_proxy_forward *forwards;
    size_t num_forwards;
    tg_egress_rules egress;             /* for CIDs without rules of their own */
    tg_slice region;                    /* empty where none is known */
    const struct tg_config_file *files; /* settings/config_node.h: what it was made from beside its own file */
    tg_proxy_limits limits;
    tg_proxy_timeouts timeouts;
} tg_proxy_config;

/* tg_proxy_config_read reads the file at `path` with `environment` (`NAME=value` strings, ended by NULL): `AWS_REGION`
 * and `<LABEL>_KMS_KEY`, which fill in what the file leaves out. Every fault is added to `faults`.
 * err   TG_ERR_SYNTAX where there are faults, TG_ERR_NOT_FOUND where there is no file (with a fault that shows a
 * minimal one), TG_ERR_MEMORY keep  the caller holds one reference
 */
TG_MUST_USE tg_result tg_proxy_config_read(const char *path, const char *const *environment, tg_faults *faults,
                                           tg_proxy_config **out_config);
/* tg_proxy_config_parse does the same with the file's bytes. */
TG_FOREIGN TG_MUST_USE tg_result tg_proxy_config_parse(const char *path, tg_slice json, const char *const *environment,
                                                       tg_faults *faults, tg_proxy_config **out_config);

/* tg_proxy_config_empty makes one without domains and forwards, for a sidecar alone. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_proxy_config_empty(tg_proxy_config **out_config);

/* Any thread. tg_proxy_config_unref takes NULL too. */
tg_proxy_config *tg_proxy_config_ref(tg_proxy_config *config);
void tg_proxy_config_unref(tg_proxy_config *config);

/* tg_proxy_config_find gives the domain that a host name belongs to, in any case: an exact one before the wildcard with
 * the longest name; NULL where there is none.
 */
const tg_proxy_domain *tg_proxy_config_find(const tg_proxy_config *config, tg_slice host);

/* tg_proxy_config_of_cid gives the first domain of a CID, or NULL. */
const tg_proxy_domain *tg_proxy_config_of_cid(const tg_proxy_config *config, uint32_t cid);

/* tg_proxy_config_has_keys says whether any domain has a KMS key. */
bool tg_proxy_config_has_keys(const tg_proxy_config *config);

/* tg_proxy_config_rules_of gives the egress rules for a peer. */
const tg_egress_rules *tg_proxy_config_rules_of(const tg_proxy_config *config, bool has_cid, uint32_t cid);

/* tg_proxy_config_append writes the effective configuration as JSON that reads back as the same one. */
TG_MUST_USE tg_result tg_proxy_config_append(const tg_proxy_config *config, tg_buf *buf);

const char *tg_proxy_service_name(tg_proxy_service service);

#endif
