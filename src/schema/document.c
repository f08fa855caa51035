#include "schema/document.h"

#include "schema/document_builder.h"
#include "schema/vector.h"

#include <stdlib.h>

enum { FEW_MEMBERS = 16, MAX_POOL_BYTES = 256 << 20 };

static void doc_init(tg_doc *doc, tg_slice file)
{
    *doc = (tg_doc){.file = file, .root = TG_DOC_NONE};
    tg_buf_init(&doc->text, MAX_POOL_BYTES);
    tg_name_index_init(&doc->large_maps);
}

void tg_doc_done(tg_doc *doc)
{
    free(doc->items);
    free(doc->members);
    free(doc->elements);
    tg_buf_done(&doc->text);
    tg_name_index_done(&doc->large_maps);
    doc_init(doc, doc->file);
}

size_t tg_doc_count(const tg_doc *doc, tg_doc_node node)
{
    return tg_doc_is(doc, node, TG_DOC_MAP) || tg_doc_is(doc, node, TG_DOC_LIST) ? doc->items[node].count : 0;
}

tg_doc_node tg_doc_element(const tg_doc *doc, tg_doc_node list, size_t index)
{
    return doc->elements[doc->items[list].first + index];
}

static tg_slice pool_text(const tg_doc *doc, uint32_t offset, uint32_t len)
{
    return tg_slice_of(len > 0 ? doc->text.ptr + offset : NULL, len);
}

tg_doc_node tg_doc_member_at(const tg_doc *doc, tg_doc_node map, size_t index, tg_slice *out_key)
{
    const tg_doc_member *member = &doc->members[doc->items[map].first + index];
    *out_key = pool_text(doc, member->key_offset, member->key_len);
    return member->value;
}

tg_doc_node tg_doc_get(const tg_doc *doc, tg_doc_node node, tg_slice key)
{
    if (!tg_doc_is(doc, node, TG_DOC_MAP)) {
        return TG_DOC_NONE;
    }
    const tg_doc_item *item = &doc->items[node];
    if (item->count > FEW_MEMBERS) {
        uint32_t index = tg_name_index_get(&doc->large_maps, node, key);
        return index != TG_NAME_NONE ? doc->members[index].value : TG_DOC_NONE;
    }
    for (uint32_t i = 0; i < item->count; i++) {
        const tg_doc_member *member = &doc->members[item->first + i];
        if (member->key_len == key.len && tg_slice_equal(pool_text(doc, member->key_offset, member->key_len), key)) {
            return member->value;
        }
    }
    return TG_DOC_NONE;
}

tg_slice tg_doc_text(const tg_doc *doc, tg_doc_node node)
{
    if (!tg_doc_is(doc, node, TG_DOC_TEXT)) {
        return tg_slice_of(NULL, 0);
    }
    return pool_text(doc, doc->items[node].first, doc->items[node].count);
}

static tg_result index_large_maps(tg_doc *doc)
{
    for (size_t n = 0; n < doc->num_items; n++) {
        const tg_doc_item *item = &doc->items[n];
        if (item->kind != TG_DOC_MAP || item->count <= FEW_MEMBERS) {
            continue;
        }
        for (uint32_t i = 0; i < item->count; i++) {
            const tg_doc_member *member = &doc->members[item->first + i];
            TG_TRY(tg_name_index_put(&doc->large_maps, (uint32_t)n, pool_text(doc, member->key_offset, member->key_len),
                                     item->first + i));
        }
    }
    return tg_ok();
}

static tg_result read_as(tg_doc *doc, tg_slice bytes, bool is_yaml, tg_doc_builder *builder, tg_detail *detail)
{
    doc->has_lines = is_yaml;
    tg_doc_builder_init(builder, doc, detail);
    tg_result result = is_yaml ? tg_doc_read_yaml(builder, bytes) : tg_doc_read_json(builder, bytes);
    tg_doc_builder_done(builder);
    return tg_is_ok(result) ? index_large_maps(doc) : result;
}

