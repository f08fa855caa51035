#include "schema/graph_build.h"

#include "schema/graph_shields.h"
#include "schema/pattern.h"
#include "schema/vector.h"

#include <stdlib.h>

typedef struct graph_builder {
    tg_pii_store *store;
    tg_net *net;
    tg_graph_sets sets;
    tg_graph_shields shields;
    uint32_t *key_offsets; /* by name; UINT32_MAX where the key is not stored yet */
    /* of the state that is being made */
    tg_net_step *named; /* what each schema says of a name that it lists */
    size_t num_named, named_cap;
    tg_net_step *matched; /* of a pattern: label is the bit's number */
    size_t num_matched, matched_cap;
    uint32_t patterns[TG_MAX_PII_PATTERNS];
    uint32_t num_patterns;
    tg_graph_wild *wilds;
    size_t num_wilds, wilds_cap;
    tg_net_id *targets;
    size_t num_targets, targets_cap;
    tg_pii_member *members;
    size_t num_members, members_cap;
    tg_pii_state *elements;
    size_t num_elements, elements_cap;
} graph_builder;

static tg_result compile_patterns(graph_builder *builder)
{
    tg_net *net = builder->net;
    tg_pii_store *store = builder->store;
    store->owned_patterns = calloc(net->num_patterns + 1, sizeof(tg_pii_pattern *));
    if (store->owned_patterns == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < net->num_patterns; i++) {
        tg_detail reason = {0};
        tg_result result = tg_pii_pattern_new(net->patterns[i], &store->owned_patterns[i], &reason);
        if (result.code == TG_ERR_SYNTAX) {
            return tg_net_refuse(net, net->pattern_places[i], TG_ERR_SYNTAX, reason.reason, "mend the pattern");
        }
        TG_TRY(result);
        store->num_owned++;
    }
    return tg_ok();
}

static tg_result add_target(graph_builder *builder, tg_net_id id)
{
    return tg_net_push(&builder->targets, &builder->num_targets, &builder->targets_cap, id);
}

static tg_result add_step(tg_net_step **list, size_t *num, size_t *cap, uint32_t label, tg_net_id target)
{
    TG_TRY(tg_vector_grow(list, cap, *num + 1, sizeof **list, TG_MAX_NET_STEPS));
    (*list)[(*num)++] = (tg_net_step){label, target};
    return tg_ok();
}

/* The state's number for a pattern of the document. */
static tg_result pattern_bit(graph_builder *builder, uint32_t label, uint32_t *out_bit)
{
    for (uint32_t i = 0; i < builder->num_patterns; i++) {
        if (builder->patterns[i] == label) {
            *out_bit = i;
            return tg_ok();
        }
    }
    if (builder->num_patterns == TG_MAX_PII_PATTERNS) {
        return tg_net_refuse(builder->net, builder->net->pattern_places[label], TG_ERR_LIMIT,
                             "more than 8 patterns speak of the members of one object",
                             "join patterns, or name one schema in `x-teegate-root: [Name]`");
    }
    builder->patterns[builder->num_patterns] = label;
    *out_bit = builder->num_patterns++;
    return tg_ok();
}

static tg_result add_wild(graph_builder *builder, tg_graph_wild wild)
{
    TG_TRY(tg_vector_grow(&builder->wilds, &builder->wilds_cap, builder->num_wilds + 1, sizeof *builder->wilds,
                          TG_MAX_NET_STEPS));
    builder->wilds[builder->num_wilds++] = wild;
    return tg_ok();
}

static tg_result gather_unevaluated(graph_builder *builder, tg_net_id id)
{
    const tg_net_node *node = &builder->net->nodes[id];
    tg_graph_wild wild = {.owner = id, .target = node->unevaluated};
    TG_TRY(tg_graph_shields_find(&builder->shields, id, &wild.shield));
    const tg_graph_shield shield = builder->shields.shields[wild.shield];
    if (shield.has_all) {
        return tg_ok();
    }
    for (size_t i = 0; i < shield.num_patterns; i++) {
        uint32_t bit;
        TG_TRY(pattern_bit(builder, builder->shields.labels[shield.first_pattern + i], &bit));
        wild.patterns |= 1u << bit;
    }
    return add_wild(builder, wild);
}

