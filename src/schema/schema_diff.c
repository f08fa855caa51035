/* What an old and a new form of one schema seal: for a refresh, which must not lose anything, and for people. */
#include "schema/graph_compare.h"
#include "schema/pii_paths.h"
#include "schema/schema_batch.h"
#include "schema/vector.h"

#include <stdio.h>
#include <stdlib.h>

/* Compares every way in: the root, and each component by its name. */
static tg_result compare_schemas(tg_compare *compare, const tg_schema *sealing, const tg_schema *other)
{
    TG_TRY(tg_compare_roots(compare, sealing->root, other->root));
    for (size_t i = 0; i < sealing->num_components; i++) {
        tg_pii_root root = {0};
        tg_result result = tg_schema_component(other, sealing->component_names[i], &root);
        if (!tg_is_ok(result)) { /* nobody can ask for it any more, so nothing is left open */
            continue;
        }
        TG_TRY(tg_compare_roots(compare, sealing->components[i], root));
    }
    return tg_ok();
}

static tg_result warn_of_loss(const tg_schema *old_schema, const tg_compare *compare, tg_faults *faults)
{
    tg_buf path;
    tg_buf_init(&path, 4096);
    tg_result result = tg_ok();
    if (compare->num_losses > 0) {
        result = tg_compare_append_path(compare, &compare->losses[0], &path);
    }
    if (result.code != TG_ERR_MEMORY) {
        tg_detail *detail = tg_faults_add(faults);
        tg_detail_set_place(detail, old_schema->file, 0, tg_buf_slice(&path));
        tg_detail_set_reason(detail, "%s",
                             compare->num_losses > 0
                                 ? "the file as it is now would leave open what is sealed: the older schema stays"
                                 : "the file as it is now may leave open what is sealed: the older schema stays");
        tg_detail_set_remedy(detail, "%s", "if that is meant, allow removal (SCHEMA_ALLOW_REMOVAL=true)");
        result = tg_ok();
    }
    tg_buf_done(&path);
    return result;
}

tg_result tg_schema_would_lose(const tg_schema *old_schema, const tg_schema *new_schema, tg_faults *faults,
                               bool *out_loses)
{
    *out_loses = true;
    if (new_schema == NULL) {
        tg_detail *detail = tg_faults_add(faults);
        tg_detail_set_place(detail, old_schema->file, 0, tg_slice_of(NULL, 0));
        tg_detail_set_reason(detail, "%s", "the file is missing or refused: the older schema stays in force");
        tg_detail_set_remedy(detail, "%s", "mend it, or allow removal (SCHEMA_ALLOW_REMOVAL=true)");
        return tg_ok();
    }
    tg_compare compare;
    tg_result result = tg_compare_init(&compare, &old_schema->store.graph, &new_schema->store.graph, 1);
    if (tg_is_ok(result)) {
        result = compare_schemas(&compare, old_schema, new_schema);
    }
    bool loses = compare.num_losses > 0 || compare.is_cut;
    if (tg_is_ok(result) && loses) {
        result = warn_of_loss(old_schema, &compare, faults);
    }
    tg_compare_done(&compare);
    TG_TRY(result);
    *out_loses = loses;
    return tg_ok();
}

typedef struct change_list {
    tg_pii_changes changes;
    size_t cap;
} change_list;