static tg_result parse(tg_doc *doc, tg_slice bytes, tg_doc_builder *builder, tg_detail *detail)
{
    tg_slice file = doc->file;
    if (tg_slice_ends(file, TG_LIT(".json"))) {
        return read_as(doc, bytes, false, builder, detail);
    }
    tg_slice start = tg_slice_trim(bytes, " \t\r\n");
    if (start.len > 0 && start.ptr[0] == '{') { /* libyaml refuses some of JSON, so JSON is tried first */
        if (tg_is_ok(read_as(doc, bytes, false, builder, detail))) {
            return tg_ok();
        }
        tg_doc_done(doc);
        tg_detail_clear(detail);
    }
    return read_as(doc, bytes, true, builder, detail);
}

tg_result tg_doc_parse(tg_doc *doc, tg_slice file, tg_slice bytes, tg_detail *detail)
{
    doc_init(doc, file);
    tg_detail_set_place(detail, file, 0, tg_slice_of(NULL, 0));
    if (bytes.len > TG_MAX_DOC_BYTES) {
        tg_detail_set_reason(detail, "larger than %zu MiB", TG_MAX_DOC_BYTES >> 20);
        tg_detail_set_remedy(detail, "split the document and join its parts by $ref");
        return tg_fail(TG_ERR_LIMIT);
    }
    if (tg_slice_starts(bytes, TG_LIT("\xef\xbb\xbf"))) {
        bytes = tg_slice_from(bytes, 3);
    }
    tg_doc_builder *builder = malloc(sizeof *builder);
    if (builder == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = parse(doc, bytes, builder, detail);
    free(builder);
    if (!tg_is_ok(result)) {
        tg_doc_done(doc);
        if (detail != NULL && detail->reason[0] == 0) {
            tg_detail_set_place(detail, file, 0, tg_slice_of(NULL, 0));
            tg_detail_set_reason(detail, result.code == TG_ERR_MEMORY ? "out of memory" : "too much text");
        }
    }
    return result;
}

static tg_result append_escaped(tg_slice key, tg_buf *buf)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '~' || key.ptr[i] == '/') {
            TG_TRY(tg_buf_append_str(buf, key.ptr[i] == '~' ? "~0" : "~1"));
        } else {
            TG_TRY(tg_buf_append_byte(buf, key.ptr[i]));
        }
    }
    return tg_ok();
}

static tg_result append_step(const tg_doc *doc, tg_doc_node parent, tg_doc_node child, tg_buf *buf)
{
    const tg_doc_item *item = &doc->items[parent];
    TG_TRY(tg_buf_append_byte(buf, '/'));
    for (uint32_t i = 0; i < item->count; i++) {
        if (item->kind == TG_DOC_MAP && doc->members[item->first + i].value == child) {
            const tg_doc_member *member = &doc->members[item->first + i];
            return append_escaped(pool_text(doc, member->key_offset, member->key_len), buf);
        }
        if (item->kind == TG_DOC_LIST && doc->elements[item->first + i] == child) {
            return tg_buf_append_u64(buf, i);
        }
    }
    return tg_buf_append_str(buf, "<<"); /* reached by a merge alone */
}

tg_result tg_doc_append_pointer(const tg_doc *doc, tg_doc_node node, tg_buf *buf)
{
    tg_doc_node path[TG_MAX_DOC_DEPTH];
    size_t depth = 0;
    for (; node != TG_DOC_NONE && depth < TG_MAX_DOC_DEPTH; node = doc->items[node].parent) {
        path[depth++] = node;
    }
    for (; depth > 1; depth--) {
        TG_TRY(append_step(doc, path[depth - 1], path[depth - 2], buf));
    }
    return tg_ok();
}

void tg_doc_set_place(const tg_doc *doc, tg_doc_node node, tg_detail *detail)
{
    tg_buf pointer;
    tg_buf_init(&pointer, 4096);
    tg_slice shown = TG_LIT("");
    if (node != TG_DOC_NONE && tg_is_ok(tg_doc_append_pointer(doc, node, &pointer))) {
        shown = tg_buf_slice(&pointer);
    }
    tg_detail_set_place(detail, doc->file, node != TG_DOC_NONE ? doc->items[node].line : 0, shown);
    tg_buf_done(&pointer);
}
