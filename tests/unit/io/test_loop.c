#include "support/case.h"

#include "io/loop.h"
#include "sys/clock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct fixture {
    tg_loop *loop;
    tg_tick tick;
    tg_tick other_tick;
    tg_task task;
    tg_task other_task;
    tg_deadline deadline;
    unsigned num_ticks;
    unsigned num_tasks;
    unsigned num_signals;
    unsigned stop_after;
} fixture;

static fixture f;

static int set_up(void **state)
{
    (void)state;
    f = (fixture){.stop_after = 1};
    return tg_is_ok(tg_loop_new(&f.loop)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_loop_free(f.loop);
    return 0;
}

static void count_tick(tg_tick *tick)
{
    (void)tick;
    if (++f.num_ticks == f.stop_after) {
        tg_loop_stop(f.loop);
    }
}

static void tick_again(tg_tick *tick)
{
    count_tick(tick);
    if (f.num_ticks < f.stop_after) {
        tg_loop_tick(f.loop, tick);
    }
}

static void cancel_other(tg_tick *tick)
{
    (void)tick;
    tg_tick_cancel(&f.other_tick);
    tg_loop_stop(f.loop);
}

static void tick_scheduled_twice_runs_once(void **state)
{
    (void)state;
    f.tick.run = count_tick;
    tg_loop_tick(f.loop, &f.tick);
    tg_loop_tick(f.loop, &f.tick);
    assert_int_equal(f.num_ticks, 0);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_ticks, 1);
}

static void tick_scheduled_by_itself_runs_in_the_next_turn(void **state)
{
    (void)state;
    f.tick.run = tick_again;
    f.stop_after = 1000;
    tg_loop_tick(f.loop, &f.tick);
    uint64_t before = tg_clock_monotonic_ms();
    tg_loop_run(f.loop);
    assert_int_equal(f.num_ticks, 1000);
    assert_true(tg_clock_monotonic_ms() - before < 5000); /* the loop does not sleep in between */
}

static void tick_cancelled_by_another_of_the_same_turn_does_not_run(void **state)
{
    (void)state;
    f.tick.run = cancel_other;
    f.other_tick.run = count_tick;
    tg_loop_tick(f.loop, &f.tick);
    tg_loop_tick(f.loop, &f.other_tick);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_ticks, 0);
}

static void tick_later_waits_and_tick_brings_it_forward(void **state)
{
    (void)state;
    f.tick.run = count_tick;
    uint64_t before = tg_clock_monotonic_ms();
    tg_loop_tick_later(f.loop, &f.tick);
    tg_loop_tick_later(f.loop, &f.tick);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_ticks, 1);
    assert_true(tg_clock_monotonic_ms() - before >= TG_DEADLINE_GRAIN_MS - 5);
    tg_loop_tick_later(f.loop, &f.tick);
    tg_loop_tick(f.loop, &f.tick);
    f.stop_after = 2;
    tg_loop_run(f.loop);
    assert_int_equal(f.num_ticks, 2);
    tg_loop_tick_later(f.loop, &f.tick);
    tg_tick_cancel(&f.tick);
}

static void stop_by_deadline(tg_deadline *deadline)
{
    (void)deadline;
    tg_loop_stop(f.loop);
}

static void deadline_armed_fires_within_its_grain(void **state)
{
    (void)state;
    f.deadline.run = stop_by_deadline;
    uint64_t before = tg_clock_monotonic_ms();
    tg_deadline_arm_in(f.loop, &f.deadline, 100);
    tg_loop_run(f.loop);
    uint64_t took = tg_clock_monotonic_ms() - before;
    assert_true(took >= 95);
    assert_true(took < 1000);
    assert_false(tg_deadline_is_armed(&f.deadline));
}

