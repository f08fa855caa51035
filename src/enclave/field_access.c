#include "enclave/field_access.h"

#include "enclave/clients.h"
#include "sys/clock.h"

const tg_setting_list *tg_field_access_list(const tg_site *site, const tg_http_request *request)
{
    if (!tg_field_access_is_encrypt(request)) {
        return &site->settings->decrypt_allowed_clients;
    }
    const tg_setting_list *allowed = &site->settings->encrypt_allowed_clients;
    return allowed->num_items > 0 ? allowed : NULL;
}

bool tg_field_access_is_allowed(const tg_site *site, const tg_http_request *request)
{
    const tg_setting_list *allowed = tg_field_access_list(site, request);
    int64_t now_unix_s = (int64_t)(tg_clock_unix_ms() / 1000);
    return allowed == NULL || tg_clients_allow(allowed, tg_stream_peer(request->stream), now_unix_s);
}

tg_result tg_field_access_find_schema(const tg_site *site, const tg_http_request *request, const tg_snapshot *snapshot,
                                      tg_pii_root *out_root, const tg_schema **out_schema)
{
    tg_slice name;
    TG_TRY(tg_http_request_header(request, tg_slice_str(site->settings->schema_header_name), &name));
    const tg_schema_set *schemas = tg_snapshot_schemas(snapshot);
    return schemas != NULL ? tg_schema_set_find(schemas, name, out_root, out_schema) : tg_fail(TG_ERR_NOT_FOUND);
}
