#include "schema/document_builder.h"

#include "schema/vector.h"

#include <stdlib.h>

enum { FEW_MEMBERS = 16, MERGE_KEY = UINT32_MAX };

void tg_doc_builder_init(tg_doc_builder *builder, tg_doc *doc, tg_detail *detail)
{
    builder->doc = doc;
    builder->detail = detail;
    builder->depth = 0;
    builder->pending = NULL;
    builder->num_pending = 0;
    builder->pending_cap = 0;
    builder->key_offset = 0;
    builder->key_len = 0;
    builder->key_line = 0;
    builder->has_key = false;
    builder->is_merge = false;
}

void tg_doc_builder_done(tg_doc_builder *builder)
{
    free(builder->pending);
    builder->pending = NULL;
}

tg_result tg_doc_refuse(tg_doc_builder *builder, tg_code code, unsigned line, const char *reason)
{
    tg_detail_set_place(builder->detail, builder->doc->file, line, tg_slice_of(NULL, 0));
    tg_detail_set_reason(builder->detail, "%s", reason);
    return tg_fail(code);
}

static tg_result refuse_size(tg_doc_builder *builder, unsigned line, tg_result result)
{
    if (result.code == TG_ERR_LIMIT) {
        return tg_doc_refuse(builder, TG_ERR_LIMIT, line,
                             "more than 4000000 values, aliases counted as often as they are used");
    }
    return result;
}

static tg_slice pool_text(const tg_doc *doc, uint32_t offset, uint32_t len)
{
    return tg_slice_of(len > 0 ? doc->text.ptr + offset : NULL, len);
}

static tg_result store_text(tg_doc_builder *builder, tg_slice text, uint32_t *out_offset)
{
    size_t offset = tg_buf_len(&builder->doc->text);
    TG_TRY(tg_buf_append(&builder->doc->text, text)); /* the pool's maximum keeps offsets within 32 bits */
    *out_offset = (uint32_t)offset;
    return tg_ok();
}

/* Hangs a node below the open frame, under the key that was read before it. */
static tg_result attach(tg_doc_builder *builder, tg_doc_node node, unsigned line)
{
    tg_doc *doc = builder->doc;
    if (builder->depth + doc->items[node].height > TG_MAX_DOC_DEPTH) {
        return tg_doc_refuse(builder, TG_ERR_LIMIT, line, "nested deeper than 512");
    }
    if (builder->depth == 0) {
        doc->root = node;
        return tg_ok();
    }
    tg_doc_frame *frame = &builder->frames[builder->depth - 1];
    if (doc->items[node].parent == TG_DOC_NONE) {
        doc->items[node].parent = frame->node;
    }
    tg_doc_member member = {.value = node};
    if (frame->is_map && builder->is_merge) {
        member.key_len = MERGE_KEY;
    } else if (frame->is_map) {
        member.key_offset = builder->key_offset;
        member.key_len = builder->key_len;
    }
    builder->has_key = false;
    builder->is_merge = false;
    TG_TRY(refuse_size(builder, line,
                       tg_vector_grow(&builder->pending, &builder->pending_cap, builder->num_pending + 1,
                                      sizeof *builder->pending, TG_MAX_DOC_NODES)));
    builder->pending[builder->num_pending++] = member;
    return tg_ok();
}

static tg_result add_item(tg_doc_builder *builder, tg_doc_item item, unsigned line, tg_doc_node *out_node)
{
    tg_doc *doc = builder->doc;
    TG_TRY(refuse_size(
        builder, line,
        tg_vector_grow(&doc->items, &doc->items_cap, doc->num_items + 1, sizeof *doc->items, TG_MAX_DOC_NODES)));
    item.parent = TG_DOC_NONE;
    item.line = builder->has_key ? builder->key_line : line;
    item.line = doc->has_lines ? item.line : 0;
    item.height = 1;
    item.weight = 1;
    tg_doc_node node = (tg_doc_node)doc->num_items++;
    doc->items[node] = item;
    TG_TRY(attach(builder, node, line));
    *out_node = node;
    return tg_ok();
}

tg_result tg_doc_add_key(tg_doc_builder *builder, tg_slice key, unsigned line)
{
    TG_TRY(store_text(builder, key, &builder->key_offset));
    builder->key_len = (uint32_t)key.len;
    builder->has_key = true;
    builder->key_line = line;
    return tg_ok();
}

