/* Makes the graph that is matched out of the net of schemas: the subset construction, where a state is the set of
 * schemas that may speak of one position of a document. Schemas without PII below them stay in a set only as far as
 * what they say of types matters to a schema that has some. */
#ifndef TG_SCHEMA_GRAPH_BUILD_H
#define TG_SCHEMA_GRAPH_BUILD_H

#include "schema/graph_store.h"
#include "schema/net.h"

enum {
    TG_MAX_PII_SET_IDS = 64000000, /* of all sets together, while they are built */
    TG_MAX_PII_PATTERNS = 8        /* at one position: 2^8 combinations */
};

/* tg_pii_store_build compiles a net.
 * out   the store; the document's root; for each of net->components its root, in that order (room for
 *       net->num_components)
 * err   TG_ERR_LIMIT, TG_ERR_SYNTAX (a pattern), TG_ERR_MEMORY, with net->detail
 * keep  ended with tg_pii_store_done, also after a failure; roots point at store->graph, which must not move
 */
TG_MUST_USE tg_result tg_pii_store_build(tg_pii_store *store, tg_net *net, tg_pii_root *out_root,
                                         tg_pii_root *out_components);

#endif
