/* Reads the keywords of one schema object: JSON Schema 2020-12 as OpenAPI 3.1 has it, and OpenAPI 3.0's dialect. Where
 * the two differ beyond `$ref`, both are honoured: a keyword too many can only seal more. `not` and `propertyNames`
 * seal nothing, so that an x-pii below them is one that no root reaches. */
#include "schema/net.h"
#include "schema/vector.h"

#include <stdlib.h>

/* One schema while it is read. The node itself moves when others are entered: reach it by id. */
typedef struct reading {
    tg_net *net;
    const tg_doc *tree;
    tg_place place;
    tg_net_id id;
} reading;

static tg_doc_node get(const reading *at, tg_slice keyword)
{
    tg_doc_node value = tg_doc_get(at->tree, at->place.node, keyword);
    return tg_doc_is(at->tree, value, TG_DOC_NULL) ? TG_DOC_NONE : value; /* `properties:` with nothing below it */
}

static tg_place place_of(const reading *at, tg_doc_node node)
{
    return (tg_place){at->place.doc, node};
}

static tg_result refuse_kind(const reading *at, tg_doc_node node, const char *reason)
{
    return tg_net_refuse(at->net, place_of(at, node), TG_ERR_SYNTAX, reason, "");
}

static uint8_t type_bits(tg_slice name)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{"null", TG_TYPE_NULL},     {"boolean", TG_TYPE_BOOLEAN}, {"integer", TG_TYPE_INTEGER},
                 {"number", TG_TYPE_NUMBER}, {"string", TG_TYPE_STRING},   {"object", TG_TYPE_OBJECT},
                 {"array", TG_TYPE_ARRAY}};
    for (size_t i = 0; i < TG_COUNT(types); i++) {
        if (tg_slice_equal(name, tg_slice_str(types[i].name))) {
            return types[i].bits;
        }
    }
    return TG_TYPE_ANY; /* `file`, `any`, a typing error: nothing is known */
}

static uint8_t read_types(const reading *at)
{
    tg_doc_node type = get(at, TG_LIT("type"));
    if (tg_doc_is(at->tree, type, TG_DOC_TEXT)) {
        return type_bits(tg_doc_text(at->tree, type));
    }
    uint8_t bits = 0;
    for (size_t i = 0; tg_doc_is(at->tree, type, TG_DOC_LIST) && i < tg_doc_count(at->tree, type); i++) {
        tg_doc_node one = tg_doc_element(at->tree, type, i);
        bits |= tg_doc_is(at->tree, one, TG_DOC_NULL) ? (uint8_t)TG_TYPE_NULL : type_bits(tg_doc_text(at->tree, one));
    }
    return bits != 0 ? bits : (uint8_t)TG_TYPE_ANY;
}

static tg_result link_schema(const reading *at, tg_doc_node node, tg_net_bond bond)
{
    tg_net_id target;
    TG_TRY(tg_net_schema(at->net, place_of(at, node), &target));
    return tg_net_add_link(at->net, at->id, target, bond);
}

static tg_result read_alternatives(const reading *at, tg_slice keyword, tg_net_bond bond)
{
    tg_doc_node list = get(at, keyword);
    if (list != TG_DOC_NONE && !tg_doc_is(at->tree, list, TG_DOC_LIST)) {
        return refuse_kind(at, list, "allOf, oneOf and anyOf are lists of schemas");
    }
    for (size_t i = 0; i < tg_doc_count(at->tree, list); i++) {
        TG_TRY(link_schema(at, tg_doc_element(at->tree, list, i), bond));
    }
    return tg_ok();
}

