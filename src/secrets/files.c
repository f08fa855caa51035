#include "secrets/files.h"

#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUM_FILES = 3 };
static const struct {
    const char *name;
    unsigned mode;
} files[NUM_FILES] = {{"client.crt", 0644}, {"client.key", 0600}, {"ecs-ca.crt", 0644}};

static tg_result path_of(const char *directory, size_t file, const char *suffix, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s%s", directory, files[file].name, suffix);
    return len > 0 && len < PATH_MAX ? tg_ok() : tg_fail(TG_ERR_LIMIT);
}

static tg_result fail_at(const char *path, tg_result result, tg_detail *detail)
{
    tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
    tg_detail_set_reason(detail, "cannot be written: %s", tg_log_error_text(result));
    tg_detail_set_remedy(detail, "check the directory and its file system; the old secrets stay in force");
    return result;
}

void tg_secrets_files_drop(const char *directory)
{
    for (size_t i = 0; i < NUM_FILES; i++) {
        char path[PATH_MAX];
        if (tg_is_ok(path_of(directory, i, ".new", path))) {
            (void)unlink(path);
        }
    }
}

tg_result tg_secrets_files_write(const char *directory, const tg_bundle *bundle, tg_detail *detail)
{
    const tg_secret *const contents[NUM_FILES] = {bundle->client_cert_pem, bundle->client_key_pem, bundle->ca_pem};
    tg_secrets_files_drop(directory); /* of a process that ended in the middle */
    for (size_t i = 0; i < NUM_FILES; i++) {
        char path[PATH_MAX];
        TG_TRY(path_of(directory, i, ".new", path));
        tg_slice bytes = tg_slice_of(tg_secret_bytes(contents[i]), tg_secret_len(contents[i]));
        tg_result written = tg_file_write_new(path, files[i].mode, bytes);
        if (!tg_is_ok(written)) {
            tg_secrets_files_drop(directory);
            return fail_at(path, written, detail);
        }
    }
    return tg_ok();
}

static void sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

tg_result tg_secrets_files_move(const char *directory, tg_detail *detail)
{
    for (size_t i = 0; i < NUM_FILES; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        TG_TRY(path_of(directory, i, ".new", from));
        TG_TRY(path_of(directory, i, "", to));
        if (rename(from, to) != 0) {
            tg_result failed = tg_fail_os(errno);
            tg_secrets_files_drop(directory);
            return fail_at(to, failed, detail);
        }
    }
    sync_directory(directory);
    return tg_ok();
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
    return tg_ok();
}
