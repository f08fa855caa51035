#include "enclave/forward_settings.h"

#include "base/text.h"
#include "enclave/enclave_settings.h"
#include "enclave/site.h"
#include "gateway/route_members.h"

enum { MAX_SCHEMA_NAME_BYTES = 512, MAX_SCHEMAS = 64 };

static bool is_path(tg_slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '?' || c == '#' || c == '%' || c == '\\') {
            return false;
        }
    }
    return path.len > 0 && path.len <= TG_MAX_ROUTE_PATH_BYTES && path.ptr[0] == '/';
}

const char *tg_forward_fault(tg_slice item)
{
    tg_slice rest = item;
    size_t num_schemas = 0;
    if (!is_path(tg_slice_split(&rest, '='))) {
        return "does not begin with a path: / and at most 255 visible ASCII characters, none of ?#%\\ or =";
    }
    while (rest.ptr != NULL) {
        tg_slice schema = tg_slice_split(&rest, '|');
        if (schema.len == 0 || schema.len > MAX_SCHEMA_NAME_BYTES) {
            return "names a schema that is empty or longer than 512 bytes";
        }
        num_schemas++;
    }
    return num_schemas == 0            ? "names no schema behind the path: what is sealed would be the client's choice"
           : num_schemas > MAX_SCHEMAS ? "names more than 64 schemas"
                                       : NULL;
}

static bool to_lower(tg_slice name, char out[TG_MAX_ROUTE_HEADER_BYTES + 1])
{
    if (name.len > TG_MAX_ROUTE_HEADER_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        out[i] = (char)tg_ascii_lower(name.ptr[i]);
    }
    out[name.len] = 0;
    return true;
}

/* Credentials are the application's own matter, and pass where the image says so. */
const char *tg_forward_header_fault(tg_slice name)
{
    char lower[TG_MAX_ROUTE_HEADER_BYTES + 1];
    return to_lower(name, lower) ? tg_route_header_fault(tg_slice_of(lower, name.len), true)
                                 : "is longer than 64 bytes";
}

const tg_forward *tg_forwards_find(const tg_forwards *forwards, tg_slice path)
{
    for (size_t i = 0; forwards != NULL && i < forwards->num_paths; i++) {
        if (tg_slice_equal(path, tg_slice_str(forwards->paths[i].path))) {
            return &forwards->paths[i];
        }
    }
    return NULL;
}

static tg_result keep(tg_arena *arena, tg_slice text, const char **out_text)
{
    char *copy = tg_arena_zalloc(arena, text.len + 1, 1);
    if (copy == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memcpy(copy, text.ptr, text.len);
    *out_text = copy;
    return tg_ok();
}

static tg_result read_item(tg_arena *arena, const char *item, tg_forward *out_forward)
{
    tg_slice rest = tg_slice_str(item);
    const char **schemas = tg_arena_zalloc(arena, MAX_SCHEMAS, sizeof *schemas);
    size_t num_schemas = 0;
    if (schemas == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(keep(arena, tg_slice_split(&rest, '='), &out_forward->path));
    while (rest.ptr != NULL && num_schemas < MAX_SCHEMAS) {
        TG_TRY(keep(arena, tg_slice_split(&rest, '|'), &schemas[num_schemas]));
        num_schemas++;
    }
    out_forward->schemas = (tg_setting_list){schemas, num_schemas};
    return tg_ok();
}

static void check_path(const tg_enclave_settings *settings, const tg_forwards *forwards, tg_slice path,
                       tg_faults *faults)
{
    const char *reason = tg_site_has_path(path)                           ? "is a path of the enclave's own API"
                         : tg_routes_find(settings->routes, path) != NULL ? "is the path of a route of ROUTES_PATH, too"
                         : tg_forwards_find(forwards, path) != NULL       ? "names one path twice"
                                                                          : NULL;
    if (reason != NULL) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "FORWARD_SCHEMAS", faults);
        tg_detail_set_reason(fault, "%s", reason);
        tg_detail_set_remedy(fault, "name each path once, with all its schemas: /orders=order|order-v2");
    }
}

/* FORWARD_HEADERS pass both ways; the header that names the schema goes to the application, too. */
static tg_result make_policy(const tg_enclave_settings *settings, tg_arena *arena, tg_gateway_route *policy)
{
    const tg_setting_list *listed = &settings->forward_headers;
    tg_slice *names = tg_arena_zalloc(arena, listed->num_items + 1, sizeof *names);
    if (names == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < listed->num_items; i++) {
        names[i] = tg_slice_str(listed->items[i]); /* compared without case */
    }
    names[listed->num_items] = tg_slice_str(settings->schema_header_name);
    *policy = (tg_gateway_route){.decrypt = TG_CRYPTO_FIELDS, /* the body is not passed on as it came, */
                                 .encrypt = TG_CRYPTO_NONE,   /* and its answer is */
                                 .request_headers = names,
                                 .num_request_headers = listed->num_items + 1,
                                 .response_headers = names,
                                 .num_response_headers = listed->num_items};
    return tg_ok();
}

static void check_alone(const tg_enclave_settings *settings, tg_faults *faults)
{
    static const char *const beside[] = {"FORWARD_HEADERS", "APP_ENDPOINT"};
    for (size_t i = 0; i < TG_COUNT(beside); i++) {
        if (!tg_settings_is_default(&settings->loaded, beside[i])) {
            tg_detail *fault = tg_settings_add_fault(&settings->loaded, beside[i], faults);
            tg_detail_set_reason(fault, "is set, but FORWARD_SCHEMAS is not: nothing is forwarded");
            tg_detail_set_remedy(fault, "set FORWARD_SCHEMAS in the image, or remove it");
        }
    }
}

tg_result tg_forward_settings_load(tg_enclave_settings *settings, tg_faults *faults)
{
    const tg_setting_list *items = &settings->forward_schemas;
    tg_arena *arena = &settings->loaded.arena;
    if (items->num_items == 0) {
        check_alone(settings, faults);
        return tg_ok();
    }
    tg_forwards *forwards = tg_arena_zalloc(arena, 1, sizeof *forwards);
    if (forwards == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    forwards->paths = tg_arena_zalloc(arena, items->num_items, sizeof *forwards->paths);
    if (forwards->paths == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < items->num_items; i++) {
        tg_forward *next = &forwards->paths[forwards->num_paths];
        TG_TRY(read_item(arena, items->items[i], next));
        check_path(settings, forwards, tg_slice_str(next->path), faults);
        forwards->num_paths++;
    }
    TG_TRY(make_policy(settings, arena, &forwards->policy));
    forwards->has_application =
        settings->app_endpoint != NULL &&
        tg_is_ok(tg_address_parse(tg_slice_str(settings->app_endpoint), &forwards->application, NULL));
    if (!forwards->has_application && settings->proxied_addresses.num_items == 0) {
        tg_detail *fault = tg_settings_add_fault(&settings->loaded, "FORWARD_SCHEMAS", faults);
        tg_detail_set_reason(fault, "leads nowhere: neither APP_ENDPOINT nor LISTEN_PROXY_ADDRESS is set");
        tg_detail_set_remedy(fault, "set LISTEN_PROXY_ADDRESS for a sidecar's connections, or APP_ENDPOINT");
    }
    settings->forwards = forwards;
    return tg_ok();
}
