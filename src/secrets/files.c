#include "secrets/files.h"

#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned mode;
} places[TG_NUM_SECRET_FILES] = {{"client.crt", 0644}, {"client.key", 0600}, {"ecs-ca.crt", 0644}};

static const char new_suffix[] = ".new", old_suffix[] = ".old";

static tg_result path_of(const char *directory, size_t file, const char *suffix, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s%s", directory, places[file].name, suffix);
    return len > 0 && len < PATH_MAX ? tg_ok() : tg_fail(TG_ERR_LIMIT);
}

static tg_result fail_at(const char *path, tg_result result, tg_detail *detail)
{
    tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    tg_detail_set_reason(detail, "cannot be written: %s",
                         result.code == TG_ERR_UNSUPPORTED ? "something else has its name" : tg_log_error_text(result));
    tg_detail_set_remedy(detail, "check the directory and its file system; the old secrets stay in force");
    return result;
}

static void drop(const char *directory, const char *suffix)
{
    for (size_t i = 0; i < TG_NUM_SECRET_FILES; i++) {
        char path[PATH_MAX];
        if (tg_is_ok(path_of(directory, i, suffix, path))) {
            (void)unlink(path);
        }
    }
}

static tg_result write_new(const char *directory, const tg_bundle *bundle, tg_detail *detail)
{
    const tg_secret *const contents[TG_NUM_SECRET_FILES] = {bundle->client_cert_pem, bundle->client_key_pem,
                                                            bundle->ca_pem};
    for (size_t i = 0; i < TG_NUM_SECRET_FILES; i++) {
        char path[PATH_MAX];
        TG_TRY(path_of(directory, i, new_suffix, path));
        tg_slice bytes = tg_slice_of(tg_secret_bytes(contents[i]), tg_secret_len(contents[i]));
        tg_result written = tg_file_write_new_unsynced(path, places[i].mode, bytes);
        if (!tg_is_ok(written)) {
            return fail_at(path, written, detail);
        }
    }
    return tg_ok();
}

/* A second name for the old file; where the file system has none, the old name is given up before the new file has it.
 */
static tg_result keep_old(const char *path, const char *old_path, bool *out_has_old)
{
    struct stat facts;
    if (lstat(path, &facts) != 0) {
        *out_has_old = false;
        return errno == ENOENT ? tg_ok() : tg_fail_os(errno);
    }
    if (!S_ISREG(facts.st_mode) && !S_ISLNK(facts.st_mode)) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    *out_has_old = true;
    return link(path, old_path) == 0 || rename(path, old_path) == 0 ? tg_ok() : tg_fail_os(errno);
}

/* The first file's old name is made last and removed first: where it stands, all of them stand, and the new set was not
 * in force yet. recover relies on it. */
static tg_result keep_all_old(tg_secrets_files *files, tg_detail *detail)
{
    for (size_t i = TG_NUM_SECRET_FILES; i-- > 0;) {
        char path[PATH_MAX], old_path[PATH_MAX];
        TG_TRY(path_of(files->directory, i, "", path));
        TG_TRY(path_of(files->directory, i, old_suffix, old_path));
        tg_result kept = keep_old(path, old_path, &files->has_old[i]);
        if (!tg_is_ok(kept)) {
            return fail_at(path, kept, detail);
        }
    }
    return tg_ok();
}

static tg_result move_new(tg_secrets_files *files, tg_detail *detail)
{
    for (size_t i = 0; i < TG_NUM_SECRET_FILES; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        TG_TRY(path_of(files->directory, i, new_suffix, from));
        TG_TRY(path_of(files->directory, i, "", to));
        if (rename(from, to) != 0) {
            return fail_at(to, tg_fail_os(errno), detail);
        }
        files->num_moved = i + 1;
    }
    return tg_ok();
}

void tg_secrets_files_undo(const tg_secrets_files *files)
{
    for (size_t i = TG_NUM_SECRET_FILES; i-- > 0;) {
        char path[PATH_MAX], old_path[PATH_MAX];
        if (!tg_is_ok(path_of(files->directory, i, "", path)) ||
            !tg_is_ok(path_of(files->directory, i, old_suffix, old_path))) {
            continue;
        }
        if (files->has_old[i]) {
            (void)rename(old_path, path); /* two names of one file: nothing happens, and the old name goes below */
        } else if (i < files->num_moved) {
            (void)unlink(path);
        }
    }
    drop(files->directory, old_suffix);
    drop(files->directory, new_suffix);
}

void tg_secrets_files_keep(const tg_secrets_files *files)
{
    drop(files->directory, old_suffix);
}

tg_result tg_secrets_files_replace(tg_secrets_files *files, const char *directory, const tg_bundle *bundle,
                                   tg_detail *detail)
{
    *files = (tg_secrets_files){.directory = directory};
    drop(directory, old_suffix);
    drop(directory, new_suffix);
    tg_result result = write_new(directory, bundle, detail);
    if (tg_is_ok(result)) {
        result = keep_all_old(files, detail);
    }
    if (tg_is_ok(result)) {
        result = move_new(files, detail);
    }
    if (!tg_is_ok(result)) {
        tg_secrets_files_undo(files);
    }
    return result;
}

/* Old files that have lost their first name and have nothing in its place yet: where keep_old could not link. */
static void put_back_missing(const char *directory)
{
    for (size_t i = 0; i < TG_NUM_SECRET_FILES; i++) {
        char path[PATH_MAX], old_path[PATH_MAX];
        struct stat facts;
        if (tg_is_ok(path_of(directory, i, "", path)) && tg_is_ok(path_of(directory, i, old_suffix, old_path)) &&
            lstat(path, &facts) != 0 && errno == ENOENT) {
            (void)rename(old_path, path);
        }
    }
}

/* Where a process was killed before its new set was in force, the old files are put back. */
static void recover(const char *directory)
{
    char first[PATH_MAX];
    tg_secrets_files files = {.directory = directory};
    if (!tg_is_ok(path_of(directory, 0, old_suffix, first)) || access(first, F_OK) != 0) {
        put_back_missing(directory);
        drop(directory, old_suffix);
        drop(directory, new_suffix);
        return;
    }
    for (size_t i = 0; i < TG_NUM_SECRET_FILES; i++) {
        char old_path[PATH_MAX];
        files.has_old[i] = tg_is_ok(path_of(directory, i, old_suffix, old_path)) && access(old_path, F_OK) == 0;
    }
    tg_secrets_files_undo(&files);
}

tg_result tg_secrets_files_prepare(const char *directory, tg_detail *detail)
{
    char path[PATH_MAX];
    size_t len = strlen(directory);
    if (len == 0 || len >= sizeof path) {
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(path, directory, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] == '/' || path[i] == 0) {
            char end = path[i];
            path[i] = 0;
            if (mkdir(path, 0755) != 0 && errno != EEXIST) {
                return fail_at(directory, tg_fail_os(errno), detail);
            }
            path[i] = end;
        }
    }
    recover(directory);
    return tg_ok();
}
