#include "schema/schema_batch.h"

#include "base/text.h"

#include <stdlib.h>

void tg_schema_batch_done(tg_schema_batch *batch)
{
    for (size_t i = 0; batch->compiled != NULL && i < batch->library.num_docs; i++) {
        tg_schema_unref(batch->compiled[i]);
    }
    free(batch->files);
    free(batch->compiled);
    free(batch->touched);
    free(batch->queue);
    free(batch->schemas);
    tg_library_done(&batch->library);
    *batch = (tg_schema_batch){0};
}

static bool is_read(tg_slice name)
{
    return tg_slice_ends(name, TG_LIT(".yaml")) || tg_slice_ends(name, TG_LIT(".yml")) ||
           tg_slice_ends(name, TG_LIT(".json"));
}

static tg_slice without_ending(tg_slice name)
{
    size_t len = name.len;
    while (len > 0 && name.ptr[len - 1] != '.') {
        len--;
    }
    return tg_slice_first(name, len > 0 ? len - 1 : name.len);
}

static int compare_files(const void *a, const void *b)
{
    const tg_schema_file *left = *(const tg_schema_file *const *)a;
    const tg_schema_file *right = *(const tg_schema_file *const *)b;
    int order = tg_slice_compare(without_ending(left->name), without_ending(right->name));
    return order != 0 ? order : tg_slice_compare(left->name, right->name);
}

static tg_result refuse_all(tg_faults *faults, const char *reason)
{
    tg_detail *detail = tg_faults_add(faults);
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(TG_ERR_LIMIT);
}

/* Takes the files that are schemas by their ending, ordered by schema name. */
static tg_result select_files(tg_schema_batch *batch, const tg_schema_file *files, size_t num_files, tg_faults *faults,
                              size_t *out_num)
{
    batch->files = calloc(num_files + 1, sizeof(const tg_schema_file *));
    if (batch->files == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t num = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < num_files; i++) {
        if (is_read(files[i].name)) {
            batch->files[num++] = &files[i];
            bytes = files[i].bytes.len < SIZE_MAX - bytes ? bytes + files[i].bytes.len : SIZE_MAX;
        }
    }
    if (num > TG_MAX_SCHEMA_FILES) {
        return refuse_all(faults, "more than 10000 schema files");
    }
    if (bytes > TG_MAX_SCHEMA_SET_BYTES) {
        return refuse_all(faults, "the schema files are larger than 256 MiB together");
    }
    if (num > 1) {
        qsort(batch->files, num, sizeof(const tg_schema_file *), compare_files);
    }
    *out_num = num;
    return tg_ok();
}

static void refuse_file(tg_schema_batch *batch, uint32_t doc, const tg_detail *detail, tg_faults *faults)
{
    tg_detail *fault = tg_faults_add(faults);
    *fault = *detail;
    if (fault->reason[0] == 0) {
        tg_detail_set_place(fault, batch->files[doc]->name, 0, tg_slice_of(NULL, 0));
        tg_detail_set_reason(fault, "the file goes past a bound of what is compiled");
    }
    batch->library.docs[doc].is_refused = true;
    batch->num_refused++;
    tg_schema_unref(TG_TAKE(batch->compiled[doc]));
}

/* Names come from outside: what could not be told apart, shown or sent in a header is no name. */
static const char *fault_of_name(tg_slice name)
{
    if (name.len > TG_MAX_SCHEMA_NAME_BYTES) {
        return "the file's name is longer than 512 bytes";
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] == 0x7f || name.ptr[i] == '#' || name.ptr[i] == '\\') {
            return "the file's name holds a blank, a control character, `#` or a backslash";
        }
    }
    if (!tg_utf8_is_valid(name)) {
        return "the file's name is not UTF-8";
    }
    tg_slice rest = name;
    while (rest.ptr != NULL) {
        tg_slice part = tg_slice_split(&rest, '/');
        if (part.len == 0 || part.ptr[0] == '.') {
            return "the file's name has a part that is empty or begins with a dot";
        }
    }
    return NULL;
}