static tg_result read_conditions(const reading *at)
{
    static const char *const keywords[] = {"if", "then", "else"};
    for (size_t i = 0; i < TG_COUNT(keywords); i++) {
        tg_doc_node schema = get(at, tg_slice_str(keywords[i]));
        if (schema != TG_DOC_NONE) {
            TG_TRY(link_schema(at, schema, TG_BOND_MAYBE));
        }
    }
    static const char *const dependents[] = {"dependentSchemas", "dependencies"};
    for (size_t i = 0; i < TG_COUNT(dependents); i++) {
        tg_doc_node map = get(at, tg_slice_str(dependents[i]));
        if (map != TG_DOC_NONE && !tg_doc_is(at->tree, map, TG_DOC_MAP)) {
            return refuse_kind(at, map, "dependentSchemas is a map from names to schemas");
        }
        for (size_t k = 0; k < tg_doc_count(at->tree, map); k++) {
            tg_slice name;
            tg_doc_node schema = tg_doc_member_at(at->tree, map, k, &name);
            if (!tg_doc_is(at->tree, schema, TG_DOC_LIST)) { /* a list names members that must be there too */
                TG_TRY(link_schema(at, schema, TG_BOND_MAYBE));
            }
        }
    }
    return tg_ok();
}

static tg_result read_ref(const reading *at, tg_doc_node ref)
{
    tg_place target;
    tg_net_id id;
    TG_TRY(tg_library_resolve(at->net->library, at->place, tg_doc_text(at->tree, ref), &target, at->net->detail));
    TG_TRY(tg_net_schema(at->net, target, &id));
    at->net->nodes[at->id].ref = id;
    return tg_net_add_link(at->net, at->id, id, TG_BOND_ALL);
}

/* Dynamic where the fragment is the name of a $dynamicAnchor; else a plain reference. */
static tg_result read_dynamic_ref(const reading *at, tg_doc_node ref)
{
    tg_net *net = at->net;
    tg_slice text = tg_doc_text(at->tree, ref);
    tg_place target;
    tg_net_id id;
    TG_TRY(tg_library_resolve(net->library, at->place, text, &target, net->detail));
    TG_TRY(tg_net_schema(net, target, &id));
    tg_slice name = tg_slice_from(text, tg_slice_find(text, '#') + 1);
    const tg_doc *tree = tg_net_tree_of(net, target);
    tg_slice anchor = tg_doc_text(tree, tg_doc_get(tree, target.node, TG_LIT("$dynamicAnchor")));
    if (name.len == 0 || !tg_slice_equal(anchor, name)) {
        return tg_net_add_link(net, at->id, id, TG_BOND_ALL);
    }
    TG_TRY(tg_vector_grow(&net->dynamics, &net->dynamics_cap, net->num_dynamics + 1, sizeof *net->dynamics,
                          TG_MAX_NET_STEPS));
    net->dynamics[net->num_dynamics++] = (tg_net_dynamic){at->id, name};
    return tg_net_add_link(net, at->id, id, TG_BOND_DYNAMIC);
}

static tg_result read_discriminator(const reading *at)
{
    tg_net *net = at->net;
    tg_doc_node discriminator = get(at, TG_LIT("discriminator"));
    if (discriminator == TG_DOC_NONE) {
        return tg_ok();
    }
    TG_TRY(tg_net_push(&net->discriminators, &net->num_discriminators, &net->discriminators_cap, at->id));
    tg_doc_node mapping = tg_doc_get(at->tree, discriminator, TG_LIT("mapping"));
    for (size_t i = 0; tg_doc_is(at->tree, mapping, TG_DOC_MAP) && i < tg_doc_count(at->tree, mapping); i++) {
        tg_slice key;
        tg_slice value = tg_doc_text(at->tree, tg_doc_member_at(at->tree, mapping, i, &key));
        tg_place target;
        tg_net_id id;
        TG_TRY(tg_library_resolve_mapping(net->library, at->place, value, &target, net->detail));
        TG_TRY(tg_net_schema(net, target, &id));
        TG_TRY(tg_net_add_link(net, at->id, id, TG_BOND_MAYBE));
    }
    return tg_ok();
}

