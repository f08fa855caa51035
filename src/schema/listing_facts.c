#include "schema/listing_facts.h"

/* The x-pii that seals the position, where there is one; else the schema that stands there. */
static tg_net_id find_speaker(const tg_net *net, const tg_graph_sets *sets, tg_net_id first)
{
    for (size_t i = 0; i < sets->num_closure; i++) {
        if (net->nodes[sets->closure[i]].is_marked) {
            return sets->closure[i];
        }
    }
    return first;
}

static tg_result add_place(tg_arena *arena, const tg_net *net, tg_net_id speaker, tg_pii_path *path)
{
    if (speaker == TG_NET_ANY || speaker == TG_NET_NOTHING) {
        return tg_ok(); /* `true` and `false` have no place of their own */
    }
    tg_place place = net->nodes[speaker].place;
    const tg_doc *tree = tg_net_tree_of(net, place);
    tg_doc_node mark = tg_doc_get(tree, place.node, TG_LIT("x-pii"));
    path->line = tree->items[net->nodes[speaker].is_marked && mark != TG_DOC_NONE ? mark : place.node].line;
    TG_TRY(tg_arena_copy(arena, tree->file, &path->file));
    tg_buf pointer;
    tg_buf_init(&pointer, 65536);
    tg_result result = tg_doc_append_pointer(tree, place.node, &pointer);
    if (tg_is_ok(result)) {
        result = tg_arena_copy(arena, tg_buf_slice(&pointer), &path->pointer);
    }
    tg_buf_done(&pointer);
    return result.code == TG_ERR_LIMIT ? tg_ok() : result;
}

static tg_result copy_first(tg_arena *arena, const tg_doc *tree, tg_doc_node schema, tg_slice keyword, tg_slice *out)
{
    tg_slice text = tg_doc_text(tree, tg_doc_get(tree, schema, keyword));
    return out->len == 0 && text.len > 0 ? tg_arena_copy(arena, text, out) : tg_ok();
}

static tg_result add_schema(tg_arena *arena, const tg_net *net, tg_net_id id, tg_pii_path *path)
{
    if (id == TG_NET_ANY || id == TG_NET_NOTHING) {
        return tg_ok();
    }
    tg_place place = net->nodes[id].place;
    const tg_doc *tree = tg_net_tree_of(net, place);
    TG_TRY(copy_first(arena, tree, place.node, TG_LIT("format"), &path->format));
    TG_TRY(copy_first(arena, tree, place.node, TG_LIT("pattern"), &path->pattern));
    tg_doc_node length = tg_doc_get(tree, place.node, TG_LIT("maxLength"));
    if (tg_doc_is(tree, length, TG_DOC_NUMBER)) {
        double number = tree->items[length].number;
        uint64_t bound = number >= 0 && number < 1e15 ? (uint64_t)number : UINT64_MAX;
        path->max_length = bound < path->max_length ? bound : path->max_length;
    }
    size_t num_enum = tg_doc_count(tree, tg_doc_get(tree, place.node, TG_LIT("enum")));
    if (tg_doc_get(tree, place.node, TG_LIT("const")) != TG_DOC_NONE) {
        num_enum = 1;
    }
    path->num_enum = num_enum > 0 && (path->num_enum == 0 || num_enum < path->num_enum) ? num_enum : path->num_enum;
    return tg_ok();
}

tg_result tg_listing_add_facts(tg_arena *arena, const tg_net *net, const tg_graph_sets *sets, const tg_net_id *ids,
                               size_t num_ids, tg_net_id first, tg_pii_path *path)
{
    for (size_t i = 0; i < num_ids; i++) {
        path->types |= net->nodes[ids[i]].types;
    }
    if (num_ids == 0) {
        return tg_ok();
    }
    TG_TRY(add_place(arena, net, find_speaker(net, sets, first), path));
    for (size_t i = 0; i < sets->num_closure; i++) {
        TG_TRY(add_schema(arena, net, sets->closure[i], path));
    }
    return tg_ok();
}