static tg_result read_file(tg_schema_batch *batch, uint32_t doc, const tg_schema_options *options, tg_detail *detail)
{
    const tg_schema_file *file = batch->files[doc];
    const char *fault = fault_of_name(file->name);
    tg_detail_set_place(detail, file->name, 0, tg_slice_of(NULL, 0));
    tg_slice name = without_ending(file->name);
    size_t num = batch->library.num_docs;
    bool is_double = (doc > 0 && tg_slice_equal(without_ending(batch->files[doc - 1]->name), name)) ||
                     (doc + 1u < num && tg_slice_equal(without_ending(batch->files[doc + 1]->name), name));
    if (fault == NULL && is_double) {
        fault = "two files have this name but for their ending, or come twice";
    }
    if (fault != NULL) {
        tg_detail_set_reason(detail, "%s", fault);
        tg_detail_set_remedy(detail, "rename it");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (options->sha256 != NULL) {
        TG_TRY(options->sha256(file->bytes, batch->library.docs[doc].digest));
    }
    return tg_library_read(&batch->library, doc, file->name, file->bytes, detail);
}

static bool is_fatal(tg_result result)
{
    return result.code == TG_ERR_MEMORY || result.code == TG_ERR_SYSTEM || result.code == TG_ERR_LIBRARY;
}

/* Whoever refers to a refused file is refused too, as often as that goes on. */
static tg_result spread_refusals(tg_schema_batch *batch, tg_faults *faults)
{
    tg_library *library = &batch->library;
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (size_t i = 0; i < library->num_needs; i++) {
            uint32_t from = library->needs[i].from;
            if (library->docs[from].is_refused || !library->docs[library->needs[i].to].is_refused) {
                continue;
            }
            tg_detail detail = {0};
            tg_result result = tg_library_check_refs(library, from, &detail); /* finds the place once more */
            if (is_fatal(result)) {
                return result;
            }
            refuse_file(batch, from, &detail, faults);
            is_changed = true;
        }
    }
    return tg_ok();
}

static tg_result read_all(tg_schema_batch *batch, const tg_schema_options *options, tg_faults *faults)
{
    tg_library *library = &batch->library;
    for (uint32_t doc = 0; doc < library->num_docs; doc++) {
        tg_detail detail = {0};
        tg_result result = read_file(batch, doc, options, &detail);
        if (is_fatal(result)) {
            return result;
        }
        if (!tg_is_ok(result)) {
            refuse_file(batch, doc, &detail, faults);
        }
    }
    for (uint32_t doc = 0; doc < library->num_docs; doc++) {
        tg_detail detail = {0};
        tg_result result = library->docs[doc].is_refused ? tg_ok() : tg_library_check_refs(library, doc, &detail);
        if (is_fatal(result)) {
            return result;
        }
        if (!tg_is_ok(result)) {
            refuse_file(batch, doc, &detail, faults);
        }
    }
    tg_library_sort_needs(library);
    return spread_refusals(batch, faults);
}

/* A document's digest covers itself and all that it refers to, directly or not. */
static tg_result digest(tg_schema_batch *batch, uint32_t doc, const tg_schema_options *options)
{
    tg_library *library = &batch->library;
    if (options->sha256 == NULL) {
        return tg_ok();
    }
    size_t num = 0;
    batch->touched[doc] = true;
    for (uint32_t d = 0; d < library->num_docs; d++) {
        if (batch->touched[d]) {
            batch->queue[num++] = d;
        }
    }
    for (size_t at = 0; at < num; at++) {
        for (size_t i = tg_library_first_need(library, batch->queue[at]);
             i < library->num_needs && library->needs[i].from == batch->queue[at]; i++) {
            uint32_t to = library->needs[i].to;
            if (!batch->touched[to]) {
                batch->touched[to] = true;
                batch->queue[num++] = to;
            }
        }
    }
    tg_buf buf;
    tg_buf_init(&buf, (size_t)64 << 20);
    tg_result result = tg_ok();
    for (uint32_t d = 0; d < library->num_docs && tg_is_ok(result); d++) {
        if (batch->touched[d]) {
            result = tg_schema_append_digest(&buf, library->docs[d].file, library->docs[d].digest);
        }
    }
    if (tg_is_ok(result)) {
        result = options->sha256(tg_buf_slice(&buf), batch->compiled[doc]->digest);
    }
    tg_buf_done(&buf);
    return result;
}

