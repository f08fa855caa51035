#include "proxy/confinement.h"

#include "base/buf.h"
#include "settings/config_node.h"
#include "sys/environment.h"

#include <string.h>
#include <sys/stat.h>

enum { MAX_ARENA_BYTES = 8 << 20, NUM_FIXED = 16 };

typedef struct paths {
    tg_arena arena;
    const char **read;
    size_t num_read;
    const char **folders;
    size_t num_folders;
} paths;

/* Named by AWS's own tools; what of it is there is read again whenever credentials end. */
static const char *const file_variables[] = {
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CA_BUNDLE",
};

static bool is_there(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0;
}

/* The files, not their folder: the sandbox opens the folder of what it is given, and a home holds more than is ours. */
static tg_result add_home(paths *all, const char *home, const char *name)
{
    tg_buf path;
    tg_slice copy;
    tg_buf_init(&path, 4096);
    tg_result result = tg_buf_printf(&path, "%s/.aws/%s", home, name);
    if (tg_is_ok(result)) {
        result = tg_arena_copy(&all->arena, tg_buf_slice(&path), &copy);
    }
    tg_buf_done(&path);
    if (tg_is_ok(result) && is_there((const char *)copy.ptr)) {
        all->read[all->num_read++] = (const char *)copy.ptr;
    }
    return result.code == TG_ERR_LIMIT ? tg_ok() : result;
}

static tg_result collect_files(paths *all, const tg_proxy_confinement *wanted)
{
    size_t max = NUM_FIXED;
    for (const tg_config_file *file = wanted->config->files; file != NULL; file = file->next) {
        max++;
    }
    all->read = tg_arena_zalloc(&all->arena, max, sizeof *all->read);
    if (all->read == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (wanted->config_path != NULL) {
        all->read[all->num_read++] = wanted->config_path;
    }
    for (const tg_config_file *file = wanted->config->files; file != NULL; file = file->next) {
        all->read[all->num_read++] = file->path;
    }
    for (size_t i = 0; i < TG_COUNT(file_variables); i++) {
        const char *path = tg_environment_get(wanted->environment, file_variables[i]);
        if (path != NULL && path[0] != 0) {
            all->read[all->num_read++] = path;
        }
    }
    const char *home = tg_environment_get(wanted->environment, "HOME");
    if (home != NULL && home[0] == '/') {
        TG_TRY(add_home(all, home, "credentials"));
        TG_TRY(add_home(all, home, "config"));
    }
    return tg_ok();
}

/* The folder of a path; "/" where there is no other. */
static tg_result add_folder(paths *all, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    tg_slice copy;
    TG_TRY(tg_arena_copy(&all->arena, len > 0 ? tg_slice_of(path, len) : TG_LIT("."), &copy));
    for (size_t i = 0; i < all->num_folders; i++) {
        if (strcmp(all->folders[i], (const char *)copy.ptr) == 0) {
            return tg_ok();
        }
    }
    all->folders[all->num_folders++] = (const char *)copy.ptr;
    return tg_ok();
}

static tg_result collect_folders(paths *all, const tg_proxy_gates *gates)
{
    all->folders = tg_arena_zalloc(&all->arena, gates->num_gates + 1, sizeof *all->folders);
    if (all->folders == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    for (size_t i = 0; i < gates->num_gates; i++) {
        const tg_proxy_gate *gate = &gates->gates[i];
        bool has_file = gate->asked.kind == TG_ADDRESS_HVSOCK ||
                        (gate->asked.kind == TG_ADDRESS_UNIX && gate->asked.name[0] != '@');
        if (has_file && !gate->is_lent) {
            TG_TRY(add_folder(all, gate->asked.name));
        }
    }
    return tg_ok();
}

static tg_result confine(const tg_proxy_confinement *wanted, paths *all, tg_sandbox_report *out_report,
                         tg_detail *detail)
{
    TG_TRY(collect_files(all, wanted));
    TG_TRY(collect_folders(all, wanted->gates));
    const tg_sandbox_options options = {.user = wanted->user,
                                        .read_paths = all->read,
                                        .num_read_paths = all->num_read,
                                        .socket_folders = all->folders,
                                        .num_socket_folders = all->num_folders};
    TG_TRY(tg_sandbox_enter(&options, out_report, detail));
    tg_sandbox_log(out_report);
    out_report->unreadable = NULL; /* its text ends with the arena */
    return tg_ok();
}

tg_result tg_proxy_confine(const tg_proxy_confinement *wanted, tg_sandbox_report *out_report, tg_detail *detail)
{
    paths all = {.num_read = 0};
    tg_arena_init(&all.arena, MAX_ARENA_BYTES, false);
    tg_result result = confine(wanted, &all, out_report, detail);
    tg_arena_done(&all.arena);
    return result;
}
