#include "enclave/gateway_settings.h"

#include "enclave/gateway_api.h"
#include "enclave/site.h"
#include "http/budget.h"
#include "settings/json_lines.h"
#include "sys/file.h"
#include "sys/log.h"

#include <stdio.h>

tg_result tg_gateway_settings_set_default(tg_enclave_settings *settings)
{
    if (settings->egress_address == NULL) {
        TG_TRY(tg_settings_set_default(&settings->loaded, "EGRESS_ADDRESS",
                                       settings->is_local_mode ? "off" : "vsock:parent:8444",
                                       settings->is_local_mode ? "local mode" : NULL));
    }
    if (settings->egress_address != NULL && strcmp(settings->egress_address, "off") == 0) {
        settings->egress_address = NULL;
    }
    return tg_ok();
}

static bool is_among(const char *const *names, size_t num_names, const char *name)
{
    for (size_t i = 0; i < num_names; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* What SECRETS_VALUES names and what routes refer to, each once. */
static tg_result set_delivered_values(tg_enclave_settings *settings)
{
    const tg_setting_list *listed = &settings->secrets_values;
    size_t num_of_routes;
    const char *const *of_routes = tg_routes_value_names(settings->routes, &num_of_routes);
    const char **names = tg_arena_zalloc(&settings->loaded.arena, listed->num_items + num_of_routes + 1, sizeof *names);
    if (names == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t num_names = 0;
    for (size_t i = 0; i < listed->num_items; i++) {
        names[num_names++] = listed->items[i];
    }
    for (size_t i = 0; i < num_of_routes; i++) {
        if (!is_among(names, num_names, of_routes[i])) {
            names[num_names++] = of_routes[i];
        }
    }
    settings->delivered_values = (tg_setting_list){names, num_names};
    return tg_ok();
}

static tg_result read_routes(tg_enclave_settings *settings, tg_faults *faults)
{
    const tg_route_guards guards = {.allowed_hosts = settings->upstream_allowed_hosts,
                                    .ca_sha256 = settings->upstream_ca_sha256,
                                    .has_client_ca = settings->client_ca_path != NULL,
                                    .are_deliveries_sealed = settings->secrets_mode == TG_SECRETS_SEALED,
                                    .allows_plain_loopback = settings->is_local_mode,
                                    .max_body_bytes = settings->max_body_bytes,
                                    .max_answer_bytes = tg_http_budget_max((size_t)settings->max_inflight_bytes),
                                    .is_path_taken = tg_site_has_path};
    size_t num_before = faults->num_faults;
    tg_result result = tg_routes_read(settings->routes_path, &guards, faults, &settings->routes);
    if (faults->num_faults > num_before) {
        return tg_ok();
    }
    TG_TRY(result);
    if (tg_routes_len(settings->routes) == 0) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "ROUTES_PATH", faults);
        tg_detail_set_reason(fault, "names a file without a route");
        tg_detail_set_remedy(fault, "add one, or leave the setting out");
    }
    return tg_ok();
}

/* A value of routes needs somebody who can deliver it. */
static void check_delivery(const tg_enclave_settings *settings, tg_faults *faults)
{
    size_t num_names;
    const char *const *names = tg_routes_value_names(settings->routes, &num_names);
    if (num_names > 0 && settings->secrets_address == NULL) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "SECRETS_ADDRESS", faults);
        tg_detail_set_reason(fault, "is off, but routes call where the delivered %s says", names[0]);
        tg_detail_set_remedy(fault, "set it, or write the upstream's url in the routes");
    }
}

tg_result tg_gateway_settings_load(tg_enclave_settings *settings, tg_faults *faults)
{
    if (settings->routes_path != NULL) {
        TG_TRY(read_routes(settings, faults));
        check_delivery(settings, faults);
    }
    return set_delivered_values(settings);
}

static void check_schema(const tg_enclave_settings *settings, const tg_schema_set *set, size_t route, const char *part,
                         tg_slice name, tg_faults *faults)
{
    char pointer[64];
    tg_pii_root root;
    if (name.len == 0 || tg_is_ok(tg_schema_set_find(set, name, &root, NULL))) {
        return;
    }
    (void)snprintf(pointer, sizeof pointer, "/routes/%zu/%s/schema", route, part);
    tg_detail *fault = tg_faults_add(faults);
    tg_detail_set_place(fault, tg_slice_str(settings->routes_path),
                        tg_json_line_of(tg_routes_text(settings->routes), tg_slice_str(pointer)),
                        tg_slice_str(pointer));
    tg_detail_set_reason(fault, "there is no schema %s", (const char *)name.ptr);
    tg_detail_set_remedy(fault, "write NAME or NAME#COMPONENT: a file's path below SCHEMA_DIR without its ending");
}

void tg_gateway_settings_check_schemas(const tg_enclave_settings *settings, const tg_schema_set *set, tg_faults *faults)
{
    for (size_t i = 0; i < tg_routes_len(settings->routes); i++) {
        const tg_gateway_route *route = tg_routes_at(settings->routes, i);
        check_schema(settings, set, i, "request", route->request_schema, faults);
        check_schema(settings, set, i, "response", route->response_schema, faults);
    }
}

void tg_gateway_settings_log(const tg_enclave_settings *settings)
{
    if (settings->routes == NULL) {
        return;
    }
    tg_log(TG_LOG_INFO, "gateway", "routes", TG_F_UINT("routes", tg_routes_len(settings->routes)),
           TG_F_STR("egress", settings->egress_address != NULL ? settings->egress_address : "off"));
    if (settings->secrets_mode == TG_SECRETS_OPEN && settings->upstream_ca_sha256.num_items == 0) {
        tg_log(TG_LOG_WARN, "gateway", "backends_are_not_pinned",
               TG_F_STR("reason", "whoever delivers the authorities decides which backend is believed"),
               TG_F_STR("remedy", "set UPSTREAM_CA_SHA256, or SECRETS_MODE=sealed"));
    }
    if (tg_gateway_longest_ms(settings->routes) > settings->drain_timeout_s * 1000) {
        tg_log(TG_LOG_WARN, "gateway", "routes_outlast_drain",
               TG_F_UINT("longest_ms", tg_gateway_longest_ms(settings->routes)),
               TG_F_STR("reason", "a backend may answer when SIGTERM no longer waits for it"),
               TG_F_STR("remedy", "raise DRAIN_TIMEOUT_SECS, or lower upstream.timeout_ms"));
    }
}

void tg_gateway_settings_note_changes(const tg_enclave_settings *settings)
{
    tg_buf bytes;
    if (settings->routes == NULL) {
        return;
    }
    tg_buf_init(&bytes, TG_MAX_ROUTES_BYTES);
    tg_result read = tg_file_read_regular(settings->routes_path, &bytes);
    if (!tg_is_ok(read) || !tg_slice_equal(tg_buf_slice(&bytes), tg_routes_text(settings->routes))) {
        tg_log(TG_LOG_WARN, "gateway", "routes_kept",
               TG_F_STR("reason", tg_is_ok(read) ? "the file of ROUTES_PATH has changed" : tg_log_error_text(read)),
               TG_F_STR("remedy", "routes are measured and not read again: start the enclave anew"));
    }
    tg_buf_done(&bytes);
}
