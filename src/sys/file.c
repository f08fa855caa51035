#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

/* What is left where the buffer is full: nothing, or one byte too many. */
static tg_result expect_end(int fd)
{
    for (;;) {
        uint8_t surplus;
        ssize_t got = read(fd, &surplus, 1);
        if (got == 0) {
            return tg_ok();
        }
        if (got > 0) {
            return tg_fail(TG_ERR_LIMIT);
        }
        if (errno == EAGAIN) { /* full, but the writer has not ended yet */
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR) {
                return tg_fail_os(errno);
            }
        } else if (errno != EINTR) {
            return tg_fail_os(errno);
        }
    }
}

tg_result tg_file_read_fd(int fd, tg_buf *buf, tg_file_progress_fn *on_read, void *owner)
{
    for (;;) {
        size_t space = tg_buf_space(buf);
        if (space == 0) {
            return expect_end(fd);
        }
        size_t want = space < READ_BYTES ? space : READ_BYTES;
        uint8_t *out;
        TG_TRY(tg_buf_reserve(buf, want, &out));
        ssize_t got = read(fd, out, want);
        if (got == 0) {
            return tg_ok();
        }
        if (got < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR) {
                return tg_fail_os(errno);
            }
        } else if (got < 0 && errno != EINTR) {
            return tg_fail_os(errno);
        } else if (got > 0) {
            tg_buf_commit(buf, (size_t)got);
            if (on_read != NULL) {
                on_read(tg_buf_len(buf), owner);
            }
        }
    }
}

tg_result tg_file_read(const char *path, tg_buf *buf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return tg_fail_os(errno);
    }
    tg_result result = tg_file_read_fd(fd, buf, NULL, NULL);
    close(fd);
    return result;
}

tg_result tg_file_read_regular(const char *path, tg_buf *buf)
{
    struct stat facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* opening a FIFO would wait for its writer */
    if (fd < 0) {
        return tg_fail_os(errno);
    }
    tg_result result = fstat(fd, &facts) == 0 ? tg_ok() : tg_fail_os(errno);
    if (tg_is_ok(result)) {
        result = S_ISREG(facts.st_mode) ? tg_file_read_fd(fd, buf, NULL, NULL) : tg_fail(TG_ERR_UNSUPPORTED);
    }
    close(fd);
    return result;
}

tg_result tg_file_write_all(int fd, tg_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);
        if (done > 0) {
            bytes = tg_slice_from(bytes, (size_t)done);
        } else if (done < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR) {
                return tg_fail_os(errno);
            }
        } else if (done < 0 && errno != EINTR) {
            return tg_fail_os(errno);
        }
    }
    return tg_ok();
}

static tg_result write_new(const char *path, unsigned mode, tg_slice bytes, bool is_synced)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST ? tg_fail(TG_ERR_EXISTS) : tg_fail_os(errno);
    }
    tg_result result = tg_file_write_all(fd, bytes);
    if (tg_is_ok(result) && (fchmod(fd, (mode_t)mode) != 0 || (is_synced && fsync(fd) != 0))) {
        result = tg_fail_os(errno);
    }
    if (close(fd) != 0 && tg_is_ok(result)) {
        result = tg_fail_os(errno);
    }
    if (!tg_is_ok(result)) {
        unlink(path);
    }
    return result;
}

tg_result tg_file_write_new(const char *path, unsigned mode, tg_slice bytes)
{
    return write_new(path, mode, bytes, true);
}

tg_result tg_file_write_new_unsynced(const char *path, unsigned mode, tg_slice bytes)
{
    return write_new(path, mode, bytes, false);
}
