#include "io/relay_pool.h"
#include "support/case.h"
#include "support/child.h"

#include <sys/resource.h>
#include <unistd.h>

static tg_loop *loop;

static int set_up(void **state)
{
    (void)state;
    return tg_is_ok(tg_loop_new(&loop)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_loop_free(loop);
    return 0;
}

static void lend_pipe_carries_bytes_and_is_lent_again(void **state)
{
    (void)state;
    tg_relay_pool *pool = NULL;
    char byte = 0;
    assert_ok(tg_relay_pool_new(loop, NULL, &pool));
    tg_relay_pipe *pipe = tg_relay_pool_lend(pool);
    assert_non_null(pipe);
    assert_int_equal(pipe->len, 0);
    assert_int_equal(write(pipe->write_fd, "x", 1), 1);
    assert_int_equal(read(pipe->read_fd, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    tg_relay_pool_take_back(pool, pipe);
    assert_ptr_equal(tg_relay_pool_lend(pool), pipe);
    assert_int_equal(pool->num_pipes, 1);
    tg_relay_pool_take_back(pool, pipe);
    tg_relay_pool_free(pool);
    tg_relay_pool_free(NULL);
}

static void lend_past_the_maximum_gives_none(void **state)
{
    (void)state;
    const tg_relay_pool_options options = {.max_pipes = 2, .max_held_bytes = 1};
    tg_relay_pool *pool = NULL;
    assert_ok(tg_relay_pool_new(loop, &options, &pool));
    tg_relay_pipe *first = tg_relay_pool_lend(pool);
    tg_relay_pipe *second = tg_relay_pool_lend(pool);
    assert_non_null(second);
    assert_null(tg_relay_pool_lend(pool));
    tg_relay_pool_take_back(pool, first);
    assert_ptr_equal(tg_relay_pool_lend(pool), first);
    tg_relay_pool_take_back(pool, first);
    tg_relay_pool_take_back(pool, second);
    tg_relay_pool_free(pool);
}

static void take_back_what_is_not_empty_or_too_many_is_closed(void **state)
{
    (void)state;
    enum { NUM_LENT = 18, NUM_KEPT = 16 };
    tg_relay_pipe *lent[NUM_LENT];
    tg_relay_pool *pool = NULL;
    assert_ok(tg_relay_pool_new(loop, NULL, &pool));
    for (size_t i = 0; i < NUM_LENT; i++) {
        lent[i] = tg_relay_pool_lend(pool);
        if (lent[i] == NULL) { /* this user's share of pipe memory is used up */
            assert_true(i > 0 && geteuid() != 0);
            skip();
        }
    }
    lent[0]->len = 1;
    tg_relay_pool_take_back(pool, lent[0]);
    assert_int_equal(pool->num_pipes, NUM_LENT - 1);
    assert_int_equal(pool->num_kept, 0);
    for (size_t i = 1; i < NUM_LENT; i++) {
        tg_relay_pool_take_back(pool, lent[i]);
    }
    assert_int_equal(pool->num_pipes, NUM_KEPT);
    assert_int_equal(pool->num_kept, NUM_KEPT);
    tg_relay_pool_free(pool);
}

/* 0 where a pool that could open no pipe says so, and does not ask the kernel again at once. */
static int lend_without_descriptors(void)
{
    tg_relay_pool *pool = NULL;
    if (!tg_is_ok(tg_relay_pool_new(loop, NULL, &pool))) {
        return 1;
    }
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 1024};
    const struct rlimit some = {.rlim_cur = 1024, .rlim_max = 1024};
    setrlimit(RLIMIT_NOFILE, &none);
    bool is_refused = tg_relay_pool_lend(pool) == NULL;
    setrlimit(RLIMIT_NOFILE, &some);
    bool is_refused_soon_after = tg_relay_pool_lend(pool) == NULL;
    pool->retry_at_ms = 0;
    tg_relay_pipe *pipe = tg_relay_pool_lend(pool);
    bool is_lent_later = pipe != NULL;
    if (is_lent_later) {
        tg_relay_pool_take_back(pool, pipe);
    }
    tg_relay_pool_free(pool);
    return is_refused && is_refused_soon_after && is_lent_later ? 0 : 2;
}

static void lend_without_descriptors_waits_a_second_before_it_asks_again(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(lend_without_descriptors), 0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(lend_pipe_carries_bytes_and_is_lent_again),
        cmocka_unit_test(lend_past_the_maximum_gives_none),
        cmocka_unit_test(take_back_what_is_not_empty_or_too_many_is_closed),
        cmocka_unit_test(lend_without_descriptors_waits_a_second_before_it_asks_again),
    };
    return cmocka_run_group_tests(cases, set_up, tear_down);
}
