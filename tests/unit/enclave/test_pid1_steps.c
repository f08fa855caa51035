#include "enclave/pid1_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/case.h"
#include "support/child.h"
#include "support/folder.h"

static char file_path[128];

static int make_folder(void **state)
{
    int is_failed = tg_test_folder_set_up(state);
    snprintf(file_path, sizeof file_path, "%s", tg_test_path("list"));
    return is_failed;
}

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(file_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static tg_result read_environment(const char *text, tg_detail *detail)
{
    write_file(text, strlen(text));
    tg_detail_clear(detail);
    return tg_pid1_read_environment(file_path, detail);
}

static void read_environment_lines_replace_the_kernels(void **state)
{
    (void)state;
    tg_detail detail;
    setenv("LOCAL_MODE", "true", 1);
    assert_ok(read_environment("# of the image\n\nLOG_LEVEL=debug\r\n  _A1=b=c \nEMPTY=\nLAST=1", &detail));
    assert_null(getenv("LOCAL_MODE"));
    assert_string_equal(getenv("LOG_LEVEL"), "debug");
    assert_string_equal(getenv("_A1"), "b=c");
    assert_string_equal(getenv("EMPTY"), "");
    assert_string_equal(getenv("LAST"), "1");
}

static void read_environment_without_a_file_is_empty(void **state)
{
    (void)state;
    tg_detail detail;
    setenv("LOCAL_MODE", "true", 1);
    tg_detail_clear(&detail);
    assert_ok(tg_pid1_read_environment("/nonexistent/environment", &detail));
    assert_null(getenv("LOCAL_MODE"));
}

static void read_environment_bad_line_is_named_and_nothing_is_set(void **state)
{
    (void)state;
    static const char *const bad[] = {"A=1\nNOVALUE\n", "A=1\n=x\n", "A=1\n1A=x\n", "A=1\na=x\n", "A=1\nB-C=x\n"};
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        tg_detail detail;
        assert_code(read_environment(bad[i], &detail), TG_ERR_SYNTAX);
        assert_int_equal(detail.line, 2);
        assert_string_equal(detail.file, file_path);
        assert_null(getenv("A"));
    }
}

static void read_environment_same_name_twice_is_refused(void **state)
{
    (void)state;
    tg_detail detail;
    assert_code(read_environment("A=1\n\nA=2\n", &detail), TG_ERR_EXISTS);
    assert_int_equal(detail.line, 3);
    assert_non_null(strstr(detail.reason, "A a second time"));
    assert_null(getenv("A"));
}

static void read_environment_nul_is_refused(void **state)
{
    (void)state;
    tg_detail detail;
    write_file("A=1\0B=2\n", 8);
    tg_detail_clear(&detail);
    assert_code(tg_pid1_read_environment(file_path, &detail), TG_ERR_SYNTAX);
    assert_null(getenv("A"));
}

static void read_environment_folder_is_a_system_error(void **state)
{
    (void)state;
    tg_detail detail;
    tg_detail_clear(&detail);
    assert_code(tg_pid1_read_environment(tg_test_folder(), &detail), TG_ERR_SYSTEM);
    assert_string_equal(detail.file, tg_test_folder());
}

static void read_environment_count_at_the_limit_and_over(void **state)
{
    (void)state;
    char text[TG_MAX_PID1_VARIABLES * 8 + 16];
    tg_detail detail;
    size_t len = 0;
    for (int i = 0; i < TG_MAX_PID1_VARIABLES; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "V%d=1\n", i);
    }
    assert_ok(read_environment(text, &detail));
    assert_string_equal(getenv("V255"), "1");
    snprintf(text + len, sizeof text - len, "W=1\n");
    assert_code(read_environment(text, &detail), TG_ERR_LIMIT);
    assert_int_equal(detail.line, TG_MAX_PID1_VARIABLES + 1);
    assert_null(getenv("V255"));
}

