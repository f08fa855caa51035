#include "enclave/pid1_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

enum { HARDWARE_BYTES = 64, ENTROPY_POLL_MS = 50, READY_SECONDS = 5 };

#define COMPONENT "pid1"

static tg_result fail_errno(tg_detail *detail, const char *what, const char *subject)
{
    int error = errno;
    tg_detail_set_place(detail, tg_slice_str(subject), 0, (tg_slice){NULL, 0});
    tg_detail_set_reason(detail, "%s: %s", what, tg_log_error_text(tg_fail_os(error)));
    return tg_fail_os(error);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

tg_result tg_pid1_mount_one(const tg_pid1_mount *entry, tg_detail *detail)
{
    if (mkdir(entry->target, 0755) != 0 && errno != EEXIST) {
        return fail_errno(detail, "cannot make the folder to mount at", entry->target);
    }
    if (mount(entry->type, entry->target, entry->type, entry->flags, entry->options) != 0 && errno != EBUSY) {
        return fail_errno(detail, "cannot mount", entry->target);
    }
    return tg_ok();
}

/* Gives the file's next line that says something, trimmed; false at its end. */
static bool next_line(tg_slice *rest, unsigned *line, tg_slice *out_text)
{
    while (rest->ptr != NULL) {
        tg_slice text = tg_slice_trim(tg_slice_split(rest, '\n'), " \t\r");
        (*line)++;
        if (text.len > 0 && text.ptr[0] != '#') {
            *out_text = text;
            return true;
        }
    }
    return false;
}

/* A missing file reads as an empty one. */
static tg_result read_list(const char *path, tg_buf *buf, tg_detail *detail)
{
    tg_result read = tg_file_read(path, buf);
    if (read.code == TG_ERR_SYSTEM && read.os_error == ENOENT) {
        return tg_ok();
    }
    if (!tg_is_ok(read)) {
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "cannot be read: %s", tg_log_error_text(read));
        return read;
    }
    if (tg_slice_find(tg_buf_slice(buf), 0) < tg_buf_len(buf)) {
        tg_detail_set_place(detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
        tg_detail_set_reason(detail, "holds a NUL byte");
        return tg_fail(TG_ERR_SYNTAX);
    }
    return tg_ok();
}

static bool is_variable_name(tg_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        bool is_letter = (byte >= 'A' && byte <= 'Z') || byte == '_';
        if (!is_letter && !(i > 0 && byte >= '0' && byte <= '9')) {
            return false;
        }
    }
    return name.len > 0;
}

static tg_result set_variable(tg_slice text, tg_detail *detail)
{
    char name[256];
    char value[4096];
    tg_slice value_text = text;
    tg_slice name_text = tg_slice_split(&value_text, '=');
    if (value_text.ptr == NULL || !is_variable_name(name_text)) {
        tg_detail_set_reason(detail, "is not NAME=value");
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (name_text.len >= sizeof name || value_text.len >= sizeof value) {
        tg_detail_set_reason(detail, "is longer than %zu bytes",
                             name_text.len >= sizeof name ? sizeof name - 1 : sizeof value - 1);
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(name, name_text.ptr, name_text.len);
    name[name_text.len] = '\0';
    memcpy(value, value_text.ptr, value_text.len);
    value[value_text.len] = '\0';
    if (getenv(name) != NULL) {
        tg_detail_set_reason(detail, "sets %s a second time", name);
        return tg_fail(TG_ERR_EXISTS);
    }
    return setenv(name, value, 0) == 0 ? tg_ok() : tg_fail_os(errno);
}

static tg_result set_variables(const char *path, tg_slice rest, tg_detail *detail)
{
    unsigned line = 0;
    tg_slice text;
    for (unsigned num_set = 0; next_line(&rest, &line, &text); num_set++) {
        tg_detail_set_place(detail, tg_slice_str(path), line, (tg_slice){NULL, 0});
        if (num_set == TG_MAX_PID1_VARIABLES) {
            tg_detail_set_reason(detail, "more than %d variables", TG_MAX_PID1_VARIABLES);
            return tg_fail(TG_ERR_LIMIT);
        }
        TG_TRY(set_variable(text, detail));
    }
    return tg_ok();
}

tg_result tg_pid1_read_environment(const char *path, tg_detail *detail)
{
    TG_CLEANUP(tg_buf_done) tg_buf buf;
    tg_buf_init(&buf, TG_MAX_PID1_FILE_BYTES);
    clearenv();
    TG_TRY(read_list(path, &buf, detail));
    tg_result set = set_variables(path, tg_buf_slice(&buf), detail);
    if (!tg_is_ok(set)) {
        clearenv();
    }
    return set;
}

static tg_result load_module(tg_slice path_text, tg_detail *detail)
{
    char path[512];
    if (path_text.len >= sizeof path) {
        tg_detail_set_reason(detail, "the path of a module is longer than %zu bytes", sizeof path - 1);
        return tg_fail(TG_ERR_LIMIT);
    }
    memcpy(path, path_text.ptr, path_text.len);
    path[path_text.len] = '\0';
    TG_CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(detail, "cannot open the kernel module", path);
    }
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST) {
        return fail_errno(detail, "the kernel refuses the module", path);
    }
    return tg_ok();
}

