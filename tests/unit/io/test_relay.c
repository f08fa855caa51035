#include "io/relay.h"

#include "io/socket.h"
#include "sys/clock.h"
#include "unit/io/sockets.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

typedef struct fixture {
    tg_loop *loop;
    tg_relay_pool *pool;
    tg_relay *relay;
    int far[2]; /* the peers' ends: blocking */
    bool has_ended;
    tg_relay_end end;
    tg_relay_options options;
} fixture;

static fixture f;

static void on_ended(tg_relay *relay, tg_relay_end end)
{
    assert_ptr_equal(relay, f.relay);
    assert_false(f.has_ended);
    f.has_ended = true;
    f.end = end;
}

static bool has_ended(void)
{
    return f.has_ended;
}

static void begin(test_transport left, test_transport right, const tg_relay_pool_options *pool_options, tg_slice prefix)
{
    test_transport transports[2] = {left, right};
    tg_stream *streams[2];
    assert_ok(tg_loop_new(&f.loop));
    assert_ok(tg_relay_pool_new(f.loop, pool_options, &f.pool));
    f.relay = malloc(sizeof *f.relay);
    for (int side = 0; side < 2; side++) {
        int fds[2];
        tg_peer peer = {.kind = transports[side] == TEST_TCP ? TG_ADDRESS_TCP : TG_ADDRESS_UNIX};
        test_pair(transports[side], fds);
        assert_ok(tg_socket_open(f.loop, fds[0], &peer, &streams[side]));
        f.far[side] = fds[1];
    }
    assert_ok(tg_relay_start(f.relay, f.pool, streams[0], streams[1], prefix, &f.options, on_ended));
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    f = (fixture){.far = {-1, -1}};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (!f.has_ended && f.relay != NULL) {
        tg_relay_stop(f.relay);
    }
    for (int side = 0; side < 2; side++) {
        if (f.far[side] >= 0) {
            close(f.far[side]);
        }
    }
    free(f.relay);
    tg_relay_pool_free(f.pool);
    tg_loop_free(f.loop);
    return 0;
}

static void close_far(int side)
{
    close(f.far[side]);
    f.far[side] = -1;
}

static void say(int side, const char *text)
{
    assert_int_equal(send(f.far[side], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the peer has received, without waiting. */
static tg_slice hear(int side)
{
    static uint8_t bytes[4096];
    ssize_t len = recv(f.far[side], bytes, sizeof bytes, MSG_DONTWAIT);
    return tg_slice_of(bytes, len > 0 ? (size_t)len : 0);
}

static bool is_at_end(int side)
{
    uint8_t byte;
    return recv(f.far[side], &byte, 1, MSG_DONTWAIT) == 0;
}

static void relay_prefix_goes_first(void **state)
{
    (void)state;
    begin(TEST_TCP, TEST_UNIX, NULL, TG_LIT("read before "));
    say(TG_RELAY_LEFT, "and after");
    say(TG_RELAY_RIGHT, "answer");
    test_run(f.loop, NULL, 60);
    assert_slice(hear(TG_RELAY_RIGHT), "read before and after");
    assert_slice(hear(TG_RELAY_LEFT), "answer");
    assert_int_equal(tg_relay_bytes(f.relay, TG_RELAY_LEFT), 21);
    assert_int_equal(tg_relay_bytes(f.relay, TG_RELAY_RIGHT), 6);
}

static void relay_half_close_is_kept_each_way(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        set_up(NULL);
        begin(TEST_TCP, TEST_UNIX, NULL, TG_LIT(""));
        say(first, "question");
        shutdown(f.far[first], SHUT_WR);
        test_run(f.loop, NULL, 60);
        assert_slice(hear(1 - first), "question");
        assert_true(is_at_end(1 - first));
        assert_false(f.has_ended);
        say(1 - first, "a late answer"); /* the other way still works */
        test_run(f.loop, NULL, 60);
        assert_slice(hear(first), "a late answer");
        shutdown(f.far[1 - first], SHUT_WR);
        assert_true(test_run(f.loop, has_ended, 5000));
        assert_int_equal(f.end, TG_RELAY_ENDED);
        assert_true(is_at_end(first));
        if (first == 0) {
            tear_down(NULL);
        }
    }
}

/* A thread that writes a pattern, or reads and checks it, at its own pace. */
typedef struct worker {
    pthread_t thread;
    int fd;
    size_t len;
    size_t done;
    unsigned pause_us;
    bool is_good;
} worker;

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16));
}

