/* What follows from a net's links and steps: the types of each schema, which are sealed, which lead to PII at all,
 * which the root reaches. Every analysis is a fixpoint over reversed edges, so that its result does not depend on the
 * order in which the schemas were read. */
#include "schema/net.h"

#include <stdlib.h>

/* For each node the nodes whose edge leads to it: sources[firsts[n]] up to sources[firsts[n + 1]]. */
typedef struct reversed {
    uint32_t *firsts;
    tg_net_id *sources;
} reversed;

typedef struct judging_state {
    tg_net *net;
    reversed links;
    reversed steps;
    tg_net_id *queue;
    size_t num_queued, queue_cap;
    tg_net_id *children;
    size_t children_cap;
    bool *is_queued;
} judging_state;

static tg_result collect_targets(judging_state *judging, tg_net_id id, bool is_link, size_t *out_num)
{
    const tg_net *net = judging->net;
    size_t num = 0;
    for (uint32_t i = net->nodes[id].first_link; is_link && i != UINT32_MAX; i = net->links[i].next) {
        TG_TRY(tg_net_push(&judging->children, &num, &judging->children_cap, net->links[i].target));
    }
    if (!is_link) {
        TG_TRY(tg_net_children(net, id, &judging->children, &num, &judging->children_cap));
    }
    *out_num = num;
    return tg_ok();
}

