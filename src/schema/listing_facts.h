/* What a schema says beside its structure, for the path list: place, types, format, enum, lengths. */
#ifndef TG_SCHEMA_LISTING_FACTS_H
#define TG_SCHEMA_LISTING_FACTS_H

#include "base/arena.h"
#include "schema/graph_sets.h"
#include "schema/pii_paths.h"

/* tg_listing_add_facts fills the path's place and facts from the schemas `ids`, whose closure is in sets: the
 * place is that of the mark, or of `first`, the schema that stands at the position itself. err: TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_listing_add_facts(tg_arena *arena, const tg_net *net, const tg_graph_sets *sets,
                                           const tg_net_id *ids, size_t num_ids, tg_net_id first, tg_pii_path *path);

#endif
