#include "proxy/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#define FIRST_X32_CALL   0x40000000u
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter knows the system calls of x86_64 and aarch64"
#endif

/* Calls that are fine whatever they are given: what they can reach is decided by descriptors, by Landlock and by the
 * rights of the user. The kernel remembers these in a bitmap and does not run the filter for them (Linux 5.11). */
static const unsigned allowed_calls[] = {
    /* memory, threads, time, signals */
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    SYS_futex,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_umask,
    /* files and descriptors */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_close,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstatfs,
    SYS_lseek,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getcwd,
    SYS_fsync,
    SYS_pipe2,
    SYS_splice,
    SYS_tee,
    /* events */
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_pselect6,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    /* sockets that are there */
    SYS_socketpair,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
#if defined(__x86_64__) /* older spellings, which the C library still uses there */
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_poll,
    SYS_select,
    SYS_epoll_wait,
    SYS_pipe,
    SYS_dup2,
    SYS_time,
    SYS_getrlimit,
    SYS_arch_prctl,
#endif
};

/* Who calls one of these has taken the process over. */
static const unsigned deadly_calls[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_personality,
    SYS_memfd_create,
    SYS_open_by_handle_at,
    SYS_setuid,
    SYS_setgid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setgroups,
    SYS_capset,
    SYS_mknodat,
    SYS_symlinkat,
    SYS_linkat,
#if defined(__x86_64__)
    SYS_ioperm,
    SYS_iopl,
    SYS_modify_ldt,
    SYS_mknod,
    SYS_symlink,
    SYS_link,
#endif
};

enum { ALLOW = SECCOMP_RET_ALLOW };
#define KILL     SECCOMP_RET_KILL_PROCESS
#define ERROR(e) (SECCOMP_RET_ERRNO | ((unsigned)(e)&SECCOMP_RET_DATA))

static void emit(tg_sandbox_filter *filter, struct sock_filter instruction)
{
    if (filter->num_instructions < TG_MAX_SANDBOX_FILTER) {
        filter->instructions[filter->num_instructions] = instruction;
    }
    filter->num_instructions++; /* what is past the end is counted, and refused at the end */
}

static void load(tg_sandbox_filter *filter, size_t offset)
{
    emit(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

/* Each call's own instructions begin with the number loaded, and end the same way for who is not meant. */
static void load_call(tg_sandbox_filter *filter)
{
    load(filter, offsetof(struct seccomp_data, nr));
}

static void give(tg_sandbox_filter *filter, unsigned action)
{
    emit(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void give_if_equal(tg_sandbox_filter *filter, unsigned value, unsigned action)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    give(filter, action);
}

static void give_if_any_bit(tg_sandbox_filter *filter, unsigned bits, unsigned action)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    give(filter, action);
}

/* begin_call and end_call stand around what is decided about one call; between them every path but the last gives its
 * answer, and the last is end_call's. The jump over them is written when its length is known. */
static size_t begin_call(tg_sandbox_filter *filter, unsigned call)
{
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 0));
    return filter->num_instructions;
}

static void end_call(tg_sandbox_filter *filter, size_t begin, unsigned action)
{
    give(filter, action);
    if (filter->num_instructions <= TG_MAX_SANDBOX_FILTER) {
        filter->instructions[begin - 1].jf = (unsigned char)(filter->num_instructions - begin);
    }
}

/* Numbers are 32 bits wide in these arguments, and the kernel takes no more of them. */
static void load_argument(tg_sandbox_filter *filter, unsigned index)
{
    load(filter, offsetof(struct seccomp_data, args) + index * sizeof(uint64_t)); /* little-endian: the low half */
}

static void load_argument_high(tg_sandbox_filter *filter, unsigned index)
{
    load(filter, offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) + sizeof(uint32_t));
}

/* The families that we speak; netlink only to ask for addresses; no raw sockets of any. */
static void decide_socket(tg_sandbox_filter *filter)
{
    static const unsigned families[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK};
    size_t begin = begin_call(filter, SYS_socket);
    load_argument(filter, 0);
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3));
    load_argument(filter, 2);
    give_if_equal(filter, 0, ALLOW); /* NETLINK_ROUTE */
    load_argument(filter, 1);
    emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf));
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 2, 0));
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0));
    give(filter, ERROR(EAFNOSUPPORT));
    load_argument(filter, 0);
    for (size_t i = 0; i < TG_COUNT(families); i++) {
        give_if_equal(filter, families[i], ALLOW);
    }
    end_call(filter, begin, ERROR(EAFNOSUPPORT));
}

