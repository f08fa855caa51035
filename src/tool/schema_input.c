#include "tool/schema_input.h"

#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_NAMED_FILES = 1000 };

/* A file as it was named: its absolute path (for the name within the set) and its bytes. */
typedef struct named_file {
    char *path;
    tg_buf bytes;
} named_file;

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool has_schema_ending(tg_slice path)
{
    return tg_slice_ends(path, TG_LIT(".yaml")) || tg_slice_ends(path, TG_LIT(".yml")) ||
           tg_slice_ends(path, TG_LIT(".json"));
}

static int read_files(named_file *files, const char *const *paths, size_t num_files, tg_console *console)
{
    for (size_t i = 0; i < num_files; i++) {
        if (is_folder(paths[i])) {
            return tg_console_fail_text(console, "%s is a folder: name one folder, or files", paths[i]);
        }
        files[i].path = realpath(paths[i], NULL);
        tg_result result = files[i].path == NULL ? tg_fail_os(errno) : tg_file_read(paths[i], &files[i].bytes);
        if (result.code == TG_ERR_LIMIT) {
            return tg_console_fail_text(console, "%s is longer than %zu bytes", paths[i], TG_MAX_SCHEMA_FILE_BYTES);
        }
        if (!tg_is_ok(result)) {
            return tg_console_fail_result(console, paths[i], result);
        }
        if (!has_schema_ending(tg_slice_str(files[i].path))) {
            return tg_console_fail_text(console, "%s ends in none of .yaml, .yml and .json", paths[i]);
        }
    }
    return TG_EXIT_OK;
}

/* How many bytes of all paths are the folder that they share, with its slash. */
static size_t shared_folder_len(const named_file *files, size_t num_files)
{
    size_t shared = strlen(files[0].path);
    for (size_t i = 1; i < num_files; i++) {
        size_t same = 0;
        while (same < shared && files[0].path[same] == files[i].path[same]) {
            same++;
        }
        shared = same;
    }
    while (shared > 0 && files[0].path[shared - 1] != '/') {
        shared--;
    }
    return shared;
}

/* The shared folder as the first path spelled it: what stands before the file's name within the set. */
static void keep_folder(tg_schema_input *input, const char *spelled, size_t name_len)
{
    size_t len = strlen(spelled);
    size_t keep = len >= name_len ? len - name_len : 0;
    if (keep < sizeof input->folder) {
        memcpy(input->folder, spelled, keep);
        input->folder[keep] = 0;
    }
}

