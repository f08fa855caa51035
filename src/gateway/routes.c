#include "gateway/routes.h"

#include "gateway/routes_parts.h"

#include <stdlib.h>

tg_routes *tg_routes_ref(tg_routes *routes)
{
    tg_refs_take(&routes->refs);
    return routes;
}

void tg_routes_unref(tg_routes *routes)
{
    if (routes != NULL && tg_refs_drop(&routes->refs)) {
        tg_arena_done(&routes->arena);
        free(routes);
    }
}

const tg_gateway_route *tg_routes_find(const tg_routes *routes, tg_slice path)
{
    size_t first = 0;
    size_t behind = tg_routes_len(routes);
    while (first < behind) {
        size_t middle = first + (behind - first) / 2;
        const tg_gateway_route *route = routes->by_path[middle].route;
        int order = tg_slice_compare(path, route->path);
        if (order == 0) {
            return route;
        }
        if (order > 0) {
            first = middle + 1;
        } else {
            behind = middle;
        }
    }
    return NULL;
}

size_t tg_routes_len(const tg_routes *routes)
{
    return routes != NULL ? routes->num_routes : 0;
}

const tg_gateway_route *tg_routes_at(const tg_routes *routes, size_t index)
{
    return &routes->routes[index];
}

const char *const *tg_routes_value_names(const tg_routes *routes, size_t *out_num)
{
    *out_num = routes != NULL ? routes->num_value_names : 0;
    return routes != NULL ? routes->value_names : NULL;
}

tg_slice tg_routes_text(const tg_routes *routes)
{
    return routes->text;
}

const char *tg_route_crypto_name(tg_route_crypto crypto)
{
    static const char *const names[] = {"none", "fields", "jwe", "ohttp"};
    return (size_t)crypto < TG_COUNT(names) ? names[crypto] : "unknown";
}
