/* What one loop's HTTP server serves from: its settings, its snapshot, and who asks. The public site (field API and
 * health, on workers) and the admin site (on the main loop) are two tables of routes over the same struct. */
#ifndef TG_ENCLAVE_SITE_H
#define TG_ENCLAVE_SITE_H

#include "enclave/applications.h"
#include "enclave/attestation.h"
#include "enclave/enclave_settings.h"
#include "enclave/key_service.h"
#include "enclave/serving.h"
#include "envelope/replay.h"
#include "http/server.h"
#include "sys/log_rate.h"

#include <stdatomic.h>

typedef struct tg_site tg_site;
struct tg_gateway;

typedef struct tg_route {
    const char *path;
    const char *label;                                        /* of metrics and logs */
    const char *allow;                                        /* the methods, as the Allow header lists them */
    unsigned methods;                                         /* bits of TG_METHOD_BIT */
    bool is_for_admin;                                        /* served on ADMIN_ADDRESS alone */
    bool is_for_both;                                         /* served on both */
    void (*head)(tg_site *site, tg_http_request *request);    /* may answer at once; NULL: nothing to decide */
    void (*request)(tg_site *site, tg_http_request *request); /* the body is there */
    void (*cancel)(tg_site *site, tg_http_request *request);  /* NULL: nothing is held */
    void (*end)(const tg_http_request *request);              /* of each that came to `head`; NULL: the same */
} tg_route;

#define TG_METHOD_BIT(method) (1u << (method))
#define TG_READ_METHODS       (TG_METHOD_BIT(TG_HTTP_GET) | TG_METHOD_BIT(TG_HTTP_HEAD))

struct tg_site {
    const tg_enclave_settings *settings;
    tg_loop *loop;
    tg_http_budget *budget;    /* of bodies in flight; NULL: none */
    tg_serving *serving;       /* what new requests get; the owner swaps it */
    _Atomic bool *is_draining; /* of the process */
    bool is_admin;
    tg_key_service *keys;                  /* of the process; NULL: none reads them */
    tg_attestation *attestation;           /* of the process; NULL: nothing attests */
    tg_replay *replay;                     /* of the process; NULL: no route takes sealed requests */
    const _Atomic bool *are_workers_ready; /* of the admin site; NULL: the site answers for itself alone */
    struct tg_gateway *gateway;            /* of the loop (enclave/gateway_api.h); NULL: there are no routes */
    tg_applications *applications;         /* of this loop; NULL: nothing is forwarded */
    tg_log_rate log_rate;                  /* of lines about requests and broken connections */
};

/* tg_site_handlers gives the server's handler table for this site; `context` is the site. */
tg_http_handlers tg_site_handlers(tg_site *site);

/* tg_site_has_path says whether an API of the enclave's own stands at this path, on either site. */
bool tg_site_has_path(tg_slice path);

/* tg_site_refuse answers with an error of the API and counts it. code, message: literals; pointer: its ptr NULL where
 * there is none. */
void tg_site_refuse(tg_http_request *request, unsigned status, const char *code, const char *message, tg_slice pointer);

/* tg_site_can_answer says whether requests can be answered: a key and a schema are there, for the admin site in every
 * worker. tg_site_is_ready: and no end is in sight. */
bool tg_site_can_answer(const tg_site *site);
bool tg_site_is_ready(const tg_site *site);

#endif
