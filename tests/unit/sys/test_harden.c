#include "support/case.h"
#include "support/child.h"

#include "sys/harden.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs in a child, whose exit status names the first check that fails: the test program keeps its own rights. */
static int check_hardened(void)
{
    struct rlimit limit;
    struct sigaction pipe_action;
    int ends[2];
    if (!tg_is_ok(tg_harden_process(NULL))) {
        return 1;
    }
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0) {
        return 2;
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return 3;
    }
    if (umask(0) != 077) {
        return 4;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != limit.rlim_max) {
        return 5;
    }
    if (tg_harden_max_files() != limit.rlim_max) {
        return 6;
    }
    if (sigaction(SIGPIPE, NULL, &pipe_action) != 0 || pipe_action.sa_handler != SIG_IGN) {
        return 7;
    }
    if (pipe(ends) != 0 || close(ends[0]) != 0 || write(ends[1], "x", 1) != -1) {
        return 8;
    }
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != TG_TEST_IS_SANITIZED) { /* a sanitizer's build stays dumpable */
        return 9;
    }
    return 0;
}

static void process_hardened_shows_in_the_kernel(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_hardened), 0);
}

static int check_hangup_held(void)
{
    sigset_t pending;
    tg_harden_hold_hangup();
    return raise(SIGHUP) == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGHUP) == 1 ? 0 : 1;
}

static void hold_hangup_raised_waits(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_hangup_held), 0);
}

static void check_lock_small_fits(void **state)
{
    (void)state;
    tg_detail detail = {0};
    assert_ok(tg_harden_check_lock(0, &detail));
    assert_ok(tg_harden_check_lock(4096, &detail));
    assert_string_equal(detail.reason, "");
}

static int check_lock_refused(void)
{
    const struct rlimit one_page = {4096, 4096};
    tg_detail detail = {0};
    if (setrlimit(RLIMIT_MEMLOCK, &one_page) != 0) {
        return 1;
    }
    if (tg_drop_capabilities() != 0) { /* root may lock past the limit */
        return 2;
    }
    tg_result result = tg_harden_check_lock((size_t)1 << 20, &detail);
    if (result.code != TG_ERR_SYSTEM || result.os_error == 0) {
        return 3;
    }
    if (strcmp(detail.field, "RLIMIT_MEMLOCK") != 0 || strstr(detail.reason, "limit is 4096") == NULL) {
        return 4;
    }
    return strstr(detail.remedy, "ulimit -l") != NULL ? 0 : 5;
}

static void check_lock_over_limit_names_it(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    assert_int_equal(tg_status_in_child(check_lock_refused), 0);
}

static int check_more_than_memory(void)
{
    tg_detail detail = {0};
    tg_result result = tg_harden_check_lock(SIZE_MAX / 2, &detail);
    return result.code == TG_ERR_SYSTEM && strcmp(detail.field, "memory") == 0 ? 0 : 1;
}

static void check_lock_impossible_size_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(check_more_than_memory), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(process_hardened_shows_in_the_kernel),
        cmocka_unit_test(hold_hangup_raised_waits),
        cmocka_unit_test(check_lock_small_fits),
        cmocka_unit_test(check_lock_over_limit_names_it),
        cmocka_unit_test(check_lock_impossible_size_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
