#include "support/case.h"
#include "support/child.h"

#include "io/loop.h"
#include "io/resolve.h"
#include "proxy/sandbox.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything here runs in children: there is no way back out of a sandbox. Each check returns 0, or the number of the
 * step that went wrong. */
enum { NOBODY = 65534, KILLED = 128 + SIGSYS, NOT_HERE = 77 };

static char folder[64], config[96], other[96], socket_path[96];

static int make_files(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tg-sandbox.%d", (int)getpid());
    snprintf(config, sizeof config, "%s/etc/proxy.json", folder);
    snprintf(other, sizeof other, "/tmp/tg-sandbox-other.%d", (int)getpid());
    snprintf(socket_path, sizeof socket_path, "%s/run/one.sock", folder);
    char path[128];
    mkdir(folder, 0755);
    snprintf(path, sizeof path, "%s/etc", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/run", folder);
    mkdir(path, 0777);
    chmod(path, 0777);
    const char *files[] = {config, other};
    for (size_t i = 0; i < TG_COUNT(files); i++) {
        int fd = open(files[i], O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd < 0 || write(fd, "{}", 2) != 2 || close(fd) != 0) {
            return -1;
        }
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char path[128];
    unlink(config);
    unlink(other);
    unlink(socket_path);
    static const char *const folders[] = {"etc", "run", ""};
    for (size_t i = 0; i < TG_COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        rmdir(path);
    }
    return 0;
}

static tg_result enter(tg_sandbox_report *report, tg_detail *detail)
{
    static char run_folder[128];
    snprintf(run_folder, sizeof run_folder, "%s/run", folder);
    const char *const read_paths[] = {config}, *const socket_folders[] = {run_folder};
    const tg_sandbox_options options = {.user = geteuid() == 0 ? "nobody" : NULL,
                                        .read_paths = read_paths,
                                        .num_read_paths = 1,
                                        .socket_folders = socket_folders,
                                        .num_socket_folders = 1};
    return tg_sandbox_enter(&options, report, detail);
}

static bool enters(void)
{
    tg_sandbox_report report;
    return tg_is_ok(enter(&report, NULL));
}

static int check_report(void)
{
    tg_sandbox_report report;
    tg_detail detail = {0};
    bool was_root = geteuid() == 0;
    if (!tg_is_ok(enter(&report, &detail))) {
        return 1;
    }
    if (was_root && (report.uid != NOBODY || report.gid != NOBODY || getuid() != NOBODY || getegid() != NOBODY)) {
        return 2;
    }
    if (!report.has_no_capabilities || !report.has_no_new_privileges || (was_root && !report.has_no_bounding_set)) {
        return 3;
    }
    if (report.unreadable != NULL || (!TG_TEST_IS_SANITIZED && !report.has_filter)) {
        return 4;
    }
    return 0;
}

static void enter_as_root_gives_up_user_and_capabilities(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_report), 0);
}

static int check_status_file(void)
{
    char text[8192];
    if (!enters()) {
        return 1;
    }
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t len = read(fd, text, sizeof text - 1);
    if (len <= 0) {
        return 2;
    }
    text[len] = 0;
    if (strstr(text, "CapPrm:\t0000000000000000") == NULL || strstr(text, "CapEff:\t0000000000000000") == NULL ||
        strstr(text, "CapBnd:\t0000000000000000") == NULL || strstr(text, "CapAmb:\t0000000000000000") == NULL) {
        return 3;
    }
    return strstr(text, "NoNewPrivs:\t1") != NULL && strstr(text, "Seccomp:\t2") != NULL ? 0 : 4;
}

static void enter_shows_in_the_kernels_words(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED || geteuid() != 0) {
        skip();
    }
    assert_int_equal(tg_status_in_child(check_status_file), 0);
}

typedef struct lookup_answer {
    tg_loop *loop;
    tg_result result;
    size_t num_addresses;
    tg_sockaddr first;
} lookup_answer;