static void *write_pattern(void *argument)
{
    worker *w = argument;
    static _Thread_local uint8_t chunk[50000];
    while (w->done < w->len) {
        size_t len = w->len - w->done < sizeof chunk ? w->len - w->done : sizeof chunk;
        for (size_t i = 0; i < len; i++) {
            chunk[i] = pattern(w->done + i);
        }
        ssize_t sent = send(w->fd, chunk, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return NULL;
        }
        w->done += (size_t)sent;
    }
    shutdown(w->fd, SHUT_WR);
    w->is_good = true;
    return NULL;
}

static void *read_pattern(void *argument)
{
    worker *w = argument;
    static _Thread_local uint8_t chunk[30000];
    w->is_good = true;
    for (ssize_t got; (got = recv(w->fd, chunk, sizeof chunk, 0)) > 0; w->done += (size_t)got) {
        for (ssize_t i = 0; i < got; i++) {
            w->is_good = w->is_good && chunk[i] == pattern(w->done + (size_t)i);
        }
        if (w->pause_us > 0) {
            usleep(w->pause_us);
        }
    }
    return NULL;
}

/* Both ways at a time, each peer reading and writing in threads of its own. */
static void exchange(test_transport left, test_transport right, const tg_relay_pool_options *options, size_t len,
                     unsigned pause_us)
{
    begin(left, right, options, TG_LIT(""));
    worker writers[2], readers[2];
    for (int side = 0; side < 2; side++) {
        writers[side] = (worker){.fd = f.far[side], .len = len + (size_t)side};
        readers[side] = (worker){.fd = f.far[side], .pause_us = side == 0 ? pause_us : 0};
        assert_int_equal(pthread_create(&writers[side].thread, NULL, write_pattern, &writers[side]), 0);
        assert_int_equal(pthread_create(&readers[side].thread, NULL, read_pattern, &readers[side]), 0);
    }
    assert_true(test_run(f.loop, has_ended, 60000));
    assert_int_equal(f.end, TG_RELAY_ENDED);
    for (int side = 0; side < 2; side++) {
        pthread_join(writers[side].thread, NULL);
        pthread_join(readers[side].thread, NULL);
    }
    for (int side = 0; side < 2; side++) {
        assert_true(writers[side].is_good);
        assert_true(readers[side].is_good);
        assert_int_equal(readers[side].done, len + (size_t)(1 - side));
        assert_int_equal(tg_relay_bytes(f.relay, (tg_relay_side)side), len + (size_t)side);
    }
}

static void relay_long_streams_through_pipes_lose_nothing(void **state)
{
    (void)state;
    exchange(TEST_TCP, TEST_TCP, NULL, 30000000, 0);
}

static void relay_long_streams_between_kinds_lose_nothing(void **state)
{
    (void)state;
    exchange(TEST_TCP, TEST_UNIX, NULL, 10000000, 0);
}

static void relay_long_streams_without_pipes_lose_nothing(void **state)
{
    (void)state;
    exchange(TEST_TCP, TEST_UNIX, &(tg_relay_pool_options){.max_pipes = 0, .max_held_bytes = 1 << 20}, 10000000, 0);
}

static void relay_slow_reader_slows_the_writer(void **state)
{
    (void)state;
    exchange(TEST_UNIX, TEST_TCP, NULL, 3000000, 300);
}

static void relay_with_little_memory_reads_little(void **state)
{
    (void)state;
    exchange(TEST_UNIX, TEST_UNIX, &(tg_relay_pool_options){.max_pipes = 0, .max_held_bytes = 0}, 1000000, 100);
}

