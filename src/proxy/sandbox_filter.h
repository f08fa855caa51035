/* The system calls that a proxy in service needs, as a seccomp filter in the kernel's own byte code (seccomp(2)). What
 * no service ever does (execve, ptrace, mount, ...) ends the process; what else is not on the list fails with ENOSYS,
 * so that a C library which tries something newer falls back. */
#ifndef TG_PROXY_SANDBOX_FILTER_H
#define TG_PROXY_SANDBOX_FILTER_H

#include "base/result.h"

#include <linux/filter.h>
#include <stddef.h>

enum { TG_MAX_SANDBOX_FILTER = 1024 };

typedef struct tg_sandbox_filter {
    size_t num_instructions;
    struct sock_filter instructions[TG_MAX_SANDBOX_FILTER];
} tg_sandbox_filter;

typedef struct tg_sandbox_filter_options {
    int pid;                        /* the only process that may be signalled */
    bool allows_sockets_in_folders; /* unix sockets' files are made and removed: fchmod, unlink */
} tg_sandbox_filter_options;

/* tg_sandbox_filter_build writes the filter for the machine that this is compiled for.
 * err   TG_ERR_LIMIT past TG_MAX_SANDBOX_FILTER
 */
TG_MUST_USE tg_result tg_sandbox_filter_build(const tg_sandbox_filter_options *options, tg_sandbox_filter *out_filter);

#endif
