/* What the files of gateway/routes.h share. */
#ifndef TG_GATEWAY_ROUTES_PARTS_H
#define TG_GATEWAY_ROUTES_PARTS_H

#include "base/arena.h"
#include "base/refs.h"
#include "gateway/routes.h"

typedef struct tg_route_place {
    const tg_gateway_route *route;
} tg_route_place;

struct tg_routes {
    tg_refs refs;
    tg_arena arena;
    const tg_gateway_route *routes; /* as in the file */
    size_t num_routes;
    tg_route_place *by_path; /* sorted */
    const char **value_names;
    size_t num_value_names;
    /* Of the guards, for the table. */
    bool are_hosts_listed, are_authorities_pinned, are_deliveries_sealed;
    tg_slice text;
};

#endif
