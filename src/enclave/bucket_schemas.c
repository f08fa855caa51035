#include "enclave/bucket_schemas.h"

#include "base/arena.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_KEY_BYTES = 1024, NAMES_PER_OBJECT = 2048, SLACK_BYTES = 1 << 20 };

/* An object that may be a schema. Its bytes stay from one reading to the next, where its etag does. */
typedef struct entry {
    tg_slice name; /* below the prefix; in the listing's arena, as the etag */
    tg_slice etag; /* of the bytes; empty where they are not there, or not what was listed */
    uint64_t size_bytes;
    tg_buf bytes;
    bool has_bytes;
} entry;

/* What one listing found. */
typedef struct listing {
    tg_arena arena;
    entry *entries; /* by name, once it is whole */
    size_t num_entries;
    size_t cap;
} listing;

/* One read under way. */
typedef struct reader {
    tg_bucket_schemas *schemas;
    entry *entry; /* NULL: idle */
} reader;

struct tg_bucket_schemas {
    tg_schema_source source; /* first */
    tg_loop *loop;
    tg_object_store *store;
    char *prefix;
    char *name;
    tg_task interruption;
    atomic_bool is_interrupted;

    listing known; /* of the last reading */
    tg_schema_file *files;

    /* of the reading under way */
    listing fresh;
    size_t num_listed;
    tg_faults *faults;
    tg_result result;
    size_t next; /* entry to look at */
    size_t num_bytes;
    size_t num_reading;
    reader readers[TG_MAX_PARALLEL_READS];
    bool has_ended;
};

static void listing_init(listing *list)
{
    *list = (listing){0};
    tg_arena_init(&list->arena, (size_t)TG_MAX_SCHEMA_FILES * NAMES_PER_OBJECT, false);
}

static void listing_done(listing *list)
{
    for (size_t i = 0; i < list->num_entries; i++) {
        tg_buf_done(&list->entries[i].bytes);
    }
    free(list->entries);
    tg_arena_done(&list->arena);
}

static void end(tg_bucket_schemas *schemas, tg_result result)
{
    if (!schemas->has_ended) {
        schemas->has_ended = true;
        schemas->result = result;
        tg_loop_stop(schemas->loop);
    }
}

static void tell(tg_bucket_schemas *schemas, tg_slice name, const char *what, const char *why)
{
    tg_detail *detail = tg_faults_add(schemas->faults);
    tg_detail_set_place(detail, name, 0, tg_slice_of(NULL, 0));
    tg_detail_set_reason(detail, "%s%s%s", what, why[0] != 0 ? ": " : "", why);
}

static tg_result refuse_all(tg_bucket_schemas *schemas, tg_code code, const char *what, const char *why)
{
    tell(schemas, tg_slice_str(schemas->name), what, why);
    return tg_fail(code);
}

/* Listing */

static bool is_schema_name(tg_slice name)
{
    return tg_slice_ends(name, TG_LIT(".yaml")) || tg_slice_ends(name, TG_LIT(".yml")) ||
           tg_slice_ends(name, TG_LIT(".json"));
}

static tg_result grow(listing *list)
{
    if (list->num_entries == list->cap) {
        size_t cap = list->cap > 0 ? 2 * list->cap : 64;
        entry *entries = realloc(list->entries, cap * sizeof *entries);
        if (entries == NULL) {
            return tg_fail(TG_ERR_MEMORY);
        }
        list->entries = entries;
        list->cap = cap;
    }
    return tg_ok();
}

/* Folder objects end in a slash, and so in no ending of ours. What makes a name unfit is the set's to say. */
static tg_result add_object(tg_bucket_schemas *schemas, const tg_stored_object *object)
{
    listing *fresh = &schemas->fresh;
    tg_slice prefix = tg_slice_str(schemas->prefix);
    if (!tg_slice_starts(object->key, prefix) || object->key.len > MAX_KEY_BYTES) {
        return refuse_all(schemas, TG_ERR_SYNTAX, "the listing names an object that is not below the prefix", "");
    }
    tg_slice name = tg_slice_from(object->key, prefix.len);
    if (!is_schema_name(name)) {
        return tg_ok();
    }
    if (object->size_bytes > TG_MAX_SCHEMA_FILE_BYTES) {
        tell(schemas, name, "is larger than 64 MiB", "");
        return tg_ok();
    }
    if (fresh->num_entries == TG_MAX_SCHEMA_FILES) {
        return refuse_all(schemas, TG_ERR_LIMIT, "more than 10000 schema files", "");
    }
    TG_TRY(grow(fresh));
    entry added = {.size_bytes = object->size_bytes};
    TG_TRY(tg_arena_copy(&fresh->arena, name, &added.name));
    TG_TRY(tg_arena_copy(&fresh->arena, object->etag, &added.etag));
    tg_buf_init(&added.bytes, 0);
    fresh->entries[fresh->num_entries++] = added;
    return tg_ok();
}

