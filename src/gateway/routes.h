/* The gateway's routes: which path leads to which backend, what is opened on the way there and sealed on the way back.
 * They are measured (ROUTES_PATH, a file of the image), checked whole, and never change while the enclave runs. */
#ifndef TG_GATEWAY_ROUTES_H
#define TG_GATEWAY_ROUTES_H

#include "base/buf.h"
#include "base/detail.h"
#include "http/message.h"
#include "settings/setting_value.h"

enum {
    TG_MAX_ROUTES_BYTES = 1 << 20,
    TG_MAX_ROUTES = 256,
    TG_MAX_ROUTE_PATH_BYTES = 256,
    TG_MAX_ROUTE_CLIENTS = 64,
    TG_MAX_ROUTE_HEADERS = 32, /* in one list */
    TG_MAX_ROUTE_HEADER_BYTES = 64,
    TG_MAX_ROUTE_URL_BYTES = 2048,
    TG_MAX_ROUTE_TIMEOUT_MS = 600000,
    TG_MAX_ROUTE_ANSWER_BYTES = 1 << 30
};

typedef enum tg_route_crypto { TG_CRYPTO_NONE, TG_CRYPTO_FIELDS, TG_CRYPTO_JWE, TG_CRYPTO_OHTTP } tg_route_crypto;

/* Slices have a NUL behind them and live as long as the routes; empty where there is nothing. */
typedef struct tg_gateway_route {
    tg_slice path;           /* exact; of visible ASCII, never percent-encoded */
    const char *label;       /* the same, for logs and metrics */
    const char *allow;       /* the methods, as the Allow header lists them */
    unsigned methods;        /* bits 1 << tg_http_method */
    tg_setting_list clients; /* tg_clients_allow; empty: anybody */
    tg_route_crypto decrypt, encrypt;
    tg_slice request_schema;  /* of decrypt fields; empty: the request's schema header says */
    tg_slice response_schema; /* of encrypt fields */
    tg_slice upstream_url;    /* https://HOST[:PORT][/PATH], or empty: */
    tg_slice upstream_value;  /* the delivered value that holds the URL; exactly one of the two is there */
    bool may_be_common_name;  /* the upstream's certificate may have no SAN */
    uint64_t timeout_ms;      /* of the upstream's whole answer */
    uint64_t max_request_bytes, max_answer_bytes;
    const tg_slice *request_headers; /* that pass beside the fixed ones (gateway/header_policy.h), in lower case */
    size_t num_request_headers;
    const tg_slice *response_headers;
    size_t num_response_headers;
} tg_gateway_route;

/* What the rest of the configuration allows routes. */
typedef struct tg_route_guards {
    tg_setting_list allowed_hosts; /* UPSTREAM_ALLOWED_HOSTS: gateway/upstream_guards.h; empty: a route's own URL is
                                    * measured, and one that is delivered is not restricted */
    tg_setting_list ca_sha256;     /* UPSTREAM_CA_SHA256; empty: the delivered authorities are taken as they are */
    bool has_client_ca;            /* clients can prove their names */
    bool are_deliveries_sealed;    /* SECRETS_MODE=sealed */
    bool allows_plain_loopback;    /* http:// to this machine: development */
    uint64_t max_body_bytes;       /* MAX_BODY_BYTES: no route takes more */
    uint64_t max_answer_bytes;     /* what the budget of bodies in flight can hold; 0: as many as a route may say */
    bool (*is_path_taken)(tg_slice path); /* by an API of the enclave's own; may be NULL */
} tg_route_guards;

typedef struct tg_routes tg_routes;

/* tg_routes_parse reads {"routes": [...]}.
 * in    file: its name, for faults
 * err   TG_ERR_SYNTAX with all faults (file, line, JSON pointer, remedy); TG_ERR_MEMORY
 * keep  the caller holds one reference; guards are not kept
 */
TG_FOREIGN TG_MUST_USE tg_result tg_routes_parse(const char *file, tg_slice json, const tg_route_guards *guards,
                                                 tg_faults *faults, tg_routes **out_routes);
/* tg_routes_read does the same with the file at `path`. err: TG_ERR_SYNTAX, too, where it cannot be read */
TG_MUST_USE tg_result tg_routes_read(const char *path, const tg_route_guards *guards, tg_faults *faults,
                                     tg_routes **out_routes);

/* Any thread. tg_routes_unref takes NULL. */
tg_routes *tg_routes_ref(tg_routes *routes);
void tg_routes_unref(tg_routes *routes);

/* tg_routes_find gives the route of a path as it was sent, or NULL. Routes may be NULL. */
const tg_gateway_route *tg_routes_find(const tg_routes *routes, tg_slice path);
/* In the order of the file. tg_routes_len of NULL is 0. */
size_t tg_routes_len(const tg_routes *routes);
const tg_gateway_route *tg_routes_at(const tg_routes *routes, size_t index);

/* tg_routes_value_names gives the delivered values that routes refer to, each once (tg_bundle_rules.names). */
const char *const *tg_routes_value_names(const tg_routes *routes, size_t *out_num);

/* tg_routes_text is the file's bytes, for the manifest's hash. They live as long as the routes. */
tg_slice tg_routes_text(const tg_routes *routes);

/* tg_routes_append_table writes for people who may call what, what becomes plaintext for whom, and who decides where it
 * goes. err: those of tg_buf_append
 */
TG_MUST_USE tg_result tg_routes_append_table(const tg_routes *routes, tg_buf *out);

/* `none`, `fields`, `jwe`, `ohttp`. */
const char *tg_route_crypto_name(tg_route_crypto crypto);

#endif
