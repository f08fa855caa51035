#include "support/case.h"

#include "sys/thread.h"

#include <signal.h>

typedef struct seen {
    bool are_all_blocked;
} seen;

static void *look(void *argument)
{
    seen *it = argument;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    it->are_all_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1 &&
                          sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGALRM) == 1;
    return argument;
}

static void start_blocks_signals_in_the_thread_alone(void **state)
{
    (void)state;
    seen it = {0};
    pthread_t thread;
    sigset_t mask;
    void *result;
    assert_ok(tg_thread_start(&thread, "looks", look, &it));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &it);
    assert_true(it.are_all_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void *wait_for_name(void *argument)
{
    char *name = argument;
    while (strcmp(name, "a-name-of-more-") != 0) {
        pthread_getname_np(pthread_self(), name, 16);
    }
    return NULL;
}

static void start_long_name_is_cut(void **state)
{
    (void)state;
    char name[16] = "";
    pthread_t thread;
    assert_ok(tg_thread_start(&thread, "a-name-of-more-than-fifteen-bytes", wait_for_name, name));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(name, "a-name-of-more-");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(start_blocks_signals_in_the_thread_alone),
        cmocka_unit_test(start_long_name_is_cut),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