static void deadline_brought_forward_fires_early(void **state)
{
    (void)state;
    f.deadline.run = stop_by_deadline;
    uint64_t before = tg_clock_monotonic_ms();
    tg_deadline_arm_in(f.loop, &f.deadline, 60000);
    tg_deadline_arm_in(f.loop, &f.deadline, 50);
    tg_loop_run(f.loop);
    assert_true(tg_clock_monotonic_ms() - before < 5000);
}

static void count_task(tg_task *task)
{
    (void)task;
    if (++f.num_tasks == f.stop_after) {
        tg_loop_stop(f.loop);
    }
}

static void post_again(tg_task *task)
{
    count_task(task);
    if (f.num_tasks < f.stop_after) {
        tg_loop_post(f.loop, task);
    }
}

static void *post_both(void *unused)
{
    (void)unused;
    usleep(20000);
    tg_loop_post(f.loop, &f.task);
    tg_loop_post(f.loop, &f.other_task);
    return NULL;
}

static void post_from_another_thread_wakes_the_loop(void **state)
{
    (void)state;
    pthread_t thread;
    f.task.run = f.other_task.run = count_task;
    f.stop_after = 2;
    assert_int_equal(pthread_create(&thread, NULL, post_both, NULL), 0);
    tg_loop_run(f.loop);
    pthread_join(thread, NULL);
    assert_int_equal(f.num_tasks, 2);
}

static void post_twice_before_it_runs_runs_once(void **state)
{
    (void)state;
    f.task.run = count_task;
    f.other_task.run = count_task;
    f.stop_after = 2;
    tg_loop_post(f.loop, &f.task);
    tg_loop_post(f.loop, &f.task);
    tg_loop_post(f.loop, &f.other_task);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_tasks, 2);
    assert_false(f.task.is_posted);
}

static void post_from_its_own_run_runs_again(void **state)
{
    (void)state;
    f.task.run = post_again;
    f.stop_after = 100;
    tg_loop_post(f.loop, &f.task);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_tasks, 100);
}

static void count_signal(int signal_number, void *owner)
{
    assert_ptr_equal(owner, &f);
    assert_int_equal(signal_number, SIGUSR1);
    f.num_signals++;
    tg_loop_stop(f.loop);
}

static void count_late_signal(int signal_number, void *owner)
{
    assert_int_equal(signal_number, SIGUSR2);
    tg_loop_stop(owner);
}

static void on_signal_delivered_calls_the_last_watcher(void **state)
{
    (void)state;
    assert_ok(tg_loop_on_signal(f.loop, SIGUSR1, count_signal, NULL));
    assert_ok(tg_loop_on_signal(f.loop, SIGUSR1, count_signal, &f));
    raise(SIGUSR1);
    tg_loop_run(f.loop);
    assert_int_equal(f.num_signals, 1);
}

static void on_signal_held_back_or_late_ends_nothing(void **state)
{
    (void)state;
    sigset_t held;
    tg_loop *loop;
    sigemptyset(&held);
    sigaddset(&held, SIGUSR2);
    assert_int_equal(sigprocmask(SIG_BLOCK, &held, NULL), 0);
    raise(SIGUSR2);
    assert_ok(tg_loop_new(&loop));
    assert_ok(tg_loop_on_signal(loop, SIGUSR2, count_late_signal, loop));
    tg_loop_run(loop); /* what came before is delivered, and ends the run */
    tg_loop_free(loop);
    raise(SIGUSR2); /* by its default action it would end this program */
    assert_int_equal(sigpending(&held), 0);
    assert_int_equal(sigismember(&held, SIGUSR2), 1);
}

static void on_signal_ninth_is_over_the_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_ok(tg_loop_on_signal(f.loop, SIGRTMIN + i, count_signal, &f));
    }
    assert_code(tg_loop_on_signal(f.loop, SIGRTMIN + 8, count_signal, &f), TG_ERR_LIMIT);
    assert_ok(tg_loop_on_signal(f.loop, SIGRTMIN + 7, count_signal, &f));
}

