#include "enclave/health_api.h"

#include <stdio.h>

static void answer(tg_http_request *request, bool is_good, const char *json)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/json"),
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    tg_http_respond_text(request, is_good ? 200 : 503, headers, TG_COUNT(headers), tg_slice_str(json));
}

void tg_health_api_health(tg_site *site, tg_http_request *request)
{
    const tg_snapshot *snapshot = tg_serving_snapshot(site->serving);
    bool is_good = tg_site_can_answer(site);
    char json[128];
    snprintf(json, sizeof json, "{\"status\":\"%s\",\"dek_ready\":%s,\"schemas_loaded\":%zu}",
             is_good ? "ok" : "degraded", tg_snapshot_ring(snapshot) != NULL ? "true" : "false",
             tg_snapshot_num_schemas(snapshot));
    answer(request, is_good, json);
}

void tg_health_api_live(tg_site *site, tg_http_request *request)
{
    (void)site;
    answer(request, true, "{\"status\":\"live\"}");
}

void tg_health_api_ready(tg_site *site, tg_http_request *request)
{
    bool is_draining = atomic_load_explicit(site->is_draining, memory_order_relaxed);
    bool is_good = tg_site_is_ready(site);
    answer(request, is_good,
           is_good       ? "{\"status\":\"ready\"}"
           : is_draining ? "{\"status\":\"draining\"}"
                         : "{\"status\":\"degraded\"}");
}
