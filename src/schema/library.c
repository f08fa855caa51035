#include "schema/library.h"

#include "schema/library_scan.h"
#include "schema/uri.h"
#include "schema/vector.h"

#include <stdio.h>
#include <stdlib.h>

tg_result tg_library_init(tg_library *library, size_t num_docs)
{
    *library = (tg_library){0};
    tg_arena_init(&library->arena, (size_t)256 << 20, false);
    tg_name_index_init(&library->addresses);
    tg_name_index_init(&library->anchors);
    library->docs = calloc(num_docs > 0 ? num_docs : 1, sizeof *library->docs);
    library->need_stamps = calloc(num_docs + 1, sizeof *library->need_stamps);
    if (library->docs == NULL || library->need_stamps == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    library->num_docs = num_docs;
    for (size_t i = 0; i < num_docs; i++) {
        library->docs[i].is_refused = true;
    }
    return tg_ok();
}

void tg_library_done(tg_library *library)
{
    for (size_t i = 0; i < library->num_docs; i++) {
        tg_library_doc *doc = &library->docs[i];
        tg_doc_done(&doc->tree);
        free(doc->marks);
        free(doc->is_mark_reached);
        free(doc->refs);
        free(doc->ids);
    }
    free(library->docs);
    free(library->resources);
    free(library->anchor_places);
    free(library->dynamic);
    free(library->needs);
    free(library->need_stamps);
    tg_name_index_done(&library->addresses);
    tg_name_index_done(&library->anchors);
    tg_arena_done(&library->arena);
    *library = (tg_library){0};
}

tg_result tg_library_refuse(const tg_library *library, tg_place place, tg_detail *detail, tg_code code,
                            const char *reason, const char *remedy)
{
    tg_doc_set_place(tg_library_tree(library, place.doc), place.node, detail);
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

/* `openapi: 3.0.x` or `3.1.x`; without the member the document is a part of others. */
static tg_result read_version(tg_library *library, uint32_t index, tg_detail *detail)
{
    tg_library_doc *doc = &library->docs[index];
    tg_place place = {index, doc->tree.root};
    if (!tg_doc_is(&doc->tree, place.node, TG_DOC_MAP)) {
        return tg_library_refuse(library, place, detail, TG_ERR_SYNTAX, "the document is no map",
                                 "an OpenAPI document begins with `openapi: 3.1.0`");
    }
    tg_doc_node version = tg_doc_get(&doc->tree, place.node, TG_LIT("openapi"));
    if (version == TG_DOC_NONE) {
        if (tg_doc_get(&doc->tree, place.node, TG_LIT("swagger")) != TG_DOC_NONE) {
            return tg_library_refuse(library, place, detail, TG_ERR_UNSUPPORTED, "Swagger 2.0 is not read",
                                     "convert the document to OpenAPI 3.0 or 3.1");
        }
        doc->version = TG_OAS_NONE;
        return tg_ok();
    }
    tg_slice text = tg_doc_text(&doc->tree, version);
    if (tg_slice_starts(text, TG_LIT("3.0."))) {
        doc->version = TG_OAS_30;
    } else if (tg_slice_starts(text, TG_LIT("3.1."))) {
        doc->version = TG_OAS_31;
    } else {
        place.node = version;
        return tg_library_refuse(library, place, detail, TG_ERR_UNSUPPORTED,
                                 "`openapi` is neither 3.0.x nor 3.1.x (as text)", "write `openapi: 3.1.0`");
    }
    return tg_ok();
}

static tg_result enter_file(tg_library *library, uint32_t index, tg_detail *detail)
{
    tg_library_doc *doc = &library->docs[index];
    tg_buf address;
    tg_buf_init(&address, TG_MAX_URI_BYTES);
    tg_result result = tg_buf_append_byte(&address, '/');
    if (tg_is_ok(result)) {
        result = tg_buf_append(&address, doc->file);
    }
    if (tg_is_ok(result)) {
        result =
            tg_library_add_resource(library, tg_buf_slice(&address), (tg_place){index, doc->tree.root}, &doc->resource);
    }
    tg_buf_done(&address);
    if (result.code == TG_ERR_EXISTS) {
        return tg_library_refuse(library, (tg_place){index, TG_DOC_NONE}, detail, TG_ERR_EXISTS,
                                 "another file, or a schema's $id, has this address", "rename one of them");
    }
    return result;
}

tg_result tg_library_read(tg_library *library, uint32_t index, tg_slice file, tg_slice bytes, tg_detail *detail)
{
    tg_library_doc *doc = &library->docs[index];
    TG_TRY(tg_arena_copy(&library->arena, file, &doc->file));
    size_t name_len = doc->file.len;
    while (name_len > 0 && doc->file.ptr[name_len - 1] != '.') {
        name_len--;
    }
    doc->name = tg_slice_first(doc->file, name_len > 0 ? name_len - 1 : doc->file.len);
    TG_TRY(tg_doc_parse(&doc->tree, doc->file, bytes, detail));
    TG_TRY(read_version(library, index, detail));
    TG_TRY(enter_file(library, index, detail));
    TG_TRY(tg_library_scan(library, index, detail));
    doc->is_mark_reached = calloc(doc->num_marks + 1, sizeof *doc->is_mark_reached);
    if (doc->is_mark_reached == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    doc->is_refused = false;
    return tg_ok();
}

static tg_result refuse_ref(const tg_library *library, tg_place from, tg_slice reference, tg_detail *detail,
                            tg_code code, const char *what, const char *remedy)
{
    char reason[192];
    int len = reference.len < 120 ? (int)reference.len : 120;
    snprintf(reason, sizeof reason, "the reference %.*s %s", len, (const char *)reference.ptr, what);
    return tg_library_refuse(library, from, detail, code, reason, remedy);
}

/* Finds the document or `$id` that an address names: as it is spelt, then with its %XX decoded. */
static uint32_t find_resource(const tg_library *library, tg_slice address)
{
    uint32_t resource = tg_name_index_get(&library->addresses, 0, address);
    if (resource == TG_NAME_NONE && tg_uri_is_local(address)) {
        tg_buf plain;
        tg_buf_init(&plain, TG_MAX_URI_BYTES);
        if (tg_is_ok(tg_uri_unescape(address, &plain))) {
            resource = tg_name_index_get(&library->addresses, 0, tg_buf_slice(&plain));
        }
        tg_buf_done(&plain);
    }
    return resource;
}

static tg_result resolve_address(const tg_library *library, tg_place from, tg_slice reference, tg_slice address,
                                 uint32_t *out_resource, tg_detail *detail)
{
    tg_buf full;
    tg_buf_init(&full, TG_MAX_URI_BYTES);
    tg_slice base = library->resources[tg_library_resource_of(library, from)].address;
    tg_result result = tg_uri_resolve(base, address, &full);
    uint32_t resource = tg_is_ok(result) ? find_resource(library, tg_buf_slice(&full)) : TG_NAME_NONE;
    bool is_remote = tg_is_ok(result) && !tg_uri_is_local(tg_buf_slice(&full));
    tg_buf_done(&full);
    if (result.code == TG_ERR_MEMORY) {
        return result;
    }
    if (resource != TG_NAME_NONE) {
        *out_resource = resource;
        return tg_ok();
    }
    if (is_remote) {
        return refuse_ref(library, from, reference, detail, TG_ERR_DENIED, "leads outside the set",
                          "nothing is fetched: put that document into the set and refer to it by its path");
    }
    return refuse_ref(library, from, reference, detail, result.code == TG_ERR_DENIED ? TG_ERR_DENIED : TG_ERR_NOT_FOUND,
                      result.code == TG_ERR_DENIED ? "climbs out of the set" : "names a file that is not in the set",
                      "put that file into the set, or mend the path");
}

/* JSON pointer (RFC 6901) from `node`, after percent-decoding. TG_DOC_NONE where it leads nowhere. */
static tg_doc_node follow_pointer(const tg_doc *doc, tg_doc_node node, tg_slice pointer)
{
    tg_slice rest = tg_slice_from(pointer, 1);
    while (rest.ptr != NULL && node != TG_DOC_NONE) {
        tg_slice step = tg_slice_split(&rest, '/');
        uint8_t key[TG_MAX_URI_BYTES];
        size_t len = 0;
        for (size_t i = 0; i < step.len; i++) {
            uint8_t c = step.ptr[i];
            if (c == '~') {
                if (i + 1 == step.len || (step.ptr[i + 1] != '0' && step.ptr[i + 1] != '1')) {
                    return TG_DOC_NONE;
                }
                c = step.ptr[++i] == '0' ? '~' : '/';
            }
            key[len++] = c; /* the pointer is at most TG_MAX_URI_BYTES long */
        }
        if (tg_doc_is(doc, node, TG_DOC_LIST)) {
            size_t index = 0;
            bool is_index = len > 0 && len < 9 && (len == 1 || key[0] != '0');
            for (size_t i = 0; i < len && is_index; i++) {
                is_index = key[i] >= '0' && key[i] <= '9';
                index = index * 10 + (size_t)(key[i] - '0');
            }
            node = is_index && index < tg_doc_count(doc, node) ? tg_doc_element(doc, node, index) : TG_DOC_NONE;
        } else {
            node = tg_doc_get(doc, node, tg_slice_of(key, len));
        }
    }
    return node;
}

static tg_place resolve_fragment(const tg_library *library, uint32_t resource, tg_slice fragment)
{
    tg_place place = library->resources[resource].place;
    tg_buf plain;
    tg_buf_init(&plain, TG_MAX_URI_BYTES);
    tg_place none = {place.doc, TG_DOC_NONE};
    if (!tg_is_ok(tg_uri_unescape(fragment, &plain))) {
        place = none;
    } else if (tg_slice_starts(tg_buf_slice(&plain), TG_LIT("/"))) {
        place.node = follow_pointer(tg_library_tree(library, place.doc), place.node, tg_buf_slice(&plain));
    } else if (fragment.len > 0) {
        uint32_t anchor = tg_name_index_get(&library->anchors, resource, tg_buf_slice(&plain));
        place = anchor != TG_NAME_NONE ? library->anchor_places[anchor] : none;
    }
    tg_buf_done(&plain);
    return place;
}

tg_result tg_library_resolve(const tg_library *library, tg_place from, tg_slice reference, tg_place *out_target,
                             tg_detail *detail)
{
    size_t hash = tg_slice_find(reference, '#');
    tg_slice address = tg_slice_first(reference, hash);
    uint32_t resource = tg_library_resource_of(library, from);
    if (address.len > 0) {
        TG_TRY(resolve_address(library, from, reference, address, &resource, detail));
    }
    uint32_t doc = library->resources[resource].place.doc;
    if (library->docs[doc].is_refused && doc != from.doc) {
        return refuse_ref(library, from, reference, detail, TG_ERR_NOT_FOUND, "leads to a file that is refused",
                          "mend that file first");
    }
    tg_place target = resolve_fragment(library, resource, tg_slice_from(reference, hash + 1));
    if (target.node == TG_DOC_NONE) {
        return refuse_ref(library, from, reference, detail, TG_ERR_NOT_FOUND, "leads to nothing",
                          "define what it names, or remove it");
    }
    *out_target = target;
    return tg_ok();
}

tg_result tg_library_resolve_mapping(const tg_library *library, tg_place from, tg_slice value, tg_place *out_target,
                                     tg_detail *detail)
{
    const tg_doc *tree = tg_library_tree(library, from.doc);
    tg_doc_node schemas = tg_doc_get(tree, tg_doc_get(tree, tree->root, TG_LIT("components")), TG_LIT("schemas"));
    tg_doc_node named = tg_doc_get(tree, schemas, value);
    if (named != TG_DOC_NONE) {
        *out_target = (tg_place){from.doc, named};
        return tg_ok();
    }
    return tg_library_resolve(library, from, value, out_target, detail);
}

tg_result tg_library_check_refs(tg_library *library, uint32_t index, tg_detail *detail)
{
    const tg_library_doc *doc = &library->docs[index];
    for (size_t i = 0; i < doc->num_refs; i++) {
        const tg_library_ref *ref = &doc->refs[i];
        tg_place from = {index, ref->node};
        tg_place target;
        TG_TRY(ref->is_mapping ? tg_library_resolve_mapping(library, from, ref->text, &target, detail)
                               : tg_library_resolve(library, from, ref->text, &target, detail));
        if (target.doc != index && library->need_stamps[target.doc] != index + 1) {
            library->need_stamps[target.doc] = index + 1;
            TG_TRY(tg_vector_grow(&library->needs, &library->needs_cap, library->num_needs + 1, sizeof *library->needs,
                                  TG_MAX_LIBRARY_NEEDS));
            library->needs[library->num_needs++] = (tg_library_need){index, target.doc};
        }
    }
    return tg_ok();
}

static int compare_needs(const void *a, const void *b)
{
    const tg_library_need *left = a;
    const tg_library_need *right = b;
    if (left->from != right->from) {
        return left->from < right->from ? -1 : 1;
    }
    return left->to < right->to ? -1 : left->to > right->to;
}

void tg_library_sort_needs(tg_library *library)
{
    if (library->num_needs < 2) {
        return;
    }
    qsort(library->needs, library->num_needs, sizeof *library->needs, compare_needs);
    size_t kept = 1;
    for (size_t i = 1; i < library->num_needs; i++) {
        if (compare_needs(&library->needs[i], &library->needs[kept - 1]) != 0) {
            library->needs[kept++] = library->needs[i];
        }
    }
    library->num_needs = kept;
}

size_t tg_library_first_need(const tg_library *library, uint32_t from)
{
    size_t low = 0;
    for (size_t high = library->num_needs; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (library->needs[middle].from < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