static tg_result compile_all(tg_schema_batch *batch, const tg_schema_options *options, tg_faults *faults)
{
    tg_library *library = &batch->library;
    for (uint32_t doc = 0; doc < library->num_docs; doc++) {
        if (library->docs[doc].is_refused || library->docs[doc].version == TG_OAS_NONE) {
            continue;
        }
        tg_detail detail = {0};
        tg_result result =
            tg_schema_compile(library, doc, options->is_for_lint, batch->touched, &detail, &batch->compiled[doc]);
        if (is_fatal(result)) {
            return result;
        }
        if (!tg_is_ok(result)) {
            refuse_file(batch, doc, &detail, faults);
            continue;
        }
        TG_TRY(digest(batch, doc, options));
    }
    return spread_refusals(batch, faults);
}

/* A document without `openapi` that nothing refers to is no schema; a mark in a part that nothing reaches is told. */
static void judge_parts(tg_schema_batch *batch, tg_faults *faults)
{
    tg_library *library = &batch->library;
    memset(batch->touched, 0, library->num_docs * sizeof *batch->touched);
    for (size_t i = 0; i < library->num_needs; i++) {
        batch->touched[library->needs[i].to] |= !library->docs[library->needs[i].from].is_refused;
    }
    for (uint32_t d = 0; d < library->num_docs; d++) {
        tg_library_doc *doc = &library->docs[d];
        tg_detail detail = {0};
        if (doc->is_refused || doc->version != TG_OAS_NONE) {
            continue;
        }
        if (!batch->touched[d]) {
            tg_detail_set_place(&detail, doc->file, 0, tg_slice_of(NULL, 0));
            tg_detail_set_reason(&detail, "no OpenAPI document (no member `openapi`), and no other refers to it");
            tg_detail_set_remedy(&detail, "begin it with `openapi: 3.1.0`, or remove it");
            refuse_file(batch, d, &detail, faults);
            continue;
        }
        for (size_t i = 0; i < doc->num_marks; i++) {
            if (!doc->is_mark_reached[i]) {
                tg_doc_set_place(&doc->tree, tg_doc_get(&doc->tree, doc->marks[i], TG_LIT("x-pii")), &detail);
                tg_detail_set_reason(&detail, "no schema that refers to this file reaches this x-pii");
                *tg_faults_add(faults) = detail;
            }
        }
    }
}

tg_result tg_schema_batch_compile(tg_schema_batch *batch, const tg_schema_file *files, size_t num_files,
                                  const tg_schema_options *options, tg_faults *faults)
{
    *batch = (tg_schema_batch){0};
    size_t num = 0;
    TG_TRY(select_files(batch, files, num_files, faults, &num));
    TG_TRY(tg_library_init(&batch->library, num));
    batch->compiled = calloc(num + 1, sizeof(tg_schema *));
    batch->schemas = calloc(num + 1, sizeof(tg_schema *));
    batch->touched = calloc(num + 1, sizeof *batch->touched);
    batch->queue = calloc(num + 1, sizeof *batch->queue);
    if (batch->compiled == NULL || batch->schemas == NULL || batch->touched == NULL || batch->queue == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(read_all(batch, options, faults));
    TG_TRY(compile_all(batch, options, faults));
    judge_parts(batch, faults);
    for (size_t i = 0; i < num; i++) {
        if (batch->compiled[i] != NULL) {
            batch->schemas[batch->num_schemas++] = batch->compiled[i];
        }
    }
    return tg_ok();
}

tg_result tg_schema_append_digest(tg_buf *buf, tg_slice name, const uint8_t digest[TG_SCHEMA_DIGEST_BYTES])
{
    const uint8_t len[] = {(uint8_t)(name.len >> 24), (uint8_t)(name.len >> 16), (uint8_t)(name.len >> 8),
                           (uint8_t)name.len};
    TG_TRY(tg_buf_append(buf, tg_slice_of(len, sizeof len)));
    TG_TRY(tg_buf_append(buf, name));
    return tg_buf_append(buf, tg_slice_of(digest, TG_SCHEMA_DIGEST_BYTES));
}
