#include "schema/library_scan.h"

#include "base/text.h"
#include "schema/uri.h"
#include "schema/vector.h"

#include <stdlib.h>

enum { SEEN_AS_MARK = 128 };

typedef enum scan_context {
    SCAN_OBJECT,   /* a map whose keys are keywords */
    SCAN_NAMES,    /* a map from names that the document chose */
    SCAN_EXTENSION /* below an `x-...`: only marks count */
} scan_context;

typedef struct scan_state {
    tg_library *library;
    tg_library_doc *doc;
    uint32_t index;
    tg_detail *detail;
    uint8_t *seen; /* by node, a bit for each context: aliases lead to one node more than once */
} scan_state;

static bool is_among(tg_slice key, const char *const *words, size_t num_words)
{
    for (size_t i = 0; i < num_words; i++) {
        if (tg_slice_equal(key, tg_slice_str(words[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_data(tg_slice key)
{
    static const char *const words[] = {"example", "examples", "default", "const", "enum"};
    return is_among(key, words, TG_COUNT(words));
}

static bool is_name_map(tg_slice key)
{
    static const char *const words[] = {"properties",
                                        "patternProperties",
                                        "dependentSchemas",
                                        "dependencies",
                                        "$defs",
                                        "definitions",
                                        "schemas",
                                        "responses",
                                        "parameters",
                                        "headers",
                                        "content",
                                        "requestBodies",
                                        "callbacks",
                                        "links",
                                        "securitySchemes",
                                        "pathItems",
                                        "mediaTypes",
                                        "encoding",
                                        "mapping",
                                        "variables",
                                        "scopes",
                                        "paths",
                                        "webhooks"};
    return is_among(key, words, TG_COUNT(words));
}

/* x-pii, x_pii, X-PII, xPii, `x-pii ` ...: letters and digits alone, without case. */
static bool looks_like_mark(tg_slice key)
{
    static const char letters[] = "xpii";
    size_t num = 0;
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = tg_ascii_lower(key.ptr[i]);
        if (tg_ascii_is_alpha(c) || tg_ascii_is_digit(c)) {
            if (num == sizeof letters - 1 || letters[num] != (char)c) {
                return false;
            }
            num++;
        }
    }
    return num == sizeof letters - 1;
}

static tg_result refuse(scan_state *scan, tg_doc_node node, tg_code code, const char *reason, const char *remedy)
{
    return tg_library_refuse(scan->library, (tg_place){scan->index, node}, scan->detail, code, reason, remedy);
}

static tg_result scan_mark(scan_state *scan, tg_doc_node map, tg_slice key, tg_doc_node value)
{
    const tg_doc *tree = &scan->doc->tree;
    if (!tg_slice_equal(key, TG_LIT("x-pii"))) {
        return refuse(scan, value, TG_ERR_SYNTAX, "a misspelt x-pii: nothing would be sealed", "write `x-pii: true`");
    }
    if (!tg_doc_is(tree, value, TG_DOC_BOOL)) {
        return refuse(scan, value, TG_ERR_SYNTAX, "x-pii is neither true nor false",
                      "write `x-pii: true`, without quotes");
    }
    if (!tree->items[value].is_true || (scan->seen[map] & SEEN_AS_MARK) != 0) {
        return tg_ok();
    }
    scan->seen[map] |= SEEN_AS_MARK;
    TG_TRY(tg_vector_grow(&scan->doc->marks, &scan->doc->marks_cap, scan->doc->num_marks + 1, sizeof *scan->doc->marks,
                          TG_MAX_DOC_NODES));
    scan->doc->marks[scan->doc->num_marks++] = map;
    return tg_ok();
}

static tg_result add_ref(scan_state *scan, tg_doc_node map, tg_slice text, bool is_mapping)
{
    tg_library_doc *doc = scan->doc;
    TG_TRY(tg_vector_grow(&doc->refs, &doc->refs_cap, doc->num_refs + 1, sizeof *doc->refs, TG_MAX_DOC_NODES));
    doc->refs[doc->num_refs++] = (tg_library_ref){map, text, is_mapping};
    return tg_ok();
}

tg_result tg_library_add_resource(tg_library *library, tg_slice address, tg_place place, uint32_t *out_resource)
{
    TG_TRY(tg_vector_grow(&library->resources, &library->resources_cap, library->num_resources + 1,
                          sizeof *library->resources, TG_MAX_DOC_NODES));
    TG_TRY(tg_arena_copy(&library->arena, address, &address));
    uint32_t resource = (uint32_t)library->num_resources;
    TG_TRY(tg_name_index_put(&library->addresses, 0, address, resource));
    library->resources[library->num_resources++] = (tg_resource){address, place};
    *out_resource = resource;
    return tg_ok();
}

uint32_t tg_library_resource_of(const tg_library *library, tg_place place)
{
    const tg_library_doc *doc = &library->docs[place.doc];
    for (tg_doc_node node = place.node; doc->num_ids > 0 && node != TG_DOC_NONE; node = doc->tree.items[node].parent) {
        for (size_t low = 0, high = doc->num_ids; low < high;) {
            size_t middle = low + (high - low) / 2;
            if (doc->ids[middle].node == node) {
                return doc->ids[middle].resource;
            }
            if (doc->ids[middle].node < node) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
    }
    return doc->resource;
}

/* Nodes come in the order of their numbers, but for what aliases bring forward. */
static tg_result enter_id(scan_state *scan, tg_doc_node map, uint32_t resource)
{
    tg_library_doc *doc = scan->doc;
    TG_TRY(tg_vector_grow(&doc->ids, &doc->ids_cap, doc->num_ids + 1, sizeof *doc->ids, TG_MAX_DOC_NODES));
    size_t at = doc->num_ids++;
    for (; at > 0 && doc->ids[at - 1].node > map; at--) {
        doc->ids[at] = doc->ids[at - 1];
    }
    doc->ids[at] = (tg_resource_mark){map, resource};
    return tg_ok();
}

static tg_result scan_id(scan_state *scan, tg_doc_node map, tg_doc_node value)
{
    tg_place place = {scan->index, map};
    tg_slice id = tg_doc_text(&scan->doc->tree, value);
    id = tg_slice_first(id, tg_slice_find(id, '#'));
    if (id.len == 0) {
        return tg_ok();
    }
    uint32_t base = tg_library_resource_of(scan->library, place);
    tg_buf address;
    tg_buf_init(&address, TG_MAX_URI_BYTES);
    tg_result result = tg_uri_resolve(scan->library->resources[base].address, id, &address);
    uint32_t resource = base;
    if (tg_is_ok(result) && !tg_slice_equal(tg_buf_slice(&address), scan->library->resources[base].address)) {
        result = tg_library_add_resource(scan->library, tg_buf_slice(&address), place, &resource);
        if (tg_is_ok(result)) {
            result = enter_id(scan, map, resource);
        }
    }
    tg_buf_done(&address);
    if (!tg_is_ok(result) && result.code != TG_ERR_MEMORY) {
        return refuse(scan, value, result.code, "this $id is taken, too long, or climbs out of the set",
                      "give each schema an $id of its own");
    }
    return result;
}

static tg_result scan_anchor(scan_state *scan, tg_doc_node map, tg_doc_node value, bool is_dynamic)
{
    tg_library *library = scan->library;
    tg_place place = {scan->index, map};
    tg_slice name = tg_doc_text(&scan->doc->tree, value);
    TG_TRY(tg_vector_grow(&library->anchor_places, &library->anchors_cap, library->num_anchors + 1,
                          sizeof *library->anchor_places, TG_MAX_DOC_NODES));
    tg_result result = tg_name_index_put(&library->anchors, tg_library_resource_of(library, place), name,
                                         (uint32_t)library->num_anchors);
    if (result.code == TG_ERR_EXISTS) {
        return refuse(scan, value, TG_ERR_EXISTS, "this anchor stands twice", "give each schema an anchor of its own");
    }
    TG_TRY(result);
    library->anchor_places[library->num_anchors++] = place;
    if (is_dynamic) {
        TG_TRY(tg_vector_grow(&library->dynamic, &library->dynamic_cap, library->num_dynamic + 1,
                              sizeof *library->dynamic, TG_MAX_DOC_NODES));
        library->dynamic[library->num_dynamic++] = (tg_dynamic_anchor){name, place};
    }
    return tg_ok();
}

static tg_result scan_mapping(scan_state *scan, tg_doc_node map, tg_doc_node discriminator)
{
    const tg_doc *tree = &scan->doc->tree;
    tg_doc_node mapping = tg_doc_get(tree, discriminator, TG_LIT("mapping"));
    for (size_t i = 0; i < tg_doc_count(tree, mapping) && tg_doc_is(tree, mapping, TG_DOC_MAP); i++) {
        tg_slice key;
        tg_doc_node value = tg_doc_member_at(tree, mapping, i, &key);
        if (!tg_doc_is(tree, value, TG_DOC_TEXT)) {
            return refuse(scan, value, TG_ERR_SYNTAX, "a discriminator's mapping leads to something that is no text",
                          "name a schema or give a reference");
        }
        TG_TRY(add_ref(scan, map, tg_doc_text(tree, value), true));
    }
    return tg_ok();
}

/* `$id` and anchors come before the rest of a map, which is resolved against them. */
static tg_result scan_identity(scan_state *scan, tg_doc_node map)
{
    const tg_doc *tree = &scan->doc->tree;
    tg_doc_node id = tg_doc_get(tree, map, TG_LIT("$id"));
    if (scan->doc->version != TG_OAS_30 && tg_doc_is(tree, id, TG_DOC_TEXT)) {
        TG_TRY(scan_id(scan, map, id));
    }
    tg_doc_node anchor = tg_doc_get(tree, map, TG_LIT("$anchor"));
    if (tg_doc_is(tree, anchor, TG_DOC_TEXT)) {
        TG_TRY(scan_anchor(scan, map, anchor, false));
    }
    anchor = tg_doc_get(tree, map, TG_LIT("$dynamicAnchor"));
    return tg_doc_is(tree, anchor, TG_DOC_TEXT) ? scan_anchor(scan, map, anchor, true) : tg_ok();
}

static tg_result scan_node(scan_state *scan, tg_doc_node node, scan_context context);

static tg_result scan_keyword(scan_state *scan, tg_doc_node map, tg_slice key, tg_doc_node value)
{
    const tg_doc *tree = &scan->doc->tree;
    bool is_ref = tg_slice_equal(key, TG_LIT("$ref"));
    if (is_ref || tg_slice_equal(key, TG_LIT("$dynamicRef"))) {
        if (!tg_doc_is(tree, value, TG_DOC_TEXT)) {
            return refuse(scan, value, TG_ERR_SYNTAX, "a reference that is no text", "write it in quotes");
        }
        return add_ref(scan, map, tg_doc_text(tree, value), false);
    }
    if (tg_slice_equal(key, TG_LIT("$recursiveRef"))) {
        return refuse(scan, value, TG_ERR_UNSUPPORTED, "$recursiveRef is not of OpenAPI 3.0 or 3.1", "use $dynamicRef");
    }
    if (tg_slice_equal(key, TG_LIT("discriminator"))) {
        TG_TRY(scan_mapping(scan, map, value));
    }
    if (is_data(key)) {
        return tg_ok();
    }
    if (tg_slice_starts(key, TG_LIT("x-"))) {
        return scan_node(scan, value, SCAN_EXTENSION);
    }
    return scan_node(scan, value, is_name_map(key) && tg_doc_is(tree, value, TG_DOC_MAP) ? SCAN_NAMES : SCAN_OBJECT);
}

static tg_result scan_member(scan_state *scan, tg_doc_node map, tg_slice key, tg_doc_node value, scan_context context)
{
    const tg_doc *tree = &scan->doc->tree;
    if (looks_like_mark(key)) {
        if (context != SCAN_NAMES) {
            return scan_mark(scan, map, key, value);
        }
        if (!tg_doc_is(tree, value, TG_DOC_MAP)) {
            return refuse(scan, value, TG_ERR_SYNTAX, "x-pii stands among names, where it is a name itself",
                          "indent it below the schema that it speaks of");
        }
    }
    if (context == SCAN_OBJECT) {
        return scan_keyword(scan, map, key, value);
    }
    return scan_node(scan, value, context == SCAN_EXTENSION ? SCAN_EXTENSION : SCAN_OBJECT);
}

static tg_result scan_node(scan_state *scan, tg_doc_node node, scan_context context) /* recursion: TG_MAX_DOC_DEPTH */
{
    const tg_doc *tree = &scan->doc->tree;
    if ((scan->seen[node] & (1u << context)) != 0) {
        return tg_ok();
    }
    scan->seen[node] |= (uint8_t)(1u << context);
    if (tg_doc_is(tree, node, TG_DOC_LIST)) {
        for (size_t i = 0; i < tg_doc_count(tree, node); i++) {
            TG_TRY(scan_node(scan, tg_doc_element(tree, node, i), context == SCAN_NAMES ? SCAN_OBJECT : context));
        }
        return tg_ok();
    }
    if (context == SCAN_OBJECT && tg_doc_is(tree, node, TG_DOC_MAP)) {
        TG_TRY(scan_identity(scan, node));
    }
    for (size_t i = 0; i < tg_doc_count(tree, node); i++) {
        tg_slice key;
        tg_doc_node value = tg_doc_member_at(tree, node, i, &key);
        TG_TRY(scan_member(scan, node, key, value, context));
    }
    return tg_ok();
}

tg_result tg_library_scan(tg_library *library, uint32_t index, tg_detail *detail)
{
    scan_state scan = {.library = library, .doc = &library->docs[index], .index = index, .detail = detail};
    scan.seen = calloc(scan.doc->tree.num_items, sizeof *scan.seen);
    if (scan.seen == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = scan_node(&scan, scan.doc->tree.root, SCAN_OBJECT);
    free(scan.seen);
    return result;
}
