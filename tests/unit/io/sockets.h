/* Sockets for tests: connected pairs, and a loop that runs until something holds. */
#ifndef TG_TESTS_UNIT_IO_SOCKETS_H
#define TG_TESTS_UNIT_IO_SOCKETS_H

#include "io/loop.h"
#include "support/case.h"
#include "sys/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef enum test_transport { TEST_TCP, TEST_UNIX } test_transport;

static inline void test_set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* A listening TCP socket on a port of the kernel's choice. */
static inline int test_tcp_listen(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

/* fds[0] is non-blocking, for the code under test; fds[1] blocks. */
static inline void test_pair(test_transport transport, int fds[2])
{
    if (transport == TEST_UNIX) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    } else {
        struct sockaddr_in address;
        int listener = test_tcp_listen(&address);
        fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[1], (struct sockaddr *)&address, sizeof address), 0);
        fds[0] = accept(listener, NULL, NULL);
        assert_true(fds[0] >= 0);
        close(listener);
    }
    test_set_nonblocking(fds[0]);
}

/* One turn after another until `is_done` holds, or some seconds have passed. */
typedef struct test_pump {
    tg_tick tick;
    tg_deadline deadline;
    tg_loop *loop;
    bool (*is_done)(void);
    bool is_late;
} test_pump;

static inline void test_pump_tick(tg_tick *tick)
{
    test_pump *pump = TG_OBJECT_OF(tick, test_pump, tick);
    if (pump->is_late || (pump->is_done != NULL && pump->is_done())) {
        tg_loop_stop(pump->loop);
    } else {
        tg_loop_tick_later(pump->loop, tick); /* looks again soon, without keeping the loop from sleeping */
    }
}

static inline void test_pump_late(tg_deadline *deadline)
{
    test_pump *pump = TG_OBJECT_OF(deadline, test_pump, deadline);
    pump->is_late = true;
    tg_loop_tick(pump->loop, &pump->tick);
}

/* Runs the loop until is_done() (NULL: never) or for ms; returns whether it was done in time. */
static inline bool test_run(tg_loop *loop, bool (*is_done)(void), uint64_t ms)
{
    test_pump pump = {.tick.run = test_pump_tick, .deadline.run = test_pump_late, .loop = loop, .is_done = is_done};
    tg_deadline_arm(loop, &pump.deadline, tg_clock_monotonic_ms() + ms);
    tg_loop_tick(loop, &pump.tick);
    tg_loop_run(loop);
    tg_deadline_disarm(&pump.deadline);
    tg_tick_cancel(&pump.tick);
    return !pump.is_late;
}

#endif