static int compare_entries(const void *a, const void *b)
{
    return tg_slice_compare(((const entry *)a)->name, ((const entry *)b)->name);
}

/* A key stands in a bucket once; a listing that changes between two pages may still name it twice. */
static void sort(listing *list)
{
    if (list->num_entries < 2) {
        return;
    }
    qsort(list->entries, list->num_entries, sizeof *list->entries, compare_entries);
    size_t num = 1;
    for (size_t i = 1; i < list->num_entries; i++) {
        if (!tg_slice_equal(list->entries[i].name, list->entries[num - 1].name)) {
            list->entries[num++] = list->entries[i];
        }
    }
    list->num_entries = num;
}

static void read_next(tg_bucket_schemas *schemas);
static void on_listed(const tg_store_answer *answer, void *owner);

static void list_page(tg_bucket_schemas *schemas, tg_slice next_token)
{
    tg_object_store *store = schemas->store;
    tg_result result = store->list(store, tg_slice_str(schemas->prefix), next_token, on_listed, schemas);
    if (!tg_is_ok(result)) {
        end(schemas, refuse_all(schemas, result.code, "the bucket cannot be listed", tg_code_name(result.code)));
    }
}

static void on_listed(const tg_store_answer *answer, void *owner)
{
    tg_bucket_schemas *schemas = owner;
    if (!tg_is_ok(answer->result)) {
        end(schemas, refuse_all(schemas, answer->result.code, "the bucket cannot be listed", answer->reason));
        return;
    }
    schemas->num_listed += answer->num_objects;
    tg_result result = tg_ok();
    if (schemas->num_listed > TG_MAX_BUCKET_OBJECTS || (answer->num_objects == 0 && answer->is_truncated)) {
        result = refuse_all(schemas, TG_ERR_LIMIT,
                            "more than 100000 objects below the prefix, or a listing without end", "");
    }
    for (size_t i = 0; i < answer->num_objects && tg_is_ok(result); i++) {
        result = add_object(schemas, &answer->objects[i]);
    }
    if (!tg_is_ok(result)) {
        end(schemas, result);
    } else if (answer->is_truncated) {
        list_page(schemas, answer->next_token);
    } else {
        sort(&schemas->fresh);
        read_next(schemas);
    }
}

/* Reading */

static entry *find(const listing *list, tg_slice name)
{
    const entry key = {.name = name};
    return list->num_entries > 0 ? bsearch(&key, list->entries, list->num_entries, sizeof key, compare_entries) : NULL;
}

static void move_bytes(entry *from, entry *to)
{
    to->bytes = from->bytes;
    to->has_bytes = from->has_bytes;
    tg_buf_init(&from->bytes, 0);
    from->has_bytes = false;
}

/* What was read before still serves: the next listing's etag will differ, and it is tried again. */
static void keep_old(tg_bucket_schemas *schemas, entry *each)
{
    entry *old = find(&schemas->known, each->name);
    each->etag = (tg_slice){NULL, 0};
    if (old != NULL && old->has_bytes) {
        move_bytes(old, each);
        schemas->num_bytes += tg_buf_len(&each->bytes);
        if (!tg_is_ok(tg_arena_copy(&schemas->fresh.arena, old->etag, &each->etag))) {
            each->etag = (tg_slice){NULL, 0};
        }
    }
}

static tg_result take_body(tg_bucket_schemas *schemas, entry *each, const tg_store_answer *answer)
{
    if (answer->etag.len > 0) { /* the body's may be another than the listing's */
        TG_TRY(tg_arena_copy(&schemas->fresh.arena, answer->etag, &each->etag));
    }
    tg_buf_done(&each->bytes);
    each->bytes = *answer->body;
    tg_buf_init(answer->body, 0);
    each->has_bytes = true;
    schemas->num_bytes += tg_buf_len(&each->bytes);
    if (schemas->num_bytes > TG_MAX_SCHEMA_SET_BYTES) {
        return refuse_all(schemas, TG_ERR_LIMIT, "the schema files are larger than 256 MiB together", "");
    }
    return tg_ok();
}