tg_result tg_doc_add_merge_key(tg_doc_builder *builder, unsigned line)
{
    builder->has_key = true;
    builder->key_line = line;
    builder->is_merge = true;
    return tg_ok();
}

tg_result tg_doc_add_scalar(tg_doc_builder *builder, tg_doc_item scalar, unsigned line, tg_doc_node *out_node)
{
    return add_item(builder, scalar, line, out_node);
}

tg_result tg_doc_add_text(tg_doc_builder *builder, tg_slice text, unsigned line, tg_doc_node *out_node)
{
    tg_doc_item item = {.kind = TG_DOC_TEXT};
    TG_TRY(store_text(builder, text, &item.first));
    item.count = (uint32_t)text.len;
    return add_item(builder, item, line, out_node);
}

tg_result tg_doc_begin(tg_doc_builder *builder, tg_doc_kind kind, unsigned line, tg_doc_node *out_node)
{
    tg_doc_node node;
    TG_TRY(add_item(builder, (tg_doc_item){.kind = (uint8_t)kind}, line, &node));
    if (builder->depth == TG_MAX_DOC_DEPTH) {
        return tg_doc_refuse(builder, TG_ERR_LIMIT, line, "nested deeper than 512");
    }
    builder->frames[builder->depth++] =
        (tg_doc_frame){.node = node, .first_pending = builder->num_pending, .is_map = kind == TG_DOC_MAP};
    *out_node = node;
    return tg_ok();
}

tg_result tg_doc_add_alias(tg_doc_builder *builder, tg_doc_node node, unsigned line)
{
    return attach(builder, node, line);
}

/* Takes a key into the map that is being finished; *out_is_new is false where the key is there already. */
static tg_result enter_key(tg_doc_builder *builder, tg_name_index *index, size_t first, tg_slice key, bool *out_is_new)
{
    const tg_doc *doc = builder->doc;
    *out_is_new = true;
    if (index->num_slots > 0) {
        tg_result result = tg_name_index_put(index, 0, key, 0);
        *out_is_new = result.code != TG_ERR_EXISTS;
        return *out_is_new ? result : tg_ok();
    }
    for (size_t i = first; i < doc->num_members && *out_is_new; i++) {
        *out_is_new = !tg_slice_equal(pool_text(doc, doc->members[i].key_offset, doc->members[i].key_len), key);
    }
    if (*out_is_new && doc->num_members - first >= FEW_MEMBERS) { /* from here on by index */
        for (size_t i = first; i < doc->num_members; i++) {
            const tg_doc_member *member = &doc->members[i];
            TG_TRY(tg_name_index_put(index, 0, pool_text(doc, member->key_offset, member->key_len), 0));
        }
        TG_TRY(tg_name_index_put(index, 0, key, 0));
    }
    return tg_ok();
}

static tg_result add_member(tg_doc_builder *builder, tg_doc_member member)
{
    tg_doc *doc = builder->doc;
    TG_TRY(refuse_size(builder, doc->items[member.value].line,
                       tg_vector_grow(&doc->members, &doc->members_cap, doc->num_members + 1, sizeof *doc->members,
                                      TG_MAX_DOC_NODES)));
    doc->members[doc->num_members++] = member;
    return tg_ok();
}

/* `<<: *a` gives the members of a map that the map itself does not have. */
static tg_result merge_map(tg_doc_builder *builder, tg_name_index *index, size_t first, tg_doc_node source,
                           unsigned line)
{
    const tg_doc *doc = builder->doc;
    if (doc->items[source].kind != TG_DOC_MAP) {
        return tg_doc_refuse(builder, TG_ERR_SYNTAX, line, "`<<` merges something that is no map");
    }
    for (uint32_t i = 0; i < doc->items[source].count; i++) {
        tg_doc_member member = doc->members[doc->items[source].first + i];
        bool is_new;
        TG_TRY(enter_key(builder, index, first, pool_text(doc, member.key_offset, member.key_len), &is_new));
        if (is_new) {
            TG_TRY(add_member(builder, member));
        }
    }
    return tg_ok();
}

