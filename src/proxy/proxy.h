/* The whole proxy: sockets bound, workers started, reloaded, drained. Runs on the main thread's own loop, beside the
 * workers' threads. */
#ifndef TG_PROXY_PROXY_H
#define TG_PROXY_PROXY_H

#include "proxy/config.h"
#include "proxy/sandbox.h"
#include "proxy/sidecar.h"
#include "sys/activation.h"

typedef struct tg_proxy tg_proxy;

typedef struct tg_proxy_options {
    const char *config_path; /* read again on SIGHUP; NULL: there is no file */
    const char *const *environment;
    const tg_proxy_sidecar *sidecar; /* NULL: none. Copied */
    const tg_address *admin;         /* where the configuration names none; NULL: none */
    tg_activation *activation;       /* the service manager's sockets, which become the proxy's; NULL: none */
    const char *user;                /* to become once it listens, where it is root; NULL: nobody else */
    size_t num_workers;              /* 0: one a core */
} tg_proxy_options;

/* tg_proxy_new binds every listener of the configuration and makes the workers; nothing is accepted yet.
 * err   TG_ERR_MEMORY, TG_ERR_SYSTEM; TG_ERR_SYNTAX where listeners cannot be bound, with a fault for each
 * keep  it holds a reference to the configuration
 */
TG_MUST_USE tg_result tg_proxy_new(const tg_proxy_options *options, tg_proxy_config *config, tg_faults *faults,
                                   tg_proxy **out_proxy);

/* tg_proxy_confine_itself gives up the user root, capabilities, files and system calls (proxy/sandbox.h), between
 * tg_proxy_new and tg_proxy_run. err   as tg_proxy_confine: the process is to end then
 */
TG_MUST_USE tg_result tg_proxy_confine_itself(tg_proxy *proxy, tg_detail *detail);

/* tg_proxy_run serves until SIGTERM or SIGINT and what was under way is over; SIGHUP reads the configuration again.
 * err   TG_ERR_SYSTEM, TG_ERR_MEMORY: it could not start
 */
TG_MUST_USE tg_result tg_proxy_run(tg_proxy *proxy);

void tg_proxy_free(tg_proxy *proxy);

/* For the admin's pages; on the main thread. */
tg_proxy_config *tg_proxy_current_config(const tg_proxy *proxy);
size_t tg_proxy_num_connections(const tg_proxy *proxy);
bool tg_proxy_is_draining(const tg_proxy *proxy);
uint64_t tg_proxy_uptime_ms(const tg_proxy *proxy);
const tg_sandbox_report *tg_proxy_sandbox(const tg_proxy *proxy);

#endif
