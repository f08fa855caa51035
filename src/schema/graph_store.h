/* A graph with the arrays that it points into, and how they are filled. */
#ifndef TG_SCHEMA_GRAPH_STORE_H
#define TG_SCHEMA_GRAPH_STORE_H

#include "schema/pii_graph.h"

#include <stddef.h>

enum {
    TG_PII_ALL = 1, /* the state of every position that is sealed */
    TG_MAX_PII_STATES = 1000000,
    TG_MAX_PII_ENTRIES = 16000000, /* of all member tables, 16 bytes each */
    TG_MAX_PII_PROBES = 512        /* in a member table: only names chosen to collide need so many */
};

typedef struct tg_pii_store {
    tg_pii_graph graph;
    tg_pii_node *nodes;
    size_t num_nodes, nodes_cap;
    tg_pii_member *members;
    size_t num_members, members_cap;
    uint8_t *keys;
    size_t keys_len, keys_cap;
    tg_pii_state *states;
    size_t num_states, states_cap;
    const tg_pii_pattern **patterns; /* as the nodes list them */
    size_t num_patterns, patterns_cap;
    tg_pii_pattern **owned_patterns; /* each once */
    size_t num_owned;
} tg_pii_store;

/* The adds fail with TG_ERR_LIMIT or TG_ERR_MEMORY. tg_pii_store_add_members fills node's table; a name stands in
 * `members` once. */
TG_MUST_USE tg_result tg_pii_store_add_node(tg_pii_store *store, tg_pii_node node);
TG_MUST_USE tg_result tg_pii_store_add_states(tg_pii_store *store, const tg_pii_state *states, size_t num,
                                              uint32_t *out_first);
TG_MUST_USE tg_result tg_pii_store_add_key(tg_pii_store *store, tg_slice name, uint32_t *out_offset);
TG_MUST_USE tg_result tg_pii_store_add_members(tg_pii_store *store, const tg_pii_member *members, uint32_t num,
                                               tg_pii_node *node);
/* tg_pii_store_finish gives back spare memory and sets store->graph. */
void tg_pii_store_finish(tg_pii_store *store);
void tg_pii_store_done(tg_pii_store *store);

#endif