/* Collects what one schema of the state says of members. */
static tg_result gather_members(graph_builder *builder, tg_net_id id)
{
    const tg_net *net = builder->net;
    const tg_net_node *node = &net->nodes[id];
    uint32_t own_patterns = 0;
    for (uint32_t i = 0; i < node->num_properties; i++) {
        const tg_net_step *step = &net->steps[node->first_property + i];
        TG_TRY(add_step(&builder->named, &builder->num_named, &builder->named_cap, step->label, step->target));
    }
    for (uint32_t i = 0; i < node->num_patterns; i++) {
        const tg_net_step *step = &net->steps[node->first_pattern + i];
        uint32_t bit;
        TG_TRY(pattern_bit(builder, step->label, &bit));
        own_patterns |= 1u << bit;
        TG_TRY(add_step(&builder->matched, &builder->num_matched, &builder->matched_cap, bit, step->target));
    }
    if (node->additional != TG_NET_NONE) {
        TG_TRY(add_wild(builder, (tg_graph_wild){id, node->additional, UINT32_MAX, own_patterns}));
    }
    return node->unevaluated != TG_NET_NONE ? gather_unevaluated(builder, id) : tg_ok();
}

/* The state for a name that matches the patterns of `matching`; targets holds what schemas say that list it. */
static tg_result next_state(graph_builder *builder, uint32_t label, uint32_t matching, tg_pii_state *out_next)
{
    for (size_t i = 0; i < builder->num_matched; i++) {
        if ((matching >> builder->matched[i].label & 1u) != 0) {
            TG_TRY(add_target(builder, builder->matched[i].target));
        }
    }
    for (size_t i = 0; i < builder->num_wilds; i++) {
        if (!tg_graph_wild_is_shielded(&builder->shields, &builder->wilds[i], label, matching)) {
            TG_TRY(add_target(builder, builder->wilds[i].target));
        }
    }
    TG_TRY(tg_net_spend(builder->net, builder->num_matched + builder->num_wilds + builder->num_targets));
    return tg_graph_sets_state(&builder->sets, builder->targets, builder->num_targets, out_next);
}

/* What becomes of names that no schema lists: one next state for each combination of matching patterns. */
static tg_result make_unlisted(graph_builder *builder, tg_pii_node *node, bool *out_is_open)
{
    tg_pii_state combined[1u << TG_MAX_PII_PATTERNS];
    uint32_t num_combined = 1u << builder->num_patterns;
    bool is_one = true;
    bool is_open = false;
    for (uint32_t matching = 0; matching < num_combined; matching++) {
        builder->num_targets = 0;
        TG_TRY(next_state(builder, UINT32_MAX, matching, &combined[matching]));
        is_one = is_one && combined[matching] == combined[0];
        is_open = is_open || combined[matching] != TG_PII_NOWHERE;
    }
    *out_is_open = is_open;
    node->other = combined[0];
    if (is_one) {
        return tg_ok();
    }
    tg_pii_store *store = builder->store;
    TG_TRY(tg_vector_grow(&store->patterns, &store->patterns_cap, store->num_patterns + builder->num_patterns,
                          sizeof(const tg_pii_pattern *), TG_MAX_PII_ENTRIES));
    node->first_pattern = (uint32_t)store->num_patterns;
    node->num_patterns = builder->num_patterns;
    for (uint32_t i = 0; i < builder->num_patterns; i++) {
        store->patterns[store->num_patterns++] = store->owned_patterns[builder->patterns[i]];
    }
    return tg_pii_store_add_states(store, combined, num_combined, &node->first_combined);
}

static tg_result match_all(graph_builder *builder, uint32_t label, uint32_t *out_matching)
{
    uint32_t matching = 0;
    for (uint32_t i = 0; i < builder->num_patterns; i++) {
        bool is_match;
        uint32_t pattern = builder->patterns[i];
        tg_result result =
            tg_pii_pattern_match(builder->store->owned_patterns[pattern], builder->net->names[label], &is_match);
        if (result.code == TG_ERR_LIMIT) {
            return tg_net_refuse(builder->net, builder->net->pattern_places[pattern], TG_ERR_LIMIT,
                                 "the pattern needs too many steps to match", "write it without nested repetition");
        }
        TG_TRY(result);
        matching |= (uint32_t)is_match << i;
    }
    TG_TRY(tg_net_spend(builder->net, (uint64_t)builder->num_patterns * 100));
    *out_matching = matching;
    return tg_ok();
}

static tg_result add_member(graph_builder *builder, uint32_t label, tg_pii_state next)
{
    tg_slice name = builder->net->names[label];
    if (builder->key_offsets[label] == UINT32_MAX) {
        TG_TRY(tg_pii_store_add_key(builder->store, name, &builder->key_offsets[label]));
    }
    TG_TRY(tg_vector_grow(&builder->members, &builder->members_cap, builder->num_members + 1, sizeof *builder->members,
                          TG_MAX_PII_ENTRIES));
    builder->members[builder->num_members++] = (tg_pii_member){.hash = tg_pii_hash(name),
                                                               .key_len = (uint32_t)name.len,
                                                               .key_offset = builder->key_offsets[label],
                                                               .next = next};
    return tg_ok();
}