static tg_result finish_merges(tg_doc_builder *builder, tg_name_index *index, size_t first, const tg_doc_frame *frame)
{
    const tg_doc *doc = builder->doc;
    unsigned line = doc->items[frame->node].line;
    for (size_t i = frame->first_pending; i < builder->num_pending; i++) {
        tg_doc_node source = builder->pending[i].value;
        if (builder->pending[i].key_len != MERGE_KEY) {
            continue;
        }
        if (doc->items[source].kind != TG_DOC_LIST) {
            TG_TRY(merge_map(builder, index, first, source, line));
            continue;
        }
        for (uint32_t k = 0; k < doc->items[source].count; k++) {
            TG_TRY(merge_map(builder, index, first, doc->elements[doc->items[source].first + k], line));
        }
    }
    return tg_ok();
}

static tg_result finish_map(tg_doc_builder *builder, tg_name_index *index, const tg_doc_frame *frame)
{
    tg_doc *doc = builder->doc;
    size_t first = doc->num_members;
    size_t num_merges = 0;
    for (size_t i = frame->first_pending; i < builder->num_pending; i++) {
        tg_doc_member member = builder->pending[i];
        unsigned line = doc->items[member.value].line;
        if (member.key_len == MERGE_KEY) {
            if (++num_merges > 1) {
                return tg_doc_refuse(builder, TG_ERR_SYNTAX, line, "the key `<<` stands twice in one map");
            }
            continue;
        }
        bool is_new;
        tg_slice key = pool_text(doc, member.key_offset, member.key_len);
        TG_TRY(enter_key(builder, index, first, key, &is_new));
        if (!is_new) {
            tg_detail_set_place(builder->detail, doc->file, line, key);
            tg_detail_set_reason(builder->detail, "the key stands twice in one map");
            return tg_fail(TG_ERR_SYNTAX);
        }
        TG_TRY(add_member(builder, member));
    }
    if (num_merges > 0) {
        TG_TRY(finish_merges(builder, index, first, frame));
    }
    doc->items[frame->node].first = (uint32_t)first;
    doc->items[frame->node].count = (uint32_t)(doc->num_members - first);
    return tg_ok();
}

static tg_result finish_list(tg_doc_builder *builder, const tg_doc_frame *frame)
{
    tg_doc *doc = builder->doc;
    size_t num = builder->num_pending - frame->first_pending;
    TG_TRY(refuse_size(builder, doc->items[frame->node].line,
                       tg_vector_grow(&doc->elements, &doc->elements_cap, doc->num_elements + num,
                                      sizeof *doc->elements, TG_MAX_DOC_NODES)));
    doc->items[frame->node].first = (uint32_t)doc->num_elements;
    doc->items[frame->node].count = (uint32_t)num;
    for (size_t i = 0; i < num; i++) {
        doc->elements[doc->num_elements++] = builder->pending[frame->first_pending + i].value;
    }
    return tg_ok();
}

tg_result tg_doc_end(tg_doc_builder *builder)
{
    tg_doc *doc = builder->doc;
    const tg_doc_frame frame = builder->frames[builder->depth - 1];
    if (frame.is_map) {
        tg_name_index index;
        tg_name_index_init(&index);
        tg_result result = finish_map(builder, &index, &frame);
        tg_name_index_done(&index);
        TG_TRY(result);
    } else {
        TG_TRY(finish_list(builder, &frame));
    }
    builder->num_pending = frame.first_pending;
    builder->depth--;
    tg_doc_item *item = &doc->items[frame.node];
    uint64_t weight = 1;
    uint16_t height = 0;
    for (uint32_t i = 0; i < item->count; i++) {
        tg_doc_node child = frame.is_map ? doc->members[item->first + i].value : doc->elements[item->first + i];
        weight += doc->items[child].weight;
        height = doc->items[child].height > height ? doc->items[child].height : height;
    }
    if (weight > TG_MAX_DOC_NODES) {
        return refuse_size(builder, item->line, tg_fail(TG_ERR_LIMIT));
    }
    if (builder->depth + height + 1u > TG_MAX_DOC_DEPTH) { /* merged members may be deeper than their alias was */
        return tg_doc_refuse(builder, TG_ERR_LIMIT, item->line, "nested deeper than 512");
    }
    item->weight = (uint32_t)weight;
    item->height = (uint16_t)(height + 1);
    return tg_ok();
}