static tg_result add_change(change_list *list, tg_pii_change change, tg_slice path)
{
    if (list->changes.num_changes == TG_MAX_PII_CHANGES) {
        list->changes.is_cut = true;
        return tg_ok();
    }
    TG_TRY(tg_vector_grow(&list->changes.changes, &list->cap, list->changes.num_changes + 1,
                          sizeof *list->changes.changes, TG_MAX_PII_CHANGES));
    change.path = malloc(path.len + 1);
    if (change.path == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (path.ptr != NULL && path.len > 0) {
        memcpy(change.path, path.ptr, path.len);
    }
    change.path[path.len] = 0;
    list->changes.changes[list->changes.num_changes++] = change;
    return tg_ok();
}

static tg_result add_losses(change_list *list, const tg_compare *compare, tg_pii_change_kind kind)
{
    list->changes.is_cut = list->changes.is_cut || compare->is_cut;
    for (size_t i = 0; i < compare->num_losses; i++) {
        tg_buf path;
        tg_buf_init(&path, 1 << 20);
        tg_result result = tg_compare_append_path(compare, &compare->losses[i], &path);
        if (tg_is_ok(result)) {
            result = add_change(list, (tg_pii_change){.kind = kind}, tg_buf_slice(&path));
        } else if (result.code == TG_ERR_LIMIT) {
            list->changes.is_cut = true;
            result = tg_ok();
        }
        tg_buf_done(&path);
        TG_TRY(result);
    }
    return tg_ok();
}

static tg_result compare_one_way(change_list *list, const tg_schema *sealing, const tg_schema *other,
                                 tg_pii_change_kind kind)
{
    tg_compare compare;
    tg_result result = tg_compare_init(&compare, &sealing->store.graph, &other->store.graph, TG_MAX_PII_CHANGES);
    if (tg_is_ok(result)) {
        result = tg_compare_roots(&compare, sealing->root, other->root);
    }
    if (tg_is_ok(result)) {
        result = add_losses(list, &compare, kind);
    }
    tg_compare_done(&compare);
    return result;
}

static tg_result compare_types(change_list *list, tg_name_index *old_paths, const tg_schema *old_schema,
                               const tg_schema *new_schema)
{
    for (size_t i = 0; i < tg_schema_num_paths(old_schema); i++) {
        const tg_pii_path *path = tg_schema_path(old_schema, i);
        if (path->kind == TG_PII_PATH_SEALED) {
            tg_result result = tg_name_index_put(old_paths, 0, path->path, (uint32_t)i);
            if (result.code != TG_ERR_EXISTS) {
                TG_TRY(result);
            }
        }
    }
    for (size_t i = 0; i < tg_schema_num_paths(new_schema); i++) {
        const tg_pii_path *path = tg_schema_path(new_schema, i);
        uint32_t old_index = tg_name_index_get(old_paths, 0, path->path);
        if (path->kind != TG_PII_PATH_SEALED || old_index == TG_NAME_NONE) {
            continue;
        }
        uint32_t old_types = tg_schema_path(old_schema, old_index)->types;
        if (old_types != path->types) {
            tg_pii_change change = {.kind = TG_PII_RETYPED, .old_types = old_types, .new_types = path->types};
            TG_TRY(add_change(list, change, path->path));
        }
    }
    return tg_ok();
}

tg_result tg_schema_diff(const tg_schema *old_schema, const tg_schema *new_schema, tg_pii_changes *out_changes)
{
    change_list list = {0};
    tg_name_index old_paths;
    tg_name_index_init(&old_paths);
    tg_result result = compare_one_way(&list, old_schema, new_schema, TG_PII_REMOVED);
    if (tg_is_ok(result)) {
        result = compare_one_way(&list, new_schema, old_schema, TG_PII_ADDED);
    }
    if (tg_is_ok(result)) {
        result = compare_types(&list, &old_paths, old_schema, new_schema);
    }
    tg_name_index_done(&old_paths);
    if (!tg_is_ok(result)) {
        tg_pii_changes_done(&list.changes);
        return result;
    }
    *out_changes = list.changes;
    return tg_ok();
}

void tg_pii_changes_done(tg_pii_changes *changes)
{
    for (size_t i = 0; i < changes->num_changes; i++) {
        free(changes->changes[i].path);
    }
    free(changes->changes);
    *changes = (tg_pii_changes){0};
}

tg_result tg_type_append(uint32_t types, tg_buf *buf)
{
    static const struct {
        uint32_t bits;
        const char *name;
    } names[] = {{TG_TYPE_STRING, "string"},   {TG_TYPE_NUMBER, "number"}, {TG_TYPE_INTEGER, "integer"},
                 {TG_TYPE_BOOLEAN, "boolean"}, {TG_TYPE_OBJECT, "object"}, {TG_TYPE_ARRAY, "array"},
                 {TG_TYPE_NULL, "null"}};
    if (types == TG_TYPE_ANY || types == 0) {
        return tg_buf_append_str(buf, types == 0 ? "none" : "any");
    }
    bool is_first = true;
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        bool is_there = (types & names[i].bits) == names[i].bits;
        if (names[i].bits == TG_TYPE_INTEGER && (types & TG_TYPE_NUMBER) == TG_TYPE_NUMBER) {
            is_there = false;
        }
        if (is_there) {
            TG_TRY(tg_buf_append_str(buf, is_first ? "" : " or "));
            TG_TRY(tg_buf_append_str(buf, names[i].name));
            is_first = false;
        }
    }
    return tg_ok();
}