static tg_result reverse(judging_state *judging, bool is_link, reversed *out)
{
    const tg_net *net = judging->net;
    out->firsts = calloc(net->num_nodes + 2, sizeof *out->firsts);
    if (out->firsts == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t num_edges = 0;
    for (tg_net_id id = 0; id < net->num_nodes; id++) {
        size_t num;
        TG_TRY(collect_targets(judging, id, is_link, &num));
        for (size_t i = 0; i < num; i++) {
            out->firsts[judging->children[i] + 2]++;
        }
        num_edges += num;
    }
    for (size_t i = 2; i < net->num_nodes + 2; i++) {
        out->firsts[i] += out->firsts[i - 1];
    }
    out->sources = malloc((num_edges > 0 ? num_edges : 1) * sizeof *out->sources);
    if (out->sources == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (tg_net_id id = 0; id < net->num_nodes; id++) { /* firsts[n + 1] runs from the start of n's part to its end */
        size_t num;
        TG_TRY(collect_targets(judging, id, is_link, &num));
        for (size_t i = 0; i < num; i++) {
            out->sources[out->firsts[judging->children[i] + 1]++] = id;
        }
    }
    return tg_net_spend(judging->net, num_edges);
}

static tg_result enqueue(judging_state *judging, tg_net_id id)
{
    return tg_net_push(&judging->queue, &judging->num_queued, &judging->queue_cap, id);
}

static tg_result spread_seals(judging_state *judging)
{
    tg_net *net = judging->net;
    judging->num_queued = 0;
    for (tg_net_id id = 0; id < net->num_nodes; id++) {
        net->nodes[id].is_sealed = net->nodes[id].is_marked;
        if (net->nodes[id].is_sealed) {
            TG_TRY(enqueue(judging, id));
        }
    }
    for (size_t at = 0; at < judging->num_queued; at++) {
        tg_net_id id = judging->queue[at];
        for (uint32_t i = judging->links.firsts[id]; i < judging->links.firsts[id + 1]; i++) {
            tg_net_id source = judging->links.sources[i];
            if (!net->nodes[source].is_sealed) {
                net->nodes[source].is_sealed = true;
                TG_TRY(enqueue(judging, source));
            }
        }
    }
    return tg_net_spend(net, judging->num_queued);
}

static tg_result spread_life(judging_state *judging)
{
    tg_net *net = judging->net;
    judging->num_queued = 0;
    for (tg_net_id id = 0; id < net->num_nodes; id++) {
        net->nodes[id].is_live = net->nodes[id].is_sealed;
        if (net->nodes[id].is_live) {
            TG_TRY(enqueue(judging, id));
        }
    }
    for (size_t at = 0; at < judging->num_queued; at++) {
        tg_net_id id = judging->queue[at];
        const reversed *const ways[] = {&judging->links, &judging->steps};
        for (size_t w = 0; w < TG_COUNT(ways); w++) {
            for (uint32_t i = ways[w]->firsts[id]; i < ways[w]->firsts[id + 1]; i++) {
                tg_net_id source = ways[w]->sources[i];
                if (!net->nodes[source].is_live) {
                    net->nodes[source].is_live = true;
                    TG_TRY(enqueue(judging, source));
                }
            }
        }
    }
    return tg_net_spend(net, judging->num_queued);
}

/* Own types, within those of every allOf and $ref, within the union of oneOf's, of anyOf's, of $dynamicRef's. */
static uint8_t types_of(tg_net *net, tg_net_id id, uint64_t *work)
{
    uint8_t types = net->nodes[id].own_types;
    uint8_t unions[] = {0, 0, 0};
    bool are_there[] = {false, false, false};
    for (uint32_t i = net->nodes[id].first_link; i != UINT32_MAX; i = net->links[i].next) {
        const tg_net_link *link = &net->links[i];
        uint8_t target = net->nodes[link->target].types;
        ++*work;
        if (link->bond == TG_BOND_ALL) {
            types &= target;
        } else if (link->bond != TG_BOND_MAYBE) {
            unions[link->bond - TG_BOND_ONE_OF] |= target;
            are_there[link->bond - TG_BOND_ONE_OF] = true;
        }
    }
    for (size_t i = 0; i < TG_COUNT(unions); i++) {
        types &= are_there[i] ? unions[i] : (uint8_t)TG_TYPE_ANY;
    }
    return types;
}

/* The greatest fixpoint: all types at first, then less and less. The queue is used as a stack. */
static tg_result narrow_types(judging_state *judging)
{
    tg_net *net = judging->net;
    judging->num_queued = 0;
    for (tg_net_id id = 0; id < net->num_nodes; id++) {
        net->nodes[id].types = TG_TYPE_ANY;
        judging->is_queued[id] = true;
        TG_TRY(enqueue(judging, id));
    }
    while (judging->num_queued > 0) {
        tg_net_id id = judging->queue[--judging->num_queued];
        judging->is_queued[id] = false;
        uint64_t work = 0;
        uint8_t types = types_of(net, id, &work);
        TG_TRY(tg_net_spend(net, work));
        if (types == net->nodes[id].types) {
            continue;
        }
        net->nodes[id].types = types;
        for (uint32_t i = judging->links.firsts[id]; i < judging->links.firsts[id + 1]; i++) {
            tg_net_id source = judging->links.sources[i];
            if (!judging->is_queued[source]) {
                judging->is_queued[source] = true;
                TG_TRY(enqueue(judging, source));
            }
        }
    }
    return tg_ok();
}

static tg_result reach_from(judging_state *judging, const tg_net_id *roots, size_t num_roots, uint8_t bit)
{
    tg_net *net = judging->net;
    judging->num_queued = 0;
    for (size_t i = 0; i < num_roots; i++) {
        if ((net->nodes[roots[i]].reached & bit) == 0) {
            net->nodes[roots[i]].reached |= bit;
            TG_TRY(enqueue(judging, roots[i]));
        }
    }
    for (size_t at = 0; at < judging->num_queued; at++) {
        for (unsigned way = 0; way < 2; way++) {
            size_t num;
            TG_TRY(collect_targets(judging, judging->queue[at], way == 0, &num));
            for (size_t i = 0; i < num; i++) {
                tg_net_id target = judging->children[i];
                if ((net->nodes[target].reached & bit) == 0) {
                    net->nodes[target].reached |= bit;
                    TG_TRY(enqueue(judging, target));
                }
            }
        }
    }
    return tg_net_spend(net, judging->num_queued);
}

/* a: $ref b, b: $ref a. Each node has one $ref at most, so a walk either ends or comes back. */
static tg_result refuse_endless_refs(judging_state *judging)
{
    tg_net *net = judging->net;
    uint32_t *walk_of = calloc(net->num_nodes, sizeof *walk_of); /* 0: not walked yet */
    if (walk_of == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_net_id endless = TG_NET_NONE;
    for (tg_net_id start = 0; start < net->num_nodes && endless == TG_NET_NONE; start++) {
        tg_net_id id = start;
        for (; id != TG_NET_NONE && walk_of[id] == 0; id = net->nodes[id].ref) {
            walk_of[id] = start + 1;
        }
        endless = id != TG_NET_NONE && walk_of[id] == start + 1 ? id : TG_NET_NONE;
    }
    free(walk_of);
    if (endless == TG_NET_NONE) {
        return tg_ok();
    }
    return tg_net_refuse(net, net->nodes[endless].place, TG_ERR_SYNTAX, "this $ref leads back to itself",
                         "let the chain end in a schema");
}

static void drop_blank(const tg_net *net, tg_net_id *id)
{
    if (*id != TG_NET_NONE && net->nodes[*id].is_blank) {
        *id = TG_NET_NONE;
    }
}

/* `additionalProperties: {}` says as little as `true`, or as none at all. */
static void find_blanks(tg_net *net)
{
    for (tg_net_id id = 2; id < net->num_nodes; id++) {
        tg_net_node *node = &net->nodes[id];
        node->is_blank = !node->is_marked && node->first_link == UINT32_MAX && node->own_types == TG_TYPE_ANY &&
                         node->num_properties == 0 && node->num_patterns == 0 && node->num_prefix == 0 &&
                         node->additional == TG_NET_NONE && node->unevaluated == TG_NET_NONE && !node->has_items &&
                         node->contains == TG_NET_NONE && node->unevaluated_items == TG_NET_NONE;
    }
    for (tg_net_id id = 2; id < net->num_nodes; id++) {
        drop_blank(net, &net->nodes[id].additional);
        drop_blank(net, &net->nodes[id].unevaluated);
        drop_blank(net, &net->nodes[id].unevaluated_items);
    }
}

static tg_result judge(judging_state *judging)
{
    tg_net *net = judging->net;
    TG_TRY(refuse_endless_refs(judging));
    find_blanks(net);
    TG_TRY(reverse(judging, true, &judging->links));
    TG_TRY(reverse(judging, false, &judging->steps));
    judging->is_queued = calloc(net->num_nodes, sizeof *judging->is_queued);
    if (judging->is_queued == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(spread_seals(judging));
    TG_TRY(spread_life(judging));
    TG_TRY(narrow_types(judging));
    TG_TRY(reach_from(judging, net->roots, net->num_roots, TG_REACHED_BY_ROOT));
    return reach_from(judging, net->bodies, net->num_bodies, TG_REACHED_BY_BODY);
}

tg_result tg_net_judge(tg_net *net)
{
    judging_state judging = {.net = net};
    tg_result result = judge(&judging);
    free(judging.links.firsts);
    free(judging.links.sources);
    free(judging.steps.firsts);
    free(judging.steps.sources);
    free(judging.queue);
    free(judging.children);
    free(judging.is_queued);
    return result;
}