static void on_answer(tg_result result, const tg_sockaddr *addresses, size_t num_addresses, const char *reason,
                      void *owner)
{
    (void)reason;
    lookup_answer *answer = owner;
    answer->result = result;
    answer->num_addresses = num_addresses;
    if (num_addresses > 0) {
        answer->first = addresses[0];
    }
    tg_loop_stop(answer->loop);
}

static bool resolve(const char *text, lookup_answer *out)
{
    tg_address address;
    tg_lookup *lookup;
    *out = (lookup_answer){.result = tg_fail(TG_ERR_CANCELLED)};
    if (!tg_is_ok(tg_loop_new(&out->loop)) || !tg_is_ok(tg_address_parse(tg_slice_str(text), &address, NULL)) ||
        !tg_is_ok(tg_lookup_start(out->loop, &address, 4, NULL, on_answer, out, &lookup))) {
        return false;
    }
    tg_loop_run(out->loop);
    tg_loop_free(out->loop);
    return tg_is_ok(out->result) && out->num_addresses > 0;
}

static int check_localhost(void)
{
    lookup_answer answer;
    return enters() && resolve("tcp:localhost:80", &answer) ? 0 : 1;
}

static void confined_localhost_resolves(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_localhost), 0);
}

/* A name server that gives 192.0.2.7 for every A question and nothing for others, on a socket bound before. */
static void *serve_names(void *arg)
{
    int fd = *(int *)arg;
    for (;;) {
        uint8_t message[512];
        struct sockaddr_in peer;
        socklen_t peer_len = sizeof peer;
        ssize_t len = recvfrom(fd, message, sizeof message - 16, 0, (struct sockaddr *)(void *)&peer, &peer_len);
        if (len < 17) {
            return NULL;
        }
        size_t end = 12;
        while (end < (size_t)len && message[end] != 0) {
            end += (size_t)message[end] + 1;
        }
        end += 5; /* the root label, type and class */
        bool is_a = end <= (size_t)len && message[end - 3] == 1;
        static const uint8_t record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
        message[2] = 0x81;
        message[3] = 0x80;
        message[7] = is_a ? 1 : 0;
        memset(message + 8, 0, 4); /* no authority, and the question's EDNS record is left out */
        memcpy(message + end, record, sizeof record);
        size_t out_len = end + (is_a ? sizeof record : 0);
        if (sendto(fd, message, out_len, 0, (struct sockaddr *)(void *)&peer, peer_len) < 0) {
            return NULL;
        }
    }
}

/* A machine of its own for the resolver: another resolv.conf, another loopback. */
static bool is_alone(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    TG_CLEANUP(tg_fd_close) int fd = -1;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(other, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0) {
        return false;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

static int check_name_server(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static int fd;
    pthread_t thread;
    lookup_answer answer;
    int file = open(other, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0 || write(file, "nameserver 127.0.0.1\n", 21) != 21 || close(file) != 0 || !is_alone()) {
        return NOT_HERE;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0 ||
        pthread_create(&thread, NULL, serve_names, &fd) != 0) {
        return NOT_HERE;
    }
    if (!enters() || !resolve("tcp:front.example.org:443", &answer)) {
        return 1;
    }
    return answer.first.any.sa_family == AF_INET && answer.first.in.sin_addr.s_addr == htonl(0xc0000207) ? 0 : 2;
}

static void confined_name_resolves_by_a_name_server(void **state)
{
    (void)state;
    int status = tg_status_in_child(check_name_server);
    if (status == NOT_HERE) {
        skip();
    }
    assert_int_equal(status, 0);
}

static int check_service(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ends[2];
    if (listener < 0 || bind(listener, (struct sockaddr *)(void *)&address, len) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)(void *)&address, &len) != 0 || !enters()) {
        return 1;
    }
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || connect(client, (struct sockaddr *)(void *)&address, len) != 0) {
        return 2;
    }
    int served = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (served < 0 || write(client, "hello", 5) != 5 || pipe2(ends, O_CLOEXEC) != 0 ||
        splice(served, NULL, ends[1], NULL, 5, SPLICE_F_MOVE) != 5) {
        return 3;
    }
    char text[5];
    return read(ends[0], text, 5) == 5 && memcmp(text, "hello", 5) == 0 ? 0 : 4;
}