static void read_environment_length_at_the_limit_and_over(void **state)
{
    (void)state;
    static char text[TG_MAX_PID1_FILE_BYTES + 2];
    tg_detail detail;
    snprintf(text, sizeof text, "A=%04095d\n", 7);
    assert_ok(read_environment(text, &detail));
    assert_int_equal(strlen(getenv("A")), 4095);
    snprintf(text, sizeof text, "A=%04096d\n", 7);
    assert_code(read_environment(text, &detail), TG_ERR_LIMIT);
    memset(text, 'N', 256);
    strcpy(text + 256, "=1");
    assert_code(read_environment(text, &detail), TG_ERR_LIMIT);
    text[255] = '=';
    assert_ok(read_environment(text, &detail));
    memset(text, '#', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_code(read_environment(text, &detail), TG_ERR_LIMIT);
    text[sizeof text - 2] = '\0';
    assert_ok(read_environment(text, &detail));
}

static void load_modules_nothing_listed_is_fine(void **state)
{
    (void)state;
    tg_detail detail;
    assert_ok(tg_pid1_load_modules("/nonexistent/modules", &detail));
    write_file("# none\n\n", 8);
    assert_ok(tg_pid1_load_modules(file_path, &detail));
}

static void load_modules_missing_or_no_module_is_named(void **state)
{
    (void)state;
    char text[600];
    tg_detail detail;
    tg_detail_clear(&detail);
    write_file("/nonexistent/nsm.ko\n", 20);
    tg_result loaded = tg_pid1_load_modules(file_path, &detail);
    assert_code(loaded, TG_ERR_SYSTEM);
    assert_int_equal(loaded.os_error, ENOENT);
    assert_string_equal(detail.file, "/nonexistent/nsm.ko");
    write_file("/dev/null\n", 10);
    assert_code(tg_pid1_load_modules(file_path, &detail), TG_ERR_SYSTEM);
    memset(text, '/', sizeof text);
    write_file(text, sizeof text);
    assert_code(tg_pid1_load_modules(file_path, &detail), TG_ERR_LIMIT);
}

static void seed_random_seeded_kernel_returns_at_once(void **state)
{
    (void)state;
    tg_detail detail;
    assert_ok(tg_pid1_seed_random("/dev/urandom", 1000, &detail));
    assert_ok(tg_pid1_seed_random("/nonexistent", 0, &detail));
}

static void send_ready_without_a_parent_is_a_system_error(void **state)
{
    (void)state;
    tg_detail detail;
    tg_detail_clear(&detail);
    assert_code(tg_pid1_send_ready(4000000000u, 1, &detail), TG_ERR_SYSTEM);
    assert_non_null(strstr(detail.reason, "sign of life"));
}

/* What the exchange makes of a parent that has answered `answer` (of `len` bytes) and then ended. */
static tg_result exchange_with(const void *answer, size_t len)
{
    int pair[2];
    uint8_t sent = 0;
    tg_detail detail;
    tg_detail_clear(&detail);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], answer, len), len);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    tg_result result = tg_pid1_exchange_ready(pair[0], &detail);
    assert_int_equal(read(pair[1], &sent, 1), 1);
    assert_int_equal(sent, TG_PID1_READY_BYTE);
    close(pair[0]);
    close(pair[1]);
    return result;
}

static void exchange_ready_byte_repeated_is_ok(void **state)
{
    (void)state;
    assert_ok(exchange_with("\xb7", 1));
}

static void exchange_ready_other_byte_or_end_is_refused(void **state)
{
    (void)state;
    assert_code(exchange_with("\xb6", 1), TG_ERR_MISMATCH);
    assert_code(exchange_with("", 0), TG_ERR_MISMATCH);
}

static void exchange_ready_broken_connection_is_a_system_error(void **state)
{
    (void)state;
    int pair[2];
    tg_detail detail;
    tg_detail_clear(&detail);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    assert_code(tg_pid1_exchange_ready(pair[0], &detail), TG_ERR_SYSTEM);
    close(pair[0]);
}

static bool map_to_root(const char *map, unsigned id)
{
    char line[32];
    int fd = open(map, O_WRONLY);
    int len = snprintf(line, sizeof line, "0 %u 1", id);
    bool is_written = fd >= 0 && write(fd, line, (size_t)len) == len;
    close(fd);
    return is_written;
}

/* New namespaces of its own, where a process may mount and bring interfaces up. */
static bool enter_namespaces(void)
{
    unsigned user = getuid();
    unsigned group = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) {
        return false;
    }
    int fd = open("/proc/self/setgroups", O_WRONLY);
    bool is_denied = fd >= 0 && write(fd, "deny", 4) == 4;
    close(fd);
    return is_denied && map_to_root("/proc/self/uid_map", user) && map_to_root("/proc/self/gid_map", group);
}

static int try_namespaces(void)
{
    return enter_namespaces() ? 0 : 1;
}

static void skip_without_namespaces(void)
{
    if (tg_status_in_child(try_namespaces) != 0) {
        skip();
    }
}

