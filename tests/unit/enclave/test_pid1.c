#include "enclave/pid1.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/case.h"
#include "support/child.h"

static void setup_in_another_process_changes_nothing(void **state)
{
    (void)state;
    char name[] = "teegate-enclave";
    char option[] = "--local-mode";
    char *argv[] = {name, option, NULL};
    int argc = 2;
    setenv("TG_TEST_STAYS", "yes", 1);
    tg_pid1_setup(&argc, argv);
    assert_int_equal(argc, 2);
    assert_ptr_equal(argv[1], option);
    assert_string_equal(getenv("TG_TEST_STAYS"), "yes");
}

/* 0 where it is process 1 of a container and setup leaves all as it is. */
static int set_up_as_first_process(void)
{
    char name[] = "teegate-enclave";
    char option[] = "--local-mode";
    char *argv[] = {name, option, NULL};
    int argc = 2;
    if (getpid() != 1) {
        return 1;
    }
    setenv("TG_TEST_STAYS", "yes", 1);
    tg_pid1_setup(&argc, argv);
    return argc == 2 && argv[1] == option && getenv("TG_TEST_STAYS") != NULL ? 0 : 2;
}

static int set_up_in_new_pid_namespace(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 ? tg_status_in_child(set_up_as_first_process) : 77;
}

static void setup_first_process_of_a_container_changes_nothing(void **state)
{
    (void)state;
    int status = tg_status_in_child(set_up_in_new_pid_namespace);
    if (status == 77) {
        skip(); /* this machine refuses such namespaces */
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setup_in_another_process_changes_nothing),
        cmocka_unit_test(setup_first_process_of_a_container_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
