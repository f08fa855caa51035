#include "support/case.h"
#include "support/child.h"

#include "crypto/init.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* libgcrypt starts once a process, so each case has a process of its own and answers by its exit status. */
static int in_child(tg_code (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit((int)body());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static tg_code init_many_workers(void)
{
    return tg_crypto_init(1025).code;
}

static tg_code init_unlockable(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) {
        return TG_ERR_LIBRARY;
    }
    if (tg_drop_capabilities() != 0) { /* root may lock whatever the limit says */
        return TG_ERR_LIBRARY;
    }
    return tg_crypto_init(1).code;
}

static tg_code init_plain(void)
{
    return tg_crypto_init(2).code;
}

static void init_too_many_workers_is_out_of_range(void **state)
{
    (void)state;
    assert_int_equal(in_child(init_many_workers), TG_ERR_RANGE);
}

static void init_memory_not_lockable_is_refused(void **state)
{
    (void)state;
    if (TG_TEST_IS_SANITIZED) {
        skip();
    }
    assert_int_equal(in_child(init_unlockable), TG_ERR_SYSTEM);
}

static void init_known_answers_come_out_right(void **state)
{
    (void)state;
    assert_int_equal(in_child(init_plain), TG_OK);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(init_too_many_workers_is_out_of_range),
        cmocka_unit_test(init_memory_not_lockable_is_refused),
        cmocka_unit_test(init_known_answers_come_out_right),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
