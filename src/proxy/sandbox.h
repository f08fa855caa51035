/* What a proxy gives up once it listens: the user root, every capability, all files but the few that name resolution
 * and a reload read, and all system calls but those of its service. Who takes the process over finds little to take.
 *
 * Each layer is entered where the kernel has it; what is in force is reported, logged once, and shown by /status. */
#ifndef TG_PROXY_SANDBOX_H
#define TG_PROXY_SANDBOX_H

#include "base/detail.h"

#include <sys/types.h>

typedef struct tg_sandbox_options {
    const char *user;              /* name or number to become when started as root; NULL: who we are */
    const char *const *read_paths; /* what a reload reads: configuration, certificates, credentials */
    size_t num_read_paths;
    const char *const *socket_folders; /* where unix sockets of ours stand, so that their files can be removed */
    size_t num_socket_folders;
} tg_sandbox_options;

typedef struct tg_sandbox_report {
    uid_t uid; /* who we are now */
    gid_t gid;
    bool has_no_capabilities;
    bool has_no_bounding_set; /* nor can a program that is run get any */
    bool has_no_new_privileges;
    int landlock_abi;       /* 0: the kernel has none, or a profile around us refuses it */
    bool has_filter;        /* seccomp */
    const char *unreadable; /* of read_paths, the first that a reload could not read; NULL: none */
} tg_sandbox_report;

/* tg_sandbox_enter enters all layers; there is no way back. A sanitizer's build changes user and capabilities only: its
 * run time needs the rest.
 * err   TG_ERR_NOT_FOUND (no such user), TG_ERR_DENIED (another user is asked for, and we are not root; or the user is
 *       root), TG_ERR_MISMATCH (another thread is confined otherwise), TG_ERR_SYSTEM; detail names the step. The
 * process is then confined in part: end it thread: main, before any other starts; after listening sockets are bound
 */
TG_MUST_USE tg_result tg_sandbox_enter(const tg_sandbox_options *options, tg_sandbox_report *out_report,
                                       tg_detail *detail);

/* tg_sandbox_log says in one line what is in force; at level warn where something is missing. */
void tg_sandbox_log(const tg_sandbox_report *report);

#endif
