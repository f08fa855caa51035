#include "unit/io/sockets.h"

#include "io/linger.h"
#include "io/socket.h"

#include <errno.h>

typedef struct fixture {
    tg_loop *loop;
    tg_stream *stream;
    int far;
} fixture;

static fixture f;

static int set_up(void **state)
{
    (void)state;
    int fds[2];
    tg_peer peer = {.kind = TG_ADDRESS_TCP};
    test_pair(TEST_TCP, fds);
    f.far = fds[1];
    return tg_is_ok(tg_loop_new(&f.loop)) && tg_is_ok(tg_socket_open(f.loop, fds[0], &peer, &f.stream)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_loop_free(f.loop);
    close(f.far);
    return 0;
}

/* Whether the near side is closed: what is written to it is answered by a reset. */
static bool is_closed(void)
{
    (void)send(f.far, "x", 1, MSG_NOSIGNAL);
    usleep(20000);
    return send(f.far, "x", 1, MSG_NOSIGNAL) < 0;
}

static void say_last_words(void)
{
    size_t len = 0;
    assert_int_equal(write(f.far, "unread", 6), 6);
    assert_ok(tg_stream_write(f.stream, TG_LIT("last words"), &len));
    tg_linger(f.loop, TG_TAKE(f.stream));
}

static void linger_last_words_arrive_before_the_end(void **state)
{
    (void)state;
    char bytes[32] = {0};
    say_last_words();
    test_run(f.loop, NULL, 100);
    assert_int_equal(write(f.far, "more", 4), 4);
    test_run(f.loop, NULL, 100);
    assert_int_equal(read(f.far, bytes, sizeof bytes), 10);
    assert_string_equal(bytes, "last words");
    assert_int_equal(read(f.far, bytes, sizeof bytes), 0);
    assert_false(is_closed());
}

static void linger_peer_ends_and_it_is_closed(void **state)
{
    (void)state;
    say_last_words();
    shutdown(f.far, SHUT_WR);
    test_run(f.loop, NULL, 100);
    int error = 0;
    socklen_t len = sizeof error;
    assert_int_equal(getsockopt(f.far, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
}

static void linger_silent_peer_is_closed_in_time(void **state)
{
    (void)state;
    say_last_words();
    test_run(f.loop, NULL, TG_LINGER_MS + 200);
    assert_true(is_closed());
}

static void linger_peer_that_never_stops_is_closed(void **state)
{
    (void)state;
    static uint8_t block[65536];
    say_last_words();
    test_set_nonblocking(f.far);
    ssize_t sent = 0;
    for (int i = 0; i < 200 && (sent >= 0 || errno == EAGAIN); i++) {
        sent = send(f.far, block, sizeof block, MSG_NOSIGNAL);
        test_run(f.loop, NULL, 1);
    }
    assert_true(sent < 0 && errno != EAGAIN);
}

static void free_loop_closes_what_still_lingers(void **state)
{
    (void)state;
    say_last_words();
    tg_loop_free(TG_TAKE(f.loop));
    assert_true(is_closed());
}

static void linger_broken_stream_is_closed_at_once(void **state)
{
    (void)state;
    struct linger reset = {.l_onoff = 1};
    assert_int_equal(setsockopt(f.far, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(f.far);
    usleep(20000);
    int fd = tg_stream_raw_fd(f.stream);
    tg_linger(f.loop, TG_TAKE(f.stream));
    test_run(f.loop, NULL, 40);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    f.far = dup(0);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(linger_last_words_arrive_before_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linger_peer_ends_and_it_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linger_silent_peer_is_closed_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linger_peer_that_never_stops_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_loop_closes_what_still_lingers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linger_broken_stream_is_closed_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
