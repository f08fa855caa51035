#include "schema/pii_graph.h"

#include "schema/pattern.h"

tg_result tg_pii_match_patterns(const tg_pii_graph *graph, const tg_pii_node *node, tg_slice name,
                                tg_pii_state *out_next)
{
    uint32_t matching = 0;
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        bool is_match;
        TG_TRY(tg_pii_pattern_match(graph->patterns[node->first_pattern + i], name, &is_match));
        matching |= (uint32_t)is_match << i;
    }
    *out_next = graph->states[node->first_combined + matching];
    return tg_ok();
}
