#include "schema/graph_sets.h"

#include "schema/graph_build.h"
#include "schema/vector.h"

#include <stdlib.h>

tg_result tg_graph_sets_init(tg_graph_sets *sets, tg_net *net)
{
    *sets = (tg_graph_sets){.net = net, .num_slots = 1024};
    sets->slots = calloc(sets->num_slots, sizeof *sets->slots);
    sets->stamps = calloc(net->num_nodes, sizeof *sets->stamps);
    sets->name_stamps = calloc(net->num_names + 1, sizeof *sets->name_stamps);
    if (sets->slots == NULL || sets->stamps == NULL || sets->name_stamps == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(tg_vector_grow(&sets->sets, &sets->sets_cap, 2, sizeof *sets->sets, TG_MAX_PII_STATES));
    sets->sets[TG_PII_NOWHERE] = (tg_graph_set){0};
    sets->sets[TG_PII_ALL] = (tg_graph_set){0};
    sets->num_sets = 2;
    return tg_ok();
}

void tg_graph_sets_done(tg_graph_sets *sets)
{
    free(sets->sets);
    free(sets->ids);
    free(sets->slots);
    free(sets->stamps);
    free(sets->name_stamps);
    free(sets->closure);
    *sets = (tg_graph_sets){0};
}

static tg_result visit(tg_graph_sets *sets, tg_net_id id)
{
    if (sets->stamps[id] == sets->round) {
        return tg_ok();
    }
    sets->stamps[id] = sets->round;
    return tg_net_push(&sets->closure, &sets->num_closure, &sets->closure_cap, id);
}

tg_result tg_graph_sets_close(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets, bool is_certain_only)
{
    const tg_net *net = sets->net;
    sets->round++; /* 2^32 rounds are more than TG_MAX_NET_WORK allows */
    sets->num_closure = 0;
    for (size_t i = 0; i < num_targets; i++) {
        TG_TRY(visit(sets, targets[i]));
    }
    uint64_t work = num_targets + 1;
    for (size_t at = 0; at < sets->num_closure; at++) {
        for (uint32_t i = net->nodes[sets->closure[at]].first_link; i != UINT32_MAX; i = net->links[i].next) {
            work++;
            if (!is_certain_only || net->links[i].bond == TG_BOND_ALL) {
                TG_TRY(visit(sets, net->links[i].target));
            }
        }
    }
    return tg_net_spend(sets->net, work);
}

static bool speaks_of_members(const tg_net_node *node)
{
    return node->num_properties > 0 || node->num_patterns > 0 || node->additional != TG_NET_NONE ||
           node->unevaluated != TG_NET_NONE;
}

static bool speaks_of_elements(const tg_net_node *node)
{
    return node->num_prefix > 0 || node->items != TG_NET_NONE || node->contains != TG_NET_NONE ||
           node->unevaluated_items != TG_NET_NONE;
}

static bool is_live(const tg_net *net, tg_net_id id)
{
    return id != TG_NET_NONE && net->nodes[id].is_live;
}

typedef struct liveness { /* of the schemas with PII in one closure: through which names and elements it is reached */
    bool has_names;
    bool has_wild; /* through names that are not listed */
    bool has_elements;
} liveness;

static void note_liveness(tg_graph_sets *sets, const tg_net_node *node, liveness *out, uint64_t *work)
{
    const tg_net *net = sets->net;
    for (uint32_t i = 0; i < node->num_properties; i++) {
        const tg_net_step *step = &net->steps[node->first_property + i];
        if (net->nodes[step->target].is_live) {
            sets->name_stamps[step->label] = sets->round;
            out->has_names = true;
        }
    }
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        out->has_wild = out->has_wild || net->nodes[net->steps[node->first_pattern + i].target].is_live;
    }
    for (uint32_t i = 0; i < node->num_prefix; i++) {
        out->has_elements = out->has_elements || net->nodes[net->steps[node->first_prefix + i].target].is_live;
    }
    out->has_wild = out->has_wild || is_live(net, node->additional) || is_live(net, node->unevaluated);
    out->has_elements = out->has_elements || is_live(net, node->items) || is_live(net, node->contains) ||
                        is_live(net, node->unevaluated_items);
    *work += node->num_properties + node->num_patterns + node->num_prefix;
}

