// room: gateway
// Routes that are taken keep what no route may be without; those that are not say why.
#include "gateway/routes.h"
#include "gateway/upstream_guards.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hosts[] = {"b.example", "*.c.example:8080", "127.0.0.1"};

static bool is_taken(tg_slice path)
{
    return tg_slice_equal(path, TG_LIT("/encrypt"));
}

static void check(const tg_routes *routes)
{
    for (size_t i = 0; i < tg_routes_len(routes); i++) {
        const tg_gateway_route *route = tg_routes_at(routes, i);
        bool is_oracle = route->decrypt == TG_CRYPTO_FIELDS && route->clients.num_items == 0;
        bool has_one_upstream = (route->upstream_url.len > 0) != (route->upstream_value.len > 0);
        if (is_oracle || !has_one_upstream || route->path.ptr[0] != '/' || is_taken(route->path) ||
            tg_routes_find(routes, route->path) != route) {
            abort();
        }
    }
    tg_buf table;
    tg_buf_init(&table, 16 << 20);
    if (!tg_is_ok(tg_routes_append_table(routes, &table))) {
        abort();
    }
    tg_buf_done(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536) {
        return 0;
    }
    const tg_route_guards guards = {.allowed_hosts = {hosts, (data[0] & 1) != 0 ? TG_COUNT(hosts) : 0},
                                    .has_client_ca = (data[0] & 2) == 0,
                                    .allows_plain_loopback = (data[0] & 4) != 0,
                                    .max_body_bytes = 1 << 20,
                                    .is_path_taken = is_taken};
    tg_faults faults;
    tg_routes *routes = NULL;
    tg_faults_init(&faults);
    tg_result result = tg_routes_parse("fuzz.json", tg_slice_of(data + 1, size - 1), &guards, &faults, &routes);
    if (tg_is_ok(result)) {
        check(routes);
    } else if (result.code == TG_ERR_SYNTAX && faults.num_faults == 0) {
        abort();
    }
    tg_routes_unref(routes);
    tg_faults_done(&faults);
    return 0;
}
