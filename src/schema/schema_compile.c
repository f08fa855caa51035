#include "schema/schema_compile.h"

#include "schema/graph_build.h"

#include <stdlib.h>

tg_schema *tg_schema_ref(tg_schema *schema)
{
    tg_refs_take(&schema->refs);
    return schema;
}

void tg_schema_unref(tg_schema *schema)
{
    if (schema == NULL || !tg_refs_drop(&schema->refs)) {
        return;
    }
    if (schema->listing != NULL) {
        tg_listing_done(schema->listing);
        free(schema->listing);
    }
    tg_pii_store_done(&schema->store);
    tg_name_index_done(&schema->component_index);
    free(schema->component_names);
    free(schema->components);
    tg_arena_done(&schema->arena);
    free(schema);
}

tg_result tg_schema_component(const tg_schema *schema, tg_slice name, tg_pii_root *out_root)
{
    uint32_t index = tg_name_index_get(&schema->component_index, 0, name);
    if (index == TG_NAME_NONE) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    *out_root = schema->components[index];
    return tg_ok();
}

static bool is_reached(const tg_net *net, uint32_t doc, tg_doc_node node, unsigned bits)
{
    const tg_net_id *ids = net->trees[doc].ids;
    return ids != NULL && ids[node] != TG_NET_NONE && (net->nodes[ids[node]].reached & bits) != 0;
}

/* Fails closed: a mark that no root reaches is one that somebody counts on and that seals nothing. */
static tg_result check_marks(tg_schema *schema, tg_library *library, tg_net *net)
{
    for (uint32_t d = 0; d < library->num_docs; d++) {
        tg_library_doc *doc = &library->docs[d];
        for (size_t i = 0; i < doc->num_marks && net->trees[d].ids != NULL; i++) {
            bool by_any = is_reached(net, d, doc->marks[i], TG_REACHED_BY_ROOT | TG_REACHED_BY_BODY);
            doc->is_mark_reached[i] = doc->is_mark_reached[i] || by_any;
            schema->num_marks += is_reached(net, d, doc->marks[i], TG_REACHED_BY_ROOT);
        }
    }
    const tg_library_doc *own = &library->docs[net->doc];
    for (size_t i = 0; i < own->num_marks; i++) {
        if (!is_reached(net, net->doc, own->marks[i], TG_REACHED_BY_ROOT | TG_REACHED_BY_BODY)) {
            tg_doc_node mark = tg_doc_get(&own->tree, own->marks[i], TG_LIT("x-pii"));
            return tg_net_refuse(net, (tg_place){net->doc, mark}, TG_ERR_DENIED,
                                 "no JSON body reaches this x-pii: it would seal nothing",
                                 "use its schema in a body or name it in x-teegate-root, or remove the mark");
        }
    }
    return tg_ok();
}

static tg_result name_components(tg_schema *schema, const tg_net *net)
{
    schema->num_components = net->num_components;
    schema->component_names = calloc(net->num_components + 1, sizeof *schema->component_names);
    schema->components = calloc(net->num_components + 1, sizeof *schema->components);
    if (schema->component_names == NULL || schema->components == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < net->num_components; i++) {
        TG_TRY(tg_arena_copy(&schema->arena, net->components[i].name, &schema->component_names[i]));
        TG_TRY(tg_name_index_put(&schema->component_index, 0, schema->component_names[i], (uint32_t)i));
    }
    return tg_ok();
}

static tg_result compile(tg_schema *schema, tg_library *library, tg_net *net, bool is_for_lint)
{
    const tg_library_doc *doc = &library->docs[net->doc];
    TG_TRY(tg_arena_copy(&schema->arena, doc->name, &schema->name));
    TG_TRY(tg_arena_copy(&schema->arena, doc->file, &schema->file));
    TG_TRY(check_marks(schema, library, net));
    TG_TRY(name_components(schema, net));
    TG_TRY(tg_pii_store_build(&schema->store, net, &schema->root, schema->components));
    if (is_for_lint) {
        schema->listing = calloc(1, sizeof *schema->listing);
        if (schema->listing == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        return tg_listing_build(schema->listing, net);
    }
    return tg_ok();
}

tg_result tg_schema_compile(tg_library *library, uint32_t doc, bool is_for_lint, bool *touched, tg_detail *detail,
                            tg_schema **out_schema)
{
    tg_schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&schema->refs);
    tg_arena_init(&schema->arena, (size_t)256 << 20, false);
    tg_name_index_init(&schema->component_index);
    tg_net net;
    tg_result result = tg_net_build(&net, library, doc, detail);
    if (tg_is_ok(result)) {
        result = compile(schema, library, &net, is_for_lint);
    }
    for (uint32_t d = 0; d < library->num_docs && tg_is_ok(result); d++) {
        touched[d] = net.trees[d].ids != NULL;
    }
    tg_net_done(&net);
    if (!tg_is_ok(result)) {
        tg_schema_unref(schema);
        return result;
    }
    *out_schema = schema;
    return tg_ok();
}
