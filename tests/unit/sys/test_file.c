#include "support/case.h"
#include "support/folder.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_file_gives_what_was_written(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/key", tg_test_folder());
    assert_ok(tg_file_write_new(path, 0600, TG_LIT("a\0b")));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_code(tg_file_write_new(path, 0600, TG_LIT("c")), TG_ERR_EXISTS);
    tg_buf buf;
    tg_buf_init(&buf, 3);
    assert_ok(tg_file_read(path, &buf));
    assert_slice(tg_buf_slice(&buf), "a\0b");
    tg_buf_done(&buf);
    tg_buf_init(&buf, 2);
    assert_code(tg_file_read(path, &buf), TG_ERR_LIMIT);
    tg_buf_done(&buf);
    unlink(path);
}

static void read_regular_takes_no_other_kind_and_never_waits(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/it", tg_test_folder());
    tg_buf buf;
    tg_buf_init(&buf, 3);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_code(tg_file_read_regular(path, &buf), TG_ERR_UNSUPPORTED);
    unlink(path);
    assert_code(tg_file_read_regular(tg_test_folder(), &buf), TG_ERR_UNSUPPORTED);
    assert_code(tg_file_read_regular("/dev/zero", &buf), TG_ERR_UNSUPPORTED);
    assert_int_equal(tg_file_read_regular(path, &buf).os_error, ENOENT);
    assert_ok(tg_file_write_new_unsynced(path, 0600, TG_LIT("abc")));
    assert_ok(tg_file_read_regular(path, &buf));
    assert_slice(tg_buf_slice(&buf), "abc");
    assert_code(tg_file_read_regular(path, &buf), TG_ERR_LIMIT);
    tg_buf_done(&buf);
    unlink(path);
}

static void read_folder_and_absent_file_fail(void **state)
{
    (void)state;
    tg_buf buf;
    tg_buf_init(&buf, 10);
    assert_int_equal(tg_file_read(tg_test_folder(), &buf).os_error, EISDIR);
    assert_int_equal(tg_file_read("/nonexistent/file", &buf).os_error, ENOENT);
    tg_buf_done(&buf);
    tg_buf_init(&buf, 0);
    assert_int_equal(tg_file_read(tg_test_folder(), &buf).os_error, EISDIR);
    tg_buf_done(&buf);
    assert_int_equal(tg_file_write_new("/nonexistent/file", 0600, TG_LIT("x")).os_error, ENOENT);
    assert_int_equal(tg_file_write_all(-1, TG_LIT("x")).os_error, EBADF);
}

static size_t seen;
static void see(size_t num_bytes, void *owner)
{
    (void)owner;
    seen = num_bytes;
}

typedef struct slow_writer {
    int fd;
    size_t len;
    tg_result result;
} slow_writer;

static void *write_slowly(void *arg)
{
    slow_writer *writer = arg;
    usleep(20000);
    uint8_t *bytes = calloc(1, writer->len);
    writer->result = tg_file_write_all(writer->fd, tg_slice_of(bytes, writer->len));
    free(bytes);
    usleep(20000); /* full before the end is there */
    close(writer->fd);
    return NULL;
}

static void read_fd_nonblocking_pipe_is_waited_for(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    slow_writer writer = {ends[1], 300000, {TG_OK, 0}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_slowly, &writer), 0);
    tg_buf buf;
    tg_buf_init(&buf, 300000);
    assert_ok(tg_file_read_fd(ends[0], &buf, see, NULL));
    assert_int_equal(tg_buf_len(&buf), 300000);
    assert_int_equal(seen, 300000);
    tg_buf_done(&buf);
    pthread_join(thread, NULL);
    assert_ok(writer.result);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(read_file_gives_what_was_written),
        cmocka_unit_test(read_regular_takes_no_other_kind_and_never_waits),
        cmocka_unit_test(read_folder_and_absent_file_fail),
        cmocka_unit_test(read_fd_nonblocking_pipe_is_waited_for),
    };
    return cmocka_run_group_tests(cases, tg_test_folder_set_up, tg_test_folder_tear_down);
}