static int mount_and_look(void)
{
    char target[128];
    char below[256];
    tg_detail detail;
    tg_detail_clear(&detail);
    if (!enter_namespaces()) {
        return 77;
    }
    snprintf(target, sizeof target, "%s/run", tg_test_folder());
    snprintf(below, sizeof below, "%s/run/file", tg_test_folder());
    tg_pid1_mount entry = {"tmpfs", target, MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0751,size=64k"};
    struct stat found;
    if (!tg_is_ok(tg_pid1_mount_one(&entry, &detail)) || stat(target, &found) != 0 || (found.st_mode & 0777) != 0751) {
        return 1;
    }
    close(open(below, O_CREAT | O_WRONLY, 0600));
    if (access(below, F_OK) != 0 || umount(target) != 0 || access(below, F_OK) == 0) {
        return 2;
    }
    entry.type = "nosuchfs";
    tg_result refused = tg_pid1_mount_one(&entry, &detail);
    if (refused.code != TG_ERR_SYSTEM || refused.os_error != ENODEV || strcmp(detail.file, target) != 0) {
        return 3;
    }
    rmdir(target);
    entry.target = "/nonexistent/folder/run";
    return tg_pid1_mount_one(&entry, &detail).code == TG_ERR_SYSTEM ? 0 : 4;
}

static void mount_one_makes_the_folder_and_names_what_fails(void **state)
{
    (void)state;
    skip_without_namespaces();
    assert_int_equal(tg_status_in_child(mount_and_look), 0);
}

static int raise_and_look(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    tg_detail detail;
    if (!enter_namespaces()) {
        return 77;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) != 0) {
        return 1;
    }
    if (!tg_is_ok(tg_pid1_raise_loopback(&detail)) || ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return 2;
    }
    return (request.ifr_flags & IFF_UP) != 0 ? 0 : 3;
}

static void raise_loopback_interface_comes_up(void **state)
{
    (void)state;
    skip_without_namespaces();
    assert_int_equal(tg_status_in_child(raise_and_look), 0);
}

/* Supervises in a process that adopts orphans, as the first process does. The service leaves an orphan behind, waits
 * for `number` and ends by 40 plus what its handler saw. */
static volatile sig_atomic_t seen_signal;
static void see_signal(int number)
{
    seen_signal = number;
}

static int serve_until_signal(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGTERM, see_signal);
    signal(SIGHUP, see_signal);
    if (fork() == 0) {
        if (fork() == 0) {
            _exit(0); /* its parent ends first: an orphan */
        }
        _exit(0);
    }
    while (seen_signal == 0) {
        sigsuspend(&none);
    }
    return 40 + seen_signal;
}

static int first_signal;

static int supervise_service(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    tg_pid1_block_signals();
    pid_t child = fork();
    if (child == 0) {
        _exit(serve_until_signal());
    }
    raise(first_signal); /* blocked: pending until tg_pid1_supervise takes it */
    int ended = tg_pid1_supervise(child);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 1;
}

static int supervise_one(int number)
{
    first_signal = number;
    return tg_status_in_child(supervise_service);
}

static void supervise_signal_is_passed_on(void **state)
{
    (void)state;
    assert_int_equal(supervise_one(SIGTERM), 40 + SIGTERM);
    assert_int_equal(supervise_one(SIGHUP), 40 + SIGHUP);
}

static void supervise_interrupt_is_passed_on_as_termination(void **state)
{
    (void)state;
    assert_int_equal(supervise_one(SIGINT), 40 + SIGTERM);
}

static void supervise_orphans_are_reaped_first(void **state)
{
    (void)state;
    sigset_t before;
    sigprocmask(SIG_SETMASK, NULL, &before);
    tg_pid1_block_signals();
    pid_t orphan = fork();
    if (orphan == 0) {
        _exit(3);
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)orphan, &info, WEXITED | WNOWAIT), 0);
    pid_t child = fork();
    if (child == 0) {
        raise(SIGKILL);
    }
    int status = tg_pid1_supervise(child);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(waitpid(orphan, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mount_one_makes_the_folder_and_names_what_fails),
        cmocka_unit_test(raise_loopback_interface_comes_up),
        cmocka_unit_test(supervise_signal_is_passed_on),
        cmocka_unit_test(supervise_interrupt_is_passed_on_as_termination),
        cmocka_unit_test(supervise_orphans_are_reaped_first),
        cmocka_unit_test(load_modules_nothing_listed_is_fine),
        cmocka_unit_test(load_modules_missing_or_no_module_is_named),
        cmocka_unit_test(seed_random_seeded_kernel_returns_at_once),
        cmocka_unit_test(send_ready_without_a_parent_is_a_system_error),
        cmocka_unit_test(exchange_ready_byte_repeated_is_ok),
        cmocka_unit_test(exchange_ready_other_byte_or_end_is_refused),
        cmocka_unit_test(exchange_ready_broken_connection_is_a_system_error),
        /* These replace the environment: last. */
        cmocka_unit_test(read_environment_lines_replace_the_kernels),
        cmocka_unit_test(read_environment_without_a_file_is_empty),
        cmocka_unit_test(read_environment_bad_line_is_named_and_nothing_is_set),
        cmocka_unit_test(read_environment_same_name_twice_is_refused),
        cmocka_unit_test(read_environment_nul_is_refused),
        cmocka_unit_test(read_environment_folder_is_a_system_error),
        cmocka_unit_test(read_environment_count_at_the_limit_and_over),
        cmocka_unit_test(read_environment_length_at_the_limit_and_over),
    };
    return cmocka_run_group_tests(tests, make_folder, tg_test_folder_tear_down);
}
