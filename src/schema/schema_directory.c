#include "schema/schema_directory.h"

#include "schema/vector.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct directory_walk {
    tg_schema_files *files;
    int top; /* the directory itself */
    tg_faults *faults;
} directory_walk;

void tg_schema_files_done(tg_schema_files *files)
{
    for (size_t i = 0; i < files->num_files; i++) {
        void *bytes;
        memcpy(&bytes, &files->files[i].bytes.ptr, sizeof bytes);
        free(bytes);
    }
    free(files->files);
    tg_arena_done(&files->names);
    *files = (tg_schema_files){0};
}

static void tell(directory_walk *walk, const char *path, const char *reason, int os_error)
{
    tg_detail *detail = tg_faults_add(walk->faults);
    tg_detail_set_place(detail, tg_slice_str(path), 0, tg_slice_of(NULL, 0));
    char text[128] = "";
    const char *message = os_error != 0 ? strerror_r(os_error, text, sizeof text) : "";
    tg_detail_set_reason(detail, "%s%s%s", reason, os_error != 0 ? ": " : "", message);
}

/* A link may lead to a file below the top, as Kubernetes mounts its files; where the kernel cannot hold it there, no
 * link is followed. O_NONBLOCK: a FIFO must not stop us. */
static int open_below(const directory_walk *walk, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_BENEATH};
    long fd = syscall(SYS_openat2, walk->top, path, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS) {
        return openat(walk->top, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    }
    return (int)fd;
}

static tg_result read_bytes(int fd, size_t len, uint8_t *bytes, size_t *out_len)
{
    size_t num = 0;
    while (num < len) {
        ssize_t got = read(fd, bytes + num, len - num);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return tg_fail_os(errno);
        }
        if (got == 0) {
            break;
        }
        num += (size_t)got;
    }
    *out_len = num;
    return tg_ok();
}

static tg_result keep_file(directory_walk *walk, const char *path, int fd, size_t len)
{
    tg_schema_files *files = walk->files;
    tg_schema_file file;
    if (len > TG_MAX_SCHEMA_SET_BYTES - files->num_bytes) {
        tell(walk, path, "with it the schema files are larger than 256 MiB together", 0);
        return tg_fail(TG_ERR_LIMIT);
    }
    tg_result grown = tg_vector_grow(&files->files, &files->files_cap, files->num_files + 1, sizeof *files->files,
                                     TG_MAX_SCHEMA_FILES);
    if (grown.code == TG_ERR_LIMIT) {
        tell(walk, path, "more than 10000 schema files", 0);
    }
    TG_TRY(grown);
    TG_TRY(tg_arena_copy(&files->names, tg_slice_str(path), &file.name));
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    size_t num = 0;
    tg_result result = read_bytes(fd, len, bytes, &num);
    if (!tg_is_ok(result)) {
        free(bytes);
        tell(walk, path, "cannot be read", result.os_error);
        return tg_ok();
    }
    file.bytes = tg_slice_of(bytes, num);
    files->files[files->num_files++] = file;
    files->num_bytes += num;
    return tg_ok();
}

static tg_result read_file(directory_walk *walk, const char *path)
{
    int fd = open_below(walk, path);
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) != 0) {
        tell(walk, path, "cannot be opened below the schema directory", errno);
        if (fd >= 0) {
            close(fd);
        }
        return tg_ok();
    }
    tg_result result = tg_ok();
    if (!S_ISREG(facts.st_mode)) {
        tell(walk, path, "is no regular file", 0);
    } else if (facts.st_size < 0 || (size_t)facts.st_size > TG_MAX_SCHEMA_FILE_BYTES) {
        tell(walk, path, "is larger than 64 MiB", 0);
    } else {
        result = keep_file(walk, path, fd, (size_t)facts.st_size);
    }
    close(fd);
    return result;
}

static bool is_schema_name(const char *name)
{
    tg_slice text = tg_slice_str(name);
    return tg_slice_ends(text, TG_LIT(".yaml")) || tg_slice_ends(text, TG_LIT(".yml")) ||
           tg_slice_ends(text, TG_LIT(".json"));
}

static tg_result walk_directory(directory_walk *walk, int fd, const char *prefix, unsigned depth);

static tg_result enter(directory_walk *walk, int parent, const char *name, const char *path, unsigned depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        tell(walk, path, "cannot be opened", errno);
        return tg_ok();
    }
    return walk_directory(walk, fd, path, depth + 1);
}

static tg_result walk_entry(directory_walk *walk, int fd, const char *prefix, const struct dirent *entry,
                            unsigned depth)
{
    char path[TG_MAX_SCHEMA_NAME_BYTES + 1];
    int len = snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] != 0 ? "/" : "", entry->d_name);
    if (entry->d_name[0] == '.') {
        return tg_ok();
    }
    struct stat facts;
    bool is_there = fstatat(fd, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    bool is_directory = is_there && S_ISDIR(facts.st_mode);
    if (!is_directory && !is_schema_name(entry->d_name)) {
        return tg_ok();
    }
    if (len < 0 || (size_t)len >= sizeof path || depth == TG_MAX_SCHEMA_DIRECTORY_DEPTH) {
        tell(walk, prefix, "holds a path longer than 512 bytes, or directories deeper than 16", 0);
        return tg_ok();
    }
    return is_directory ? enter(walk, fd, entry->d_name, path, depth) : read_file(walk, path);
}

/* Takes fd over. The order of entries does not matter: a set orders its files. */
static tg_result walk_directory(directory_walk *walk, int fd, const char *prefix, unsigned depth)
{
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int os_error = errno;
        close(fd);
        return tg_fail_os(os_error);
    }
    tg_result result = tg_ok();
    for (const struct dirent *entry; tg_is_ok(result) && (entry = readdir(directory)) != NULL;) {
        result = walk_entry(walk, dirfd(directory), prefix, entry, depth);
    }
    closedir(directory);
    return result;
}

tg_result tg_schema_files_read(tg_schema_files *files, const char *directory, tg_faults *faults)
{
    *files = (tg_schema_files){0};
    tg_arena_init(&files->names, (size_t)TG_MAX_SCHEMA_FILES * (TG_MAX_SCHEMA_NAME_BYTES + 64), false);
    directory_walk walk = {.files = files, .faults = faults};
    walk.top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = walk.top >= 0 ? openat(walk.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        int os_error = errno;
        tell(&walk, directory, "the schema directory cannot be read", os_error);
        if (walk.top >= 0) {
            close(walk.top);
        }
        return tg_fail_os(os_error);
    }
    tg_result result = walk_directory(&walk, fd, "", 0);
    close(walk.top);
    return result;
}

tg_result tg_schema_set_load(const char *directory, const tg_schema_options *options, tg_faults *faults,
                             tg_schema_set **out_set)
{
    tg_schema_files files;
    tg_result result = tg_schema_files_read(&files, directory, faults);
    if (tg_is_ok(result)) {
        result = tg_schema_set_build(files.files, files.num_files, options, faults, out_set);
    }
    tg_schema_files_done(&files);
    return result;
}