static tg_result build(tg_schema_input *input, const named_file *files, size_t num_files, const char *first_spelled,
                       const tg_schema_options *options)
{
    tg_schema_file *named = calloc(num_files, sizeof *named);
    if (named == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t shared = shared_folder_len(files, num_files);
    for (size_t i = 0; i < num_files; i++) {
        named[i] = (tg_schema_file){tg_slice_str(files[i].path + shared), tg_buf_slice(&files[i].bytes)};
    }
    keep_folder(input, first_spelled, named[0].name.len);
    tg_result result = tg_schema_set_build(named, num_files, options, &input->faults, &input->set);
    free(named);
    return result;
}

static int load_files(tg_schema_input *input, const char *const *paths, size_t num_paths,
                      const tg_schema_options *options, tg_console *console)
{
    if (num_paths > MAX_NAMED_FILES) {
        return tg_console_fail_text(console, "more than %d files: name their folder", MAX_NAMED_FILES);
    }
    named_file *files = calloc(num_paths, sizeof *files);
    if (files == NULL) {
        return tg_console_fail_result(console, "schemas", tg_fail(TG_ERR_MEMORY));
    }
    for (size_t i = 0; i < num_paths; i++) {
        tg_buf_init(&files[i].bytes, TG_MAX_SCHEMA_FILE_BYTES);
    }
    int status = read_files(files, paths, num_paths, console);
    if (status == TG_EXIT_OK) {
        tg_result result = build(input, files, num_paths, paths[0], options);
        if (!tg_is_ok(result)) {
            tg_schema_input_say_faults(input, console);
            status = tg_console_fail_result(console, "the schemas cannot be compiled", result);
        }
    }
    for (size_t i = 0; i < num_paths; i++) {
        free(files[i].path);
        tg_buf_done(&files[i].bytes);
    }
    free(files);
    return status;
}

static int load_folder(tg_schema_input *input, const char *path, const tg_schema_options *options, tg_console *console)
{
    size_t len = strlen(path);
    snprintf(input->folder, sizeof input->folder, "%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/");
    tg_result result = tg_schema_set_load(path, options, &input->faults, &input->set);
    if (!tg_is_ok(result)) {
        tg_schema_input_say_faults(input, console);
        return tg_console_fail_result(console, path, result);
    }
    return TG_EXIT_OK;
}

int tg_schema_input_load(tg_schema_input *input, const char *const *paths, size_t num_paths, bool is_for_lint,
                         tg_console *console)
{
    const tg_schema_options options = {.is_for_lint = is_for_lint};
    input->set = NULL;
    input->folder[0] = 0;
    tg_faults_init(&input->faults);
    tg_progress progress;
    tg_progress_start(&progress, console, "compiling schemas");
    int status = num_paths == 1 && is_folder(paths[0]) ? load_folder(input, paths[0], &options, console)
                                                       : load_files(input, paths, num_paths, &options, console);
    tg_progress_end(&progress);
    return status;
}

void tg_schema_input_done(tg_schema_input *input)
{
    tg_schema_set_unref(input->set);
    input->set = NULL;
    tg_faults_done(&input->faults);
}

void tg_schema_input_say_faults(const tg_schema_input *input, tg_console *console)
{
    tg_buf text;
    tg_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < tg_faults_kept(&input->faults); i++) {
        bool is_whole = tg_is_ok(tg_buf_append_str(&text, input->folder)) &&
                        tg_is_ok(tg_detail_append(&input->faults.faults[i], &text)) &&
                        tg_is_ok(tg_buf_append_byte(&text, '\n'));
        if (!is_whole) {
            break;
        }
    }
    tg_console_say(console, tg_buf_slice(&text));
    tg_buf_done(&text);
}

static int say_what_there_is(const tg_schema_input *input, const char *wanted, tg_console *console)
{
    size_t num_schemas = tg_schema_set_num_schemas(input->set);
    if (num_schemas == 0) {
        return tg_console_fail_text(console, "no schema could be loaded");
    }
    if (num_schemas == 1) {
        tg_slice name = tg_schema_name(tg_schema_set_at(input->set, 0));
        return tg_console_fail_text(console, "there is no schema \"%.100s\": the only one is %.*s, or %.*s#Component",
                                    wanted, (int)name.len, (const char *)name.ptr, (int)name.len,
                                    (const char *)name.ptr);
    }
    return tg_console_fail_text(console, "there is no schema \"%.100s\" among the %zu", wanted, num_schemas);
}

int tg_schema_input_find(const tg_schema_input *input, const char *name, const char *component, tg_pii_root *out_root,
                         tg_console *console)
{
    size_t num_schemas = tg_schema_set_num_schemas(input->set);
    if (name == NULL && num_schemas != 1) {
        return tg_console_fail_text(
            console, "%s", num_schemas == 0 ? "no schema could be loaded" : "there are several schemas: name one");
    }
    char wanted[1024];
    tg_slice base = name != NULL ? tg_slice_str(name) : tg_schema_name(tg_schema_set_at(input->set, 0));
    snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)base.len, (const char *)base.ptr, component != NULL ? "#" : "",
             component != NULL ? component : "");
    if (!tg_is_ok(tg_schema_set_find(input->set, tg_slice_str(wanted), out_root, NULL))) {
        return say_what_there_is(input, wanted, console);
    }
    return TG_EXIT_OK;
}