static void confined_process_accepts_dials_and_splices(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_service), 0);
}

/* The file is replaced after the sandbox was entered, as an editor does it (by the parent's hand). */
static int check_reload(void)
{
    char text[8], replacement[128];
    int turn[2], done[2];
    if (pipe(turn) != 0 || pipe(done) != 0) {
        return 1;
    }
    snprintf(replacement, sizeof replacement, "%s.new", config);
    pid_t editor = fork();
    if (editor == 0) {
        int fd = open(replacement, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        bool is_done = read(turn[0], text, 1) == 1 && fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, "[1]", 3) == 3 &&
                       rename(replacement, config) == 0 && write(done[1], "x", 1) == 1;
        _exit(is_done ? 0 : 1);
    }
    if (!enters() || write(turn[1], "x", 1) != 1 || read(done[0], text, 1) != 1) {
        return 2;
    }
    int fd = open(config, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text) != 3 || memcmp(text, "[1]", 3) != 0) {
        return 3;
    }
    return 0;
}

static void confined_configuration_replaced_is_read_again(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_reload), 0);
}

static int check_files(void)
{
    if (!enters()) {
        return 1;
    }
    if (open("/etc/shadow", O_WRONLY) != -1 || open("/etc/shadow", O_RDONLY) != -1) {
        return 2;
    }
    if (open(other, O_RDONLY) != -1 || errno != EACCES) { /* everybody may read it, but for the sandbox */
        return 3;
    }
    if (open("/tmp/tg-new", O_WRONLY | O_CREAT, 0600) != -1 || errno != EACCES) {
        return 4;
    }
    if (open(config, O_RDWR) != -1 || unlink(config) != -1 || mkdir("/tmp/tg-new", 0700) != -1) {
        return 5;
    }
    return open("/dev/null", O_RDONLY) >= 0 && open("/proc/self/statm", O_RDONLY) >= 0 ? 0 : 6;
}

static void confined_files_outside_are_refused(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    assert_int_equal(tg_status_in_child(check_files), 0);
}

static int check_socket_file(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    if (!enters()) {
        return 1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&address, sizeof address) != 0 || listen(fd, 1) != 0) {
        return 2;
    }
    return unlink(socket_path) == 0 ? 0 : 3;
}

static void confined_socket_file_is_made_and_removed(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_socket_file), 0);
}

static int run_execve(void)
{
    char *const arguments[] = {NULL};
    return enters() ? execve("/bin/true", arguments, arguments) : 1;
}

static int run_ptrace(void)
{
    return enters() ? (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL) : 1;
}

static int run_setuid(void)
{
    return enters() ? setuid(0) : 1;
}

static int run_unshare(void)
{
    return enters() ? unshare(CLONE_NEWUSER) : 1;
}

static void confined_intruders_call_ends_the_process(void **state)
{
    (void)state;
    int (*const calls[])(void) = {run_execve, run_ptrace, run_setuid, run_unshare};
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    for (size_t i = 0; i < TG_COUNT(calls); i++) {
        assert_int_equal(tg_status_in_child(calls[i]), KILLED);
    }
}

static int check_refused(void)
{
    if (!enters()) {
        return 1;
    }
    if (fork() != -1 || kill(getppid(), 0) != -1) {
        return 2;
    }
    if (socket(AF_PACKET, SOCK_DGRAM, 0) != -1 || errno != EAFNOSUPPORT) {
        return 3;
    }
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
        return 4;
    }
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 ? 0 : 5;
}

static void confined_calls_off_the_list_fail(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    assert_int_equal(tg_status_in_child(check_refused), 0);
}

