#include "support/case.h"

#include "proxy/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE   AUDIT_ARCH_X86_64
#define OTHER_ARCHITECTURE AUDIT_ARCH_I386
#else
#define OWN_ARCHITECTURE   AUDIT_ARCH_AARCH64
#define OTHER_ARCHITECTURE AUDIT_ARCH_ARM
#endif

enum { PID = 4711 };
#define KILLED    SECCOMP_RET_KILL_PROCESS
#define ALLOWED   SECCOMP_RET_ALLOW
#define FAILED(e) (SECCOMP_RET_ERRNO | (unsigned)(e))

static tg_sandbox_filter filter;

/* What the kernel would do with the filter (classic BPF, the instructions that it is made of). */
static unsigned run(const struct seccomp_data *data)
{
    unsigned accumulator = 0;
    for (size_t at = 0; at < filter.num_instructions; at++) {
        const struct sock_filter *now = &filter.instructions[at];
        bool holds = false;
        switch (now->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(now->k % 4 == 0 && now->k + 4 <= sizeof *data);
            memcpy(&accumulator, (const uint8_t *)data + now->k, 4);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= now->k;
            continue;
        case BPF_RET | BPF_K:
            return now->k;
        case BPF_JMP | BPF_JEQ | BPF_K:
            holds = accumulator == now->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            holds = accumulator >= now->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            holds = (accumulator & now->k) != 0;
            break;
        default:
            fail_msg("instruction %u", now->code);
        }
        at += holds ? now->jt : now->jf;
    }
    fail_msg("the filter ends without an answer");
    return 0;
}

static unsigned ask(long call, uint64_t a, uint64_t b, uint64_t c)
{
    const struct seccomp_data data = {.nr = (int)call, .arch = OWN_ARCHITECTURE, .args = {a, b, c}};
    return run(&data);
}

static int build(void **state)
{
    (void)state;
    const tg_sandbox_filter_options options = {.pid = PID};
    return tg_is_ok(tg_sandbox_filter_build(&options, &filter)) ? 0 : -1;
}

static void filter_every_jump_stays_inside(void **state)
{
    (void)state;
    assert_true(filter.num_instructions < 600);
    for (size_t at = 0; at < filter.num_instructions; at++) {
        const struct sock_filter *now = &filter.instructions[at];
        if (BPF_CLASS(now->code) == BPF_JMP) {
            assert_true(at + 1 + now->jt < filter.num_instructions && at + 1 + now->jf < filter.num_instructions);
        }
    }
    assert_int_equal(BPF_CLASS(filter.instructions[filter.num_instructions - 1].code), BPF_RET);
}

static void filter_every_call_number_has_an_answer(void **state)
{
    (void)state;
    size_t num_allowed = 0;
    for (long call = 0; call < 1024; call++) {
        unsigned answer = ask(call, 0, 0, 0);
        num_allowed += answer == ALLOWED;
        assert_true(answer == ALLOWED || answer == KILLED || (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO);
    }
    assert_true(num_allowed > 60 && num_allowed < 130);
}

static void filter_foreign_architecture_is_killed(void **state)
{
    (void)state;
    const struct seccomp_data data = {.nr = SYS_read, .arch = OTHER_ARCHITECTURE};
    assert_int_equal(run(&data), KILLED);
#if defined(__x86_64__)
    assert_int_equal(ask(0x40000000 | SYS_read, 0, 0, 0), KILLED);
#endif
}

static void filter_calls_of_the_service_pass(void **state)
{
    (void)state;
    static const long calls[] = {SYS_read,     SYS_write,    SYS_close,       SYS_accept4, SYS_connect, SYS_splice,
                                 SYS_pipe2,    SYS_futex,    SYS_epoll_pwait, SYS_sendto,  SYS_recvmsg, SYS_setsockopt,
                                 SYS_sendmmsg, SYS_shutdown, SYS_getrandom,   SYS_fcntl,   SYS_bind,    SYS_exit_group};
    for (size_t i = 0; i < TG_COUNT(calls); i++) {
        assert_int_equal(ask(calls[i], 0, 0, 0), ALLOWED);
    }
}

static void filter_calls_of_an_intruder_kill(void **state)
{
    (void)state;
    static const long calls[] = {SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_mount,
                                 SYS_bpf,    SYS_unshare,  SYS_setuid, SYS_io_uring_setup,   SYS_init_module,
                                 SYS_setns,  SYS_chroot,   SYS_capset, SYS_userfaultfd,      SYS_memfd_create};
    for (size_t i = 0; i < TG_COUNT(calls); i++) {
        assert_int_equal(ask(calls[i], 0, 0, 0), KILLED);
    }
}

static void filter_unknown_call_is_as_if_the_kernel_lacked_it(void **state)
{
    (void)state;
    assert_int_equal(ask(1000, 0, 0, 0), FAILED(ENOSYS));
    assert_int_equal(ask(SYS_clone3, 0, 0, 0), FAILED(ENOSYS));
    assert_int_equal(ask(SYS_unlinkat, 0, 0, 0), FAILED(ENOSYS));
    assert_int_equal(ask(SYS_fchmod, 0, 0, 0), FAILED(ENOSYS));
    assert_int_equal(ask(SYS_kill, PID, 9, 0), FAILED(ENOSYS));
}

static void socket_families_of_ours_pass_and_others_fail(void **state)
{
    (void)state;
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK};
    for (size_t i = 0; i < TG_COUNT(families); i++) {
        uint64_t family = (uint64_t)families[i];
        assert_int_equal(ask(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ALLOWED);
        assert_int_equal(ask(SYS_socket, family, SOCK_DGRAM, 0), ALLOWED);
        assert_int_equal(ask(SYS_socket, family, SOCK_RAW, 0), FAILED(EAFNOSUPPORT));
    }
    assert_int_equal(ask(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), ALLOWED);
    assert_int_equal(ask(SYS_socket, AF_NETLINK, SOCK_RAW, 12), FAILED(EAFNOSUPPORT));
    assert_int_equal(ask(SYS_socket, AF_PACKET, SOCK_DGRAM, 0), FAILED(EAFNOSUPPORT));
    assert_int_equal(ask(SYS_socket, AF_ALG, SOCK_STREAM, 0), FAILED(EAFNOSUPPORT));
}

static void mapping_written_and_run_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ask(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC), ALLOWED);
    assert_int_equal(ask(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE), ALLOWED);
    assert_int_equal(ask(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), FAILED(EPERM));
    assert_int_equal(ask(SYS_mprotect, 0, 4096, PROT_READ), ALLOWED);
    assert_int_equal(ask(SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC), FAILED(EPERM));
}