static tg_result pattern_label(const reading *at, tg_slice pattern, tg_doc_node node, uint32_t *out_label)
{
    tg_net *net = at->net;
    uint32_t label = tg_name_index_get(&net->pattern_ids, 0, pattern);
    if (label == TG_NAME_NONE) {
        tg_result result = tg_vector_grow(&net->patterns, &net->patterns_cap, net->num_patterns + 1,
                                          sizeof *net->patterns, TG_MAX_NET_PATTERNS);
        if (result.code == TG_ERR_LIMIT) {
            return tg_net_refuse(net, place_of(at, node), TG_ERR_LIMIT, "more than 4096 patterns in one document", "");
        }
        TG_TRY(result);
        TG_TRY(tg_vector_grow(&net->pattern_places, &net->pattern_places_cap, net->num_patterns + 1,
                              sizeof *net->pattern_places, TG_MAX_NET_PATTERNS));
        label = (uint32_t)net->num_patterns;
        TG_TRY(tg_name_index_put(&net->pattern_ids, 0, pattern, label));
        net->pattern_places[net->num_patterns] = place_of(at, node);
        net->patterns[net->num_patterns++] = pattern;
    }
    *out_label = label;
    return tg_ok();
}

static int compare_steps(const void *a, const void *b)
{
    const tg_net_step *left = a;
    const tg_net_step *right = b;
    return left->label < right->label ? -1 : left->label > right->label;
}

/* properties and patternProperties: steps that stand side by side, ordered by label. */
static tg_result read_members(const reading *at, tg_slice keyword, bool is_pattern, uint32_t *out_first,
                              uint32_t *out_num)
{
    tg_net *net = at->net;
    tg_doc_node map = get(at, keyword);
    if (map != TG_DOC_NONE && !tg_doc_is(at->tree, map, TG_DOC_MAP)) {
        return refuse_kind(at, map, "properties and patternProperties are maps from names to schemas");
    }
    size_t num = tg_doc_count(at->tree, map);
    size_t first = net->num_steps;
    TG_TRY(tg_vector_grow(&net->steps, &net->steps_cap, first + num, sizeof *net->steps, TG_MAX_NET_STEPS));
    for (size_t i = 0; i < num; i++) {
        tg_slice key;
        tg_doc_node schema = tg_doc_member_at(at->tree, map, i, &key);
        tg_net_step step;
        TG_TRY(is_pattern ? pattern_label(at, key, schema, &step.label) : tg_net_name(net, key, &step.label));
        TG_TRY(tg_net_schema(net, place_of(at, schema), &step.target));
        net->steps[net->num_steps++] = step;
    }
    if (num > 0) {
        qsort(net->steps + first, num, sizeof *net->steps, compare_steps);
    }
    *out_first = (uint32_t)first;
    *out_num = (uint32_t)num;
    return tg_ok();
}

/* A keyword that holds one schema; true and false say nothing of PII, but that the keyword is there. */
static tg_result read_single(const reading *at, tg_slice keyword, tg_net_id *out_id, bool *out_is_there)
{
    tg_doc_node schema = get(at, keyword);
    tg_net_id id = TG_NET_NONE;
    if (schema != TG_DOC_NONE) {
        TG_TRY(tg_net_schema(at->net, place_of(at, schema), &id));
    }
    *out_is_there = schema != TG_DOC_NONE;
    *out_id = id;
    return tg_ok();
}

static tg_result read_prefix(const reading *at, tg_doc_node list, uint32_t *out_first, uint32_t *out_num)
{
    tg_net *net = at->net;
    if (list != TG_DOC_NONE && !tg_doc_is(at->tree, list, TG_DOC_LIST)) {
        return refuse_kind(at, list, "prefixItems is a list of schemas");
    }
    size_t num = tg_doc_count(at->tree, list);
    size_t first = net->num_steps;
    TG_TRY(tg_vector_grow(&net->steps, &net->steps_cap, first + num, sizeof *net->steps, TG_MAX_NET_STEPS));
    for (size_t i = 0; i < num; i++) {
        tg_net_step step = {.label = (uint32_t)i};
        TG_TRY(tg_net_schema(net, place_of(at, tg_doc_element(at->tree, list, i)), &step.target));
        net->steps[net->num_steps++] = step;
    }
    *out_first = (uint32_t)first;
    *out_num = (uint32_t)num;
    return tg_ok();
}