static size_t fill(int fd)
{
    static const uint8_t zeros[65536];
    size_t total = 0;
    for (ssize_t sent; (sent = send(fd, zeros, sizeof zeros, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;) {
        total += (size_t)sent;
    }
    return total;
}

static void relay_reader_that_never_reads_stops_the_source(void **state)
{
    (void)state;
    for (size_t max_pipes = 0; max_pipes < 2; max_pipes++) {
        set_up(NULL);
        begin(TEST_UNIX, TEST_UNIX, &(tg_relay_pool_options){.max_pipes = max_pipes, .max_held_bytes = 1 << 20},
              TG_LIT(""));
        size_t total = 0, added = 1;
        for (int turns = 0; turns < 100 && added > 0; turns++) {
            added = fill(f.far[TG_RELAY_LEFT]);
            total += added;
            test_run(f.loop, NULL, 1);
        }
        assert_int_equal(added, 0);
        assert_true(total < 4 << 20); /* both sockets, and a buffer or a pipe */
        say(TG_RELAY_RIGHT, "the other way goes on");
        test_run(f.loop, NULL, 60);
        assert_slice(hear(TG_RELAY_LEFT), "the other way goes on");
        size_t arrived = 0;
        for (int turns = 0; turns < 400 && arrived < total; turns++) {
            static uint8_t bytes[65536];
            for (ssize_t got; (got = recv(f.far[TG_RELAY_RIGHT], bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
                arrived += (size_t)got;
            }
            test_run(f.loop, NULL, 1);
        }
        assert_int_equal(arrived, total);
        if (max_pipes == 0) {
            tear_down(NULL);
        }
    }
}

static void relay_early_answer_arrives_though_the_target_is_gone(void **state)
{
    (void)state;
    begin(TEST_TCP, TEST_UNIX, NULL, TG_LIT(""));
    say(TG_RELAY_RIGHT, "413 too large");
    close_far(TG_RELAY_RIGHT);
    say(TG_RELAY_LEFT, "a body that nobody reads");
    assert_true(test_run(f.loop, has_ended, 5000));
    assert_int_equal(f.end, TG_RELAY_RIGHT_BROKE);
    assert_slice(hear(TG_RELAY_LEFT), "413 too large");
}

static void reset_far(int side)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(f.far[side], SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close_far(side);
}

static void relay_reset_is_passed_on_as_a_reset(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        set_up(NULL);
        begin(TEST_TCP, TEST_TCP, NULL, TG_LIT(""));
        say(side, "first");
        test_run(f.loop, NULL, 60);
        reset_far(side);
        assert_true(test_run(f.loop, has_ended, 5000));
        assert_int_equal(f.end, side == TG_RELAY_LEFT ? TG_RELAY_LEFT_BROKE : TG_RELAY_RIGHT_BROKE);
        assert_slice(hear(1 - side), "first");
        uint8_t byte;
        assert_int_equal(recv(f.far[1 - side], &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        if (side == 0) {
            tear_down(NULL);
        }
    }
}

static void relay_reset_with_bytes_held_still_delivers_them(void **state)
{
    (void)state;
    begin(TEST_TCP, TEST_UNIX, &(tg_relay_pool_options){.max_pipes = 0, .max_held_bytes = 1 << 20}, TG_LIT(""));
    size_t total = 0, added = 1;
    for (int turns = 0; turns < 200 && added > 0; turns++) {
        added = fill(f.far[TG_RELAY_LEFT]);
        total += added;
        test_run(f.loop, NULL, 1);
    }
    say(TG_RELAY_RIGHT, "unread"); /* so that the left's close is a reset */
    test_run(f.loop, NULL, 60);
    close_far(TG_RELAY_LEFT);
    size_t arrived = 0;
    for (int turns = 0; turns < 2000 && !f.has_ended; turns++) {
        static uint8_t bytes[65536];
        for (ssize_t got; (got = recv(f.far[TG_RELAY_RIGHT], bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
            arrived += (size_t)got;
        }
        test_run(f.loop, has_ended, 1);
    }
    assert_true(f.has_ended);
    assert_int_equal(f.end, TG_RELAY_LEFT_BROKE);
    for (ssize_t got; (got = (ssize_t)hear(TG_RELAY_RIGHT).len) > 0;) {
        arrived += (size_t)got;
    }
    assert_int_equal(arrived, tg_relay_bytes(f.relay, TG_RELAY_LEFT));
    assert_true(arrived <= total);
}

static void relay_idle_time_ends_it_and_bytes_put_it_off(void **state)
{
    (void)state;
    uint64_t said_ms = 0;
    f.options.idle_ms = 200;
    begin(TEST_TCP, TEST_TCP, NULL, TG_LIT(""));
    for (int i = 0; i < 4 && !f.has_ended; i++) { /* on a machine that stands still it may end before the last */
        said_ms = tg_clock_monotonic_ms();
        say(i % 2, "x");
        test_run(f.loop, has_ended, 100);
    }
    assert_true(f.has_ended || test_run(f.loop, has_ended, 5000));
    assert_int_equal(f.end, TG_RELAY_IDLE);
    assert_true(tg_clock_monotonic_ms() - said_ms >= 200);
}

static void relay_bytes_that_wait_when_the_loop_is_late_put_it_off(void **state)
{
    (void)state;
    f.options.idle_ms = 100;
    begin(TEST_TCP, TEST_TCP, NULL, TG_LIT(""));
    tg_loop_turn(f.loop);
    say(TG_RELAY_LEFT, "x");
    usleep(200 * 1000); /* the loop stands still past the idle time */
    uint64_t late_ms = tg_clock_monotonic_ms();
    assert_true(test_run(f.loop, has_ended, 5000));
    assert_int_equal(f.end, TG_RELAY_IDLE);
    assert_true(tg_clock_monotonic_ms() - late_ms >= 100);
    assert_slice(hear(TG_RELAY_RIGHT), "x");
}

static void relay_total_time_ends_it_whatever_flows(void **state)
{
    (void)state;
    f.options.idle_ms = 1000;
    f.options.total_ms = 300;
    begin(TEST_TCP, TEST_TCP, NULL, TG_LIT(""));
    for (int i = 0; i < 40 && !f.has_ended; i++) {
        say(i % 2, "x");
        test_run(f.loop, has_ended, 20);
    }
    assert_true(f.has_ended);
    assert_int_equal(f.end, TG_RELAY_TOO_LONG);
}

static void relay_total_time_alone_ends_it(void **state)
{
    (void)state;
    f.options.total_ms = 100;
    begin(TEST_UNIX, TEST_UNIX, NULL, TG_LIT(""));
    assert_true(test_run(f.loop, has_ended, 2000));
    assert_int_equal(f.end, TG_RELAY_TOO_LONG);
}

static void relay_counts_bytes_into_metrics(void **state)
{
    (void)state;
    static tg_metric_family family = {
        .name = "teegate_test_bytes_total", .help = "A test's.", .kind = TG_METRIC_COUNTER, .labels = {"from"}};
    f.options.byte_counters[0] = tg_metric_of(&family, TG_LIT("left"));
    f.options.byte_counters[1] = tg_metric_of(&family, TG_LIT("right"));
    begin(TEST_TCP, TEST_UNIX, NULL, TG_LIT("12"));
    say(TG_RELAY_RIGHT, "345");
    test_run(f.loop, NULL, 60);
    assert_int_equal(tg_metric_counter(f.options.byte_counters[0]), 2);
    assert_int_equal(tg_metric_counter(f.options.byte_counters[1]), 3);
}

static void relay_stop_closes_both_without_a_call(void **state)
{
    (void)state;
    begin(TEST_TCP, TEST_UNIX, NULL, TG_LIT("x"));
    tg_relay_stop(f.relay);
    free(TG_TAKE(f.relay));
    test_run(f.loop, NULL, 40);
    assert_false(f.has_ended);
    assert_true(is_at_end(TG_RELAY_RIGHT));
}

static void relay_idle_one_holds_less_than_a_kibibyte(void **state)
{
    (void)state;
    begin(TEST_TCP, TEST_TCP, NULL, TG_LIT(""));
    assert_true(sizeof(tg_relay) <= 320);
    say(TG_RELAY_LEFT, "hello");
    test_run(f.loop, NULL, 60);
    assert_null(f.relay->ways[0].held);
    assert_null(f.relay->ways[0].pipe);
    assert_null(f.relay->ways[1].held);
}

static void end_names_are_all_there(void **state)
{
    (void)state;
    for (int end = 0; end < TG_NUM_RELAY_ENDS; end++) {
        assert_string_not_equal(tg_relay_end_name((tg_relay_end)end), "unknown");
    }
    assert_string_equal(tg_relay_end_name(TG_NUM_RELAY_ENDS), "unknown");
    tg_stream_abort(NULL);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(relay_prefix_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_half_close_is_kept_each_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_long_streams_through_pipes_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_long_streams_between_kinds_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_long_streams_without_pipes_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_slow_reader_slows_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_with_little_memory_reads_little, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_reader_that_never_reads_stops_the_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_early_answer_arrives_though_the_target_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_reset_is_passed_on_as_a_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_reset_with_bytes_held_still_delivers_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_idle_time_ends_it_and_bytes_put_it_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_bytes_that_wait_when_the_loop_is_late_put_it_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_total_time_ends_it_whatever_flows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_total_time_alone_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_counts_bytes_into_metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_stop_closes_both_without_a_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relay_idle_one_holds_less_than_a_kibibyte, set_up, tear_down),
        cmocka_unit_test(end_names_are_all_there),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
