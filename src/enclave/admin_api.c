#include "enclave/admin_api.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/hkdf.h"
#include "crypto/siv.h"
#include "telemetry/prometheus.h"

/* Answers with what was composed, or says that it could not be. */
static void answer(tg_http_request *request, tg_result composed, tg_slice media_type, tg_buf *body)
{
    const tg_http_header headers[] = {{TG_LIT("Content-Type"), media_type},
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    if (tg_is_ok(composed)) {
        tg_http_respond(request, 200, headers, TG_COUNT(headers), body);
    } else {
        tg_site_refuse(request, 503, NULL, "there is no memory for this answer", (tg_slice){NULL, 0});
    }
}

void tg_admin_api_metrics(tg_site *site, tg_http_request *request)
{
    (void)site;
    tg_buf *body = tg_http_answer_buf(request);
    answer(request, tg_prometheus_append(body), TG_LIT(TG_PROMETHEUS_CONTENT_TYPE), body);
}

static tg_result compose_version(tg_buf *body)
{
#ifdef TG_DEVELOPMENT
    const char *build = "development";
#else
    const char *build = "production";
#endif
    return tg_buf_printf(body,
                         "{\"program\":\"teegate-enclave\",\"version\":\"%s\",\"build\":\"%s\",\"cipher\":\"%s\"}\n",
                         TG_VERSION, build, tg_siv_chosen()->name);
}

void tg_admin_api_version(tg_site *site, tg_http_request *request)
{
    (void)site;
    tg_buf *body = tg_http_answer_buf(request);
    answer(request, compose_version(body), TG_LIT("application/json"), body);
}

static tg_result append_key(tg_buf *body, const tg_ring_entry *entry)
{
    static const char *const states[] = {"current", "pending", "retired"};
    uint8_t fingerprint[TG_KEY_FINGERPRINT_BYTES];
    TG_TRY(tg_key_fingerprint(entry->key, fingerprint));
    TG_TRY(tg_buf_append_str(body, "{\"id\":"));
    TG_TRY(tg_json_append_string(body, entry->id));
    TG_TRY(tg_buf_printf(body, ",\"state\":\"%s\",\"fingerprint\":\"", states[entry->state]));
    TG_TRY(tg_hex_append(body, tg_slice_of(fingerprint, sizeof fingerprint)));
    return tg_buf_append_str(body, "\"}");
}

static tg_result append_schema(tg_buf *body, const tg_schema_set *set, size_t index)
{
    const tg_schema *schema = tg_schema_set_at(set, index);
    TG_TRY(tg_buf_append_str(body, "{\"name\":"));
    TG_TRY(tg_json_append_string(body, tg_schema_name(schema)));
    TG_TRY(tg_buf_printf(body, ",\"pii\":%zu,\"kept\":%s,\"sha256\":\"", tg_schema_num_marks(schema),
                         tg_schema_is_kept(set, index) ? "true" : "false"));
    TG_TRY(tg_hex_append(body, tg_slice_of(tg_schema_digest(schema), TG_SCHEMA_DIGEST_BYTES)));
    return tg_buf_append_str(body, "\"}");
}

static tg_result compose_status(const tg_site *site, tg_buf *body)
{
    const tg_snapshot *snapshot = tg_serving_snapshot(site->serving);
    const tg_key_ring *ring = tg_snapshot_ring(snapshot);
    const tg_schema_set *set = tg_snapshot_schemas(snapshot);
    TG_TRY(tg_buf_printf(body, "{\"status\":\"%s\",\"draining\":%s,\"workers\":%llu,\"deks\":[",
                         tg_site_can_answer(site) ? "ok" : "degraded",
                         atomic_load(site->is_draining) ? "true" : "false",
                         (unsigned long long)site->settings->num_workers));
    for (size_t i = 0; ring != NULL && i < tg_key_ring_len(ring); i++) {
        TG_TRY(i > 0 ? tg_buf_append_byte(body, ',') : tg_ok());
        TG_TRY(append_key(body, tg_key_ring_at(ring, i)));
    }
    TG_TRY(tg_buf_printf(body, "],\"schemas_read_unix_ms\":%llu,\"schemas_refused\":%zu,\"schemas\":[",
                         (unsigned long long)tg_snapshot_schemas_unix_ms(snapshot),
                         set != NULL ? tg_schema_set_num_refused(set) : 0));
    for (size_t i = 0; i < tg_snapshot_num_schemas(snapshot); i++) {
        TG_TRY(i > 0 ? tg_buf_append_byte(body, ',') : tg_ok());
        TG_TRY(append_schema(body, set, i));
    }
    return tg_buf_append_str(body, "]}\n");
}

void tg_admin_api_status(tg_site *site, tg_http_request *request)
{
    tg_buf *body = tg_http_answer_buf(request);
    answer(request, compose_status(site, body), TG_LIT("application/json"), body);
}
