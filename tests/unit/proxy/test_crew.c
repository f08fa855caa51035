#include "proxy/crew.h"

#include "support/case.h"
#include "support/logged.h"

#include "proxy/watchdog.h"

#include <semaphore.h>
#include <unistd.h>

static tg_proxy_shared shared;
static tg_crew *crew;

static void on_drained(void *owner)
{
    sem_post(owner);
}

static sem_t drained;

static int set_up(void **state)
{
    shared = (tg_proxy_shared){.num_workers = 3, .drained = on_drained, .owner = &drained};
    sem_init(&drained, 0, 0);
    return tg_is_ok(tg_limiter_new(&shared.limiter)) && tg_is_ok(tg_crew_new(&shared, 3, &crew))
               ? tg_test_log_set_up(state)
               : -1;
}

static int tear_down(void **state)
{
    tg_crew_stop(crew);
    tg_crew_free(crew);
    tg_limiter_free(shared.limiter);
    sem_destroy(&drained);
    return tg_test_log_tear_down(state);
}

static bool is_alive_soon(void)
{
    for (int i = 0; i < 1000; i++) {
        if (tg_crew_is_alive(crew)) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

static void is_alive_is_true_while_every_worker_answers(void **state)
{
    (void)state;
    assert_ok(tg_crew_start(crew));
    assert_int_equal(tg_crew_num_running(crew), 3);
    assert_true(tg_crew_is_alive(crew));
    assert_true(is_alive_soon());
    tg_crew_stop(crew);
    assert_int_equal(tg_crew_num_running(crew), 0);
}

static void is_alive_of_a_crew_that_does_not_run_is_true(void **state)
{
    (void)state;
    assert_true(tg_crew_is_alive(crew));
    assert_true(tg_crew_is_alive(crew));
}

static void prepare_and_commit_before_the_threads_run_do_as_with_them(void **state)
{
    (void)state;
    const tg_proxy_gates none = {NULL, 0};
    tg_proxy_config *config = NULL;
    assert_ok(tg_proxy_config_empty(&config));
    assert_ok(tg_crew_prepare(crew, &none));
    tg_crew_cancel(crew);
    assert_ok(tg_crew_prepare(crew, &none));
    tg_crew_commit(crew, config);
    assert_ok(tg_crew_start(crew));
    assert_ok(tg_crew_prepare(crew, &none));
    tg_crew_commit(crew, config);
    tg_proxy_config_unref(config);
}

static void drain_of_workers_without_visits_is_told_by_each(void **state)
{
    (void)state;
    assert_ok(tg_crew_start(crew));
    tg_crew_drain(crew);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sem_wait(&drained), 0);
    }
    tg_crew_end_all(crew);
    assert_true(is_alive_soon());
}

static void watchdog_that_nobody_wants_does_nothing(void **state)
{
    (void)state;
    tg_loop *loop;
    tg_proxy_watchdog watchdog;
    const tg_service_notify nobody = {.fd = -1, .watchdog_ms = 10}, no_watch = {.fd = 0, .watchdog_ms = 0};
    assert_ok(tg_loop_new(&loop));
    tg_proxy_watchdog_start(&watchdog, loop, crew, &nobody);
    assert_false(tg_deadline_is_armed(&watchdog.deadline));
    tg_proxy_watchdog_start(&watchdog, loop, crew, &no_watch);
    assert_false(tg_deadline_is_armed(&watchdog.deadline));
    tg_proxy_watchdog_stop(&watchdog);
    tg_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_alive_is_true_while_every_worker_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_alive_of_a_crew_that_does_not_run_is_true, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prepare_and_commit_before_the_threads_run_do_as_with_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drain_of_workers_without_visits_is_told_by_each, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watchdog_that_nobody_wants_does_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
