/* File descriptors: closed once, with the caller's errno kept. */
#ifndef TG_SYS_FD_H
#define TG_SYS_FD_H

#include "base/result.h"

/* tg_fd_close closes *fd where it is not negative, sets it to -1, and leaves errno as it was. Fits TG_CLEANUP. */
void tg_fd_close(int *fd);

/* tg_fd_take gives the descriptor away: the variable is -1 afterwards. */
static inline int tg_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* tg_fd_prepare sets O_NONBLOCK and FD_CLOEXEC, for descriptors that somebody else opened.
 * err   TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_fd_prepare(int fd);

#endif
