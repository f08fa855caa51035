#include "enclave/admin.h"

#include "enclave/site.h"
#include "io/listener.h"

#include <stdlib.h>

enum { MAX_ADMIN_CONNECTIONS = 64, MAX_ADMIN_BODY_BYTES = 1024, MAX_REFUSALS_LOGGED_PER_S = 1 };

struct tg_admin {
    tg_site site;
    tg_publisher *publisher;
    tg_subscription subscription;
    tg_bound *bound;
    tg_listener *listener;
    tg_http_server *server;
    tg_log_rate refusals;
};

/* Holds the newest snapshot, without cipher handles: nothing is sealed here. */
static void take_up(void *owner)
{
    tg_admin *admin = owner;
    tg_serving *next = NULL;
    tg_snapshot *snapshot = tg_publisher_current(admin->publisher);
    tg_result made = tg_serving_new_without_keys(snapshot, &next);
    tg_snapshot_unref(snapshot);
    if (tg_is_ok(made)) {
        tg_serving_unref(admin->site.serving);
        admin->site.serving = next;
    }
}

static void on_accepted(tg_listener *listener, tg_stream *stream, void *owner)
{
    tg_admin *admin = owner;
    (void)listener;
    uint64_t num_unlogged = 0;
    if (!tg_is_ok(tg_http_server_adopt(admin->server, stream)) &&
        tg_log_rate_take(&admin->refusals, MAX_REFUSALS_LOGGED_PER_S, tg_loop_now_ms(admin->site.loop),
                         &num_unlogged)) {
        tg_log(TG_LOG_WARN, "admin", "connection_refused", TG_F_UINT("max_connections", MAX_ADMIN_CONNECTIONS),
               TG_F_UINT("unlogged", num_unlogged));
    }
}

static const tg_listener_calls listener_calls = {.accepted = on_accepted};

static tg_result open_server(tg_admin *admin)
{
    tg_http_limits limits;
    tg_http_limits_default(&limits);
    limits.num_connections = MAX_ADMIN_CONNECTIONS;
    limits.body_bytes = MAX_ADMIN_BODY_BYTES;
    tg_http_handlers handlers = tg_site_handlers(&admin->site);
    return tg_http_server_new(admin->site.loop, &limits, &handlers, NULL, &admin->server);
}

static tg_result set_up(tg_admin *admin, tg_faults *faults)
{
    tg_address address;
    tg_detail detail = {0};
    admin->subscription = (tg_subscription){.loop = admin->site.loop, .changed = take_up, .owner = admin};
    TG_TRY(tg_publisher_subscribe(admin->publisher, &admin->subscription));
    take_up(admin);
    if (admin->site.serving == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result opened = tg_address_parse(tg_slice_str(admin->site.settings->admin_address), &address, &detail);
    if (tg_is_ok(opened)) {
        opened = tg_bound_open(&address, NULL, &admin->bound, &detail);
    }
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
        return opened;
    }
    TG_TRY(open_server(admin));
    return tg_listener_open(admin->site.loop, admin->bound, &listener_calls, admin, &admin->listener);
}

tg_result tg_admin_open(const tg_admin_sources *sources, tg_loop *loop, tg_admin **out_admin, tg_faults *faults)
{
    tg_admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    admin->publisher = sources->publisher;
    admin->site = (tg_site){.settings = sources->settings,
                            .loop = loop,
                            .is_draining = sources->is_draining,
                            .is_admin = true,
                            .are_workers_ready = sources->are_workers_ready};
    *out_admin = admin; /* closed by the caller also where the rest fails: the publisher knows it by now */
    TG_TRY(set_up(admin, faults));
    char text[TG_MAX_ADDRESS_BYTES];
    tg_log(TG_LOG_INFO, "admin", "listening",
           TG_F_STR("address", tg_address_format(tg_bound_address(admin->bound), text)));
    return tg_ok();
}

void tg_admin_close(tg_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    tg_listener_close(admin->listener);
    if (admin->server != NULL) {
        tg_http_server_free(admin->server);
    }
    tg_bound_close(admin->bound);
    tg_serving_unref(admin->site.serving);
    free(admin);
}