static void clone_thread_passes_and_process_is_refused(void **state)
{
    (void)state;
    uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    assert_int_equal(ask(SYS_clone, thread, 0, 0), ALLOWED);
    assert_int_equal(ask(SYS_clone, 17, 0, 0), FAILED(EPERM));
    assert_int_equal(ask(SYS_clone, CLONE_NEWUSER | 17, 0, 0), FAILED(EPERM));
    assert_int_equal(ask(SYS_tgkill, PID, 1, 6), ALLOWED);
    assert_int_equal(ask(SYS_tgkill, PID + 1, 1, 6), FAILED(EPERM));
    assert_int_equal(ask(SYS_prctl, PR_SET_NAME, 0, 0), ALLOWED);
    assert_int_equal(ask(SYS_prctl, PR_SET_DUMPABLE, 1, 0), FAILED(EPERM));
}

static void open_for_reading_passes_and_for_writing_is_refused(void **state)
{
    (void)state;
    static const int writing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE | O_RDWR};
    assert_int_equal(ask(SYS_openat, 0, 0, O_RDONLY | O_CLOEXEC), ALLOWED);
    assert_int_equal(ask(SYS_openat, 0, 0, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK), ALLOWED);
    for (size_t i = 0; i < TG_COUNT(writing); i++) {
        assert_int_equal(ask(SYS_openat, 0, 0, (uint64_t)writing[i]), FAILED(EACCES));
    }
}

static void limits_are_read_and_not_changed(void **state)
{
    (void)state;
    assert_int_equal(ask(SYS_prlimit64, 0, 7, 0), ALLOWED);
    assert_int_equal(ask(SYS_prlimit64, 0, 7, 0x1000), FAILED(EPERM));
    assert_int_equal(ask(SYS_prlimit64, 0, 7, 0x100000000), FAILED(EPERM));
    assert_int_equal(ask(SYS_ioctl, 0, FIONBIO, 0), ALLOWED);
    assert_int_equal(ask(SYS_ioctl, 0, TIOCSTI, 0), FAILED(ENOTTY));
}

static void filter_with_socket_folders_removes_files(void **state)
{
    (void)state;
    const tg_sandbox_filter_options options = {.pid = PID, .allows_sockets_in_folders = true};
    assert_ok(tg_sandbox_filter_build(&options, &filter));
    assert_int_equal(ask(SYS_unlinkat, 0, 0, 0), ALLOWED);
    assert_int_equal(ask(SYS_fchmod, 0, 0, 0), ALLOWED);
    assert_int_equal(ask(SYS_openat, 0, 0, O_CREAT), FAILED(EACCES));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup(filter_every_jump_stays_inside, build),
        cmocka_unit_test_setup(filter_every_call_number_has_an_answer, build),
        cmocka_unit_test_setup(filter_foreign_architecture_is_killed, build),
        cmocka_unit_test_setup(filter_calls_of_the_service_pass, build),
        cmocka_unit_test_setup(filter_calls_of_an_intruder_kill, build),
        cmocka_unit_test_setup(filter_unknown_call_is_as_if_the_kernel_lacked_it, build),
        cmocka_unit_test_setup(socket_families_of_ours_pass_and_others_fail, build),
        cmocka_unit_test_setup(mapping_written_and_run_is_refused, build),
        cmocka_unit_test_setup(clone_thread_passes_and_process_is_refused, build),
        cmocka_unit_test_setup(open_for_reading_passes_and_for_writing_is_refused, build),
        cmocka_unit_test_setup(limits_are_read_and_not_changed, build),
        cmocka_unit_test(filter_with_socket_folders_removes_files),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
