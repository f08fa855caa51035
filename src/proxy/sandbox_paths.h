/* Which files a proxy in service may still reach, by Landlock (landlock(7)): what name resolution reads, what a reload
 * reads, and folders of its own unix sockets. Nothing is run, nothing is written. */
#ifndef TG_PROXY_SANDBOX_PATHS_H
#define TG_PROXY_SANDBOX_PATHS_H

#include "base/result.h"

#include <stddef.h>

typedef struct tg_sandbox_paths {
    const char *const *read_paths; /* files and folders */
    size_t num_read_paths;
    const char *const *socket_folders; /* unix sockets are made, replaced and removed here */
    size_t num_socket_folders;
} tg_sandbox_paths;

/* tg_sandbox_paths_abi is the version of Landlock that the kernel offers, 0 where it has none, has it off, or a
 * container's profile refuses it. */
int tg_sandbox_paths_abi(void);

/* tg_sandbox_paths_enter confines the calling thread and those that it starts. A file that is read again may be
 * replaced meanwhile, as editors and Kubernetes do: so the folder that it is in is opened for reading, but for `/`.
 * Paths that do not exist are left out. Needs PR_SET_NO_NEW_PRIVS.
 * in    abi: of tg_sandbox_paths_abi, not 0
 * err   TG_ERR_SYSTEM, TG_ERR_LIMIT (a path over 4096 bytes)
 */
TG_MUST_USE tg_result tg_sandbox_paths_enter(const tg_sandbox_paths *paths, int abi);

#endif
