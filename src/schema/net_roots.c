/* Where documents of JSON enter and leave an API: the bodies of OpenAPI's operations, callbacks and webhooks. */
#include "schema/net.h"
#include "schema/vector.h"

#include "base/text.h"

#include <stdlib.h>

typedef struct root_walk {
    tg_net *net;
    bool **is_seen;  /* path items, by document and node: callbacks lead back to them */
    tg_place *items; /* path items to be walked: a queue instead of recursion, whose depth a document could choose */
    size_t num_items, items_cap;
} root_walk;

static bool is_json(tg_slice media_type)
{
    media_type = tg_slice_trim(tg_slice_first(media_type, tg_slice_find(media_type, ';')), " \t");
    static const char *const types[] = {"application/json", "application/*", "*/*"};
    for (size_t i = 0; i < TG_COUNT(types); i++) {
        if (tg_text_equal_nocase(media_type, tg_slice_str(types[i]))) {
            return true;
        }
    }
    tg_slice suffix = TG_LIT("+json");
    return media_type.len > suffix.len &&
           tg_text_equal_nocase(tg_slice_from(media_type, media_type.len - suffix.len), suffix);
}

static tg_result add_body(tg_net *net, tg_net_id id)
{
    return tg_net_push(&net->bodies, &net->num_bodies, &net->bodies_cap, id);
}

/* Follows `$ref` of an object that is no schema. */
static tg_result follow(tg_net *net, tg_place *place)
{
    for (size_t i = 0; i < TG_MAX_REF_CHAIN; i++) {
        const tg_doc *tree = tg_net_tree_of(net, *place);
        tg_doc_node ref = tg_doc_get(tree, place->node, TG_LIT("$ref"));
        if (!tg_doc_is(tree, ref, TG_DOC_TEXT)) {
            return tg_ok();
        }
        TG_TRY(tg_library_resolve(net->library, *place, tg_doc_text(tree, ref), place, net->detail));
    }
    return tg_net_refuse(net, *place, TG_ERR_SYNTAX, "a chain of $ref that does not end", "");
}

static tg_result walk_content(root_walk *walk, tg_place holder)
{
    TG_TRY(follow(walk->net, &holder));
    const tg_doc *tree = tg_net_tree_of(walk->net, holder);
    tg_doc_node content = tg_doc_get(tree, holder.node, TG_LIT("content"));
    for (size_t i = 0; tg_doc_is(tree, content, TG_DOC_MAP) && i < tg_doc_count(tree, content); i++) {
        tg_slice media_type;
        tg_doc_node entry = tg_doc_member_at(tree, content, i, &media_type);
        tg_doc_node schema = tg_doc_get(tree, entry, TG_LIT("schema"));
        tg_net_id id;
        if (schema != TG_DOC_NONE && is_json(media_type)) {
            TG_TRY(tg_net_schema(walk->net, (tg_place){holder.doc, schema}, &id));
            TG_TRY(add_body(walk->net, id));
        }
    }
    return tg_ok();
}

