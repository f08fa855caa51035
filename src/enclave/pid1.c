#include "enclave/pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enclave/pid1_steps.h"
#include "sys/log.h"

enum { ENTROPY_MS = 60000, NITRO_PARENT_CID = 3, NITRO_READY_PORT = 9000 };

#define COMPONENT "pid1"

/* /dev is the kernel's own; nothing else may hold devices, set-id bits or programs. */
static const tg_pid1_mount mounts[] = {
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755"},
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64m"},
    {"tmpfs", "/tmp", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=64m"},
};

/* The console is the host's to read, never to write: nothing is taken from it. */
static void open_console(void)
{
    int null = open("/dev/null", O_RDWR);
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
    }
    if (console >= 0 || null >= 0) {
        dup2(console >= 0 ? console : null, STDOUT_FILENO);
        dup2(console >= 0 ? console : null, STDERR_FILENO);
    }
    if (null > STDERR_FILENO) {
        close(null);
    }
    if (console > STDERR_FILENO) {
        close(console);
    }
}

static tg_result become_init(tg_detail *detail)
{
    TG_TRY(tg_pid1_mount_one(&mounts[0], detail)); /* /dev first: the console is in it */
    open_console();
    umask(022);
    for (size_t i = 1; i < TG_COUNT(mounts); i++) {
        TG_TRY(tg_pid1_mount_one(&mounts[i], detail));
    }
    TG_TRY(tg_pid1_read_environment(TG_PID1_ENVIRONMENT_PATH, detail));
    TG_TRY(tg_pid1_load_modules(TG_PID1_MODULES_PATH, detail));
    TG_TRY(tg_pid1_raise_loopback(detail));
    if (access("/dev/nsm", F_OK) == 0) {
        TG_TRY(tg_pid1_send_ready(NITRO_PARENT_CID, NITRO_READY_PORT, detail));
    }
    return tg_pid1_seed_random("/dev/hwrng", ENTROPY_MS, detail);
}

/* A restart is the one end that every target takes: it ends a Nitro enclave and a Firecracker machine, where powering
 * off would leave a halted one behind, and elsewhere the image is measured and started anew. */
static _Noreturn void end_machine(void)
{
    sync();
    reboot(RB_AUTOBOOT);
    _exit(1); /* only where the machine may not be ended: the kernel panics, and that ends it */
}

void tg_pid1_setup(int *argc, char **argv)
{
    tg_detail detail;
    if (getpid() != 1 || access("/proc/version", F_OK) == 0) {
        return;
    }
    *argc = *argc > 0 ? 1 : 0;
    argv[*argc] = NULL;
    tg_detail_clear(&detail);
    tg_result done = become_init(&detail);
    if (!tg_is_ok(done)) {
        tg_log_fault(TG_LOG_ERROR, COMPONENT, "start_failed", &detail);
        end_machine();
    }
    reboot(RB_DISABLE_CAD); /* Ctrl-Alt-Del asks us (SIGINT) instead of ending the machine at once */
    tg_pid1_block_signals();
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        return;
    }
    if (child < 0) {
        tg_log(TG_LOG_ERROR, COMPONENT, "fork_failed", TG_F_ERR(tg_fail_os(errno)));
        end_machine();
    }
    tg_log(TG_LOG_INFO, COMPONENT, "started", TG_F_INT("child", child));
    int status = tg_pid1_supervise(child);
    if (WIFSIGNALED(status)) {
        tg_log(TG_LOG_ERROR, COMPONENT, "service_killed", TG_F_INT("signal", WTERMSIG(status)));
    } else {
        tg_log(TG_LOG_INFO, COMPONENT, "service_ended", TG_F_INT("status", WEXITSTATUS(status)));
    }
    end_machine();
}
