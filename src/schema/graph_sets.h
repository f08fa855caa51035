/* The sets of schemas that are a graph's states, each found again by its content. Private to graph_build.c. */
#ifndef TG_SCHEMA_GRAPH_SETS_H
#define TG_SCHEMA_GRAPH_SETS_H

#include "schema/net.h"
#include "schema/pii_graph.h"

typedef struct tg_graph_set {
    size_t first; /* in ids */
    uint32_t num;
    uint8_t types;      /* TG_TYPE_OBJECT, TG_TYPE_ARRAY: what some schema that speaks of the position allows */
    bool seals_scalars; /* TG_PII_SEALED_SCALAR */
} tg_graph_set;

typedef struct tg_graph_sets {
    tg_net *net;
    tg_graph_set *sets; /* by state */
    size_t num_sets, sets_cap;
    tg_net_id *ids;
    size_t num_ids, ids_cap;
    uint32_t *slots; /* open addressing by content: a state, or 0 */
    size_t num_slots;
    uint32_t *stamps; /* by net node: visited in the round of that number */
    uint32_t round;
    uint32_t *name_stamps; /* by name */
    tg_net_id *closure;    /* scratch */
    size_t num_closure, closure_cap;
} tg_graph_sets;

/* tg_graph_sets_init holds the states 0 and TG_PII_ALL, which have no set. err: TG_ERR_MEMORY
 * keep  ended with tg_graph_sets_done, also after a failure; the net must outlive it
 */
TG_MUST_USE tg_result tg_graph_sets_init(tg_graph_sets *sets, tg_net *net);
void tg_graph_sets_done(tg_graph_sets *sets);

/* tg_graph_sets_state gives the state for a position of which `targets` speak, a new one where need be.
 * err   TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_graph_sets_state(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets,
                                          tg_pii_state *out_state);

/* tg_graph_sets_root gives the state of a root. A root joins schemas of unrelated documents: one that marks itself and
 * is neither object nor array (a component `Ssn`, say) seals such values, and not every object for which another
 * schema speaks.
 * err   TG_ERR_LIMIT, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_graph_sets_root(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets,
                                         tg_pii_state *out_state);
/* tg_net_is_scalar_mark says that a schema seals its value, which is neither object nor array. */
bool tg_net_is_scalar_mark(const tg_net *net, tg_net_id id);

/* tg_graph_sets_close fills sets->closure with targets and all that links join to them. With is_certain_only, only
 * allOf and $ref are followed. */
TG_MUST_USE tg_result tg_graph_sets_close(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets,
                                          bool is_certain_only);

#endif
