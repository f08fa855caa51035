/* One route of the file, member by member; gateway/routes_read.c looks at them together. */
#ifndef TG_GATEWAY_ROUTE_MEMBERS_H
#define TG_GATEWAY_ROUTE_MEMBERS_H

#include "gateway/routes.h"
#include "settings/config_node.h"

/* tg_route_read reads the route at `node` into *out_route, whose defaults it sets. What is wrong becomes faults of the
 * node's reader; then the route is not to be used.
 */
void tg_route_read(const tg_config_node *node, const tg_route_guards *guards, tg_gateway_route *out_route);

/* tg_route_header_fault says why no route can let a header of this name (a token in lower case) pass, or none that
 * opens or seals; NULL where it can.
 */
const char *tg_route_header_fault(tg_slice name, bool is_plain);

#endif