static int compare_steps(const void *a, const void *b)
{
    const tg_net_step *left = a;
    const tg_net_step *right = b;
    if (left->label != right->label) {
        return left->label < right->label ? -1 : 1;
    }
    return left->target < right->target ? -1 : left->target > right->target;
}

static tg_result make_members(graph_builder *builder, tg_pii_node *node)
{
    bool is_open;
    TG_TRY(make_unlisted(builder, node, &is_open));
    builder->num_members = 0;
    if (builder->num_named > 0) {
        qsort(builder->named, builder->num_named, sizeof *builder->named, compare_steps);
    }
    bool has_next = is_open;
    for (size_t i = 0; i < builder->num_named;) {
        uint32_t label = builder->named[i].label;
        uint32_t matching = 0;
        tg_pii_state next;
        builder->num_targets = 0;
        for (; i < builder->num_named && builder->named[i].label == label; i++) {
            TG_TRY(add_target(builder, builder->named[i].target));
        }
        TG_TRY(match_all(builder, label, &matching));
        TG_TRY(next_state(builder, label, matching, &next));
        if (next != TG_PII_NOWHERE || is_open) {
            TG_TRY(add_member(builder, label, next));
        }
        has_next = has_next || next != TG_PII_NOWHERE;
    }
    node->flags |= has_next ? (uint32_t)TG_PII_IN_OBJECT : 0;
    return tg_pii_store_add_members(builder->store, builder->members, (uint32_t)builder->num_members, node);
}

/* Adds what one schema says of element `index`; UINT32_MAX stands for all behind the listed ones. */
static tg_result gather_element(graph_builder *builder, tg_net_id id, uint32_t index, uint32_t first_unevaluated)
{
    const tg_net_node *node = &builder->net->nodes[id];
    if (index < node->num_prefix) {
        TG_TRY(add_target(builder, builder->net->steps[node->first_prefix + index].target));
    } else if (node->items != TG_NET_NONE) {
        TG_TRY(add_target(builder, node->items));
    }
    if (node->contains != TG_NET_NONE) {
        TG_TRY(add_target(builder, node->contains));
    }
    if (node->unevaluated_items != TG_NET_NONE && first_unevaluated != UINT32_MAX && index >= first_unevaluated) {
        TG_TRY(add_target(builder, node->unevaluated_items));
    }
    return tg_ok();
}

static tg_result element_state(graph_builder *builder, tg_pii_state state, uint32_t index, tg_pii_state *out_next)
{
    const tg_graph_set set = builder->sets.sets[state];
    builder->num_targets = 0;
    for (uint32_t i = 0; i < set.num; i++) {
        tg_net_id id = builder->sets.ids[set.first + i];
        uint32_t first_unevaluated = UINT32_MAX;
        if (builder->net->nodes[id].unevaluated_items != TG_NET_NONE) {
            TG_TRY(tg_graph_shields_first_element(&builder->shields, id, &first_unevaluated));
        }
        TG_TRY(gather_element(builder, id, index, first_unevaluated));
    }
    TG_TRY(tg_net_spend(builder->net, set.num + 1));
    return tg_graph_sets_state(&builder->sets, builder->targets, builder->num_targets, out_next);
}

static tg_result make_elements(graph_builder *builder, tg_pii_state state, tg_pii_node *node)
{
    const tg_graph_set set = builder->sets.sets[state];
    uint32_t num_listed = 0;
    for (uint32_t i = 0; i < set.num; i++) {
        tg_net_id id = builder->sets.ids[set.first + i];
        const tg_net_node *schema = &builder->net->nodes[id];
        num_listed = schema->num_prefix > num_listed ? schema->num_prefix : num_listed;
        if (schema->unevaluated_items != TG_NET_NONE) {
            uint32_t first;
            TG_TRY(tg_graph_shields_first_element(&builder->shields, id, &first));
            num_listed = first != UINT32_MAX && first > num_listed ? first : num_listed;
        }
    }
    TG_TRY(element_state(builder, state, UINT32_MAX, &node->rest));
    TG_TRY(tg_vector_grow(&builder->elements, &builder->elements_cap, num_listed, sizeof *builder->elements,
                          TG_MAX_PII_ENTRIES));
    bool has_next = node->rest != TG_PII_NOWHERE;
    for (uint32_t i = 0; i < num_listed; i++) {
        TG_TRY(element_state(builder, state, i, &builder->elements[i]));
        has_next = has_next || builder->elements[i] != TG_PII_NOWHERE;
    }
    while (num_listed > 0 && builder->elements[num_listed - 1] == node->rest) {
        num_listed--;
    }
    node->flags |= has_next ? (uint32_t)TG_PII_IN_ARRAY : 0;
    node->num_prefix = num_listed;
    return tg_pii_store_add_states(builder->store, builder->elements, num_listed, &node->first_prefix);
}