static void on_read(const tg_store_answer *answer, void *owner)
{
    reader *by = owner;
    tg_bucket_schemas *schemas = by->schemas;
    entry *each = TG_TAKE(by->entry);
    tg_result result = tg_ok();
    schemas->num_reading--;
    if (!tg_is_ok(answer->result)) {
        bool is_gone = answer->result.code == TG_ERR_NOT_FOUND;
        tell(schemas, each->name, is_gone ? "was deleted while the bucket was read" : "cannot be read",
             is_gone ? "" : answer->reason);
        if (is_gone) {
            each->etag = (tg_slice){NULL, 0};
        } else {
            keep_old(schemas, each);
        }
    } else if (answer->is_unchanged) {
        keep_old(schemas, each);
    } else {
        result = take_body(schemas, each, answer);
    }
    if (!tg_is_ok(result)) {
        end(schemas, result);
    } else {
        read_next(schemas);
    }
}

/* True where nothing has to be read. */
static bool is_known(tg_bucket_schemas *schemas, entry *each, tg_slice *out_old_etag)
{
    entry *old = find(&schemas->known, each->name);
    *out_old_etag = old != NULL && old->has_bytes ? old->etag : (tg_slice){NULL, 0};
    if (old == NULL || !old->has_bytes || old->size_bytes != each->size_bytes || each->etag.len == 0 ||
        !tg_slice_equal(old->etag, each->etag)) {
        return false;
    }
    move_bytes(old, each);
    schemas->num_bytes += tg_buf_len(&each->bytes);
    return true;
}

static reader *idle_reader(tg_bucket_schemas *schemas)
{
    for (size_t i = 0; i < TG_COUNT(schemas->readers); i++) {
        if (schemas->readers[i].entry == NULL) {
            return &schemas->readers[i];
        }
    }
    return NULL;
}

/* An object may have grown since it was listed; one that has grown by more waits for the next reading. */
static void read_entry(reader *by, entry *each, tg_slice old_etag)
{
    tg_bucket_schemas *schemas = by->schemas;
    tg_object_store *store = schemas->store;
    char key[2 * MAX_KEY_BYTES];
    size_t prefix_len = strlen(schemas->prefix);
    memcpy(key, schemas->prefix, prefix_len);
    memcpy(key + prefix_len, each->name.ptr, each->name.len);
    by->entry = each;
    schemas->num_reading++;
    tg_result result = store->get(store, tg_slice_of(key, prefix_len + each->name.len), old_etag,
                                  each->size_bytes + SLACK_BYTES, on_read, by);
    if (!tg_is_ok(result)) {
        by->entry = NULL;
        schemas->num_reading--;
        tell(schemas, each->name, "cannot be read", tg_code_name(result.code));
        keep_old(schemas, each);
    }
}

static void read_next(tg_bucket_schemas *schemas)
{
    listing *fresh = &schemas->fresh;
    reader *by = idle_reader(schemas);
    while (!schemas->has_ended && schemas->next < fresh->num_entries && by != NULL) {
        entry *each = &fresh->entries[schemas->next++];
        tg_slice old_etag;
        if (!is_known(schemas, each, &old_etag)) {
            read_entry(by, each, old_etag);
            by = idle_reader(schemas);
        }
    }
    if (schemas->next == fresh->num_entries && schemas->num_reading == 0) {
        end(schemas, tg_ok());
    }
}

/* The source */

/* Whether the reading found what the last one did: then no bytes were read. */
static bool is_same(const tg_bucket_schemas *schemas)
{
    const listing *known = &schemas->known;
    const listing *fresh = &schemas->fresh;
    if (schemas->files == NULL || known->num_entries != fresh->num_entries || schemas->faults->num_faults > 0) {
        return false;
    }
    for (size_t i = 0; i < fresh->num_entries; i++) {
        if (!tg_slice_equal(known->entries[i].name, fresh->entries[i].name) ||
            !tg_slice_equal(known->entries[i].etag, fresh->entries[i].etag)) {
            return false;
        }
    }
    return true;
}

