#include "schema/net.h"

#include "schema/vector.h"

#include <stdlib.h>

void tg_net_done(tg_net *net)
{
    for (size_t i = 0; net->trees != NULL && i < net->library->num_docs; i++) {
        free(net->trees[i].ids);
    }
    free(net->trees);
    free(net->nodes);
    free(net->links);
    free(net->steps);
    free(net->names);
    free(net->patterns);
    free(net->pattern_places);
    free(net->components);
    free(net->roots);
    free(net->bodies);
    free(net->pairs);
    free(net->discriminators);
    free(net->dynamics);
    tg_name_index_done(&net->name_ids);
    tg_name_index_done(&net->pattern_ids);
    *net = (tg_net){0};
}

tg_result tg_net_refuse(tg_net *net, tg_place place, tg_code code, const char *reason, const char *remedy)
{
    return tg_library_refuse(net->library, place, net->detail, code, reason, remedy);
}

tg_result tg_net_refuse_size(tg_net *net)
{
    tg_place place = {net->doc, TG_DOC_NONE};
    return tg_net_refuse(net, place, TG_ERR_LIMIT, "the document's schemas combine to more than can be compiled",
                         "name the schemas that are sent in `x-teegate-root: [Name]`, or split the document");
}

tg_result tg_net_spend(tg_net *net, uint64_t work)
{
    net->work += work;
    return net->work <= TG_MAX_NET_WORK ? tg_ok() : tg_net_refuse_size(net);
}

tg_result tg_net_push(tg_net_id **list, size_t *num, size_t *cap, tg_net_id id)
{
    TG_TRY(tg_vector_grow(list, cap, *num + 1, sizeof **list, TG_MAX_NET_STEPS));
    (*list)[(*num)++] = id;
    return tg_ok();
}

tg_result tg_net_name(tg_net *net, tg_slice name, uint32_t *out_label)
{
    uint32_t label = tg_name_index_get(&net->name_ids, 0, name);
    if (label == TG_NAME_NONE) {
        TG_TRY(tg_vector_grow(&net->names, &net->names_cap, net->num_names + 1, sizeof *net->names, TG_MAX_NET_STEPS));
        label = (uint32_t)net->num_names;
        TG_TRY(tg_name_index_put(&net->name_ids, 0, name, label));
        net->names[net->num_names++] = name;
    }
    *out_label = label;
    return tg_ok();
}

tg_result tg_net_add_link(tg_net *net, tg_net_id from, tg_net_id target, tg_net_bond bond)
{
    TG_TRY(tg_vector_grow(&net->links, &net->links_cap, net->num_links + 1, sizeof *net->links, TG_MAX_NET_STEPS));
    net->links[net->num_links] = (tg_net_link){target, net->nodes[from].first_link, bond};
    net->nodes[from].first_link = (uint32_t)net->num_links++;
    return tg_ok();
}

static tg_result add_node(tg_net *net, tg_place place, tg_net_id *out_id)
{
    TG_TRY(tg_vector_grow(&net->nodes, &net->nodes_cap, net->num_nodes + 1, sizeof *net->nodes, TG_MAX_NET_NODES));
    net->nodes[net->num_nodes] = (tg_net_node){.place = place,
                                               .first_link = UINT32_MAX,
                                               .additional = TG_NET_NONE,
                                               .unevaluated = TG_NET_NONE,
                                               .items = TG_NET_NONE,
                                               .contains = TG_NET_NONE,
                                               .unevaluated_items = TG_NET_NONE,
                                               .ref = TG_NET_NONE,
                                               .own_types = TG_TYPE_ANY};
    *out_id = (tg_net_id)net->num_nodes++;
    return tg_ok();
}