static void on_signal_that_cannot_be_caught_fails(void **state)
{
    (void)state;
    assert_code(tg_loop_on_signal(f.loop, SIGKILL, count_signal, &f), TG_ERR_SYSTEM);
}

static void free_null_does_nothing(void **state)
{
    (void)state;
    tg_loop_free(NULL);
    assert_non_null(tg_loop_uv_begin(f.loop));
    tg_loop_turn(f.loop); /* where libuv has nothing to do after all */
}

static void turn_with_nothing_to_do_does_not_wait(void **state)
{
    (void)state;
    tg_loop_turn(f.loop);
    uint64_t before = tg_loop_now_ms(f.loop);
    tg_loop_turn(f.loop);
    assert_true(tg_loop_now_ms(f.loop) >= before);
}

static void turn_runs_each_tick_once(void **state)
{
    (void)state;
    f.tick.run = tick_again;
    f.stop_after = 1000;
    tg_loop_tick(f.loop, &f.tick);
    tg_loop_turn(f.loop);
    assert_int_equal(f.num_ticks, 1);
    tg_loop_turn(f.loop);
    assert_int_equal(f.num_ticks, 2);
    tg_tick_cancel(&f.tick);
}

typedef struct watched {
    tg_source source;
    unsigned num_events;
    uint32_t last;
} watched;

static void note_events(tg_source *source, uint32_t epoll_events)
{
    watched *one = TG_OBJECT_OF(source, watched, source);
    one->num_events++;
    one->last = epoll_events;
}

static void watch_reports_edges_or_levels_to_the_last_source(void **state)
{
    (void)state;
    int fds[2];
    watched first = {.source.run = note_events}, second = {.source.run = note_events};
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_ok(tg_loop_watch_fd(f.loop, fds[0], EPOLLIN, &first.source));
    tg_loop_turn(f.loop);
    tg_loop_turn(f.loop);
    assert_int_equal(first.num_events, 1);
    assert_true((first.last & EPOLLIN) != 0);
    assert_ok(tg_loop_rewatch_fd(f.loop, fds[0], EPOLLIN, &second.source)); /* what holds already is told again */
    tg_loop_turn(f.loop);
    tg_loop_turn(f.loop);
    assert_int_equal(first.num_events, 1);
    assert_int_equal(second.num_events, 1);
    assert_ok(tg_loop_watch_level(f.loop, fds[0], EPOLLIN, &first.source));
    tg_loop_turn(f.loop);
    tg_loop_turn(f.loop);
    assert_int_equal(first.num_events, 3);
    tg_loop_unwatch_fd(f.loop, fds[0]);
    tg_loop_turn(f.loop);
    assert_int_equal(first.num_events, 3);
    assert_ok(tg_loop_rewatch_fd(f.loop, fds[0], EPOLLIN, &second.source)); /* as good as the first watch */
    tg_loop_turn(f.loop);
    assert_int_equal(second.num_events, 2);
    close(fds[0]);
    close(fds[1]);
    assert_code(tg_loop_watch_fd(f.loop, fds[0], EPOLLIN, &first.source), TG_ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(tick_scheduled_twice_runs_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tick_scheduled_by_itself_runs_in_the_next_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tick_cancelled_by_another_of_the_same_turn_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tick_later_waits_and_tick_brings_it_forward, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deadline_armed_fires_within_its_grain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deadline_brought_forward_fires_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(post_from_another_thread_wakes_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(post_twice_before_it_runs_runs_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(post_from_its_own_run_runs_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(on_signal_delivered_calls_the_last_watcher, set_up, tear_down),
        cmocka_unit_test(on_signal_held_back_or_late_ends_nothing),
        cmocka_unit_test_setup_teardown(on_signal_ninth_is_over_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(on_signal_that_cannot_be_caught_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_null_does_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(turn_with_nothing_to_do_does_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(turn_runs_each_tick_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watch_reports_edges_or_levels_to_the_last_source, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