static tg_result make_state(graph_builder *builder, tg_pii_state state)
{
    builder->num_named = 0;
    builder->num_matched = 0;
    builder->num_patterns = 0;
    builder->num_wilds = 0;
    const tg_graph_set set = builder->sets.sets[state];
    tg_pii_node node = {0};
    node.flags |= (set.types & TG_TYPE_OBJECT) == 0 ? (uint32_t)TG_PII_NO_OBJECT : 0;
    node.flags |= set.seals_scalars ? (uint32_t)TG_PII_SEALED_SCALAR : 0;
    node.flags |= (set.types & TG_TYPE_ARRAY) == 0 ? (uint32_t)TG_PII_NO_ARRAY : 0;
    for (uint32_t i = 0; i < set.num; i++) {
        TG_TRY(gather_members(builder, builder->sets.ids[set.first + i]));
    }
    TG_TRY(make_members(builder, &node));
    TG_TRY(make_elements(builder, state, &node));
    return tg_pii_store_add_node(builder->store, node);
}

static tg_result defines_payload(graph_builder *builder, const tg_net_id *ids, size_t num_ids, bool *out_defines)
{
    const tg_net *net = builder->net;
    TG_TRY(tg_graph_sets_close(&builder->sets, ids, num_ids, false));
    uint32_t payload = tg_name_index_get(&net->name_ids, 0, TG_LIT("payload"));
    bool defines = false;
    for (size_t i = 0; i < builder->sets.num_closure && !defines; i++) {
        const tg_net_node *node = &net->nodes[builder->sets.closure[i]];
        for (uint32_t k = 0; k < node->num_properties && !defines; k++) {
            defines = net->steps[node->first_property + k].label == payload;
        }
        for (uint32_t k = 0; k < node->num_patterns && !defines; k++) {
            uint32_t pattern = net->steps[node->first_pattern + k].label;
            TG_TRY(tg_pii_pattern_match(builder->store->owned_patterns[pattern], TG_LIT("payload"), &defines));
        }
        TG_TRY(tg_net_spend(builder->net, node->num_properties + (uint64_t)node->num_patterns * 100));
    }
    *out_defines = defines;
    return tg_ok();
}

static tg_result make_root(graph_builder *builder, const tg_net_id *ids, size_t num_ids, tg_pii_root *out_root)
{
    tg_pii_root root = {.graph = &builder->store->graph};
    TG_TRY(tg_graph_sets_root(&builder->sets, ids, num_ids, &root.state));
    TG_TRY(defines_payload(builder, ids, num_ids, &root.defines_payload));
    *out_root = root;
    return tg_ok();
}

static tg_result build(graph_builder *builder, tg_pii_root *out_root, tg_pii_root *out_components)
{
    tg_net *net = builder->net;
    TG_TRY(tg_graph_sets_init(&builder->sets, net));
    TG_TRY(tg_graph_shields_init(&builder->shields, &builder->sets));
    builder->key_offsets = malloc((net->num_names + 1) * sizeof *builder->key_offsets);
    if (builder->key_offsets == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    memset(builder->key_offsets, 0xff, (net->num_names + 1) * sizeof *builder->key_offsets);
    TG_TRY(compile_patterns(builder));
    TG_TRY(tg_pii_store_add_node(builder->store, (tg_pii_node){0}));
    TG_TRY(tg_pii_store_add_node(builder->store, (tg_pii_node){.flags = TG_PII_SEALED}));
    TG_TRY(make_root(builder, net->roots, net->num_roots, out_root));
    for (size_t i = 0; i < net->num_components; i++) {
        TG_TRY(make_root(builder, &net->components[i].id, 1, &out_components[i]));
    }
    while (builder->store->num_nodes < builder->sets.num_sets) {
        TG_TRY(make_state(builder, (tg_pii_state)builder->store->num_nodes));
    }
    tg_pii_store_finish(builder->store);
    return tg_ok();
}

tg_result tg_pii_store_build(tg_pii_store *store, tg_net *net, tg_pii_root *out_root, tg_pii_root *out_components)
{
    *store = (tg_pii_store){0};
    graph_builder builder = {.store = store, .net = net};
    tg_result result = build(&builder, out_root, out_components);
    free(builder.key_offsets);
    free(builder.named);
    free(builder.matched);
    free(builder.wilds);
    free(builder.targets);
    free(builder.members);
    free(builder.elements);
    tg_graph_shields_done(&builder.shields);
    tg_graph_sets_done(&builder.sets);
    if (result.code == TG_ERR_LIMIT && net->detail != NULL && net->detail->reason[0] == 0) {
        return tg_net_refuse_size(net);
    }
    return result;
}
