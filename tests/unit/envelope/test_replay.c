#include "support/case.h"

#include "crypto/init.h"
#include "envelope/replay.h"

#include <pthread.h>
#include <string.h>

enum { START = 1000000, WINDOW = 300, AHEAD = 5, ENTRIES = 16 };

static tg_replay *some_cache(void)
{
    const tg_replay_options options = {WINDOW, AHEAD, ENTRIES, START};
    tg_replay *replay;
    assert_ok(tg_replay_new(&options, &replay));
    return replay;
}

static uint64_t wait_s; /* of the last admit in the main thread */

static tg_replay_verdict admit_with(tg_replay *replay, unsigned number, uint64_t issued, uint64_t now,
                                    uint64_t *out_wait_s)
{
    uint8_t digest[TG_REPLAY_DIGEST_BYTES] = {1};
    memcpy(digest + 8, &number, sizeof number); /* the first bytes are all the same: they fall together */
    return tg_replay_admit(replay, digest, issued, now, out_wait_s);
}

static tg_replay_verdict admit(tg_replay *replay, unsigned number, uint64_t issued, uint64_t now)
{
    return admit_with(replay, number, issued, now, &wait_s);
}

static void tg_replay_admit_twice_is_refused_for_the_whole_window(void **state)
{
    tg_replay *replay = some_cache();
    uint64_t now = START + 1000;
    (void)state;
    assert_int_equal(admit(replay, 1, now + AHEAD, now), TG_REPLAY_ADMITTED);
    for (uint64_t later = now; later <= now + AHEAD + WINDOW; later++) {
        assert_int_equal(admit(replay, 1, now + AHEAD, later), TG_REPLAY_SEEN);
    }
    assert_int_equal(admit(replay, 1, now + AHEAD, now + AHEAD + WINDOW + 1), TG_REPLAY_TOO_OLD);
    tg_replay_free(replay);
}

static void tg_replay_admit_at_the_edges_of_time_is_exact(void **state)
{
    tg_replay *replay = some_cache();
    uint64_t now = START + 1000;
    (void)state;
    assert_int_equal(admit(replay, 1, now - WINDOW, now), TG_REPLAY_ADMITTED);
    assert_int_equal(admit(replay, 2, now - WINDOW - 1, now), TG_REPLAY_TOO_OLD);
    assert_int_equal(admit(replay, 3, now + AHEAD, now), TG_REPLAY_ADMITTED);
    assert_int_equal(admit(replay, 4, now + AHEAD + 1, now), TG_REPLAY_AHEAD);
    tg_replay_free(replay);
    replay = some_cache(); /* what an earlier process may have taken */
    assert_int_equal(admit(replay, 5, START + AHEAD - 1, START), TG_REPLAY_BEFORE_START);
    assert_int_equal(wait_s, AHEAD);
    assert_int_equal(admit(replay, 5, START + AHEAD - 1, START + AHEAD), TG_REPLAY_BEFORE_START);
    assert_int_equal(wait_s, 1);
    assert_int_equal(admit(replay, 6, START + AHEAD, START + AHEAD), TG_REPLAY_ADMITTED);
    tg_replay_free(replay);
}

