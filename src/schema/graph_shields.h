/* Which names and elements a schema's additionalProperties, unevaluatedProperties and unevaluatedItems leave alone.
 * "Evaluated" is taken narrowly: by the schema's own keywords and what allOf and $ref certainly add; where another
 * keyword might evaluate a member, it counts as not evaluated. Private to graph_build.c. */
#ifndef TG_SCHEMA_GRAPH_SHIELDS_H
#define TG_SCHEMA_GRAPH_SHIELDS_H

#include "schema/graph_sets.h"

/* A schema that speaks of all members but those that are shielded from it. */
typedef struct tg_graph_wild {
    tg_net_id owner;
    tg_net_id target;
    uint32_t shield;   /* index of the owner's shield, or UINT32_MAX: the owner's own properties */
    uint32_t patterns; /* of the state's patterns, a bit each: those that shield */
} tg_graph_wild;

typedef struct tg_graph_shield { /* what is certainly evaluated beside one unevaluatedProperties */
    tg_net_id owner;
    bool has_all;                 /* every name is */
    size_t first_name, num_names; /* labels, in order */
    size_t first_pattern, num_patterns;
} tg_graph_shield;

typedef struct tg_graph_shields {
    tg_graph_sets *sets;
    uint32_t *shield_of; /* by net node: index, or UINT32_MAX */
    tg_graph_shield *shields;
    size_t num_shields, shields_cap;
    uint32_t *labels;
    size_t num_labels, labels_cap;
} tg_graph_shields;

/* tg_graph_shields_init borrows the sets for their closures. err: TG_ERR_MEMORY
 * keep  ended with tg_graph_shields_done, also after a failure
 */
TG_MUST_USE tg_result tg_graph_shields_init(tg_graph_shields *shields, tg_graph_sets *sets);
void tg_graph_shields_done(tg_graph_shields *shields);

/* tg_graph_shields_find gives the shield of a schema that has unevaluatedProperties. */
TG_MUST_USE tg_result tg_graph_shields_find(tg_graph_shields *shields, tg_net_id owner, uint32_t *out_shield);

/* tg_graph_wild_is_shielded says whether the name, which matches the patterns of `matching`, is left alone. */
bool tg_graph_wild_is_shielded(const tg_graph_shields *shields, const tg_graph_wild *wild, uint32_t label,
                               uint32_t matching);

/* tg_graph_shields_first_element is the first element that unevaluatedItems speaks of; UINT32_MAX: none. */
TG_MUST_USE tg_result tg_graph_shields_first_element(tg_graph_shields *shields, tg_net_id owner, uint32_t *out_first);

#endif
