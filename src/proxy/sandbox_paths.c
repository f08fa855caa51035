#include "proxy/sandbox_paths.h"

#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's header knows version 2; what came later is written here (landlock(7)). */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15)
#endif
#define SCOPE_SIGNAL (1ull << 1)

typedef struct ruleset_attribute {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* from 4 on; left alone: any port may be dialled, and rules decide above */
    uint64_t scoped;             /* from 6 on */
} ruleset_attribute;

enum {
    FIRST_BITS = (1 << 13) - 1, /* of version 1: execute to make_sym */
    READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    SOCKETS = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE
};

/* Read by the C library's resolver (nsswitch.conf and its modules, resolv.conf where it is a link into /run), by the
 * listeners' spare descriptor and by the metrics of the process. Of other processes /proc tells nothing secret:
 * Landlock keeps ptrace's rights inside. */
static const char *const resolver_paths[] = {
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/nscd",
    "/proc",
    "/dev/null",
    "/dev/urandom",
};

int tg_sandbox_paths_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 && abi <= INT_MAX ? (int)abi : 0;
}

static uint64_t handled_of(int abi)
{
    uint64_t handled = FIRST_BITS;
    handled |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0u;
    handled |= abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0u;
    handled |= abi >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0u;
    return handled;
}

static tg_result allow(int ruleset_fd, const char *path, uint64_t access)
{
    struct stat file;
    TG_CLEANUP(tg_fd_close) int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? tg_ok() : tg_fail_os(errno);
    }
    if (fstat(fd, &file) != 0) {
        return tg_fail_os(errno);
    }
    if (!S_ISDIR(file.st_mode)) {
        access &= LANDLOCK_ACCESS_FS_READ_FILE; /* the others are a folder's, and refused */
    }
    const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    if (access != 0 && syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
        return tg_fail_os(errno);
    }
    return tg_ok();
}

static tg_result allow_folder_of(int ruleset_fd, const char *path)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof folder) {
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(folder, path, len + 1);
    char *slash = strrchr(folder, '/');
    if (slash == folder) {
        return tg_ok(); /* all that lies below `/` would be everything */
    }
    if (slash == NULL) {
        memcpy(folder, ".", 2);
    } else {
        *slash = 0;
    }
    struct stat file, root;
    if (stat(folder, &file) == 0 && stat("/", &root) == 0 && file.st_dev == root.st_dev && file.st_ino == root.st_ino) {
        return tg_ok();
    }
    return allow(ruleset_fd, folder, READ);
}

static tg_result fill(int ruleset_fd, const tg_sandbox_paths *paths)
{
    for (size_t i = 0; i < TG_COUNT(resolver_paths); i++) {
        TG_TRY(allow(ruleset_fd, resolver_paths[i], READ));
    }
    for (size_t i = 0; i < paths->num_read_paths; i++) {
        TG_TRY(allow(ruleset_fd, paths->read_paths[i], READ));
        TG_TRY(allow_folder_of(ruleset_fd, paths->read_paths[i]));
    }
    for (size_t i = 0; i < paths->num_socket_folders; i++) {
        TG_TRY(allow(ruleset_fd, paths->socket_folders[i], SOCKETS));
    }
    return tg_ok();
}

tg_result tg_sandbox_paths_enter(const tg_sandbox_paths *paths, int abi)
{
    const ruleset_attribute attribute = {.handled_access_fs = handled_of(abi), .scoped = abi >= 6 ? SCOPE_SIGNAL : 0};
    size_t size = abi >= 6 ? sizeof attribute : sizeof attribute.handled_access_fs;
    TG_CLEANUP(tg_fd_close) int ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &attribute, size, 0);
    if (ruleset_fd < 0) {
        return tg_fail_os(errno);
    }
    TG_TRY(fill(ruleset_fd, paths));
    return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0 ? tg_ok() : tg_fail_os(errno);
}