static tg_result point_at_files(tg_bucket_schemas *schemas, tg_schema_reading *reading)
{
    const listing *fresh = &schemas->fresh;
    tg_schema_file *files = calloc(fresh->num_entries + 1, sizeof *files);
    if (files == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t num = 0;
    for (size_t i = 0; i < fresh->num_entries; i++) {
        if (fresh->entries[i].has_bytes) {
            files[num++] = (tg_schema_file){fresh->entries[i].name, tg_buf_slice(&fresh->entries[i].bytes)};
        }
    }
    free(schemas->files);
    schemas->files = files;
    *reading = (tg_schema_reading){.files = files, .num_files = num};
    return tg_ok();
}

/* A reading that ends early gives back what it has taken of the last one's bytes. */
static void give_back(tg_bucket_schemas *schemas)
{
    for (size_t i = 0; i < schemas->fresh.num_entries; i++) {
        entry *each = &schemas->fresh.entries[i];
        entry *old = find(&schemas->known, each->name);
        if (each->has_bytes && old != NULL && !old->has_bytes && tg_slice_equal(old->etag, each->etag)) {
            move_bytes(each, old);
        }
    }
    listing_done(&schemas->fresh);
}

static tg_result read_bucket(tg_schema_source *source, tg_faults *faults, tg_schema_reading *out_reading)
{
    tg_bucket_schemas *schemas = (tg_bucket_schemas *)(void *)source;
    tg_loop_turn(schemas->loop); /* its clock stood since the last reading, and deadlines are counted from it */
    if (atomic_load(&schemas->is_interrupted)) {
        return tg_fail(TG_ERR_CANCELLED);
    }
    listing_init(&schemas->fresh);
    schemas->faults = faults;
    schemas->num_listed = 0;
    schemas->next = 0;
    schemas->num_bytes = 0;
    schemas->num_reading = 0;
    schemas->has_ended = false;
    for (size_t i = 0; i < TG_COUNT(schemas->readers); i++) {
        schemas->readers[i] = (reader){.schemas = schemas};
    }
    list_page(schemas, (tg_slice){NULL, 0});
    while (!schemas->has_ended) { /* a stop from before the run ends it early */
        tg_loop_run(schemas->loop);
    }
    schemas->store->cancel(schemas->store);
    tg_result result = schemas->result;
    tg_schema_reading reading = {.is_same = false};
    bool is_same_as_before = tg_is_ok(result) && is_same(schemas);
    if (tg_is_ok(result)) {
        result = point_at_files(schemas, &reading);
    }
    if (!tg_is_ok(result)) {
        give_back(schemas);
        return result;
    }
    listing_done(&schemas->known);
    schemas->known = schemas->fresh;
    reading.is_same = is_same_as_before;
    *out_reading = reading;
    return tg_ok();
}

/* The bytes stay for the next reading. */
static void end_reading(tg_schema_source *source)
{
    (void)source;
}

static void on_interrupted(tg_task *task)
{
    tg_bucket_schemas *schemas = TG_OBJECT_OF(task, tg_bucket_schemas, interruption);
    end(schemas, tg_fail(TG_ERR_CANCELLED));
}

static void interrupt(tg_schema_source *source)
{
    tg_bucket_schemas *schemas = (tg_bucket_schemas *)(void *)source;
    atomic_store(&schemas->is_interrupted, true);
    tg_loop_post(schemas->loop, &schemas->interruption);
}

static char *copy_text(tg_slice text)
{
    char *copy = calloc(1, text.len + 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

tg_result tg_bucket_schemas_new(tg_loop *loop, tg_object_store *store, tg_slice prefix, tg_slice name,
                                tg_bucket_schemas **out_schemas)
{
    if (prefix.len > MAX_KEY_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_bucket_schemas *schemas = calloc(1, sizeof *schemas);
    if (schemas == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    schemas->loop = loop;
    schemas->store = store;
    schemas->prefix = copy_text(prefix);
    schemas->name = copy_text(name);
    schemas->interruption.run = on_interrupted;
    atomic_init(&schemas->is_interrupted, false);
    listing_init(&schemas->known);
    schemas->source = (tg_schema_source){
        .read = read_bucket, .end_reading = end_reading, .interrupt = interrupt, .name = schemas->name};
    if (schemas->prefix == NULL || schemas->name == NULL) {
        tg_bucket_schemas_free(schemas);
        return tg_fail(TG_ERR_MEMORY);
    }
    *out_schemas = schemas;
    return tg_ok();
}

void tg_bucket_schemas_free(tg_bucket_schemas *schemas)
{
    if (schemas == NULL) {
        return;
    }
    listing_done(&schemas->known);
    free(schemas->files);
    free(schemas->prefix);
    free(schemas->name);
    free(schemas);
}

tg_schema_source *tg_bucket_schemas_source(tg_bucket_schemas *schemas)
{
    return &schemas->source;
}