tg_result tg_pid1_load_modules(const char *path, tg_detail *detail)
{
    TG_CLEANUP(tg_buf_done) tg_buf buf;
    tg_buf_init(&buf, TG_MAX_PID1_FILE_BYTES);
    TG_TRY(read_list(path, &buf, detail));
    tg_slice rest = tg_buf_slice(&buf);
    tg_slice text;
    unsigned line = 0;
    while (next_line(&rest, &line, &text)) {
        TG_TRY(load_module(text, detail));
    }
    return tg_ok();
}

tg_result tg_pid1_raise_loopback(tg_detail *detail)
{
    struct ifreq request = {.ifr_name = "lo"};
    TG_CLEANUP(close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return fail_errno(detail, "cannot ask for the interface's flags", "lo");
    }
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP | IFF_RUNNING);
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        return fail_errno(detail, "cannot bring the interface up", "lo");
    }
    return tg_ok();
}

tg_result tg_pid1_exchange_ready(int fd, tg_detail *detail)
{
    const struct timeval limit = {.tv_sec = READY_SECONDS};
    uint8_t byte = TG_PID1_READY_BYTE;
    uint8_t answer = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
        return fail_errno(detail, "cannot send the sign of life", "parent");
    }
    ssize_t got = recv(fd, &answer, 1, 0);
    if (got < 0) {
        return fail_errno(detail, "no answer to the sign of life", "parent");
    }
    if (got == 0 || answer != TG_PID1_READY_BYTE) {
        tg_detail_set_reason(detail, "the parent does not repeat the sign of life");
        return tg_fail(TG_ERR_MISMATCH);
    }
    return tg_ok();
}

tg_result tg_pid1_send_ready(unsigned cid, unsigned port, tg_detail *detail)
{
    const struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    TG_CLEANUP(close_fd) int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&parent, sizeof parent) != 0) {
        return fail_errno(detail, "cannot reach the parent for the sign of life", "parent");
    }
    return tg_pid1_exchange_ready(fd, detail);
}

static void mix_hardware_bytes(const char *hardware_path)
{
    uint8_t bytes[HARDWARE_BYTES];
    TG_CLEANUP(close_fd) int from = open(hardware_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    TG_CLEANUP(close_fd) int pool = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    ssize_t got = from >= 0 && pool >= 0 ? read(from, bytes, sizeof bytes) : -1;
    if (got > 0 && write(pool, bytes, (size_t)got) != got) {
        tg_log(TG_LOG_WARN, COMPONENT, "hardware_random_not_mixed");
    }
    tg_wipe(bytes, sizeof bytes);
}

tg_result tg_pid1_seed_random(const char *hardware_path, unsigned timeout_ms, tg_detail *detail)
{
    uint8_t probe = 0;
    uint64_t deadline_ms = tg_clock_monotonic_ms() + timeout_ms;
    mix_hardware_bytes(hardware_path);
    while (getrandom(&probe, sizeof probe, GRND_NONBLOCK) != 1) {
        if (tg_clock_monotonic_ms() >= deadline_ms) {
            tg_detail_set_reason(detail, "the kernel's random numbers are not seeded after %u ms", timeout_ms);
            tg_detail_set_remedy(detail, "give the machine a processor with RDRAND and random.trust_cpu=on");
            return tg_fail(TG_ERR_TIMEOUT);
        }
        poll(NULL, 0, ENTROPY_POLL_MS);
    }
    return tg_ok();
}

void tg_pid1_block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

/* Reaps whoever has ended; true when `child` was among them. */
static bool reap(pid_t child, int *out_status)
{
    bool is_over = false;
    int status = 0;
    for (pid_t ended = waitpid(-1, &status, WNOHANG); ended > 0; ended = waitpid(-1, &status, WNOHANG)) {
        if (ended == child) {
            *out_status = status;
            is_over = true;
        }
    }
    return is_over;
}

int tg_pid1_supervise(pid_t child)
{
    sigset_t awaited;
    int status = 0;
    sigemptyset(&awaited);
    const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < TG_COUNT(signals); i++) {
        sigaddset(&awaited, signals[i]);
    }
    while (!reap(child, &status)) {
        int number = sigwaitinfo(&awaited, NULL);
        if (number > 0 && number != SIGCHLD) {
            kill(child, number == SIGINT ? SIGTERM : number);
        }
    }
    return status;
}
