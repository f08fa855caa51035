/* Runs the tool as its main does, and keeps what it said. */
#ifndef TG_TESTS_UNIT_TOOL_TOOL_RUN_H
#define TG_TESTS_UNIT_TOOL_TOOL_RUN_H

#include "support/case.h"
#include "support/folder.h"
#include "tool/commands.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TOOL_MAX_TEXT_BYTES = 1 << 20, TOOL_MAX_ARGUMENTS = 40 };

static char tool_out[TOOL_MAX_TEXT_BYTES], tool_err[65536];
static size_t tool_out_len;

static inline int tool_open_temporary(void)
{
    int fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    return fd;
}

static inline size_t tool_read_back(int fd, char *text, size_t cap)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t len = read(fd, text, cap - 1);
    assert_true(len >= 0);
    text[len] = 0;
    close(fd);
    return (size_t)len;
}

static inline int tool_run(const char *input, const char *const *arguments)
{
    const char *argv[TOOL_MAX_ARGUMENTS + 1] = {"teegate"};
    size_t argc = 1;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        assert_true(argc < TOOL_MAX_ARGUMENTS);
        argv[argc++] = arguments[i];
    }
    int in_fd = tool_open_temporary();
    assert_int_equal(write(in_fd, input, strlen(input)), strlen(input));
    assert_int_equal(lseek(in_fd, 0, SEEK_SET), 0);
    tg_console console = {.in_fd = in_fd, .out_fd = tool_open_temporary(), .err_fd = tool_open_temporary()};
    int status = tg_tool_main(argc, argv, &console);
    close(in_fd);
    tool_out_len = tool_read_back(console.out_fd, tool_out, sizeof tool_out);
    tool_read_back(console.err_fd, tool_err, sizeof tool_err);
    return status;
}

#define TOOL(input, ...) tool_run(input, (const char *const[]){__VA_ARGS__, NULL})

static inline void tool_assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not stand in:\n%s", part, text);
    }
}

#endif