/* Memory is never both written and run. Libraries for name resolution are still loaded. */
static void decide_mapping(tg_sandbox_filter *filter)
{
    size_t begin = begin_call(filter, SYS_mmap);
    load_argument(filter, 2);
    emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC));
    give_if_equal(filter, PROT_WRITE | PROT_EXEC, ERROR(EPERM));
    end_call(filter, begin, ALLOW);
    begin = begin_call(filter, SYS_mprotect);
    load_argument(filter, 2);
    give_if_any_bit(filter, PROT_EXEC, ERROR(EPERM));
    end_call(filter, begin, ALLOW);
}

/* Threads, not processes. clone3 hides its flags behind a pointer: the C library falls back to clone. */
static void decide_threads(tg_sandbox_filter *filter, int pid)
{
    size_t begin = begin_call(filter, SYS_clone);
    load_argument(filter, 0);
    emit(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_THREAD));
    give_if_equal(filter, CLONE_THREAD, ALLOW);
    end_call(filter, begin, ERROR(EPERM));
    begin = begin_call(filter, SYS_tgkill);
    load_argument(filter, 0);
    give_if_equal(filter, (unsigned)pid, ALLOW);
    end_call(filter, begin, ERROR(EPERM));
    begin = begin_call(filter, SYS_prctl);
    load_argument(filter, 0);
    give_if_equal(filter, PR_SET_NAME, ALLOW);
    end_call(filter, begin, ERROR(EPERM));
}

/* Files are read, never written: also where the kernel has no Landlock. */
static void decide_files(tg_sandbox_filter *filter)
{
    size_t begin = begin_call(filter, SYS_openat);
    load_argument(filter, 2);
    give_if_any_bit(filter, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY),
                    ERROR(EACCES));
    end_call(filter, begin, ALLOW);
#if defined(__x86_64__)
    begin = begin_call(filter, SYS_open);
    load_argument(filter, 1);
    give_if_any_bit(filter, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY),
                    ERROR(EACCES));
    end_call(filter, begin, ALLOW);
#endif
}

static void decide_requests(tg_sandbox_filter *filter)
{
    static const unsigned requests[] = {FIONBIO, FIOCLEX, FIONREAD, SIOCOUTQ, TCGETS, IOCTL_VM_SOCKETS_GET_LOCAL_CID};
    size_t begin = begin_call(filter, SYS_ioctl);
    load_argument(filter, 1);
    for (size_t i = 0; i < TG_COUNT(requests); i++) {
        give_if_equal(filter, requests[i], ALLOW);
    }
    end_call(filter, begin, ERROR(ENOTTY));
    begin = begin_call(filter, SYS_prlimit64); /* limits are read: the new ones are a null pointer */
    load_argument(filter, 2);
    emit(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    give(filter, ERROR(EPERM));
    load_argument_high(filter, 2);
    give_if_equal(filter, 0, ALLOW);
    end_call(filter, begin, ERROR(EPERM));
}

tg_result tg_sandbox_filter_build(const tg_sandbox_filter_options *options, tg_sandbox_filter *out_filter)
{
    tg_sandbox_filter filter = {.num_instructions = 0};
    load(&filter, offsetof(struct seccomp_data, arch));
    emit(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 1, 0));
    give(&filter, KILL);
    load_call(&filter);
#if defined(FIRST_X32_CALL)
    emit(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_X32_CALL, 0, 1));
    give(&filter, KILL);
#endif
    for (size_t i = 0; i < TG_COUNT(allowed_calls); i++) {
        give_if_equal(&filter, allowed_calls[i], ALLOW);
    }
    for (size_t i = 0; i < TG_COUNT(deadly_calls); i++) {
        give_if_equal(&filter, deadly_calls[i], KILL);
    }
    if (options->allows_sockets_in_folders) {
        give_if_equal(&filter, SYS_fchmod, ALLOW);
        give_if_equal(&filter, SYS_unlinkat, ALLOW);
#if defined(__x86_64__)
        give_if_equal(&filter, SYS_unlink, ALLOW);
#endif
    }
    decide_socket(&filter);
    decide_mapping(&filter);
    decide_threads(&filter, options->pid);
    decide_files(&filter);
    decide_requests(&filter);
    give(&filter, ERROR(ENOSYS));
    if (filter.num_instructions > TG_MAX_SANDBOX_FILTER) {
        return tg_fail(TG_ERR_LIMIT);
    }
    *out_filter = filter;
    return tg_ok();
}
