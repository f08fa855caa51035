#include "support/case.h"

#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void close_open_descriptor_keeps_errno(void **state)
{
    (void)state;
    int fd = dup(0);
    int same = fd;
    errno = ENOENT;
    tg_fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(fcntl(same, F_GETFD), -1);
    tg_fd_close(&fd);
}

static void take_leaves_nothing_to_close(void **state)
{
    (void)state;
    int fd = 7;
    assert_int_equal(tg_fd_take(&fd), 7);
    assert_int_equal(fd, -1);
}

static void prepare_plain_pipe_becomes_nonblocking_and_cloexec(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_ok(tg_fd_prepare(fds[0]));
    assert_ok(tg_fd_prepare(fds[0]));
    assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    close(fds[1]);
    close(fds[0]);
    tg_result result = tg_fd_prepare(fds[0]);
    assert_code(result, TG_ERR_SYSTEM);
    assert_int_equal(result.os_error, EBADF);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(close_open_descriptor_keeps_errno),
        cmocka_unit_test(take_leaves_nothing_to_close),
        cmocka_unit_test(prepare_plain_pipe_becomes_nonblocking_and_cloexec),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
