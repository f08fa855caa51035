#include "base/text.h"
#include "gateway/routes_parts.h"

enum { NUM_COLUMNS = 6, MAX_CELL_BYTES = 1 << 20, BETWEEN = 2 };

static tg_result append_clients(const tg_gateway_route *route, tg_buf *buf)
{
    if (route->clients.num_items == 0) {
        return tg_buf_append_str(buf, "anybody");
    }
    for (size_t i = 0; i < route->clients.num_items; i++) {
        TG_TRY(tg_buf_printf(buf, "%s%s", i > 0 ? "," : "", route->clients.items[i]));
    }
    return tg_ok();
}

static tg_result append_upstream(const tg_gateway_route *route, tg_buf *buf)
{
    bool has_url = route->upstream_url.len > 0;
    TG_TRY(tg_text_append_printable(buf, has_url ? route->upstream_url : route->upstream_value, SIZE_MAX));
    TG_TRY(tg_buf_append_str(buf, has_url ? "" : " (delivered)"));
    return tg_buf_append_str(buf, route->may_be_common_name ? " (by CN)" : "");
}

static tg_result append_cell(const tg_gateway_route *route, size_t column, tg_buf *buf)
{
    static const char *const upstream_gets[] = {"as sent", "plaintext of fields", "plaintext of jwe",
                                                "plaintext of ohttp"};
    static const char *const client_gets[] = {"as answered", "tokens of fields", "sealed by jwe", "sealed by ohttp"};
    switch (column) {
    case 0:
        return tg_buf_append(buf, route->path);
    case 1:
        return tg_buf_append_str(buf, route->allow);
    case 2:
        return append_clients(route, buf);
    case 3:
        return tg_buf_append_str(buf, upstream_gets[route->decrypt]);
    case 4:
        return append_upstream(route, buf);
    default:
        return tg_buf_append_str(buf, client_gets[route->encrypt]);
    }
}

static const char *const titles[NUM_COLUMNS] = {"path", "methods", "clients", "backend gets", "backend", "client gets"};

static tg_result measure(const tg_routes *routes, size_t out_widths[NUM_COLUMNS])
{
    tg_buf cell;
    tg_buf_init(&cell, MAX_CELL_BYTES);
    tg_result result = tg_ok();
    for (size_t column = 0; column < NUM_COLUMNS; column++) {
        out_widths[column] = strlen(titles[column]);
        for (size_t i = 0; i < routes->num_routes && tg_is_ok(result); i++) {
            tg_buf_clear(&cell);
            result = append_cell(&routes->routes[i], column, &cell);
            size_t width = tg_buf_len(&cell);
            out_widths[column] = width > out_widths[column] ? width : out_widths[column];
        }
    }
    tg_buf_done(&cell);
    return result;
}

/* route NULL: the titles. */
static tg_result append_row(const tg_gateway_route *route, const size_t widths[NUM_COLUMNS], tg_buf *out)
{
    for (size_t column = 0; column < NUM_COLUMNS; column++) {
        size_t before = tg_buf_len(out);
        TG_TRY(route != NULL ? append_cell(route, column, out) : tg_buf_append_str(out, titles[column]));
        size_t width = tg_buf_len(out) - before;
        if (column + 1 < NUM_COLUMNS) {
            TG_TRY(tg_buf_printf(out, "%*s", (int)(widths[column] - width) + BETWEEN, ""));
        }
    }
    return tg_buf_append_byte(out, '\n');
}

/* Who, beside the image, decides where plaintext goes. */
static tg_result append_notes(const tg_routes *routes, tg_buf *out)
{
    for (size_t i = 0; i < routes->num_routes; i++) {
        const tg_gateway_route *route = &routes->routes[i];
        bool is_open_url = route->upstream_value.len > 0 && !routes->are_deliveries_sealed && !routes->are_hosts_listed;
        if (is_open_url) {
            TG_TRY(tg_buf_printf(out,
                                 "note: %s: whoever delivers %s decides where this route calls; set "
                                 "UPSTREAM_ALLOWED_HOSTS, or SECRETS_MODE=sealed\n",
                                 route->label, (const char *)route->upstream_value.ptr));
        }
    }
    if (routes->num_routes > 0 && !routes->are_deliveries_sealed && !routes->are_authorities_pinned) {
        TG_TRY(tg_buf_append_str(out, "note: whoever delivers the authorities decides which backend is believed; set "
                                      "UPSTREAM_CA_SHA256, or SECRETS_MODE=sealed\n"));
    }
    return tg_ok();
}

tg_result tg_routes_append_table(const tg_routes *routes, tg_buf *out)
{
    size_t widths[NUM_COLUMNS];
    TG_TRY(measure(routes, widths));
    TG_TRY(append_row(NULL, widths, out));
    for (size_t i = 0; i < routes->num_routes; i++) {
        TG_TRY(append_row(&routes->routes[i], widths, out));
    }
    return append_notes(routes, out);
}