static int check_user(const char *user, tg_code expected)
{
    const tg_sandbox_options options = {.user = user};
    tg_sandbox_report report;
    tg_detail detail = {0};
    tg_result result = tg_sandbox_enter(&options, &report, &detail);
    return result.code == expected && (expected == TG_OK || strcmp(detail.field, "user") == 0) ? 0 : 1;
}

static int check_unknown(void)
{
    return check_user("no-such-user", TG_ERR_NOT_FOUND);
}

static int check_root(void)
{
    return check_user("root", TG_ERR_DENIED);
}

static int check_other_user(void)
{
    return geteuid() == 0 && setuid(NOBODY) != 0 ? 2 : check_user("1", TG_ERR_DENIED);
}

static int check_same_user(void)
{
    return geteuid() == 0 && setuid(NOBODY) != 0 ? 2 : check_user("nobody", TG_OK);
}

static int check_number(void)
{
    return check_user("65532", TG_OK) == 0 && getuid() == 65532 && getgid() == 65532 ? 0 : 1;
}

static void enter_user_unknown_root_or_another_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_unknown), 0);
    assert_int_equal(tg_status_in_child(check_root), 0);
    assert_int_equal(tg_status_in_child(check_other_user), 0);
}

static void enter_user_same_or_number_is_taken(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(tg_status_in_child(check_same_user), 0);
    assert_int_equal(tg_status_in_child(check_number), 0);
}

static int check_unreadable(void)
{
    const char *const paths[] = {config, "/nonexistent/proxy.json"};
    const tg_sandbox_options options = {.read_paths = paths, .num_read_paths = 2};
    tg_sandbox_report report;
    if (!tg_is_ok(tg_sandbox_enter(&options, &report, NULL))) {
        return 1;
    }
    return report.unreadable == paths[1] ? 0 : 2;
}

static void enter_path_that_reload_cannot_read_is_named(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_unreadable), 0);
}

static void log_report_says_what_is_missing(void **state)
{
    (void)state;
    char text[4096];
    int ends[2];
    tg_sandbox_report report = {.uid = 1, .landlock_abi = 2, .has_filter = true};
    assert_int_equal(pipe(ends), 0);
    tg_log_set_fd(ends[1]);
    tg_sandbox_log(&report);
    report.has_filter = false;
    tg_sandbox_log(&report);
    report.uid = 0;
    tg_sandbox_log(&report);
    report.unreadable = "/x.json";
    tg_sandbox_log(&report);
    tg_log_set_fd(2);
    ssize_t len = read(ends[0], text, sizeof text - 1);
    assert_true(len > 0);
    text[len] = 0;
    assert_non_null(strstr(text, "\"landlock_abi\":2"));
    assert_non_null(strstr(text, "use a kernel with Landlock"));
    assert_non_null(strstr(text, "name a user to become"));
    assert_non_null(strstr(text, "/x.json"));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(enter_as_root_gives_up_user_and_capabilities),
        cmocka_unit_test(enter_shows_in_the_kernels_words),
        cmocka_unit_test(confined_localhost_resolves),
        cmocka_unit_test(confined_name_resolves_by_a_name_server),
        cmocka_unit_test(confined_process_accepts_dials_and_splices),
        cmocka_unit_test(confined_configuration_replaced_is_read_again),
        cmocka_unit_test(confined_files_outside_are_refused),
        cmocka_unit_test(confined_socket_file_is_made_and_removed),
        cmocka_unit_test(confined_intruders_call_ends_the_process),
        cmocka_unit_test(confined_calls_off_the_list_fail),
        cmocka_unit_test(enter_user_unknown_root_or_another_is_refused),
        cmocka_unit_test(enter_user_same_or_number_is_taken),
        cmocka_unit_test(enter_path_that_reload_cannot_read_is_named),
        cmocka_unit_test(log_report_says_what_is_missing),
    };
    return cmocka_run_group_tests(cases, make_files, remove_files);
}
