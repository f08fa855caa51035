#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void tg_fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd); /* never repeated: on Linux the descriptor is gone even after EINTR */
        *fd = -1;
        errno = saved;
    }
}

tg_result tg_fd_prepare(int fd)
{
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || ((status & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, status | O_NONBLOCK) != 0)) {
        return tg_fail_os(errno);
    }
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || ((flags & FD_CLOEXEC) == 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0)) {
        return tg_fail_os(errno);
    }
    return tg_ok();
}