/* prefixItems and items; or, as drafts before 2020 have it, a list under items with additionalItems behind it. */
static tg_result read_elements(const reading *at)
{
    tg_doc_node prefix = get(at, TG_LIT("prefixItems"));
    tg_slice rest = TG_LIT("items");
    tg_doc_node items = get(at, rest);
    if (tg_doc_is(at->tree, items, TG_DOC_LIST)) {
        if (prefix != TG_DOC_NONE) {
            return refuse_kind(at, items, "items is a list although prefixItems is there");
        }
        prefix = items;
        rest = TG_LIT("additionalItems");
    }
    uint32_t first = 0;
    uint32_t num = 0;
    tg_net_id ids[3] = {TG_NET_NONE, TG_NET_NONE, TG_NET_NONE};
    bool are_there[3] = {false};
    TG_TRY(read_prefix(at, prefix, &first, &num));
    TG_TRY(read_single(at, rest, &ids[0], &are_there[0]));
    TG_TRY(read_single(at, TG_LIT("contains"), &ids[1], &are_there[1]));
    TG_TRY(read_single(at, TG_LIT("unevaluatedItems"), &ids[2], &are_there[2]));
    tg_net_node *node = &at->net->nodes[at->id];
    node->first_prefix = first;
    node->num_prefix = num;
    node->items = ids[0];
    node->has_items = are_there[0];
    node->contains = ids[1];
    node->unevaluated_items = ids[2] != TG_NET_ANY && ids[2] != TG_NET_NOTHING ? ids[2] : TG_NET_NONE;
    node->has_unevaluated_items = are_there[2];
    return tg_ok();
}

static tg_result read_object(const reading *at)
{
    uint32_t firsts[2] = {0};
    uint32_t nums[2] = {0};
    tg_net_id ids[2] = {TG_NET_NONE, TG_NET_NONE};
    bool are_there[2] = {false};
    TG_TRY(read_members(at, TG_LIT("properties"), false, &firsts[0], &nums[0]));
    TG_TRY(read_members(at, TG_LIT("patternProperties"), true, &firsts[1], &nums[1]));
    TG_TRY(read_single(at, TG_LIT("additionalProperties"), &ids[0], &are_there[0]));
    TG_TRY(read_single(at, TG_LIT("unevaluatedProperties"), &ids[1], &are_there[1]));
    tg_net_node *node = &at->net->nodes[at->id];
    node->first_property = firsts[0];
    node->num_properties = nums[0];
    node->first_pattern = firsts[1];
    node->num_patterns = nums[1];
    node->additional = ids[0] != TG_NET_ANY && ids[0] != TG_NET_NOTHING ? ids[0] : TG_NET_NONE;
    node->has_additional = are_there[0];
    node->unevaluated = ids[1] != TG_NET_ANY && ids[1] != TG_NET_NOTHING ? ids[1] : TG_NET_NONE;
    node->has_unevaluated = are_there[1];
    return tg_ok();
}

tg_result tg_net_read_schema(tg_net *net, tg_net_id id)
{
    reading at = {net, tg_net_tree_of(net, net->nodes[id].place), net->nodes[id].place, id};
    tg_doc_node mark = get(&at, TG_LIT("x-pii"));
    net->nodes[id].is_marked = tg_doc_is(at.tree, mark, TG_DOC_BOOL) && at.tree->items[mark].is_true;
    tg_doc_node ref = get(&at, TG_LIT("$ref"));
    if (ref != TG_DOC_NONE) {
        TG_TRY(read_ref(&at, ref));
        if (net->library->docs[at.place.doc].version == TG_OAS_30) {
            return tg_ok(); /* OpenAPI 3.0.3 §4.8.23: what stands beside $ref is ignored; x-pii alone is not */
        }
    }
    net->nodes[id].own_types = read_types(&at);
    TG_TRY(read_alternatives(&at, TG_LIT("allOf"), TG_BOND_ALL));
    TG_TRY(read_alternatives(&at, TG_LIT("oneOf"), TG_BOND_ONE_OF));
    TG_TRY(read_alternatives(&at, TG_LIT("anyOf"), TG_BOND_ANY_OF));
    TG_TRY(read_conditions(&at));
    tg_doc_node dynamic_ref = get(&at, TG_LIT("$dynamicRef"));
    if (dynamic_ref != TG_DOC_NONE) {
        TG_TRY(read_dynamic_ref(&at, dynamic_ref));
    }
    TG_TRY(read_discriminator(&at));
    TG_TRY(read_object(&at));
    return read_elements(&at);
}