/* A schema without PII counts where it speaks of a position below which another has some: of its type. */
static bool is_relevant(const tg_graph_sets *sets, const tg_net_node *node, const liveness *live, uint64_t *work)
{
    const tg_net *net = sets->net;
    if (live->has_elements && speaks_of_elements(node)) {
        return true;
    }
    if (live->has_wild && speaks_of_members(node)) {
        return true;
    }
    if (live->has_names &&
        (node->num_patterns > 0 || node->additional != TG_NET_NONE || node->unevaluated != TG_NET_NONE)) {
        return true;
    }
    for (uint32_t i = 0; i < node->num_properties && live->has_names; i++) {
        ++*work;
        if (sets->name_stamps[net->steps[node->first_property + i].label] == sets->round) {
            return true;
        }
    }
    return false;
}

static int compare_ids(const void *a, const void *b)
{
    tg_net_id left = *(const tg_net_id *)a;
    tg_net_id right = *(const tg_net_id *)b;
    return left < right ? -1 : left > right;
}

/* Leaves in the closure what makes a difference, in order. */
static tg_result reduce(tg_graph_sets *sets)
{
    const tg_net *net = sets->net;
    liveness live = {false, false, false};
    uint64_t work = 0;
    for (size_t i = 0; i < sets->num_closure; i++) {
        const tg_net_node *node = &net->nodes[sets->closure[i]];
        if (node->is_live) {
            note_liveness(sets, node, &live, &work);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < sets->num_closure; i++) {
        const tg_net_node *node = &net->nodes[sets->closure[i]];
        if (node->is_live ? speaks_of_members(node) || speaks_of_elements(node)
                          : is_relevant(sets, node, &live, &work)) {
            sets->closure[kept++] = sets->closure[i];
        }
    }
    sets->num_closure = kept;
    if (kept > 1) {
        qsort(sets->closure, kept, sizeof *sets->closure, compare_ids);
    }
    return tg_net_spend(sets->net, work + kept);
}

static bool is_same(const tg_graph_sets *sets, const tg_graph_set *set, uint8_t types, bool seals_scalars)
{
    return set->types == types && set->seals_scalars == seals_scalars && set->num == sets->num_closure &&
           (set->num == 0 || memcmp(sets->ids + set->first, sets->closure, set->num * sizeof *sets->ids) == 0);
}

static size_t find_slot(const tg_graph_sets *sets, tg_slice content, uint8_t types, bool seals_scalars)
{
    size_t at = (size_t)tg_hash_bytes(types, content) & (sets->num_slots - 1);
    while (sets->slots[at] != 0 && !is_same(sets, &sets->sets[sets->slots[at]], types, seals_scalars)) {
        at = (at + 1) & (sets->num_slots - 1);
    }
    return at;
}

static tg_result widen(tg_graph_sets *sets)
{
    size_t num_slots = sets->num_slots * 2;
    uint32_t *slots = calloc(num_slots, sizeof *slots);
    if (slots == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (uint32_t state = 2; state < sets->num_sets; state++) {
        const tg_graph_set *set = &sets->sets[state];
        tg_slice content = tg_slice_of(set->num > 0 ? sets->ids + set->first : NULL, set->num * sizeof *sets->ids);
        size_t at = (size_t)tg_hash_bytes(set->types, content) & (num_slots - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (num_slots - 1);
        }
        slots[at] = state;
    }
    free(sets->slots);
    sets->slots = slots;
    sets->num_slots = num_slots;
    return tg_ok();
}

static tg_result enter(tg_graph_sets *sets, uint8_t types, bool seals_scalars, tg_pii_state *out_state)
{
    if (sets->num_sets * 2 > sets->num_slots) {
        TG_TRY(widen(sets));
    }
    tg_slice content = tg_slice_of(sets->closure, sets->num_closure * sizeof *sets->closure);
    size_t at = find_slot(sets, content, types, seals_scalars);
    if (sets->slots[at] == 0) {
        TG_TRY(tg_vector_grow(&sets->sets, &sets->sets_cap, sets->num_sets + 1, sizeof *sets->sets, TG_MAX_PII_STATES));
        TG_TRY(tg_vector_grow(&sets->ids, &sets->ids_cap, sets->num_ids + sets->num_closure, sizeof *sets->ids,
                              TG_MAX_PII_SET_IDS));
        sets->sets[sets->num_sets] = (tg_graph_set){
            .first = sets->num_ids, .num = (uint32_t)sets->num_closure, .types = types, .seals_scalars = seals_scalars};
        if (content.len > 0) {
            memcpy(sets->ids + sets->num_ids, content.ptr, content.len);
        }
        sets->num_ids += sets->num_closure;
        sets->slots[at] = (uint32_t)sets->num_sets++;
    }
    *out_state = sets->slots[at];
    return tg_ok();
}

bool tg_net_is_scalar_mark(const tg_net *net, tg_net_id id)
{
    return net->nodes[id].is_sealed && (net->nodes[id].types & (TG_TYPE_OBJECT | TG_TYPE_ARRAY)) == 0;
}

tg_result tg_graph_sets_state(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets,
                              tg_pii_state *out_state)
{
    uint8_t types = 0;
    bool has_live = false;
    for (size_t i = 0; i < num_targets; i++) {
        const tg_net_node *node = &sets->net->nodes[targets[i]];
        if (node->is_sealed) {
            *out_state = TG_PII_ALL;
            return tg_ok();
        }
        types |= node->types & (TG_TYPE_OBJECT | TG_TYPE_ARRAY);
        has_live = has_live || node->is_live;
    }
    if (!has_live) {
        *out_state = TG_PII_NOWHERE;
        return tg_ok();
    }
    TG_TRY(tg_graph_sets_close(sets, targets, num_targets, false));
    TG_TRY(reduce(sets));
    return enter(sets, types, false, out_state);
}

/* Puts into *out_others what is not a mark of scalars. */
static tg_result leave_out_scalars(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets,
                                   tg_net_id **out_others, size_t *out_num)
{
    size_t cap = 0;
    for (size_t i = 0; i < num_targets; i++) {
        if (!tg_net_is_scalar_mark(sets->net, targets[i])) {
            TG_TRY(tg_net_push(out_others, out_num, &cap, targets[i]));
        }
    }
    return tg_ok();
}

static tg_result enter_root(tg_graph_sets *sets, const tg_net_id *others, size_t num_others, tg_pii_state *out_state)
{
    tg_pii_state state = TG_PII_NOWHERE;
    TG_TRY(tg_graph_sets_state(sets, others, num_others, &state));
    if (state == TG_PII_ALL) {
        *out_state = state;
        return tg_ok();
    }
    sets->num_closure = 0;
    const tg_graph_set set = sets->sets[state];
    for (uint32_t i = 0; i < set.num; i++) {
        TG_TRY(tg_net_push(&sets->closure, &sets->num_closure, &sets->closure_cap, sets->ids[set.first + i]));
    }
    uint8_t types = state == TG_PII_NOWHERE ? (uint8_t)(TG_TYPE_OBJECT | TG_TYPE_ARRAY) : set.types;
    return enter(sets, types, true, out_state);
}

tg_result tg_graph_sets_root(tg_graph_sets *sets, const tg_net_id *targets, size_t num_targets, tg_pii_state *out_state)
{
    tg_net_id *others = NULL;
    size_t num_others = 0;
    tg_result result = leave_out_scalars(sets, targets, num_targets, &others, &num_others);
    if (tg_is_ok(result)) {
        result = num_others == num_targets || num_others == 0
                     ? tg_graph_sets_state(sets, targets, num_targets, out_state)
                     : enter_root(sets, others, num_others, out_state);
    }
    free(others);
    return result;
}