static tg_result touch(tg_net *net, uint32_t doc)
{
    tg_net_tree *tree = &net->trees[doc];
    if (tree->ids == NULL) {
        size_t num_items = net->library->docs[doc].tree.num_items;
        tree->ids = malloc(num_items * sizeof *tree->ids);
        if (tree->ids == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        memset(tree->ids, 0xff, num_items * sizeof *tree->ids); /* TG_NET_NONE each */
    }
    return tg_ok();
}

tg_result tg_net_schema(tg_net *net, tg_place place, tg_net_id *out_id)
{
    const tg_doc *tree = tg_net_tree_of(net, place);
    switch (tg_doc_kind_of(tree, place.node)) {
    case TG_DOC_BOOL:
        *out_id = tree->items[place.node].is_true ? TG_NET_ANY : TG_NET_NOTHING;
        return tg_ok();
    case TG_DOC_NULL: /* a key with nothing behind it */
        *out_id = TG_NET_ANY;
        return tg_ok();
    case TG_DOC_MAP:
        break;
    case TG_DOC_NUMBER:
    case TG_DOC_TEXT:
    case TG_DOC_LIST:
        return tg_net_refuse(net, place, TG_ERR_SYNTAX, "a schema is expected here", "give a map");
    }
    TG_TRY(touch(net, place.doc));
    tg_net_id *known = &net->trees[place.doc].ids[place.node];
    if (*known == TG_NET_NONE) {
        TG_TRY(add_node(net, place, known));
    }
    *out_id = *known;
    return tg_ok();
}

/* Components of a document whose allOf refers to another schema: subtypes, where that one has a discriminator. */
static tg_result index_subtypes(tg_net *net, uint32_t doc)
{
    const tg_doc *tree = tg_library_tree(net->library, doc);
    tg_doc_node schemas = tg_doc_get(tree, tg_doc_get(tree, tree->root, TG_LIT("components")), TG_LIT("schemas"));
    for (size_t i = 0; tg_doc_is(tree, schemas, TG_DOC_MAP) && i < tg_doc_count(tree, schemas); i++) {
        tg_slice name;
        tg_doc_node schema = tg_doc_member_at(tree, schemas, i, &name);
        tg_doc_node all_of = tg_doc_get(tree, schema, TG_LIT("allOf"));
        for (size_t k = 0; tg_doc_is(tree, all_of, TG_DOC_LIST) && k < tg_doc_count(tree, all_of); k++) {
            tg_doc_node part = tg_doc_element(tree, all_of, k);
            tg_doc_node ref = tg_doc_get(tree, part, TG_LIT("$ref"));
            tg_place target;
            tg_net_pair pair;
            if (!tg_doc_is(tree, ref, TG_DOC_TEXT)) {
                continue;
            }
            TG_TRY(
                tg_library_resolve(net->library, (tg_place){doc, part}, tg_doc_text(tree, ref), &target, net->detail));
            TG_TRY(tg_net_schema(net, target, &pair.base));
            TG_TRY(tg_net_schema(net, (tg_place){doc, schema}, &pair.subtype));
            TG_TRY(
                tg_vector_grow(&net->pairs, &net->pairs_cap, net->num_pairs + 1, sizeof *net->pairs, TG_MAX_NET_STEPS));
            net->pairs[net->num_pairs++] = pair;
        }
    }
    return tg_ok();
}

static tg_result index_dynamic_anchors(tg_net *net, uint32_t doc)
{
    for (size_t i = 0; i < net->library->num_dynamic; i++) {
        tg_net_id id;
        if (net->library->dynamic[i].place.doc == doc) {
            TG_TRY(tg_net_schema(net, net->library->dynamic[i].place, &id));
        }
    }
    return tg_ok();
}

/* Reads until nothing new turns up: what is read leads to further documents, and these to further subtypes. */
static tg_result read_all(tg_net *net)
{
    for (bool is_stable = false; !is_stable;) {
        is_stable = true;
        for (; net->num_read < net->num_nodes; net->num_read++) {
            TG_TRY(tg_net_read_schema(net, (tg_net_id)net->num_read));
        }
        for (uint32_t doc = 0; doc < net->library->num_docs; doc++) {
            if (net->trees[doc].ids != NULL && !net->trees[doc].is_indexed) {
                net->trees[doc].is_indexed = true;
                is_stable = false;
                TG_TRY(index_subtypes(net, doc));
                TG_TRY(index_dynamic_anchors(net, doc));
            }
        }
    }
    return tg_ok();
}

static int compare_pairs(const void *a, const void *b)
{
    const tg_net_pair *left = a;
    const tg_net_pair *right = b;
    if (left->base != right->base) {
        return left->base < right->base ? -1 : 1;
    }
    return left->subtype < right->subtype ? -1 : left->subtype > right->subtype;
}

static size_t first_pair(const tg_net *net, tg_net_id base)
{
    size_t low = 0;
    for (size_t high = net->num_pairs; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (net->pairs[middle].base < base) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A schema with a discriminator may be any schema that has it in its allOf, directly or through others. */
static tg_result link_subtypes(tg_net *net, tg_net_id base, bool *is_linked, tg_net_id **queue, size_t *queue_cap)
{
    size_t num = 0;
    TG_TRY(tg_net_push(queue, &num, queue_cap, base));
    is_linked[base] = true;
    for (size_t at = 0; at < num; at++) {
        tg_net_id from = (*queue)[at];
        for (size_t i = first_pair(net, from); i < net->num_pairs && net->pairs[i].base == from; i++) {
            tg_net_id subtype = net->pairs[i].subtype;
            if (is_linked[subtype]) {
                continue;
            }
            is_linked[subtype] = true;
            TG_TRY(tg_net_push(queue, &num, queue_cap, subtype));
            TG_TRY(tg_net_add_link(net, base, subtype, TG_BOND_MAYBE));
        }
    }
    for (size_t at = 0; at < num; at++) {
        is_linked[(*queue)[at]] = false;
    }
    return tg_net_spend(net, num);
}

static tg_result link_all_subtypes(tg_net *net)
{
    if (net->num_discriminators == 0 || net->num_pairs == 0) {
        return tg_ok();
    }
    qsort(net->pairs, net->num_pairs, sizeof *net->pairs, compare_pairs);
    bool *is_linked = calloc(net->num_nodes, sizeof *is_linked);
    tg_net_id *queue = NULL;
    size_t queue_cap = 0;
    tg_result result = is_linked != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    for (size_t i = 0; i < net->num_discriminators && tg_is_ok(result); i++) {
        result = link_subtypes(net, net->discriminators[i], is_linked, &queue, &queue_cap);
    }
    free(is_linked);
    free(queue);
    return result;
}

/* A $dynamicRef means the outermost $dynamicAnchor of its name on the way to it: any of those within reach. */
static tg_result link_dynamic(tg_net *net)
{
    for (size_t i = 0; i < net->num_dynamics; i++) {
        const tg_net_dynamic *dynamic = &net->dynamics[i];
        TG_TRY(tg_net_spend(net, net->library->num_dynamic));
        for (size_t k = 0; k < net->library->num_dynamic; k++) {
            const tg_dynamic_anchor *anchor = &net->library->dynamic[k];
            tg_net_id target = TG_NET_NONE;
            if (net->trees[anchor->place.doc].ids == NULL || !tg_slice_equal(anchor->name, dynamic->name)) {
                continue;
            }
            TG_TRY(tg_net_schema(net, anchor->place, &target));
            TG_TRY(tg_net_add_link(net, dynamic->from, target, TG_BOND_DYNAMIC));
        }
    }
    return tg_ok();
}

static tg_result build(tg_net *net)
{
    tg_net_id id;
    tg_place root = {net->doc, net->library->docs[net->doc].tree.root};
    TG_TRY(add_node(net, root, &id)); /* TG_NET_ANY, TG_NET_NOTHING: these two are never read */
    TG_TRY(add_node(net, root, &id));
    net->nodes[TG_NET_ANY].is_blank = true;
    net->nodes[TG_NET_NOTHING].own_types = 0;
    net->num_read = 2;
    TG_TRY(touch(net, net->doc));
    TG_TRY(tg_net_find_roots(net));
    TG_TRY(read_all(net));
    TG_TRY(link_all_subtypes(net));
    TG_TRY(link_dynamic(net));
    return tg_net_judge(net);
}

tg_result tg_net_build(tg_net *net, const tg_library *library, uint32_t doc, tg_detail *detail)
{
    *net = (tg_net){.library = library, .doc = doc, .detail = detail};
    tg_name_index_init(&net->name_ids);
    tg_name_index_init(&net->pattern_ids);
    net->trees = calloc(library->num_docs, sizeof *net->trees);
    if (net->trees == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = build(net);
    if (result.code == TG_ERR_LIMIT && detail != NULL && detail->reason[0] == 0) {
        return tg_net_refuse_size(net);
    }
    return result;
}

tg_result tg_net_children(const tg_net *net, tg_net_id id, tg_net_id **list, size_t *num, size_t *cap)
{
    const tg_net_node *node = &net->nodes[id];
    const uint32_t firsts[] = {node->first_property, node->first_pattern, node->first_prefix};
    const uint32_t nums[] = {node->num_properties, node->num_patterns, node->num_prefix};
    for (size_t i = 0; i < TG_COUNT(firsts); i++) {
        for (uint32_t k = 0; k < nums[i]; k++) {
            TG_TRY(tg_net_push(list, num, cap, net->steps[firsts[i] + k].target));
        }
    }
    const tg_net_id others[] = {node->additional, node->unevaluated, node->items, node->contains,
                                node->unevaluated_items};
    for (size_t i = 0; i < TG_COUNT(others); i++) {
        if (others[i] != TG_NET_NONE) {
            TG_TRY(tg_net_push(list, num, cap, others[i]));
        }
    }
    return tg_ok();
}
