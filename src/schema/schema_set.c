#include "schema/schema_set.h"

#include "base/refs.h"
#include "schema/schema_batch.h"
#include "schema/schema_compile.h"

#include <stdlib.h>

struct tg_schema_set {
    tg_refs refs;
    tg_schema **schemas; /* by name */
    bool *is_kept;
    size_t num_schemas;
    size_t num_kept;
    size_t num_refused;
    tg_name_index index;
    uint8_t digest[TG_SCHEMA_DIGEST_BYTES];
};

tg_schema_set *tg_schema_set_ref(tg_schema_set *set)
{
    tg_refs_take(&set->refs);
    return set;
}

void tg_schema_set_unref(tg_schema_set *set)
{
    if (set == NULL || !tg_refs_drop(&set->refs)) {
        return;
    }
    for (size_t i = 0; i < set->num_schemas; i++) {
        tg_schema_unref(set->schemas[i]);
    }
    free(set->schemas);
    free(set->is_kept);
    tg_name_index_done(&set->index);
    free(set);
}

tg_result tg_schema_set_find(const tg_schema_set *set, tg_slice name, tg_pii_root *out_root,
                             const tg_schema **out_schema)
{
    size_t hash = tg_slice_find(name, '#');
    uint32_t index = tg_name_index_get(&set->index, 0, tg_slice_first(name, hash));
    if (index == TG_NAME_NONE) {
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    const tg_schema *schema = set->schemas[index];
    if (hash < name.len) {
        TG_TRY(tg_schema_component(schema, tg_slice_from(name, hash + 1), out_root));
    } else {
        *out_root = schema->root;
    }
    if (out_schema != NULL) {
        *out_schema = schema;
    }
    return tg_ok();
}

size_t tg_schema_set_num_schemas(const tg_schema_set *set)
{
    return set->num_schemas;
}

size_t tg_schema_set_num_kept(const tg_schema_set *set)
{
    return set->num_kept;
}

size_t tg_schema_set_num_refused(const tg_schema_set *set)
{
    return set->num_refused;
}

const tg_schema *tg_schema_set_at(const tg_schema_set *set, size_t index)
{
    return set->schemas[index];
}

bool tg_schema_is_kept(const tg_schema_set *set, size_t index)
{
    return set->is_kept[index];
}

const uint8_t *tg_schema_set_digest(const tg_schema_set *set)
{
    return set->digest;
}

tg_slice tg_schema_name(const tg_schema *schema)
{
    return schema->name;
}

tg_slice tg_schema_file_name(const tg_schema *schema)
{
    return schema->file;
}

const uint8_t *tg_schema_digest(const tg_schema *schema)
{
    return schema->digest;
}

const tg_pii_graph *tg_schema_graph(const tg_schema *schema)
{
    return &schema->store.graph;
}

tg_pii_root tg_schema_root(const tg_schema *schema)
{
    return schema->root;
}

size_t tg_schema_num_marks(const tg_schema *schema)
{
    return schema->num_marks;
}

size_t tg_schema_num_paths(const tg_schema *schema)
{
    return schema->listing != NULL ? schema->listing->num_paths : 0;
}

const tg_pii_path *tg_schema_path(const tg_schema *schema, size_t index)
{
    return &schema->listing->paths[index];
}

bool tg_schema_paths_is_cut(const tg_schema *schema)
{
    return schema->listing != NULL && schema->listing->is_cut;
}

/* Puts schemas side by side, in the order of their names: new ones, and old ones that stay in force. */
static tg_result add_schema(tg_schema_set *set, tg_schema *schema, bool is_kept)
{
    TG_TRY(tg_name_index_put(&set->index, 0, schema->name, (uint32_t)set->num_schemas));
    set->schemas[set->num_schemas] = tg_schema_ref(schema);
    set->is_kept[set->num_schemas] = is_kept;
    set->num_schemas++;
    set->num_kept += is_kept;
    return tg_ok();
}

static tg_result merge(tg_schema_set *set, const tg_schema_set *previous, const tg_schema_options *options,
                       tg_schema *const *fresh, size_t num_fresh, tg_faults *faults)
{
    size_t num_previous = previous != NULL ? previous->num_schemas : 0;
    for (size_t i = 0, k = 0; i < num_fresh || k < num_previous;) {
        int order = i == num_fresh ? 1
                    : k == num_previous || previous == NULL
                        ? -1
                        : tg_slice_compare(fresh[i]->name, previous->schemas[k]->name);
        tg_schema *new_schema = order <= 0 ? fresh[i++] : NULL;
        tg_schema *old_schema = order >= 0 && previous != NULL ? previous->schemas[k++] : NULL;
        bool keeps_old = false;
        if (old_schema != NULL && !options->allow_removal) {
            TG_TRY(tg_schema_would_lose(old_schema, new_schema, faults, &keeps_old));
        }
        if (keeps_old) {
            TG_TRY(add_schema(set, old_schema, true));
        } else if (new_schema != NULL) {
            TG_TRY(add_schema(set, new_schema, false));
        }
    }
    return tg_ok();
}

static tg_result sum_up(tg_schema_set *set, const tg_schema_options *options)
{
    if (options->sha256 == NULL) {
        return tg_ok();
    }
    tg_buf buf;
    tg_buf_init(&buf, (size_t)64 << 20);
    tg_result result = tg_ok();
    for (size_t i = 0; i < set->num_schemas && set->schemas[i] != NULL && tg_is_ok(result); i++) {
        result = tg_schema_append_digest(&buf, set->schemas[i]->name, set->schemas[i]->digest);
    }
    if (tg_is_ok(result)) {
        result = options->sha256(tg_buf_slice(&buf), set->digest);
    }
    tg_buf_done(&buf);
    return result;
}

static tg_result assemble(tg_schema_set *set, const tg_schema_options *options, const tg_schema_batch *batch,
                          tg_faults *faults)
{
    const tg_schema_set *previous = options->previous;
    size_t max = batch->num_schemas + (previous != NULL ? previous->num_schemas : 0) + 1;
    set->schemas = calloc(max, sizeof(tg_schema *));
    set->is_kept = calloc(max, sizeof *set->is_kept);
    if (set->schemas == NULL || set->is_kept == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    set->num_refused = batch->num_refused;
    TG_TRY(merge(set, previous, options, batch->schemas, batch->num_schemas, faults));
    return sum_up(set, options);
}

tg_result tg_schema_set_build(const tg_schema_file *files, size_t num_files, const tg_schema_options *options,
                              tg_faults *faults, tg_schema_set **out_set)
{
    static const tg_schema_options defaults = {0};
    options = options != NULL ? options : &defaults;
    tg_schema_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&set->refs);
    tg_name_index_init(&set->index);
    tg_schema_batch batch;
    tg_result result = tg_schema_batch_compile(&batch, files, num_files, options, faults);
    if (tg_is_ok(result)) {
        result = assemble(set, options, &batch, faults);
    }
    tg_schema_batch_done(&batch);
    if (!tg_is_ok(result)) {
        tg_schema_set_unref(set);
        return result;
    }
    *out_set = set;
    return tg_ok();
}