static void tg_replay_admit_full_is_refused_until_the_window_is_over(void **state)
{
    tg_replay *replay = some_cache();
    uint64_t now = START + 1000;
    (void)state;
    assert_int_equal(admit(replay, 0, now, now), TG_REPLAY_ADMITTED); /* turns the tables: the span begins here */
    for (unsigned i = 1; i < ENTRIES; i++) {
        assert_int_equal(admit(replay, i, now, now), TG_REPLAY_ADMITTED);
    }
    assert_int_equal(tg_replay_len(replay), ENTRIES);
    assert_int_equal(tg_replay_room(replay, now + WINDOW + AHEAD), 0);
    assert_int_equal(tg_replay_room(replay, now + WINDOW + AHEAD + 1), ENTRIES);
    assert_int_equal(admit(replay, ENTRIES, now, now + 5), TG_REPLAY_FULL);
    assert_int_equal(wait_s, WINDOW + AHEAD + 1 - 5);
    assert_int_equal(admit(replay, 0, now, now + 5), TG_REPLAY_SEEN); /* a replay is called one even then */
    assert_int_equal(wait_s, 0);
    uint64_t later = now + WINDOW + AHEAD + 1;
    assert_int_equal(admit(replay, ENTRIES, later, later), TG_REPLAY_ADMITTED);
    assert_int_equal(tg_replay_len(replay), ENTRIES + 1); /* the old ones are still known */
    assert_int_equal(tg_replay_room(replay, later), ENTRIES - 1);
    later += WINDOW + AHEAD + 1;
    assert_int_equal(admit(replay, 0, later, later), TG_REPLAY_ADMITTED);
    assert_int_equal(tg_replay_len(replay), 2);
    tg_replay_free(replay);
}

static void tg_replay_admit_clock_set_back_makes_nothing_new(void **state)
{
    tg_replay *replay = some_cache();
    uint64_t now = START + 1000;
    (void)state;
    assert_int_equal(admit(replay, 1, now, now), TG_REPLAY_ADMITTED);
    assert_int_equal(admit(replay, 2, now + 10000, now + 10000),
                     TG_REPLAY_ADMITTED); /* the host turns the clock forward, twice */
    assert_int_equal(admit(replay, 3, now + 20000, now + 20000), TG_REPLAY_ADMITTED);
    assert_int_equal(admit(replay, 1, now, now), TG_REPLAY_TOO_OLD); /* and back */
    tg_replay_free(replay);
}

static void *admit_all(void *owner)
{
    size_t num_admitted = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t ignored;
        num_admitted += admit_with(owner, i, START + 100, START + 100, &ignored) == TG_REPLAY_ADMITTED;
    }
    return (void *)(uintptr_t)num_admitted;
}

static void tg_replay_admit_from_many_threads_takes_each_once(void **state)
{
    tg_replay *replay = some_cache();
    pthread_t threads[4];
    size_t num_admitted = 0;
    (void)state;
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, admit_all, replay), 0);
    }
    for (size_t i = 0; i < TG_COUNT(threads); i++) {
        void *num;
        assert_int_equal(pthread_join(threads[i], &num), 0);
        num_admitted += (size_t)(uintptr_t)num;
    }
    assert_int_equal(num_admitted, ENTRIES);
    tg_replay_free(replay);
}

static void tg_replay_new_outside_its_bounds_is_refused(void **state)
{
    const tg_replay_options bad[] = {{WINDOW, AHEAD, TG_MIN_REPLAY_ENTRIES - 1, 0},
                                     {WINDOW, AHEAD, TG_MAX_REPLAY_ENTRIES + 1, 0},
                                     {0, AHEAD, ENTRIES, 0},
                                     {UINT64_MAX, AHEAD, ENTRIES, 0},
                                     {WINDOW, UINT64_MAX, ENTRIES, 0}};
    (void)state;
    for (size_t i = 0; i < TG_COUNT(bad); i++) {
        tg_replay *replay = NULL;
        assert_code(tg_replay_new(&bad[i], &replay), TG_ERR_RANGE);
    }
    tg_replay_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tg_replay_admit_twice_is_refused_for_the_whole_window),
        cmocka_unit_test(tg_replay_admit_at_the_edges_of_time_is_exact),
        cmocka_unit_test(tg_replay_admit_full_is_refused_until_the_window_is_over),
        cmocka_unit_test(tg_replay_admit_clock_set_back_makes_nothing_new),
        cmocka_unit_test(tg_replay_admit_from_many_threads_takes_each_once),
        cmocka_unit_test(tg_replay_new_outside_its_bounds_is_refused),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