static tg_result add_path_item(root_walk *walk, tg_place item)
{
    bool **seen = &walk->is_seen[item.doc];
    if (*seen == NULL) {
        *seen = calloc(tg_net_tree_of(walk->net, item)->num_items, sizeof **seen);
        if (*seen == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
    }
    if ((*seen)[item.node]) {
        return tg_ok();
    }
    (*seen)[item.node] = true;
    TG_TRY(tg_vector_grow(&walk->items, &walk->items_cap, walk->num_items + 1, sizeof *walk->items, TG_MAX_NET_NODES));
    walk->items[walk->num_items++] = item;
    return tg_ok();
}

/* A map from names to path items: paths, webhooks, a callback. */
static tg_result add_path_items(root_walk *walk, tg_place map)
{
    const tg_doc *tree = tg_net_tree_of(walk->net, map);
    for (size_t i = 0; tg_doc_is(tree, map.node, TG_DOC_MAP) && i < tg_doc_count(tree, map.node); i++) {
        tg_slice name;
        tg_doc_node item = tg_doc_member_at(tree, map.node, i, &name);
        if (!tg_slice_starts(name, TG_LIT("x-")) && tg_doc_is(tree, item, TG_DOC_MAP)) {
            TG_TRY(add_path_item(walk, (tg_place){map.doc, item}));
        }
    }
    return tg_ok();
}

static tg_result walk_operation(root_walk *walk, tg_place operation)
{
    const tg_doc *tree = tg_net_tree_of(walk->net, operation);
    tg_doc_node request = tg_doc_get(tree, operation.node, TG_LIT("requestBody"));
    if (request != TG_DOC_NONE) {
        TG_TRY(walk_content(walk, (tg_place){operation.doc, request}));
    }
    tg_doc_node responses = tg_doc_get(tree, operation.node, TG_LIT("responses"));
    for (size_t i = 0; tg_doc_is(tree, responses, TG_DOC_MAP) && i < tg_doc_count(tree, responses); i++) {
        tg_slice status;
        tg_doc_node response = tg_doc_member_at(tree, responses, i, &status);
        if (!tg_slice_starts(status, TG_LIT("x-"))) {
            TG_TRY(walk_content(walk, (tg_place){operation.doc, response}));
        }
    }
    tg_doc_node callbacks = tg_doc_get(tree, operation.node, TG_LIT("callbacks"));
    for (size_t i = 0; tg_doc_is(tree, callbacks, TG_DOC_MAP) && i < tg_doc_count(tree, callbacks); i++) {
        tg_slice name;
        tg_place callback = {operation.doc, tg_doc_member_at(tree, callbacks, i, &name)};
        TG_TRY(follow(walk->net, &callback));
        TG_TRY(add_path_items(walk, callback));
    }
    return tg_ok();
}

static tg_result walk_path_item(root_walk *walk, tg_place item)
{
    static const char *const methods[] = {"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"};
    const tg_doc *tree = tg_net_tree_of(walk->net, item);
    for (size_t i = 0; i < TG_COUNT(methods); i++) {
        tg_doc_node operation = tg_doc_get(tree, item.node, tg_slice_str(methods[i]));
        if (operation != TG_DOC_NONE) {
            TG_TRY(walk_operation(walk, (tg_place){item.doc, operation}));
        }
    }
    tg_place target = item;
    TG_TRY(follow(walk->net, &target));
    return add_path_item(walk, target);
}

static tg_result find_components(tg_net *net, const tg_doc *tree)
{
    tg_doc_node schemas = tg_doc_get(tree, tg_doc_get(tree, tree->root, TG_LIT("components")), TG_LIT("schemas"));
    for (size_t i = 0; tg_doc_is(tree, schemas, TG_DOC_MAP) && i < tg_doc_count(tree, schemas); i++) {
        tg_net_component component;
        tg_doc_node schema = tg_doc_member_at(tree, schemas, i, &component.name);
        TG_TRY(tg_net_schema(net, (tg_place){net->doc, schema}, &component.id));
        TG_TRY(tg_vector_grow(&net->components, &net->components_cap, net->num_components + 1, sizeof *net->components,
                              TG_MAX_NET_NODES));
        net->components[net->num_components++] = component;
    }
    return tg_ok();
}

static tg_result add_named_root(tg_net *net, const tg_doc *tree, tg_doc_node name)
{
    for (size_t i = 0; tg_doc_is(tree, name, TG_DOC_TEXT) && i < net->num_components; i++) {
        if (tg_slice_equal(net->components[i].name, tg_doc_text(tree, name))) {
            return tg_net_push(&net->roots, &net->num_roots, &net->roots_cap, net->components[i].id);
        }
    }
    return tg_net_refuse(net, (tg_place){net->doc, name}, TG_ERR_NOT_FOUND,
                         "x-teegate-root names no schema of components/schemas", "write `x-teegate-root: [Name]`");
}

static tg_result narrow(tg_net *net, const tg_doc *tree)
{
    tg_doc_node names = tg_doc_get(tree, tree->root, TG_LIT("x-teegate-root"));
    if (tg_doc_is(tree, names, TG_DOC_LIST) && tg_doc_count(tree, names) > 0) {
        for (size_t i = 0; i < tg_doc_count(tree, names); i++) {
            TG_TRY(tg_net_spend(net, net->num_components));
            TG_TRY(add_named_root(net, tree, tg_doc_element(tree, names, i)));
        }
        return tg_ok();
    }
    if (names != TG_DOC_NONE) {
        return add_named_root(net, tree, names);
    }
    for (size_t i = 0; i < net->num_bodies; i++) {
        TG_TRY(tg_net_push(&net->roots, &net->num_roots, &net->roots_cap, net->bodies[i]));
    }
    return tg_ok();
}

static tg_result find_bodies(root_walk *walk, const tg_doc *tree)
{
    tg_net *net = walk->net;
    TG_TRY(add_path_items(walk, (tg_place){net->doc, tg_doc_get(tree, tree->root, TG_LIT("paths"))}));
    TG_TRY(add_path_items(walk, (tg_place){net->doc, tg_doc_get(tree, tree->root, TG_LIT("webhooks"))}));
    for (size_t i = 0; i < walk->num_items; i++) {
        TG_TRY(walk_path_item(walk, walk->items[i]));
    }
    size_t num_components = net->num_bodies == 0 ? net->num_components : 0;
    for (size_t i = 0; i < num_components; i++) {
        TG_TRY(add_body(net, net->components[i].id));
    }
    return tg_ok();
}

tg_result tg_net_find_roots(tg_net *net)
{
    const tg_doc *tree = tg_library_tree(net->library, net->doc);
    TG_TRY(find_components(net, tree));
    root_walk walk = {.net = net, .is_seen = calloc(net->library->num_docs, sizeof *walk.is_seen)};
    if (walk.is_seen == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = find_bodies(&walk, tree);
    for (size_t i = 0; i < net->library->num_docs; i++) {
        free(walk.is_seen[i]);
    }
    free(walk.is_seen);
    free(walk.items);
    return tg_is_ok(result) ? narrow(net, tree) : result;
}
